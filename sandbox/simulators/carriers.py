"""What carriers' simulators share: parcels with their events, tokens, and the page where a person lets things happen.

A subclass names in ``steps`` what its carrier says at each step, and puts that on the wire:

    class Vendor(CarrierSimulator):
        steps = {"delivered": {"type": "BDE", "code": "01", "text": "Objeto entregue"}, ...}

        @route("GET", "/track/<code>")
        def track(self, request, code):
            record = self.asked(code)          # None: the carrier does not know this parcel
            return self.json([self.wire(event) for event in record["events"]])

    vendor.advance("AA123456785BR", "delivered")

An event in the books is ``{"n", "step", "at"}`` (``at``: ISO 8601 in UTC) with the vendor's own fields of that step.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from markupsafe import Markup
from werkzeug.exceptions import BadRequest, Unauthorized
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from .base import Deliver, Notification, deliver_by_http, route
from .books import Books
from .control import NOTIFY, Controlled, notify_choice, root

#: What can happen to a parcel, as the buttons call it. The last three are for tests alone.
STEPS = {
    "announced": "Announced",
    "collected": "Collected",
    "in_transit": "In transit",
    "out_for_delivery": "Out for delivery",
    "attempt_failed": "Attempt failed",
    "ready_for_pickup": "Ready for pick-up",
    "on_hold": "Held",
    "delivered": "Delivered",
    "returning": "On its way back",
    "returned": "Back at the sender",
    "cancelled": "Cancelled",
    "lost": "Lost",
    "correction": "Take the last one back",
    "unknown": "A code nobody knows",
    "hostile": "Hostile texts",
}
#: Texts that a step "hostile" says, for subclasses.
HOSTILE_TEXT = "<script>alert(1)</script>\x00\x1b[31m\u202e\r\nBcc: all@evil.example " + "x" * 100_000
_SHOWN = 50


class CarrierSimulator(Controlled):
    """Subclasses give ``steps`` and their routes. It is the driver of the carriers' contract, too.

    ``now`` is the clock. Notifications go to ``notification_url`` (:meth:`configure`; "" for nowhere).
    """

    note = "A simulation on this machine. No parcel moves."
    listed = "All parcels"
    #: The family of the shop's addresses for notifications: /webhooks/<family>/<name>/.
    family = "carriers"
    #: Whether it tells of what happens.
    tells = False
    #: step -> what the carrier says then, in its own fields.
    steps: Mapping[str, Mapping[str, Any]] = {}
    #: How long a token is good.
    token_life = timedelta(hours=1)

    def __init__(
        self,
        books: Books | None = None,
        deliver: Deliver = deliver_by_http,
        *,
        notification_url: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ):
        super().__init__(books, self._delivered(deliver))
        self.notification_url, self.now = notification_url, now
        #: Every notification that went out.
        self.letters: list[Notification] = []
        self._tokens: dict[str, datetime] = {}
        self.login_count = 0

    def _delivered(self, deliver: Deliver) -> Deliver:
        def delivered(notification: Notification) -> int:
            self.letters.append(notification)
            return deliver(notification)

        return delivered

    def configure(self, notification_url: str) -> None:
        """Where notifications go, as the merchant enters it in the carrier's back office."""
        self.notification_url = notification_url

    # Parcels

    def new_code(self, number: int) -> str:
        """The tracking code of the parcel with this number."""
        return f"{self.name.upper()[:2]}{number:08d}"

    def parcel(self, code: str = "", **facts: Any) -> str:
        """A parcel that the carrier knows, with no event yet; one that it knows already stays as it is."""
        with self.books.lock:
            code = code or self.new_code(self.books.count("parcel") + 1)
            if self.books.get("parcel", code) is None:
                self.books.put("parcel", code, {"code": code, "events": [], **facts})
        return code

    def record(self, code: str) -> dict[str, Any] | None:
        """What the carrier has in its books of a parcel, None for one that it does not know."""
        return self.books.get("parcel", code)

    def asked(self, code: str) -> dict[str, Any] | None:
        """The same, for a question of the shop: a code that is not known yet then waits on the first page."""
        found = self.record(code)
        if found is None and len(code) <= 64:
            self.books.put("asked", code, {"code": code})
        return found

    def advance(self, code: str, step: str, notify: str = "once", **changes: Any) -> dict[str, Any]:
        """Let this happen to a parcel (one that it did not know, too), and tell the shop.

        ``changes`` replace fields of the event: another code, another text, another moment (``at``).
        """
        event = {**self.steps[step], "step": step}
        self.parcel(code)
        with self.books.change("parcel", code) as record:
            last = [datetime.fromisoformat(event["at"]) + timedelta(seconds=1) for event in record["events"][-1:]]
            # No two at one moment: some carriers tell the time in seconds.
            at = max([self.now(), *last])
            event = {"n": len(record["events"]) + 1, "at": at.isoformat(), **event, **changes}
            record["events"].append(event)
        for notification in self.notifications(record, event):
            self.tell(notification, notify)
        return event

    def notifications(self, record: dict[str, Any], event: dict[str, Any]) -> Sequence[Notification]:
        """What the carrier sends when this has happened. Override it where it tells."""
        return ()

    # Tokens

    def issue_token(self) -> str:
        """A new token, good for ``token_life``."""
        token = secrets.token_urlsafe(24)
        self._tokens[token] = self.now() + self.token_life
        self.login_count += 1
        return token

    def has_token(self, request: Request) -> bool:
        """Whether the call brings a token that is still good, as ``Authorization: Bearer``."""
        kind, _space, token = request.headers.get("Authorization", "").partition(" ")
        return kind.lower() == "bearer" and self._tokens.get(token, datetime.min.replace(tzinfo=UTC)) > self.now()

    def check_token(self, request: Request) -> None:
        if not self.has_token(request):
            raise Unauthorized

    # What the contract's driver is asked

    def revoke_tokens(self) -> None:
        """Every token handed out so far is worth nothing from now on."""
        self._tokens.clear()

    def logins(self) -> int:
        return self.login_count

    def received(self) -> list[tuple[dict[str, str], bytes, dict[str, str]]]:
        """Every notification that went out, as it arrives: headers in lower case, body, query of its address."""
        return [self.arrives(letter) for letter in self.letters]

    def foreign(self) -> list[tuple[dict[str, str], bytes, dict[str, str]]]:
        return []

    @staticmethod
    def arrives(letter: Notification) -> tuple[dict[str, str], bytes, dict[str, str]]:
        query = dict(parse_qsl(urlsplit(letter.url).query))
        return {name.lower(): value for name, value in letter.headers.items()}, letter.body, query

    def orders(self) -> int:
        return self.books.count("order")

    def confirm(self, external_id: str) -> Any:
        """An order gets its tracking code. Override it where orders are taken."""
        raise KeyError(external_id)

    # The page

    @route("GET", "/", person=True)
    def page(self, request: Request) -> Response:
        known = self.books.all("parcel", newest_first=True)
        codes = {record["code"] for record in known}
        waiting = [found for found in self.books.all("asked", newest_first=True) if found["code"] not in codes]
        shown = Markup("").join(
            self._shown(request, record["code"], record["events"]) for record in known[:_SHOWN]
        ) + Markup("").join(self._shown(request, found["code"], None) for found in waiting[:_SHOWN])
        empty = Markup("<p>No parcels yet. They appear here when the shop asks for one or orders its carriage.</p>")
        new = Markup(
            '<h2>Another parcel</h2><form method="post" action="{root}parcels"><label>Tracking code '
            '<input name="code" required maxlength="64" autocomplete="off"></label> '
            '<button name="step" value="">Take it in</button></form>'
        ).format(root=root(request))
        return self.html(self.title, self.health(request) + self.held_form(request) + (shown or empty) + new)

    def _shown(self, request: Request, code: str, events: Sequence[Mapping[str, Any]] | None) -> Markup:
        buttons = Markup("").join(
            Markup('<button name="step" value="{step}">{label}</button>').format(step=step, label=STEPS[step])
            for step in STEPS
            if step in self.steps and step not in ("unknown", "hostile")
        )
        if events is None:
            told = Markup("<p>The shop asks for it; the carrier does not have it yet.</p>")
        else:
            told = Markup("<ol>{rows}</ol>").format(
                rows=Markup("").join(
                    Markup("<li>{at}: <strong>{step}</strong></li>").format(
                        at=event["at"][:16].replace("T", " "), step=STEPS.get(event["step"], event["step"])
                    )
                    for event in events[-8:]
                )
            )
        return Markup(
            '<section class="parcel" id="{code}"><h2>{code}</h2>{told}<form method="post" action="{root}parcels" aria-label="{code}">'
            '<input type="hidden" name="code" value="{code}">{notify}<div class="buttons">{buttons}</div></form></section>'
        ).format(
            code=code,
            told=told,
            root=root(request),
            notify=notify_choice() if self.tells and self.notification_url else Markup(""),
            buttons=buttons,
        )

    @route("POST", "/parcels", person=True)
    def happened(self, request: Request) -> Response:
        code = "".join(request.form.get("code", "").split()).upper()
        step, notify = request.form.get("step", ""), request.form.get("notify", "once")
        if not code.isascii() or not code.isprintable() or not 0 < len(code) <= 64:
            raise BadRequest("no such tracking code")
        if (step and step not in self.steps) or notify not in NOTIFY:
            raise BadRequest("no such step")
        self.parcel(code)
        if step:
            self.advance(code, step, notify)
        return redirect(f"{root(request)}#{quote(code)}", 303)
