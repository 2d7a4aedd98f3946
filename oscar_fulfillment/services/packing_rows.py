"""The packing table underneath: the order's lock, what is read under it, units into boxes and out of them."""

from __future__ import annotations

from typing import Any

from django.db import connections, router
from django.db.models import Exists, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput, TransitionNotAllowed
from oscar_fulfillment.core.locks import locking
from oscar_fulfillment.core.prepared import Prepared
from oscar_fulfillment.core.rows import Row, completed, insert, insert_sql, is_flat
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.models import OrderFulfillment, PackingScan, Parcel, ParcelLine, Shipment
from oscar_fulfillment.models.shipment import PENDING
from oscar_fulfillment.selectors.packing import PackingLine, PackingState, read_packing
from oscar_fulfillment.selectors.scan_desk import shipment_refusal

#: The most units that one scan counts, and the heaviest box (grams).
MOST_UNITS, MOST_WEIGHT = 100_000, 2_000_000


def refuse(code: str, message: Any, remedy: Any = "", url: str = "") -> TransitionNotAllowed:
    return TransitionNotAllowed([Reason(code, message, remedy, url)])


def in_other_hands(name: str) -> TransitionNotAllowed:
    """The refusal that names who packs."""
    return refuse(
        "in_other_hands", _("%(name)s is packing this shipment.") % {"name": name or _("Somebody")}, _("Take it over")
    )


def _order_of(shipment: int) -> QuerySet[OrderFulfillment, Any]:
    return locking(OrderFulfillment._default_manager.filter(shipments=shipment).only("hold_count"))


_LOCK = Prepared(OrderFulfillment, _order_of, -1_234_567)


def person(actor: Actor) -> Any:
    return actor.user.pk if actor.user is not None else None


def lock_order(shipment: int) -> int:
    """The order's row under lock: whatever moves its goods waits, and has been waited for. How many holds it has."""
    rows = _LOCK.fetch(shipment)
    if not rows:
        raise refuse("no_shipment", _("There is no such shipment any more."))
    _pk, holds = rows[0]
    return holds


def read_shipment(pk: int) -> Shipment:
    """The shipment with its packing, if there is one, with what the guards ask, and what is known of its boxes:
    ``open_box`` (the id of the first that is not packed), ``packed_boxes`` (whether there are any), ``last_box`` (its
    number).
    """
    rows = Shipment._default_manager.select_related("fulfillment__order", "fulfillment__payment_method", "packing")
    boxes = Parcel._default_manager.filter(shipment=OuterRef("pk"))
    waiting = boxes.filter(status=PENDING)
    return rows.annotate(
        open_box=Subquery(waiting.filter(packed_at=None).order_by("number").values("pk")[:1]),
        packed_boxes=Exists(waiting.exclude(packed_at=None)),
        last_box=Coalesce(Subquery(boxes.order_by("-number").values("number")[:1]), 0),
    ).get(pk=pk)


def hold(shipment: int, actor: Actor, key: str = "") -> PackingState:
    """The packing as it is, under lock, in this person's hands."""
    holds = lock_order(shipment)
    state = read_packing(shipment, key=key)
    if state is None:
        raise refuse("no_shipment", _("There is no such shipment any more."))
    if state.status != PENDING:
        raise TransitionNotAllowed([shipment_refusal(state.status)])
    if holds:
        raise refuse("on_hold", _("The order is on hold."))
    if state.packing is None or state.box is None:
        raise refuse("not_packing", _("Nobody is packing this shipment."), _("Scan its slip first"))
    if state.packer is None or state.packer != person(actor):
        raise in_other_hands(state.packer_label)
    return state


def move_units(state: PackingState, line: PackingLine, units: int, box: int | None) -> None:
    if units > 0:
        put_in(box, line.pk, units)
    else:
        rows = ParcelLine._default_manager.filter(parcel=box, line=line.pk)
        # The last of them, or some of several.
        gone = rows.filter(quantity=-units).delete()[0]
        if not gone and not rows.filter(quantity__gt=-units).update(quantity=F("quantity") + units):
            raise refuse("not_in_box", _("“%(article)s” is not in that box.") % {"article": line.title})
    line.counted += units


def put_in(box: int | None, line: int, units: int, scan: tuple[int | None, str] | None = None) -> None:
    """Units into a box, whether or not some are in it already, and the row of the ``scan`` (packing, key) that says so.

    One statement where the database can; a scan that this packing has already is an IntegrityError.
    """
    connection = connections[router.db_for_write(ParcelLine)]
    quote = connection.ops.quote_name
    table = quote(ParcelLine._meta.db_table)
    parcel, of, quantity = (quote(name) for name in ("parcel_id", "line_id", "quantity"))
    text = (
        f"INSERT INTO {table} ({parcel}, {of}, {quantity}) VALUES (%s, %s, %s) ON CONFLICT ({parcel}, {of}) "  # noqa: S608
        f"DO UPDATE SET {quantity} = {table}.{quantity} + EXCLUDED.{quantity}"
    )
    before: list[Any] = []
    if scan is not None:
        values = {"packing_id": scan[0], "key": scan[1], "box_id": box, "line_id": line, "quantity": units}
        row = Row(PackingScan, {**values, "scanned_at": timezone.now()})
        if is_flat(connection, PackingScan):
            sql, before = insert_sql(connection, PackingScan, completed(PackingScan, [row.values]))
            text = f"WITH scan AS ({sql}) {text}"
        else:
            insert([row])
    with connection.cursor() as cursor:
        cursor.execute(text, [*before, box, line, units])


def box_of(state: PackingState, line: PackingLine, units: int) -> int:
    """The box that so many units are taken out of: the open one, else the last that holds them."""
    rows = ParcelLine._default_manager.filter(
        parcel__shipment=state.shipment, parcel__status=PENDING, line=line.pk, quantity__gte=units
    )
    boxes = list(rows.order_by("-parcel__number").values_list("parcel", flat=True))
    if not boxes:
        raise refuse(
            "not_in_box", _("There are not so many of “%(article)s” in one of the boxes.") % {"article": line.title}
        )
    return state.box if state.box in boxes else boxes[0]


def surplus(line: PackingLine) -> TransitionNotAllowed:
    told = {"article": line.title, "quantity": line.quantity}
    if line.counted >= line.quantity:
        return refuse("surplus", _("Too many: all %(quantity)d of “%(article)s” are in already.") % told)
    return refuse("surplus", _("Too many: the shipment has only %(quantity)d of “%(article)s”.") % told)


def check_units(quantity: int) -> int:
    if not 0 < quantity <= MOST_UNITS:
        raise InvalidInput({"quantity": [_("Type how many, at least one.")]})
    return quantity


def check_weight(weight: int | None) -> int | None:
    if weight is not None and not 0 < weight <= MOST_WEIGHT:
        raise InvalidInput({"weight": [_("This is no weight in grams.")]})
    return weight


def new_box(shipment: Shipment, last: int) -> Parcel:
    """Another box, after the ``last`` number."""
    return Parcel._default_manager.create(shipment=shipment, number=last + 1, status=PENDING)


def close_box(box: Parcel, actor: Actor, weight: int | None) -> None:
    box.packed_at, box.packed_by_label = timezone.now(), actor.label
    box.weight = weight or box.weight
    box.save(update_fields=["packed_at", "packed_by_label", "weight"])
