"""Release for invoicing (or start processing): the stock check before the goods are worked on, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Sum
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import ShipmentLine, StatusChange
from oscar_fulfillment.selectors.availability import find_goods, released_lines

from . import carrier_orders, messages, stock
from .door import move
from .shipments import PENDING, ShipmentBook, create_shipments, name_pending, resolve_shipping_status

RELEASE = Move("shipping", "release")


@dataclass(frozen=True)
class ReleaseLine:
    """The stock answer for one order line. All figures are units.

    ``asked``: still to be released. ``reserved``: allocated to this very order. ``free``: in stock beyond every
    order's allocations (None when the product's stock is not counted). ``missing``: asked, but not in the house.
    """

    line: Any
    asked: int
    reserved: int
    free: int | None
    missing: int

    @property
    def releasable(self) -> int:
        return self.asked - self.missing


def preview_release(order: Any) -> list[ReleaseLine]:
    """What a release would find now. Reads only; the release itself asks again under lock."""
    lines = list(
        order.lines.select_related(
            "stockrecord__product__product_class", "stockrecord__product__parent__product_class", "product"
        )
    )
    covered = _covered([order.pk])
    taken = _promised({line.stockrecord_id for line in lines if line.stockrecord_id})
    return [_answer(line, line.stockrecord, covered.get(line.pk, 0), taken) for line in lines]


def _covered(order_ids: Sequence[int]) -> dict[int, int]:
    """Units per line pk that are in shipments already."""
    found: dict[int, int] = {}
    for line_id, quantity in released_lines(order_ids).values_list("line_id", "quantity"):
        found[line_id] = found.get(line_id, 0) + quantity
    return found


def _answer(line: Any, record: Any, covered: int, taken: dict[int, int]) -> ReleaseLine:
    """The stock answer for a line; ``taken`` counts what was promised from each record before it.

    When more is promised to customers than is in the house, the goods go to who is released first; but nobody takes
    what others have reserved.
    """
    asked = line.quantity - covered
    if not stock.is_tracked(record):
        return ReleaseLine(line, asked, 0, None, 0)
    goods = find_goods(
        asked=asked,
        allocated=line.num_allocated,
        in_stock=record.num_in_stock,
        all_allocated=record.num_allocated,
        taken=taken.get(record.pk, 0),
    )
    taken[record.pk] = taken.get(record.pk, 0) + asked - goods.missing
    return ReleaseLine(line, asked, goods.reserved, goods.free, goods.missing)


def release_effect(steps: Sequence[Step]) -> None:
    """Ask the stock under lock, and make a pending shipment of what is there."""
    ids = [step.subject.pk for step in steps]
    locked = stock.lock_stock(ids)
    book = ShipmentBook(ids)
    taken = _promised(locked.records)
    going = []
    for step in steps:
        covered = book.covered(step.subject.pk)
        answers = [
            _answer(line, locked.records.get(line.stockrecord_id), covered.get(line.pk, 0), taken)
            for line in locked.lines_of(step.subject.pk)
        ]
        quantities = _choose(step, answers)
        if step.reasons:
            continue
        rest = sum(answer.asked - quantities.get(answer.line.pk, 0) for answer in answers)
        step.fields["has_backorder"] = rest > 0
        # The new shipment joins those that are there, which may be invoiced, have left or arrived.
        others = book.of(step.subject.pk)
        documents = [False, *(shipment.invoice_id is not None for shipment in others)]
        step.targets["shipping"] = resolve_shipping_status(
            [PENDING, *(shipment.status for shipment in others)],
            has_backorder=rest > 0,
            pending=name_pending(documents, step.machines["shipping"].transitions["release"].targets),
        )
        step.data["lines"] = {str(pk): qty for pk, qty in quantities.items()}
        if rest:
            step.data["missing"] = rest
        going.append((step, quantities))
        # Goods of a shipment that was taken back were confirmed once.
        is_first = step.subject.shipping_status == "received" and not step.subject.has_backorder
        if is_first and step.context.get("notify", True):
            messages.mail(step, messages.ORDER_CONFIRMED)
    if going:
        made = create_shipments(going, steps[0].now)
        carrier_orders.order_at_release([(step, new) for (step, _q), new in zip(going, made, strict=True)])


def _promised(record_ids: Iterable[int]) -> dict[int, int]:
    """Units per stock record that pending shipments will take: they were released first."""
    rows = ShipmentLine._default_manager.filter(line__stockrecord__in=list(record_ids), shipment__status="pending")
    return dict(rows.order_by().values_list("line__stockrecord_id").annotate(Sum("quantity")))


def _choose(step: Step, answers: Sequence[ReleaseLine]) -> dict[int, int]:
    """Units per line pk that go: all, or what the person chose; refused where the goods do not exist."""
    wanted: Mapping[int, int] | None = step.context.get("quantities")
    if wanted is None:
        if step.context.get("in_part"):
            wanted = {answer.line.pk: answer.releasable for answer in answers}
        else:
            wanted = {answer.line.pk: answer.asked for answer in answers}
    known = {answer.line.pk for answer in answers}
    if set(wanted) - known:
        raise InvalidInput({"quantities": [_("A line does not belong to this order.")]})
    missing = []
    for answer in answers:
        asked = wanted.get(answer.line.pk, 0)
        if asked < 0 or asked > answer.asked:
            raise InvalidInput(
                {
                    f"line_{answer.line.pk}": [
                        _("Choose between 0 and %(most)d of “%(title)s”.")
                        % {"most": answer.asked, "title": answer.line.title}
                    ]
                }
            )
        if asked > answer.releasable:
            missing.append(answer)
    chosen = {pk: qty for pk, qty in wanted.items() if qty}
    if missing:
        step.refuse(_missing(step, missing))
    elif not chosen:
        step.refuse(_nothing(step.context.get("quantities") is not None))
    return chosen


def _nothing(is_chosen: bool) -> Reason:
    if is_chosen:
        return Reason("nothing_chosen", _("Nothing was chosen to be released."), _("Choose at least one unit"))
    return Reason("nothing_to_release", _("None of the goods of this order are in stock."))


def _missing(step: Step, missing: Sequence[ReleaseLine]) -> Reason:
    titles = ", ".join(
        _("%(title)s (%(missing)d missing)") % {"title": answer.line.title, "missing": answer.missing}
        for answer in missing[:5]
    )
    return Reason(
        "short",
        _("Not enough in stock: %(lines)s.") % {"lines": titles},
        _("Release in part, or count the stock"),
        _stock_url(missing[0].line),
    )


def _stock_url(line: Any) -> str:
    try:
        return reverse("dashboard:catalogue-product", kwargs={"pk": line.product_id}) if line.product_id else ""
    except NoReverseMatch:
        return ""


def release_order(
    *,
    order: Any,
    actor: Actor,
    quantities: Mapping[int, int] | None = None,
    in_part: bool = False,
    notify: bool = True,
    reason: str = "",
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Release the order for invoicing. All of it by default; ``quantities`` (units per line pk) or ``in_part``
    (whatever is there) release less, and the rest waits for goods and is released later by the same call.

    Refused with code ``short`` when goods are missing. :class:`InvalidInput` for a foreign line or a wrong quantity.
    """
    return move(
        order,
        RELEASE,
        actor=actor,
        reason=clean_text("reason", reason),
        context={"quantities": quantities, "in_part": in_part, "notify": notify},
        effect=release_effect,
        expected_version=expected_version,
        key=key,
    )
