"""What payment providers' simulators share: the hosted page where a person decides, and the list of payments."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from .base import route
from .control import NOTIFY, Controlled, notify_choice, root

#: Everything a person can let happen; a provider offers those that exist there.
DECISIONS = {
    "approve": "Pay",
    "refuse_issuer": "Card refused by the bank",
    "refuse_antifraud": "Refused by the risk check",
    "review": "Risk check still looks at it",
    "refuse_3ds": "3-D Secure failed",
    "cancel": "The buyer gives up",
    "expire": "Let it expire unpaid",
    "expire_hold": "Let the hold run out",
    "pay_late": "Pay after it expired",
    "pay_twice": "Pay twice",
    "charge_back": "Charge back",
    "refuse_refund": "Let the next refund fail",
}


@dataclass(frozen=True)
class Shown:
    """A payment as the pages list it."""

    id: str
    title: str
    amount: str
    state: str
    method: str = ""
    return_url: str = ""


class PaymentSimulator(Controlled):
    """Subclasses give :meth:`shown` and :meth:`decide`; the pages are here."""

    #: Decisions this provider knows.
    decisions: tuple[str, ...] = ("approve", "refuse_issuer", "refuse_antifraud", "expire")

    def shown(self) -> list[Shown]:
        """All payments, newest first."""
        raise NotImplementedError

    def decide(self, payment_id: str, decision: str, notify: str = "once") -> None:
        """Let this happen to a payment, and tell the shop. ``KeyError`` for a payment that does not exist."""
        raise NotImplementedError

    @route("GET", "/", person=True)
    def page(self, request: Request) -> Response:
        rows = Markup("").join(
            Markup(
                '<tr><td><a href="{root}pay/{id}">{title}</a></td><td>{amount}</td><td>{method}</td><td>{state}</td></tr>'
            ).format(
                root=root(request), id=row.id, title=row.title, amount=row.amount, method=row.method, state=row.state
            )
            for row in self.shown()
        )
        table = Markup(
            "<table><thead><tr><th>Payment</th><th>Sum</th><th>Method</th><th>State</th></tr></thead><tbody>{rows}</tbody></table>"
        ).format(rows=rows)
        empty = Markup("<p>No payments yet. They appear here when somebody pays in the shop.</p>")
        return self.html(self.title, self.health(request) + self.held_form(request) + (table if rows else empty))

    @route("GET", "/pay/<payment_id>", person=True)
    def pay_page(self, request: Request, payment_id: str) -> Response:
        shown = self._one(payment_id)
        buttons = Markup("").join(
            Markup('<button name="decision" value="{name}" class="{name}">{label}</button>').format(
                name=name, label=DECISIONS[name]
            )
            for name in self.decisions
        )
        body = Markup(
            '<p class="sum">{amount}</p><p>{title} · {method} · <strong>{state}</strong></p>'
            '<form method="post">{notify}'
            '<div class="buttons">{buttons}</div></form>'
        ).format(
            amount=shown.amount,
            title=shown.title,
            method=shown.method,
            state=shown.state,
            notify=notify_choice(),
            buttons=buttons,
        )
        if shown.return_url:
            body += Markup('<p><a href="{url}">Back to the shop</a></p>').format(url=shown.return_url)
        body += Markup('<p><a href="{root}">All payments</a></p>').format(root=root(request))
        return self.html(self.title, body)

    @route("POST", "/pay/<payment_id>", person=True)
    def pay(self, request: Request, payment_id: str) -> Response:
        decision, notify = request.form.get("decision", ""), request.form.get("notify", "once")
        if decision not in self.decisions or notify not in NOTIFY:
            raise BadRequest("no such decision")
        before = self._one(payment_id)
        self.decide(payment_id, decision, notify)
        return redirect(before.return_url or root(request), 303)

    def _one(self, payment_id: str) -> Shown:
        found = next((row for row in self.shown() if row.id == payment_id), None)
        if found is None:
            raise NotFound("no such payment")
        return found
