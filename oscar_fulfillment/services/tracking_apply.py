"""Imported rows applied to their orders: codes order by order, carriers' events many orders at once.

The two functions here are what the bulk actions ``import_codes`` and ``import_events`` do (see ``services.bulk``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _

from oscar_fulfillment.carriers.events import IncidentClass, TrackingEvent, TrackingState
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import TransitionNotAllowed
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.models import BulkJob, BulkJobItem, Parcel, TrackingImport, TrackingImportRow
from oscar_fulfillment.models.shipment import CANCELLED
from oscar_fulfillment.selectors.import_words import ADD, APPLICABLE, DISPATCH

from . import parcels, shipping, tracking


def source_of(job: BulkJob) -> TrackingImport:
    """The import that a job applies. :class:`TransitionNotAllowed` where somebody deleted it."""
    found = TrackingImport._default_manager.defer("content").filter(pk=job.params.get("import")).first()
    if found is None:
        raise TransitionNotAllowed([Reason("gone", _("The import does not exist any more."))])
    return found


def open_rows(source: TrackingImport, items: Sequence[BulkJobItem]) -> Iterator[tuple[Any, list[TrackingImportRow]]]:
    """Each of these orders with its rows that are still to be applied, in the order of the file."""
    rows = TrackingImportRow._default_manager.filter(
        source=source, fulfillment__in=[item.fulfillment_id for item in items], verdict__in=APPLICABLE
    )
    found: dict[Any, list[TrackingImportRow]] = defaultdict(list)
    for row in rows.exclude(outcome=TrackingImportRow.DONE).select_related("fulfillment__order"):
        if row.fulfillment is not None:
            found[row.fulfillment.order].append(row)
    yield from found.items()


def apply_codes(job: BulkJob, items: Sequence[BulkJobItem]) -> None:
    """Dispatch these orders with their codes, and name the parcels of those that have left."""
    source, actor = source_of(job), Actor.from_user(job.actor)
    for order, rows in open_rows(source, items):
        per_shipment: dict[Any, list[TrackingImportRow]] = defaultdict(list)
        for row in rows:
            per_shipment[row.verdict == DISPATCH, row.data.get("shipment")].append(row)
        for (goes, shipment), listed in per_shipment.items():
            boxes = [{"carrier": row.data["carrier"], "tracking_code": row.data["code"]} for row in listed]
            key = f"import-{source.pk}-{shipment or 0}-{listed[0].pk}"
            if goes:
                shipping.dispatch_order(
                    order=order, actor=actor, boxes=boxes, shipment=shipment, notify=source.notify, key=key,
                    reason=_day_words(listed[0]),
                )  # fmt: skip
                continue
            if not source.replaces or any(row.verdict == ADD for row in listed):
                boxes = [*_boxes_of(shipment), *boxes]
            parcels.change_parcels(
                order=order, actor=actor, shipment=shipment, parcels=boxes, notify=source.notify, key=key
            )


def _day_words(row: TrackingImportRow) -> str:
    day = row.data.get("day")
    if not day:
        return ""
    return _("Sent on %(day)s, by the file.") % {
        "day": formats.date_format(date.fromisoformat(day), "SHORT_DATE_FORMAT")
    }


def _boxes_of(shipment: int) -> list[dict[str, str]]:
    rows = Parcel._default_manager.filter(shipment=shipment).exclude(status=CANCELLED).exclude(tracking_code="")
    columns = rows.order_by("number").values_list("carrier", "tracking_code")
    return [{"carrier": carrier, "tracking_code": code} for carrier, code in columns]


def apply_events(job: BulkJob, items: Sequence[BulkJobItem]) -> None:
    """Tell the parcels of these orders what the carrier says, and let the orders follow."""
    source, actor = source_of(job), Actor.from_user(job.actor)
    told: dict[int, list[TrackingEvent]] = defaultdict(list)
    made: dict[int, list[int]] = {}
    for order, rows in open_rows(source, items):
        for row in rows:
            boxes = list(row.data["parcels"])
            for shipment in row.data["shipments"]:
                if shipment not in made:
                    made[shipment] = _make_box(order, shipment, source, actor)
                boxes += made[shipment]
            for box in boxes:
                told[box].append(_event(row.data["event"]))
    tracking.record_events(told.items())


def _make_box(order: Any, shipment: int, source: TrackingImport, actor: Actor) -> list[int]:
    """A box without a code for a shipment that left without any: what carriers say by the invoice is noted at it."""
    rows = Parcel._default_manager.filter(shipment=shipment).exclude(status=CANCELLED)
    if not rows.exists():
        boxes = [{"carrier": source.carrier, "tracking_code": ""}]
        parcels.change_parcels(order=order, actor=actor, shipment=shipment, parcels=boxes, notify=False)
    return list(rows.values_list("pk", flat=True))


def _event(kept: dict[str, Any]) -> TrackingEvent:
    return TrackingEvent(
        code=kept["code"], occurred_at=datetime.fromisoformat(kept["occurred_at"]), state=TrackingState(kept["state"]),
        text=kept["text"], note=kept["note"], incident=IncidentClass(kept["incident"]) if kept["incident"] else None,
        is_return=kept["is_return"],
    )  # fmt: skip


def note_outcomes(job: BulkJob, items: Sequence[BulkJobItem]) -> None:
    """Write at each row what became of its order."""
    rows = TrackingImportRow._default_manager.filter(source=job.params.get("import"), verdict__in=APPLICABLE)
    rows = rows.exclude(outcome=TrackingImportRow.DONE)
    done = [item.fulfillment_id for item in items if item.status == BulkJobItem.DONE]
    if done:
        rows.filter(fulfillment__in=done).update(outcome=TrackingImportRow.DONE, problem="")
    for item in items:
        if item.status == BulkJobItem.REFUSED and item.fulfillment_id is not None:
            words = " ".join(f"{reason['message']} {reason['remedy']}".strip() for reason in item.reasons)
            rows.filter(fulfillment=item.fulfillment_id).update(outcome=TrackingImportRow.FAILED, problem=words[:500])
