"""What each tracking code of a file would do: judged chunk by chunk, each in a fixed number of queries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from django.db.models import Prefetch
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.carriers import carriers, suggest
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import Move, Step, refusals
from oscar_fulfillment.imports.tracking_csv import CodeRow
from oscar_fulfillment.models import OrderFulfillment, Parcel, Shipment, TrackingImport, TrackingImportRow
from oscar_fulfillment.models.shipment import CANCELLED, DISPATCHED, PENDING

from .import_words import (
    ADD,
    BLOCKED,
    CHANGE,
    DISPATCH,
    DOUBLED,
    NO_CARRIER,
    OTHER_ORDER,
    SAME,
    UNKNOWN,
    UNREADABLE,
    WRONG_CODE,
    Verdict,
)  # fmt: skip

_DISPATCH = Move("shipping", "dispatch")
#: (carrier, code) -> (line, order number): where a file has a code first.
Seen = dict[tuple[str, str], tuple[int, str]]


class CodeJudge:
    """Judges the rows of one file, in its order.

    The import's carrier is that of rows which name none ("": by the order's shipping method). Where it ``replaces``, a
    code for a shipment that has left takes the place of the codes it has; else it is one more parcel.
    """

    def __init__(self, source: TrackingImport):
        self.source, self.carrier, self.replaces = source, source.carrier, source.replaces
        self.actor = Actor.system("import")

    def judge(self, rows: Sequence[CodeRow]) -> list[Verdict]:
        """A verdict for each of these rows; five queries for any number."""
        orders = _orders({row.order for row in rows})
        aliases = {text: _alias(text) for text in {row.carrier for row in rows}}
        typed = [self._typed(row, orders.get(row.order), aliases[row.carrier]) for row in rows]
        codes = {found[1] for found in typed if not isinstance(found, Verdict)}
        holders, seen = _holders(codes), self._before(codes)
        coming = Counter(
            (row.order, row.shipment) for row, found in zip(rows, typed, strict=True) if not isinstance(found, Verdict)
        )
        verdicts = []
        for row, found in zip(rows, typed, strict=True):
            if isinstance(found, Verdict):
                verdicts.append(found)
                continue
            order = orders[row.order]
            verdict = (
                _of_another(order, holders.get(found, {}))
                or _doubled(row, order, seen.get(found))
                or self._place(row, order, found, coming[row.order, row.shipment])
            )
            seen.setdefault(found, (row.line, row.order))
            known = {"carrier": found[0], "code": found[1], **({"day": row.day.isoformat()} if row.day else {})}
            verdicts.append(replace(verdict, data={**known, **verdict.data}))
        return verdicts

    def _before(self, codes: set[str]) -> Seen:
        """Where earlier rows of the file have these codes."""
        rows = TrackingImportRow._default_manager.filter(source=self.source, code__in=codes)
        return {
            (data["carrier"], code): (line, number)
            for code, line, number, data in rows.order_by("-pk").values_list("code", "line", "number", "data")
            if "carrier" in data
        }

    def _typed(self, row: CodeRow, order: Any, alias: str | None) -> Verdict | tuple[str, str]:
        """Carrier and code as they are stored, or why the row has none."""
        pk = order.pk if order is not None else None
        if row.problem:
            return Verdict(UNREADABLE, row.problem, pk)
        if order is None:
            return Verdict(UNKNOWN, _("There is no order %(number)s.") % {"number": row.order})
        if row.day is not None and row.day > timezone.localdate():
            return Verdict(UNREADABLE, _("The day is in the future."), pk)
        if alias is None:
            return Verdict(NO_CARRIER, _("The shop has no carrier “%(name)s”.") % {"name": row.carrier}, pk)
        alias = alias or self.carrier or suggest(order.order)
        if alias not in carriers:
            return Verdict(NO_CARRIER, _("Neither the file nor the order says which carrier it is."), pk)
        try:
            return alias, carriers.get(alias).normalise_tracking_code(row.code)
        except ValueError as error:
            return Verdict(WRONG_CODE, str(error), pk)

    def _place(self, row: CodeRow, order: Any, found: tuple[str, str], coming: int) -> Verdict:
        """Where the code goes. ``coming``: how many codes the file has for the same place."""
        shipments = list(order.shipments.all())
        if row.shipment:
            shipments = [shipment for shipment in shipments if shipment.number == _number(row.shipment)]
            if not shipments:
                return Verdict(BLOCKED, _("The order has no shipment %(number)s.") % {"number": row.shipment}, order.pk)
        if any(
            box.tracking_code == found[1] and box.carrier == found[0] and box.status != PENDING
            for shipment in shipments
            for box in shipment.parcels.all()
        ):
            return Verdict(SAME, "", order.pk)
        invoices = order.flow_definition.invoices
        here = [s for s in shipments if s.status == PENDING and (s.invoice_id or not invoices)]
        gone = [s for s in shipments if s.status == DISPATCHED]
        if here:
            return self._send(row, order, here, coming)
        if gone:
            return self._name(order, gone)
        return _blocked(order, self._refusals(order) or [Reason("gone", _("Nothing of this order is under way."))])

    def _send(self, row: CodeRow, order: Any, here: list[Any], coming: int) -> Verdict:
        if reasons := self._refusals(order):
            return _blocked(order, reasons)
        if coming > 1 and len(here) > 1:
            why = _("Several shipments of this order can leave: say in the file which code is whose.")
            return Verdict(BLOCKED, why, order.pk)
        chosen = here[0].pk if row.shipment else None
        return Verdict(DISPATCH, "", order.pk, {"shipment": chosen})

    def _name(self, order: Any, gone: list[Any]) -> Verdict:
        """A code for a shipment that has left."""
        without = [s for s in gone if not any(box.tracking_code for box in s.parcels.all())]
        if len(gone) > 1 and len(without) != 1:
            why = _("Several shipments of this order are under way: say in the file which one it is.")
            return Verdict(BLOCKED, why, order.pk)
        shipment = without[0] if without else gone[0]
        data = {"shipment": shipment.pk}
        boxes = [box for box in shipment.parcels.all() if box.tracking_code]
        loose = [box.tracking_code for box in boxes if not (box.tracking_state or box.packed_at)]
        if not self.replaces or not loose:
            return Verdict(ADD, "", order.pk, data)
        return Verdict(CHANGE, _("Instead of %(codes)s.") % {"codes": ", ".join(loose)}, order.pk, data)

    def _refusals(self, order: Any) -> list[Reason]:
        step = Step(order, [_DISPATCH], self.actor, timezone.now(), {})
        machine = order.flow_definition.shipping
        transition = machine.transitions.get(_DISPATCH.action)
        if transition is None:
            return [Reason("not_in_flow", _("Orders of this kind are not dispatched."))]
        return refusals(step, machine, transition)


def _orders(numbers: Iterable[str]) -> dict[str, Any]:
    boxes = Parcel._default_manager.exclude(status=CANCELLED).order_by("number")
    shipments = Shipment._default_manager.exclude(status=CANCELLED).order_by("number")
    rows = OrderFulfillment._default_manager.filter(number__in=numbers).select_related("order", "payment_method")
    rows = rows.prefetch_related(Prefetch("shipments", shipments), Prefetch("shipments__parcels", boxes))
    return {row.number: row for row in rows}


def _alias(text: str) -> str | None:
    """The carrier that a file names so: "" for no name, None for one that the shop does not have."""
    if not text:
        return ""
    folded = text.casefold()
    for alias in carriers:
        if folded in (alias.casefold(), str(carriers.get(alias).name).casefold()):
            return alias
    return next((alias for alias in carriers if carriers.get(alias).matches(text, text)), None)


def _holders(codes: set[str]) -> dict[tuple[str, str], dict[int, str]]:
    """The orders (id, number) with a parcel of a code that has not arrived; carriers use codes again later."""
    rows = Parcel._default_manager.filter(tracking_code__in=codes, status__in=[PENDING, DISPATCHED])
    columns = ("carrier", "tracking_code", "shipment__fulfillment_id", "shipment__fulfillment__number")
    found: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for carrier, code, pk, number in rows.values_list(*columns):
        found[carrier, code][pk] = number
    return found


def _doubled(row: CodeRow, order: Any, first: tuple[int, str] | None) -> Verdict | None:
    if first is None:
        return None
    line, number = first
    if number == row.order:
        return Verdict(DOUBLED, _("As in line %(line)d.") % {"line": line}, order.pk)
    told = {"line": line, "number": number}
    return Verdict(DOUBLED, _("Line %(line)d gives this code to order %(number)s.") % told, order.pk)


def _of_another(order: Any, holders: dict[int, str]) -> Verdict | None:
    other = next((number for pk, number in holders.items() if pk != order.pk), None)
    if other is None:
        return None
    return Verdict(OTHER_ORDER, _("This code is on order %(number)s.") % {"number": other}, order.pk)


def _blocked(order: Any, reasons: Sequence[Reason]) -> Verdict:
    words = " ".join(f"{reason.message} {reason.remedy}".strip() for reason in reasons)
    return Verdict(BLOCKED, words[:500], order.pk)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0
