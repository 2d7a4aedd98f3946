"""Another system that listens to the shop's webhooks: it checks every signature, and answers as a person tells it to.

Its address is ``/receiver/hook``. It knows Standard Webhooks 1.0 from the specification alone, not from the shop's code.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from markupsafe import Markup
from werkzeug.exceptions import BadRequest
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from .base import route
from .control import Controlled, root
from .standard_webhooks import TOLERANCE, is_signed

#: What it answers, as the buttons call it.
ANSWERS = {
    "204": "Thank you (204)",
    "500": "Something broke (500)",
    "429": "Too much, in a minute again (429)",
    "410": "Nobody here any more (410)",
    "302": "Go elsewhere (302)",
}
_SHOWN = 30


class Receiver(Controlled):
    """The keys that a person enters, the messages that came, and the answer they got."""

    name, title = "receiver", "Webhook receiver"
    note = "A simulation on this machine. It listens to the shop."
    listed = "All messages"

    @property
    def setup(self) -> dict[str, Any]:
        return self.books.get("setup", "setup") or {"keys": [], "answer": "204"}

    def configure_keys(self, *keys: str) -> None:
        """The keys as the shop shows them ("whsec_..."); a message signed by any of them counts."""
        self.books.put("setup", "setup", {**self.setup, "keys": [key for key in keys if key]})

    def answer_with(self, answer: str) -> None:
        """One of :data:`ANSWERS`, from now on."""
        self.books.put("setup", "setup", {**self.setup, "answer": answer})

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What came, the oldest first; a message that came twice is there twice."""
        return self.books.all("message")

    @route("POST", "/hook")
    def hook(self, request: Request) -> Response:
        body = request.get_data()
        setup = self.setup
        with self.books.lock:
            number = self.books.count("message") + 1
            came = {
                "n": number,
                "id": request.headers.get("webhook-id", ""),
                "type": _type(body),
                "body": body.decode("utf-8", "replace"),
                "verdict": self.verdict(request, body),
                "answer": setup["answer"],
            }
            self.books.put("message", str(number), came)
        headers = {"429": {"Retry-After": "60"}, "302": {"Location": "http://127.0.0.1:1/"}}.get(setup["answer"], {})
        text = "" if setup["answer"] == "204" else f"{ANSWERS[setup['answer']]}\n"
        return Response(text, int(setup["answer"]), headers, mimetype="text/plain")

    def verdict(self, request: Request, body: bytes) -> str:
        """Whether a message is the shop's: "verified", or why not."""
        keys = self.setup["keys"]
        if not keys:
            return "no key was entered"
        moment = request.headers.get("webhook-timestamp", "")
        if not moment.isdigit() or abs(time.time() - int(moment)) > TOLERANCE:
            return "too old, or without a time"
        if any(is_signed(request.headers, body, key) for key in keys):
            return "verified"
        return "signed by nobody we know"

    # The page

    @route("GET", "/", person=True)
    def page(self, request: Request) -> Response:
        setup = self.setup
        address = f"{request.host_url.rstrip('/')}{root(request)}hook"
        buttons = Markup("").join(
            Markup('<button name="answer" value="{value}" aria-pressed="{pressed}">{label}</button>').format(
                value=value, label=label, pressed="true" if value == setup["answer"] else "false"
            )
            for value, label in ANSWERS.items()
        )
        body = Markup(
            "<p>The address for the shop: <code>{address}</code></p>"
            '<form method="post" action="{root}keys"><p><label>Keys, each in its line<br>'
            '<textarea name="keys" rows="3" cols="60" autocomplete="off" spellcheck="false">{keys}</textarea></label></p>'
            "<button>Keep the keys</button></form>"
            '<h2>What it answers</h2><form method="post" action="{root}answer"><div class="buttons">{buttons}</div></form>'
            "<h2>What came</h2>{messages}"
        ).format(
            address=address, root=root(request), keys="\n".join(setup["keys"]), buttons=buttons, messages=self._shown()
        )
        return self.html(self.title, self.health(request) + body)

    def _shown(self) -> Markup:
        found = self.books.all("message", newest_first=True)[:_SHOWN]
        if not found:
            return Markup("<p>Nothing has come yet.</p>")
        seen: dict[str, int] = {}
        for message in self.messages:
            seen[message["id"]] = seen.get(message["id"], 0) + 1
        return Markup("").join(
            Markup(
                '<section class="message"><h2>{number}. {type}</h2><p><strong>{verdict}</strong>, answered {answer}'
                "{times}<br><code>{id}</code></p><details><summary>Body</summary><pre>{body}</pre></details></section>"
            ).format(
                number=message["n"],
                type=message["type"],
                verdict=message["verdict"],
                answer=message["answer"],
                times=f", came {seen[message['id']]} times" if seen[message["id"]] > 1 else "",
                id=message["id"],
                body=_pretty(message["body"]),
            )
            for message in found
        ) + Markup("<style>pre{white-space:pre-wrap;overflow-wrap:anywhere}textarea{max-width:100%}</style>")

    @route("POST", "/keys", person=True)
    def keep_keys(self, request: Request) -> Response:
        keys = request.form.get("keys", "").split()
        for key in keys:
            try:
                base64.b64decode(key.removeprefix("whsec_"), validate=True)
            except ValueError:
                raise BadRequest("this is no key") from None
        self.configure_keys(*keys)
        return redirect(root(request), 303)

    @route("POST", "/answer", person=True)
    def choose_answer(self, request: Request) -> Response:
        if request.form.get("answer") not in ANSWERS:
            raise BadRequest("no such answer")
        self.answer_with(request.form["answer"])
        return redirect(root(request), 303)


def _type(body: bytes) -> str:
    try:
        return str(json.loads(body)["type"])[:100]
    except (ValueError, KeyError, TypeError):
        return "no JSON"


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body
