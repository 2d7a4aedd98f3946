"""What a person can do to a vendor: let it be down, slow, or lose the next answer. Also how its pages look."""

from __future__ import annotations

from markupsafe import Markup, escape
from werkzeug.exceptions import BadRequest
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from .base import MOODS, Simulator, route

_MOODS = {"well": "It works", "slow": "It is slow", "down": "It is down"}
_ACCIDENTS = {
    "cut_after": "Do it, and lose the answer",
    "cut_before": "Lose the question",
    "error_after": "Do it, and answer with an error",
    "error_before": "Do nothing, and answer with an error",
    "garbage": "Do it, and answer with nonsense",
    "slow": "Take a while",
    "busy": "Say that it is too much",
}
#: How the shop hears of what happened.
NOTIFY = {"once": "Notify once", "twice": "Notify twice", "later": "Hold back", "never": "Never notify"}
#: So many of the last calls are listed.
_CALLS = 12


class Controlled(Simulator):
    """A vendor with the page ``/control``. What is set there is forgotten when the vendor is started again."""

    #: What its pages say below their title, and the name of its first page.
    note = "A simulation on this machine. No money moves."
    listed = "All payments"

    @route("GET", "/control", person=True)
    def control(self, request: Request) -> Response:
        body = Markup(
            '<h2>From now on</h2><form method="post"><div class="buttons">{moods}</div></form>'
            '<h2>The next call of the shop</h2><form method="post"><div class="buttons">{accidents}</div>{waiting}</form>'
            '<h2>The last calls</h2>{calls}<p><a href="{root}">{listed}</a></p>'
        ).format(
            moods=_buttons("mood", _MOODS, self.mood),
            accidents=_buttons("accident", _ACCIDENTS),
            waiting=_waiting([_ACCIDENTS[kind] for kind in self.accidents]),
            calls=_calls(self),
            root=root(request),
            listed=self.listed,
        )
        return self.html(f"{self.title}: accidents", body)

    @route("POST", "/control", person=True)
    def change(self, request: Request) -> Response:
        form = request.form
        if form.get("mood") in MOODS:
            self.mood = form["mood"]
        elif form.get("accident") in _ACCIDENTS:
            self.fail_next(form["accident"])
        elif "forget" in form:
            self.forget_accidents()
        else:
            raise BadRequest("no such accident")
        return redirect(f"{root(request)}control", 303)

    def health(self, request: Request) -> Markup:
        """How this vendor is, with the way to change it."""
        return Markup('<p class="note"><strong>{mood}.</strong> <a href="{root}control">Accidents</a></p>').format(
            mood=_MOODS[self.mood], root=root(request)
        )

    def held_form(self, request: Request) -> Markup:
        """Sends the notifications that were held back; nothing where there are none."""
        if not self.held:
            return Markup("")
        return Markup(
            '<form method="post" action="{root}held"><button>Send the {count} held notifications, newest first'
            "</button></form>"
        ).format(root=root(request), count=len(self.held))

    @route("POST", "/held", person=True)
    def send_held(self, request: Request) -> Response:
        self.tell_held()
        return redirect(root(request), 303)

    def html(self, title: str, body: Markup, status: int = 200) -> Response:
        """A page of the simulator; everything from outside is escaped."""
        page = Markup(
            '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            "<title>{title}</title><style>{style}</style><main><h1>{title}</h1>"
            '<p class="note">{note}</p>{body}</main></html>'
        ).format(title=title, style=Markup(_STYLE), note=self.note, body=body)
        return Response(str(page), status, mimetype="text/html")


def root(request: Request) -> str:
    """The address of a vendor's first page."""
    return str(escape(request.root_path.rstrip("/"))) + "/"


def notify_choice() -> Markup:
    """The field ``notify`` of a form: how the shop hears of it."""
    options = Markup("").join(
        Markup('<option value="{name}">{label}</option>').format(name=name, label=label)
        for name, label in NOTIFY.items()
    )
    return Markup('<label>The shop hears of it <select name="notify">{options}</select></label>').format(
        options=options
    )


def _buttons(name: str, labels: dict[str, str], pressed: str = "") -> Markup:
    return Markup("").join(
        Markup('<button name="{name}" value="{value}"{pressed}>{label}</button>').format(
            name=name,
            value=value,
            label=label,
            pressed=Markup(' aria-pressed="{}"').format("true" if value == pressed else "false") if pressed else "",
        )
        for value, label in labels.items()
    )


def _waiting(labels: list[str]) -> Markup:
    if not labels:
        return Markup("")
    return Markup('<p>To come: {labels}. <button name="forget" value="1">Forget it</button></p>').format(
        labels=", then ".join(f"\u201c{label}\u201d" for label in labels)
    )


def _calls(simulator: Simulator) -> Markup:
    rows = Markup("").join(
        Markup("<li><code>{method} {path}</code></li>").format(method=method, path=path)
        for method, path, _headers, _body in reversed(simulator.calls[-_CALLS:])
    )
    return Markup("<ul>{rows}</ul>").format(rows=rows) if rows else Markup("<p>The shop has not called yet.</p>")


_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#eef1f4;color:#1d2733}
main{max-width:46rem;margin:2rem auto;padding:1.5rem 2rem;background:#fff;border-radius:10px;box-shadow:0 1px 4px #0002}
h1{font-size:1.4rem;margin:0}.note{color:#566;margin:.2rem 0 1.4rem}.sum{font-size:2rem;margin:0}
table{width:100%;border-collapse:collapse}th,td{text-align:left;padding:.45rem .6rem;border-bottom:1px solid #dde3e8}
button,select,input{font:inherit;padding:.5rem .9rem;border:1px solid #8896a4;border-radius:6px;background:#fff}
.buttons{display:flex;flex-wrap:wrap;gap:.6rem;margin-top:1.2rem}button.approve{background:#14653a;color:#fff;border-color:#14653a}
button[aria-pressed=true]{background:#1d2733;color:#fff}td:nth-child(2){white-space:nowrap}td{overflow-wrap:anywhere}@media(max-width:600px){main{margin:0;padding:1rem;border-radius:0}th,td{padding:.45rem .3rem}}h2{font-size:1.1rem;margin:1.6rem 0 0}code{overflow-wrap:anywhere}
button:focus,select:focus,input:focus,a:focus{outline:3px solid #2f6fde;outline-offset:2px}
"""
