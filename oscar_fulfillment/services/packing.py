"""Packing by scan: each article is counted into the open box, and what does not belong there is refused.

    open_packing -> scan_article (count_line, undo_scan, next_box) ... -> close_packing: "packed" in the history

Everything is in the database: another device, a second packer or a crash loses nothing. Each write holds the order's
row, as the steps that move its goods do, and reads what it decides by under that lock. Refusals are
:class:`TransitionNotAllowed` with a reason; nothing is changed then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connections, router, transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput, TransitionNotAllowed
from oscar_fulfillment.core.locks import locking
from oscar_fulfillment.core.prepared import Prepared
from oscar_fulfillment.core.rows import Row, completed, insert, insert_sql, is_flat
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.models import OrderFulfillment, Packing, PackingScan, Parcel, ParcelLine, Shipment
from oscar_fulfillment.models.shipment import PENDING
from oscar_fulfillment.selectors.packing import PackingLine, PackingState, find_lines, read_packing
from oscar_fulfillment.selectors.scan_desk import goods_refusals, name_of_article, shipment_refusal

#: The most units that one scan counts, and the heaviest box (grams).
MOST_UNITS, MOST_WEIGHT = 100_000, 2_000_000


@dataclass(frozen=True)
class Counted:
    """What a scan came to: the line, and how far it and the shipment are."""

    state: PackingState
    line: PackingLine
    units: int
    #: The same scan was counted before: nothing was added now.
    is_repeated: bool = False

    @property
    def is_complete(self) -> bool:
        return self.state.is_complete


def refuse(code: str, message: Any, remedy: Any = "", url: str = "") -> TransitionNotAllowed:
    return TransitionNotAllowed([Reason(code, message, remedy, url)])


def open_packing(*, shipment: int, actor: Actor, take_over: bool = False) -> Packing:
    """Begin to pack a shipment, or go on. Refused for goods that may not leave, and while another person packs it;
    ``take_over`` takes it out of their hands.
    """
    with transaction.atomic():
        _lock(shipment)
        row = _shipment(shipment)
        if reasons := goods_refusals(row):
            raise TransitionNotAllowed(reasons)
        packing = Packing._default_manager.filter(shipment=row).first()
        if packing is None:
            boxes = list(row.parcels.filter(status=PENDING).order_by("number"))
            if boxes and all(box.packed_at for box in boxes):
                raise refuse("packed_already", _("This shipment is packed already."))
            box = next((box for box in boxes if not box.packed_at), None) or _new_box(row)
            return Packing._default_manager.create(
                shipment=row, box=box, packer=actor.user, packer_label=actor.label, begun_at=timezone.now()
            )
        if packing.packer_id is not None and packing.packer_id != _id(actor) and not take_over:
            raise in_other_hands(packing.packer_label)
        if packing.packer_id != _id(actor):
            packing.packer, packing.packer_label = actor.user, actor.label
            packing.save(update_fields=["packer", "packer_label"])
        return packing


def in_other_hands(name: str) -> TransitionNotAllowed:
    """The refusal that names who packs."""
    return refuse(
        "in_other_hands", _("%(name)s is packing this shipment.") % {"name": name or _("Somebody")}, _("Take it over")
    )


def scan_article(
    *, shipment: int, actor: Actor, text: str, key: str, quantity: int = 1, take_out: bool = False
) -> Counted:
    """Count the article that was scanned (its EAN, UPC or SKU): into the open box, or ``take_out`` of a box.

    ``key`` is the caller's name of this scan: sent again it counts once. Refused: what is not in this shipment, or
    more of it than the shipment holds (or, taken out, than is in one of its boxes).
    """
    units = -_units(quantity) if take_out else _units(quantity)
    with transaction.atomic():
        state = _hold(shipment, actor, key)
        lines = find_lines(text, state.lines)
        if not lines:
            raise _wrong_article(text)
        # The same article may be on several lines: the first that takes these units.
        line = next((line for line in lines if 0 <= line.counted + units <= line.quantity), lines[0])
        return _count(state, line, units, key)


def count_line(*, shipment: int, actor: Actor, line: int, key: str, quantity: int) -> Counted:
    """Count units of an order line (its id) without scanning each; below zero: take so many out."""
    with transaction.atomic():
        state = _hold(shipment, actor, key)
        found = state.line(line)
        if found is None:
            raise refuse("wrong_article", _("This article is not in this shipment."))
        return _count(state, found, (1 if quantity > 0 else -1) * _units(abs(quantity)), key)


def undo_scan(*, shipment: int, actor: Actor, scan: str) -> Counted:
    """Take a scan (its ``key``) back. Asked for again it changes nothing."""
    with transaction.atomic():
        state = _hold(shipment, actor)
        row = PackingScan._default_manager.filter(packing=state.packing, key=scan).first()
        line = state.line(row.line_id) if row is not None else None
        if row is None or line is None:
            raise refuse("nothing_to_undo", _("There is no scan to take back."))
        if row.is_undone:
            return Counted(state, line, 0, is_repeated=True)
        if row.quantity < 0 and line.missing < -row.quantity:
            raise _surplus(line)
        PackingScan._default_manager.filter(pk=row.pk).update(is_undone=True)
        _move_units(state, line, -row.quantity, row.box_id)
        return Counted(state, line, -row.quantity)


def next_box(*, shipment: int, actor: Actor, box: int, weight: int | None = None) -> Packing:
    """Close the open ``box`` (its id) and go on with another; asked for again it changes nothing.

    ``weight`` in grams. Refused for an empty box, and once everything is in.
    """
    weight = check_weight(weight)
    with transaction.atomic():
        state = _hold(shipment, actor)
        packing = Packing._default_manager.select_related("box").get(shipment=shipment)
        if packing.box_id != box:
            return packing
        if not packing.box.lines.exists():
            raise refuse("empty_box", _("The box is empty: scan what goes into it."))
        if state.is_complete:
            raise refuse("all_in", _("Everything is in: no other box is needed."))
        close_box(packing.box, actor, weight)
        others = Parcel._default_manager.filter(shipment=shipment, status=PENDING, packed_at=None)
        packing.box = others.order_by("number").first() or _new_box(_shipment(shipment))
        packing.save(update_fields=["box"])
        return packing


def put_aside(*, shipment: int, actor: Actor) -> None:
    """Leave a shipment as it is, for whoever goes on with it."""
    with transaction.atomic():
        _hold(shipment, actor)
        Packing._default_manager.filter(shipment=shipment).update(packer=None, packer_label="")


def reopen_packing(*, shipment: int, actor: Actor) -> Packing:
    """Open the last box of a packed shipment again. Refused once it has left."""
    with transaction.atomic():
        _lock(shipment)
        row = _shipment(shipment)
        if reasons := goods_refusals(row):
            raise TransitionNotAllowed(reasons)
        found = Packing._default_manager.filter(shipment=row).first()
        box = row.parcels.filter(status=PENDING).exclude(packed_at=None).order_by("-number").first()
        if found is not None or box is None:
            raise refuse("not_packed", _("This shipment is not packed yet."))
        box.packed_at, box.packed_by_label = None, ""
        box.save(update_fields=["packed_at", "packed_by_label"])
        return Packing._default_manager.create(
            shipment=row, box=box, packer=actor.user, packer_label=actor.label, begun_at=timezone.now()
        )


# What the services share; ``services.packed`` closes what is begun here.


def _order_of(shipment: int) -> QuerySet[OrderFulfillment, Any]:
    return locking(OrderFulfillment._default_manager.filter(shipments=shipment).only("hold_count"))


_LOCK = Prepared(OrderFulfillment, _order_of, -1_234_567)


def _id(actor: Actor) -> Any:
    return actor.user.pk if actor.user is not None else None


def _lock(shipment: int) -> int:
    """The order's row under lock: whatever moves its goods waits, and has been waited for. How many holds it has."""
    rows = _LOCK.fetch(shipment)
    if not rows:
        raise refuse("no_shipment", _("There is no such shipment any more."))
    _pk, holds = rows[0]
    return holds


def _shipment(pk: int) -> Shipment:
    return Shipment._default_manager.select_related("fulfillment__order", "fulfillment__payment_method").get(pk=pk)


def _hold(shipment: int, actor: Actor, key: str = "") -> PackingState:
    """The packing as it is, under lock, in this person's hands."""
    holds = _lock(shipment)
    state = read_packing(shipment, key=key)
    if state is None:
        raise refuse("no_shipment", _("There is no such shipment any more."))
    if state.status != PENDING:
        raise TransitionNotAllowed([shipment_refusal(state.status)])
    if holds:
        raise refuse("on_hold", _("The order is on hold."))
    if state.packing is None or state.box is None:
        raise refuse("not_packing", _("Nobody is packing this shipment."), _("Scan its slip first"))
    if state.packer is None or state.packer != _id(actor):
        raise in_other_hands(state.packer_label)
    return state


def _count(state: PackingState, line: PackingLine, units: int, key: str) -> Counted:
    key = key.strip()
    if not key or len(key) > 64 or not key.isprintable():
        raise InvalidInput({"scan": [_("The form is damaged. Load the page again.")]})
    if state.seen:
        return Counted(state, line, 0, is_repeated=True)
    if line.counted + units > line.quantity:
        raise _surplus(line)
    if units > 0:
        _put_in(state.box, line.pk, units, (state.packing, key))
        line.counted += units
        return Counted(state, line, units)
    box = _box_of(state, line, -units)
    values = {"packing_id": state.packing, "key": key, "box_id": box, "line_id": line.pk, "quantity": units}
    PackingScan._default_manager.create(**values, scanned_at=timezone.now())
    _move_units(state, line, units, box)
    return Counted(state, line, units)


def _move_units(state: PackingState, line: PackingLine, units: int, box: int | None) -> None:
    if units > 0:
        _put_in(box, line.pk, units)
    else:
        rows = ParcelLine._default_manager.filter(parcel=box, line=line.pk)
        # The last of them, or some of several.
        gone = rows.filter(quantity=-units).delete()[0]
        if not gone and not rows.filter(quantity__gt=-units).update(quantity=F("quantity") + units):
            raise refuse("not_in_box", _("“%(article)s” is not in that box.") % {"article": line.title})
    line.counted += units


def _put_in(box: int | None, line: int, units: int, scan: tuple[int | None, str] | None = None) -> None:
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


def _box_of(state: PackingState, line: PackingLine, units: int) -> int:
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


def _surplus(line: PackingLine) -> TransitionNotAllowed:
    told = {"article": line.title, "quantity": line.quantity}
    if line.counted >= line.quantity:
        return refuse("surplus", _("Too many: all %(quantity)d of “%(article)s” are in already.") % told)
    return refuse("surplus", _("Too many: the shipment has only %(quantity)d of “%(article)s”.") % told)


def _wrong_article(text: str) -> TransitionNotAllowed:
    if name := name_of_article(text):
        return refuse("wrong_article", _("Wrong article: “%(article)s” is not in this shipment.") % {"article": name})
    shown = "".join(c for c in text.strip() if c.isprintable())[:40]
    return refuse("wrong_article", _("“%(code)s” is no article of this shipment.") % {"code": shown})


def _units(quantity: int) -> int:
    if not 0 < quantity <= MOST_UNITS:
        raise InvalidInput({"quantity": [_("Type how many, at least one.")]})
    return quantity


def check_weight(weight: int | None) -> int | None:
    if weight is not None and not 0 < weight <= MOST_WEIGHT:
        raise InvalidInput({"weight": [_("This is no weight in grams.")]})
    return weight


def _new_box(shipment: Shipment) -> Parcel:
    last = Parcel._default_manager.filter(shipment=shipment).order_by("-number").values_list("number", flat=True)
    return Parcel._default_manager.create(shipment=shipment, number=(last.first() or 0) + 1, status=PENDING)


def close_box(box: Parcel, actor: Actor, weight: int | None) -> None:
    box.packed_at, box.packed_by_label = timezone.now(), actor.label
    box.weight = weight or box.weight
    box.save(update_fields=["packed_at", "packed_by_label", "weight"])
