"""AbaNinja's pages for people: its invoices, and what can happen to one."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from markupsafe import Markup
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from .abaninja_rules import is_paid
from .base import route
from .control import NOTIFY, Controlled, notify_choice, root

#: What a person can do with an invoice.
STEPS = {
    "markSent": "Mark as sent",
    "paid": "It is paid",
    "part": "This much came in",
    "dunningSent": "Remind",
    "cancel": "Cancel it",
}
_SHOWN = 50


class Pages(Controlled):
    """``do`` and ``pay`` are AbaNinja's own, see :class:`.abaninja.AbaNinja`."""

    note = "A simulation on this machine. No money moves."
    listed = "All invoices"
    #: The family of the shop's addresses for notifications.
    family = "connectors"

    def do(self, document: str, action: str) -> None:
        raise NotImplementedError

    def pay(self, document: str, amount: Decimal, notify: str = "once", **facts: Any) -> dict[str, Any]:
        raise NotImplementedError

    def made_of(self, document: str) -> set[str]:
        raise NotImplementedError

    @route("GET", "/", person=True)
    def page(self, request: Request) -> Response:
        invoices = self.books.all("invoices", newest_first=True)[:_SHOWN]
        rows = Markup("").join(
            Markup(
                '<tr><td><a href="{root}invoices/{uuid}">{number}</a></td><td>{reference}</td>'
                "<td>{total} {currency}</td><td>{state}</td></tr>"
            ).format(root=root(request), uuid=each["uuid"], number=each["invoiceNumber"],
                     reference=each.get("reference", ""), total=each["documentTotal"],
                     currency=each["currencyCode"], state=_state(each))
            for each in invoices
        )  # fmt: skip
        table = Markup(
            "<table><thead><tr><th>Invoice</th><th>Reference</th><th>Sum</th><th>State</th></tr></thead>"
            "<tbody>{rows}</tbody></table>"
        ).format(rows=rows)
        empty = Markup("<p>No invoices yet. They appear here when the shop sends an order.</p>")
        return self.html(self.title, self.health(request) + self.held_form(request) + (table if invoices else empty))

    def _customer(self, invoice: Mapping[str, Any]) -> str:
        receiver = invoice["receiver"]
        found = self.books.get("customer", str(receiver.get("personUuid") or receiver.get("companyUuid"))) or {}
        return str(found.get("company_name") or f"{found.get('first_name', '')} {found.get('last_name', '')}")

    @route("GET", "/invoices/<document>", person=True)
    def invoice_page(self, request: Request, document: str) -> Response:
        found = self._invoice(document)
        positions = Markup("").join(
            Markup("<tr><td>{text}</td><td>{quantity} × {price:.2f}</td><td>{total:.2f}</td><td>{rate} %</td></tr>").format(
                text=each["productDescription"], quantity=each["quantity"], price=each["singlePrice"],
                total=each["positionTotal"], rate=each["vat"]["percentage"],
            )
            for each in found["positions"]
        )  # fmt: skip
        notes = Markup("").join(
            Markup("<li>{kind} {number}</li>").format(
                kind="Delivery note" if kind == "delivery-notes" else "Credit note",
                number=each.get("deliveryNoteNumber") or each.get("creditNoteNumber"),
            )
            for kind in ("delivery-notes", "credit-notes")
            for each in self.books.all(kind)
            if each.get("_of") == document
        )
        paid = Markup("").join(
            Markup("<li>{amount} {type} {info}</li>").format(
                amount=each["amount"], type=each["paymentType"], info=each.get("paymentInfo", "")
            )
            for each in self.books.all("payment")
            if each["processing"].get("documentUuid") == document
        )
        body = Markup(
            '<p class="sum">{total} {currency}</p><p>{number} · {reference} · {name} · <strong>{state}</strong></p>'
            "<table><thead><tr><th>Position</th><th>Price</th><th>Sum</th><th>VAT</th></tr></thead>"
            "<tbody>{positions}</tbody></table>{notes}{paid}"
            '<form method="post">{notify}<p><label>Sum <input name="amount" inputmode="decimal" autocomplete="off"></label></p>'
            '<div class="buttons">{buttons}</div></form><p><a href="{root}">All invoices</a></p>'
        ).format(
            total=found["documentTotal"], currency=found["currencyCode"], number=found["invoiceNumber"],
            reference=found.get("reference", ""), name=self._customer(found), state=_state(found),
            positions=positions, notify=notify_choice(), root=root(request),
            notes=Markup("<h2>Made of it</h2><ul>{}</ul>").format(notes) if notes else "",
            paid=Markup("<h2>Payments</h2><ul>{}</ul>").format(paid) if paid else "",
            buttons=Markup("").join(
                Markup('<button name="step" value="{step}">{label}</button>').format(step=step, label=label)
                for step, label in STEPS.items()
            ),
        )  # fmt: skip
        return self.html(self.title, body)

    @route("POST", "/invoices/<document>", person=True)
    def happened(self, request: Request, document: str) -> Response:
        step, notify = request.form.get("step", ""), request.form.get("notify", "once")
        if step not in STEPS or notify not in NOTIFY:
            raise BadRequest("no such step")
        self.happen(self._invoice(document), step, request.form.get("amount", ""), notify)
        return redirect(f"{root(request)}invoices/{document}", 303)

    def happen(self, invoice: Mapping[str, Any], step: str, amount: str = "", notify: str = "once") -> None:
        """What a person does with an invoice. A cancelled one stays as it is."""
        if invoice["isCancelled"]:
            return
        rest = Decimal(invoice["documentTotal"]) - Decimal(invoice["_paid"])
        if step in ("paid", "part"):
            try:
                sum_ = rest if step == "paid" else Decimal(amount.replace(",", ".")).quantize(Decimal("0.01"))
            except InvalidOperation:
                raise BadRequest("no such sum") from None
            if sum_ > 0:
                self.pay(invoice["uuid"], sum_, notify, currencyCode=invoice["currencyCode"])
        else:
            self.do(invoice["uuid"], step)

    def _invoice(self, document: str) -> dict[str, Any]:
        found = self.books.get("invoices", document)
        if found is None:
            raise NotFound("no such invoice")
        return found


def _state(invoice: Mapping[str, Any]) -> str:
    if invoice["isCancelled"]:
        return "Cancelled"
    if is_paid(invoice):
        return "Paid"
    if Decimal(invoice["_paid"]) > 0:
        return f"Paid in part ({invoice['_paid']})"
    if invoice["dunningLevel"] != "NO_DUNNING":
        return "Reminded"
    return "Sent" if invoice["sentStatus"] == "SENT" else "Draft"
