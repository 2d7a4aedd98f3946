"""An order as an invoice in AbaNinja: made once, found again, made anew when the order has changed.

AbaNinja has no idempotency keys and no search by reference: an invoice is looked for among those that changed since
the order was placed, before one is made.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable

from . import abaninja_codes as codes
from .abaninja_book import AddressBook
from .abaninja_mapping import (
    Paper,
    day_of,
    digest_of,
    invoice_of,
    is_about,
    is_cancelled,
    is_ours,
    number_of,
    open_of,
    paid_of,
    state_of,
    total_of,
    uuid_of,
)
from .abaninja_wire import INVOICES, Wire
from .records import Pushed, Task

#: Seconds for which a place in the queue is asked after, and between two questions.
PATIENCE, PAUSE = 6.0, 1.0
#: What an order becomes -> the action that makes it so.
_ACTIONS = {"draft": "", "invoice": "markSent", "email": "email"}


def since_of(task: Task) -> str:
    """From which day on something of an order can have changed."""
    return (day_of(task.order.placed_at) - timedelta(days=1)).isoformat()


class Invoices:
    """``document``: "draft", "invoice" or "email". ``app_url``: where people look at AbaNinja, for links."""

    def __init__(self, wire: Wire, book: AddressBook, paper: Paper, *, document: str, paid_drafts: bool, app_url: str):
        self._wire, self._book, self._paper = wire, book, paper
        self._action, self._paid_drafts, self._app_url = _ACTIONS[document], paid_drafts, app_url.rstrip("/")

    def send(self, task: Task) -> Pushed:
        """Make the invoice, unless it is there as the order is now. One over another sum is taken back first."""
        digest = digest_of(task.order, self._paper)
        there = self._there(task)
        if there is not None:
            is_same = total_of(there) == task.order.total_incl_tax
            if is_same and task.own.data.get("digest", digest) == digest:
                return self._finish(task, there)
            if kept := self._kept(task, there):
                return kept
            if uuid_of(there.get("uuid")) != task.own.external_id and not is_ours(there, task.order):
                text = _("Invoice %(number)s has the reference of this order, and the shop has not made it.")
                raise AdapterRejected(text % {"number": number_of(there)})
            self._withdraw(there)
        elif task.order.payment_status == "cancelled":
            return Pushed(data={"nothing": "cancelled before it was made"})
        made, queue = self._wire.create_invoice(invoice_of(task.order, self._book.receiver(task.order), self._paper))
        made = made or self._from_queue(queue)
        if made is None:
            # It will be found by its reference: to make it again now would make two.
            return Pushed(acknowledged=False, data={"queue": queue, "digest": digest})
        self._check(made, task)
        return self._finish(task, made)

    def find(self, task: Task) -> Pushed | None:
        """What a try whose answer was lost has made."""
        found = self.by_reference(task)
        if found is None or total_of(found) != task.order.total_incl_tax:
            return None
        return self._finish(task, found)

    def of(self, task: Task) -> Mapping[str, Any] | None:
        """The invoice that something belongs to; it may have been in the queue when the order went."""
        if uuid := uuid_of(task.known.external_id):
            return self._wire.document(INVOICES, uuid)
        found = self.by_reference(task)
        queue = uuid_of(task.known.data.get("queue"))
        if found is None and queue and (found := self._wire.queued(queue)) is None:
            raise AdapterUnavailable("AbaNinja has not made the invoice yet")
        return found

    def by_reference(self, task: Task) -> Mapping[str, Any] | None:
        """The invoice of an order that is not cancelled."""
        for entry in self._wire.documents(INVOICES, since_of(task)):
            if is_about(entry, task.order, self._paper) and not is_cancelled(entry) and uuid_of(entry.get("uuid")):
                return entry
        return None

    def _there(self, task: Task) -> Mapping[str, Any] | None:
        uuid = uuid_of(task.own.external_id)
        found = self._wire.document(INVOICES, uuid) if uuid else None
        return self.by_reference(task) if found is None or is_cancelled(found) else found

    def _kept(self, task: Task, there: Mapping[str, Any]) -> Pushed | None:
        """An invoice that money came for stays. Less is a credit note's business, more is a person's."""
        if not paid_of(there, paid_drafts=True):
            return None
        total, cost = total_of(there) or Decimal(0), task.order.total_incl_tax
        if cost > total:
            text = _("Invoice %(number)s over %(total)s is paid, and the order costs %(cost)s now: ask for the rest.")
            raise AdapterRejected(text % {"number": number_of(there), "total": total, "cost": cost})
        return replace(self._finish(task, there), data={"differs": str(total - cost)})

    def _withdraw(self, there: Mapping[str, Any]) -> None:
        """Cancel an invoice that is not right any more, or delete it where it is a draft."""
        uuid = uuid_of(there.get("uuid"))
        offered = self._wire.actions(INVOICES, uuid)
        action = next((name for name in ("cancel", "delete") if name in offered), "")
        if not action:
            text = _(
                "Invoice %(number)s is not about what the order is now, and AbaNinja does not let it be cancelled."
            )
            raise AdapterRejected(text % {"number": number_of(there) or uuid})
        self._wire.act(INVOICES, uuid, action)

    def _check(self, made: Mapping[str, Any], task: Task) -> None:
        """An invoice that is not about what the order costs, or that is born paid, is taken back at once."""
        total, cost = total_of(made), task.order.total_incl_tax
        is_born_paid = cost > 0 and made.get("sentStatus") != "OPEN" and open_of(made) == 0
        if total in (None, cost) and not is_born_paid:
            return
        self._withdraw(made)
        text = _("AbaNinja made an invoice over %(total)s with %(open)s open, and the order costs %(cost)s.")
        raise AdapterRejected(text % {"total": total, "open": open_of(made), "cost": cost})

    def _from_queue(self, queue: str) -> Mapping[str, Any] | None:
        until = time.monotonic() + PATIENCE
        while queue:
            try:
                if (found := self._wire.queued(queue)) is not None:
                    return found
            except AdapterUnavailable:
                pass  # it is in the queue all the same
            if time.monotonic() + PAUSE > until:
                break
            time.sleep(PAUSE)
        return None

    def _finish(self, task: Task, document: Mapping[str, Any]) -> Pushed:
        """The invoice as it is to be: marked as sent, or mailed, where it is not yet."""
        uuid, state = uuid_of(document.get("uuid")), state_of(document, paid_drafts=self._paid_drafts)
        waits = bool(self._action) and document.get("sentStatus") == "OPEN"
        if waits and self._action in self._wire.actions(INVOICES, uuid):
            self._wire.act(INVOICES, uuid, self._action)
            state = codes.SENT
        # Money is not our doing: that it came is told by itself.
        said = state if state in (codes.OPEN, codes.SENT, codes.NOT_SENT) else ""
        link = f"{self._app_url}/invoices/{uuid}" if self._app_url else ""
        return Pushed(uuid, number_of(document), said, link, data={"digest": digest_of(task.order, self._paper)})
