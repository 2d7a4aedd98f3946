"""What follows an invoice in AbaNinja: payments that came elsewhere, delivery note, credit note, its cancelling."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import AdapterRejected

from . import abaninja_codes as codes
from .abaninja_invoices import Invoices, since_of
from .abaninja_mapping import (
    ZONE,
    Paper,
    is_about,
    is_cancelled,
    note_number_of,
    number_of,
    open_of,
    state_of,
    total_of,
    uuid_of,
)
from .abaninja_wire import CREDIT_NOTES, DELIVERY_NOTES, INVOICES, Wire
from .records import Pushed, Task


class Papers:
    """``payments``: payment method -> AbaNinja's payment type."""

    def __init__(self, wire: Wire, invoices: Invoices, paper: Paper, *, payments: Mapping[str, str]):
        self._wire, self._invoices, self._paper, self._payments = wire, invoices, paper, payments

    def _invoice(self, task: Task) -> Mapping[str, Any]:
        found = self._invoices.of(task)
        if found is None:
            raise AdapterRejected(_("The invoice is not in AbaNinja any more."))
        return found

    # Money

    def payment(self, task: Task) -> Pushed:
        """Post what came in here as received for the invoice, once."""
        invoice, amount = self._invoice(task), _amount(task)
        if amount <= 0:
            return Pushed(data={"nothing": "no sum"})
        if is_cancelled(invoice):
            raise AdapterRejected(_("The invoice is cancelled in AbaNinja: the payment has no place there."))
        if (posted := self.posted(task, invoice)) is not None:
            return posted
        still_open = open_of(invoice)
        if still_open is not None and 0 < still_open < amount:
            text = _("%(amount)s came in, and only %(open)s is open in AbaNinja.")
            raise AdapterRejected(text % {"amount": amount, "open": still_open})
        body = {
            "amount": float(amount),
            "currencyCode": task.order.currency,
            "paymentDate": timezone.now().astimezone(ZONE).date().isoformat(),
            "paymentDirection": "IN",
            "paymentType": self._payments.get(task.order.payment_code, "BANK"),
            "paymentInfo": task.key,
            "processing": {"type": "receipt", "documentUuid": uuid_of(invoice.get("uuid"))},
        }
        made = self._wire.call("POST", "/finances/v2/payments", body=body).json()
        data = made.get("data") if isinstance(made, Mapping) else None
        return Pushed(uuid_of(data.get("uuid")) if isinstance(data, Mapping) else "")

    def posted(self, task: Task, invoice: Mapping[str, Any] | None = None) -> Pushed | None:
        """The payment, if it is there: nothing came in yet, everything did, or the list of payments says it."""
        invoice = invoice or self._invoice(task)
        total, still_open = total_of(invoice), open_of(invoice)
        if total is not None and still_open == total:
            return None
        if still_open is not None and still_open <= 0 and invoice.get("sentStatus") != "OPEN":
            return Pushed(data={"nothing": "paid already"})
        found = next((entry for entry in self._wire.payments() if entry.get("paymentInfo") == task.key), None)
        return Pushed(uuid_of(found.get("uuid"))) if found is not None else None

    def credit(self, task: Task) -> Pushed:
        """A credit note of the whole invoice; over a part AbaNinja makes none by itself."""
        amount = _amount(task) if "amount" in task.facts else Decimal(0)
        if amount <= 0:
            return Pushed(data={"nothing": "no money went back"})
        if (found := self.note(CREDIT_NOTES, task)) is not None:
            return found
        total = total_of(self._invoice(task))
        if total is not None and task.order.received >= total:
            return Pushed(data={"nothing": "too much had come in"})
        if amount != total:
            text = _(
                "%(amount)s of %(total)s went back. AbaNinja makes credit notes of whole invoices only: "
                "make one over this sum there by hand."
            )
            raise AdapterRejected(text % {"amount": amount, "total": total})
        return self._converted(task, "convertIC", CREDIT_NOTES)

    # Goods

    def delivery(self, task: Task) -> Pushed:
        """The delivery note of the invoice: one, however many parcels."""
        return self.note(DELIVERY_NOTES, task) or self._converted(task, "convertDN", DELIVERY_NOTES)

    def _converted(self, task: Task, action: str, kind: str) -> Pushed:
        uuid = uuid_of(self._invoice(task).get("uuid"))
        if action not in self._wire.actions(INVOICES, uuid):
            text = _("AbaNinja does not offer this for the invoice as it stands now (%(action)s).")
            raise AdapterRejected(text % {"action": action})
        self._wire.act(INVOICES, uuid, action)
        # What comes back is not known: the note is looked for.
        return self.note(kind, task) or Pushed(data={"made": action})

    def note(self, kind: str, task: Task) -> Pushed | None:
        """A note of the order. Its id is no key of ours: several steps may mean the same note."""
        for entry in self._wire.documents(kind, since_of(task)):
            if is_about(entry, task.order, self._paper) and not is_cancelled(entry):
                return Pushed(number=note_number_of(entry), data={"uuid": uuid_of(entry.get("uuid"))})
        return None

    # No deal

    def cancel(self, task: Task) -> Pushed:
        """Cancel the invoice of an order that nobody paid."""
        invoice = self._invoices.of(task)
        if invoice is None or is_cancelled(invoice):
            return Pushed()
        uuid = uuid_of(invoice.get("uuid"))
        if "cancel" not in self._wire.actions(INVOICES, uuid):
            text = _("AbaNinja does not let invoice %(number)s be cancelled as it stands now (%(state)s).")
            state = codes.STATES[state_of(invoice, paid_drafts=True)]
            raise AdapterRejected(text % {"number": number_of(invoice) or uuid, "state": state})
        self._wire.act(INVOICES, uuid, "cancel")
        return Pushed()


def _amount(task: Task) -> Decimal:
    try:
        return Decimal(str(task.facts.get("amount") or task.order.total_incl_tax))
    except InvalidOperation as error:
        raise AdapterRejected("the step has no sum") from error
