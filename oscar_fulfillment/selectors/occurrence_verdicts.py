"""What each occurrence of a carrier's file would do: found by the invoice that went with the goods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.carriers.events import TrackingState
from oscar_fulfillment.conf import settings
from oscar_fulfillment.imports.ocoren import Occurrence
from oscar_fulfillment.models import Invoice, Parcel, Shipment, TrackingEvent, TrackingImport, TrackingImportRow
from oscar_fulfillment.models.invoice import NONE
from oscar_fulfillment.models.shipment import CANCELLED, PENDING

from .import_words import BLOCKED, DOUBLED, EVENT, NOT_OURS, SAME, UNKNOWN, UNREADABLE, Verdict
from .tracking import AHEAD

#: (invoice, code and time) -> line: where a file has an occurrence first.
Seen = dict[tuple[str, str], int]


class OccurrenceJudge:
    """Judges the occurrences of one file, in its order.

    The import's carrier narrows them to its parcels; with it, a shipment that left without a box gets one.
    """

    def __init__(self, source: TrackingImport):
        self.source, self.carrier = source, source.carrier

    def judge(self, rows: Sequence[Occurrence]) -> list[Verdict]:
        """A verdict for each of these rows; five queries for any number."""
        invoices = _invoices(row.number for row in rows if not row.problem)
        orders = {invoice.fulfillment_id for found in invoices.values() for invoice in found}
        book, seen = _Shipments(orders), self._before(orders)
        return [self._judge(row, invoices.get(row.number, []), book, seen) for row in rows]

    def _before(self, orders: Iterable[int]) -> Seen:
        """What earlier rows of the file said of these orders."""
        rows = TrackingImportRow._default_manager.filter(source=self.source, fulfillment__in=orders)
        return {
            (number, data["at"]): line
            for number, line, data in rows.order_by("-pk").values_list("number", "line", "data")
            if "at" in data
        }

    def _judge(self, row: Occurrence, invoices: list[Invoice], book: _Shipments, seen: Seen) -> Verdict:
        if row.problem or row.occurred_at is None:
            return Verdict(UNREADABLE, row.problem)
        if settings.ISSUER_TAX_IDS and row.sender not in settings.ISSUER_TAX_IDS:
            return Verdict(NOT_OURS, _("%(sender)s is not one of this shop's tax numbers.") % {"sender": row.sender})
        found = [invoice for invoice in invoices if _is_meant(invoice, row)]
        if not found:
            return Verdict(UNKNOWN, _("No order has the invoice %(number)s.") % {"number": row.invoice})
        if len({invoice.fulfillment_id for invoice in found}) > 1:
            return Verdict(BLOCKED, _("Several orders have the invoice %(number)s.") % {"number": row.invoice})
        pk = found[0].fulfillment_id
        if row.occurred_at > timezone.now() + AHEAD:
            return Verdict(UNREADABLE, _("The day is in the future."), pk)
        at = f"{row.code}/{row.observation} {row.occurred_at.isoformat()}"
        if (line := seen.setdefault((row.invoice, at), row.line)) != row.line:
            return Verdict(DOUBLED, _("As in line %(line)d.") % {"line": line}, pk)
        verdict = self._place(book.of(found[0]), book, row.event(), pk)
        return replace(verdict, data={**verdict.data, "at": at})

    def _place(self, shipments: list[Shipment], book: _Shipments, event: Any, pk: int) -> Verdict:
        boxes = [box for shipment in shipments for box in book.boxes[shipment.pk]]
        mine = [box for box in boxes if not self.carrier or box.carrier in ("", self.carrier)]
        if boxes and not mine:
            return Verdict(BLOCKED, _("These goods go with another carrier."), pk)
        if not mine and not any(shipment.status != PENDING for shipment in shipments):
            return Verdict(BLOCKED, _("The goods of this invoice have not left yet. Dispatch the order first."), pk)
        if not mine and not self.carrier:
            why = _("The goods left without a carrier: choose the carrier whose file this is.")
            return Verdict(BLOCKED, why, pk)
        if mine and all((box.pk, event.code, event.occurred_at) in book.told for box in mine):
            return Verdict(SAME, "", pk)
        known = event.state != TrackingState.UNKNOWN
        data = {
            "parcels": [box.pk for box in mine],
            "shipments": [] if mine else [s.pk for s in shipments if s.status != PENDING],
            "event": {
                "code": event.code, "occurred_at": event.occurred_at.isoformat(), "state": str(event.state),
                "text": event.text, "note": event.note, "incident": str(event.incident or ""),
                "is_return": event.is_return,
            },
        }  # fmt: skip
        message = event.text if known else _("Nobody knows this code: it is kept, and moves nothing.")
        return Verdict(EVENT, message, pk, data)


class _Shipments:
    """Shipments, their boxes and what was told of them, for some orders."""

    def __init__(self, order_ids: Iterable[int]):
        self.by_order: dict[int, list[Shipment]] = defaultdict(list)
        self.boxes: dict[int, list[Parcel]] = defaultdict(list)
        ids = set(order_ids)
        rows = Shipment._default_manager.filter(fulfillment__in=ids).exclude(status=CANCELLED).order_by("number")
        for shipment in rows:
            self.by_order[shipment.fulfillment_id].append(shipment)
        boxes = Parcel._default_manager.filter(shipment__fulfillment__in=ids).exclude(status=CANCELLED)
        for box in boxes.exclude(shipment__status=CANCELLED).order_by("number"):
            self.boxes[box.shipment_id].append(box)
        events = TrackingEvent._default_manager.filter(
            parcel__in=[box for found in self.boxes.values() for box in found]
        )
        self.told = set(events.order_by().values_list("parcel_id", "code", "occurred_at"))

    def of(self, invoice: Invoice) -> list[Shipment]:
        """The shipments with this invoice; all of the order where none names it (a flow without invoices)."""
        found = self.by_order[invoice.fulfillment_id]
        return [shipment for shipment in found if shipment.invoice_id == invoice.pk] or found


def _invoices(numbers: Iterable[str]) -> dict[str, list[Invoice]]:
    """Valid invoices by their number without zeros in front, however it was typed."""
    wanted = {number for number in numbers if number}
    spellings = {text for number in wanted for text in (number, number.zfill(6), number.zfill(9))}
    rows = Invoice._default_manager.filter(number__in=spellings, cancelled_at=None).exclude(kind=NONE)
    found: dict[str, list[Invoice]] = defaultdict(list)
    for invoice in rows.order_by("pk"):
        found[invoice.number.lstrip("0")].append(invoice)
    return found


def _is_meant(invoice: Invoice, row: Occurrence) -> bool:
    """Series and issuer are compared where both sides say them."""
    series = invoice.series.strip().lstrip("0")
    if series and row.series.lstrip("0") and series != row.series.lstrip("0"):
        return False
    return not (invoice.issuer_tax_id and row.sender and invoice.issuer_tax_id != row.sender)
