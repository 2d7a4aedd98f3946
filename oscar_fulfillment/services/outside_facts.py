"""What a system beside the shop says of an order, entered: its fiscal document, its parcels, its money.

Used by connectors, notifications and the API alike. Each may be told twice, late or in the wrong order: what the order
knows already is told apart from what it refuses. ``key`` makes each once.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _

from oscar_fulfillment.carriers import carriers, suggest
from oscar_fulfillment.carriers.events import TrackingEvent, TrackingState
from oscar_fulfillment.conf import settings
from oscar_fulfillment.connectors.records import InvoiceFacts, TrackingFacts
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.fiscal.nfe_findings import from_json
from oscar_fulfillment.fiscal.nfe_order_checks import GOOD
from oscar_fulfillment.models import Invoice, NfeFile, Parcel, Shipment, ShipmentLine, StatusChange
from oscar_fulfillment.models.invoice import NFE, OTHER
from oscar_fulfillment.models.shipment import CANCELLED, DELIVERED, DISPATCHED, PENDING
from oscar_fulfillment.selectors import given_up

from . import invoicing, ledger, nfe_applying, nfe_imports, nfe_work, parcels, receipts, shipping, tracking

#: Where received money came from, in the ledger.
SOURCE = "accounts"


def enter_invoice(*, order: Any, facts: InvoiceFacts, actor: Actor, key: str) -> bool:
    """Enter a fiscal document that was issued elsewhere; False when the order has it already.

    The XML wins where there is one: it is checked like any other (signature, issuer, buyer, sums) and filed. Without,
    number and series are compared with the key. :class:`InvalidInput` for another total, another order's document, or a
    document that does not hold; TransitionNotAllowed where the order does not wait for one.
    """
    if facts.cancelled:
        return _cancel(order, facts, actor, key)
    if facts.xml:
        return _enter_xml(order, facts.xml, actor)
    kind = NFE if facts.access_key or (order.fulfillment.flow_definition.invoices and not facts.number) else OTHER
    typed = invoicing.read_invoice(
        kind=kind, number=facts.number, series=facts.series, access_key=facts.access_key
    )  # fmt: skip
    if (known := _known(order, typed)) is not None:
        _refuse_other_value(known, facts)
        return False
    units = _units(order, facts.units) if facts.units else None
    if units is not None and units == _waiting_units(order):
        units = None  # they named all that waits, one by one
    _check_value(order, facts, whole=units is None)
    waiting = Shipment._default_manager.filter(fulfillment=order.pk, status=PENDING, invoice=None)
    invoicing.invoice_order(
        order=order, actor=actor, key=key, units=units, data=_evidence(facts),
        shipments=list(waiting.values_list("pk", flat=True)) if units else None,
        kind=typed["kind"], number=typed["number"], series=typed["series"], access_key=typed["access_key"],
    )  # fmt: skip
    return True


def _evidence(facts: InvoiceFacts) -> dict[str, str]:
    told = {"value": "" if facts.value is None else str(facts.value), "url": facts.url, "issued_at": facts.issued_at}
    return {name: text for name, text in told.items() if text}


def _known(order: Any, typed: Mapping[str, str]) -> Invoice | None:
    rows = Invoice._default_manager.filter(fulfillment=order.pk, cancelled_at=None, kind=typed["kind"])
    if typed["access_key"]:
        return rows.filter(access_key=typed["access_key"]).first()
    return rows.filter(number=typed["number"], series=typed["series"]).first()


def _refuse_other_value(known: Invoice, facts: InvoiceFacts) -> None:
    """A document that was entered with its total does not have another one now."""
    told = StatusChange._default_manager.filter(fulfillment=known.fulfillment_id, data__invoice=known.pk)
    before = next((data["value"] for data in told.values_list("data", flat=True) if "value" in data), None)
    if facts.value is not None and before is not None and Decimal(before) != facts.value:
        text = _("The document was entered with the total %(before)s, not %(value)s.")
        raise InvalidInput({"value": [text % {"before": before, "value": facts.value}]})


def _units(order: Any, by_sku: Mapping[str, int]) -> dict[int, int]:
    """Pieces per line; two lines of one article are filled from the first on."""
    found: dict[int, int] = {}
    left = dict(by_sku)
    for line in order.lines.order_by("pk"):
        take = min(left.get(line.partner_sku, 0), line.quantity)
        if take:
            found[line.pk] = take
            left[line.partner_sku] -= take
    if surplus := sorted(sku for sku, number in left.items() if number):
        raise InvalidInput(
            {"items": [_("Not in this order, or not so many: %(skus)s.") % {"skus": ", ".join(surplus)}]}
        )
    return found


def _waiting_units(order: Any) -> dict[int, int]:
    """Pieces per line that are released and have no document yet."""
    rows = ShipmentLine._default_manager.filter(
        shipment__fulfillment=order.pk, shipment__status=PENDING, shipment__invoice=None
    )
    return dict(rows.order_by().values_list("line").annotate(Sum("quantity")))


def _check_value(order: Any, facts: InvoiceFacts, *, whole: bool) -> None:
    if facts.value is None:
        return
    needed = given_up.needed(order.fulfillment)
    tolerance = Decimal(str(settings.NFE_TOLERANCE))
    # Parts are worth what they are worth; the whole is what the order costs, if nothing was invoiced before.
    is_first = not Invoice._default_manager.filter(fulfillment=order.pk, cancelled_at=None).exists()
    if facts.value - needed > tolerance or (whole and is_first and needed - facts.value > tolerance
                                            and not order.fulfillment.has_backorder):  # fmt: skip
        text = _("The document is about %(value)s, and the order costs %(needed)s.")
        raise InvalidInput({"value": [text % {"value": facts.value, "needed": needed}]})


def _enter_xml(order: Any, xml: bytes, actor: Actor) -> bool:
    taken = nfe_imports.take_files(files=[(f"{order.number}.xml", io.BytesIO(xml))], actor=actor)
    nfe_work.work(batch=taken.batch)
    row = NfeFile._default_manager.filter(batch=taken.batch).defer("content").order_by("-pk").first()
    if row is None:
        # These very bytes are filed already: with this order, or with another.
        if (known := _filed(order, xml)) is not None:
            return known
        raise InvalidInput({"xml": [taken.cut_off or _("This file is no fiscal note.")]})
    if row.is_kept:
        return False
    if row.status == NfeFile.CHECKED and row.fulfillment_id is None:
        nfe_imports.choose_order(file=row, fulfillment=order.fulfillment)
        nfe_work.work(batch=row.batch)
        row.refresh_from_db()
    if row.fulfillment_id not in (None, order.pk):
        raise InvalidInput({"xml": [_("The note is about another order.")]})
    if row.verdict == GOOD and (
        begun := nfe_applying.apply_files(files=NfeFile._default_manager.filter(pk=row.pk), actor=actor)
    ):
        nfe_work.work(batch=begun)
        row.refresh_from_db()
    if not row.is_kept:
        reasons = [str(finding.message) for finding in from_json(row.findings)]
        raise InvalidInput({"xml": [row.problem] if row.problem else reasons or [_("The note was not taken.")]})
    return True


def _filed(order: Any, xml: bytes) -> bool | None:
    row = NfeFile._default_manager.filter(sha256=hashlib.sha256(xml).hexdigest()).defer("content").first()
    if row is None:
        return None
    if row.fulfillment_id != order.pk:
        raise InvalidInput({"xml": [_("The note is about another order.")]})
    return False


def _cancel(order: Any, facts: InvoiceFacts, actor: Actor, key: str) -> bool:
    rows = Invoice._default_manager.filter(fulfillment=order.pk, cancelled_at=None)
    row = (
        rows.filter(access_key=facts.access_key)
        if facts.access_key
        else rows.filter(number=facts.number, series=facts.series)
    ).first()
    if row is None:
        return False
    reason = _("Cancelled in the other system.")
    invoicing.cancel_invoice(order=order, actor=actor, reason=reason, invoice=row.pk, key=key)
    return True


def enter_tracking(*, order: Any, facts: TrackingFacts, actor: Actor, key: str) -> bool:
    """Goods left, or arrived, as another system says; False when the order knows it already.

    What waits here is dispatched with the code; a parcel that left without one gets it; another code is another parcel.
    """
    goods = _goods_of(order, facts)
    changed = False
    if facts.code or not (facts.delivered or facts.events):
        changed = _dispatched(order, facts, actor, key, goods)
    changed |= _note_events(goods, facts)
    if facts.delivered:
        changed |= _delivered(order, facts, actor, f"{key}:delivered", goods)
    return changed


def _goods_of(order: Any, facts: TrackingFacts) -> QuerySet[Shipment]:
    """The shipments that are meant: those of one document, else all of the order."""
    rows = Shipment._default_manager.filter(fulfillment=order.pk)
    if not facts.invoice:
        return rows
    found = find_invoice(order, facts.invoice)
    if found is None:
        raise InvalidInput({"invoice": [_("This order has no such document.")]})
    return rows.filter(invoice=found)


def find_invoice(order: Any, name: str) -> Invoice | None:
    """The valid document of an order by its number (with or without leading zeros) or its key."""
    rows = Invoice._default_manager.filter(fulfillment=order.pk, cancelled_at=None)
    plain = name.strip().lstrip("0")
    for row in rows.order_by("-pk"):
        if name.strip() in (row.number, row.access_key or row.number) or (plain == row.number.lstrip("0")):
            return row
    return None


def _note_events(goods: QuerySet[Shipment], facts: TrackingFacts) -> bool:
    """What is said of goods on their way, at each of their boxes; it moves nothing."""
    if not facts.events:
        return False
    told = [
        TrackingEvent(code="", occurred_at=each.at, state=TrackingState.INFO, text=each.text, place=each.place)
        for each in facts.events
    ]
    boxes = Parcel._default_manager.filter(shipment__in=goods).exclude(status=CANCELLED)
    return bool(tracking.record_events((pk, told) for pk in list(boxes.values_list("pk", flat=True))))


def _delivered(order: Any, facts: TrackingFacts, actor: Actor, key: str, goods: QuerySet[Shipment]) -> bool:
    under_way = list(goods.filter(status=DISPATCHED).order_by("pk").values_list("pk", flat=True))
    if not under_way and goods.filter(status=DELIVERED).exists():
        return False
    if facts.invoice and under_way:
        for pk in under_way:
            shipping.deliver_order(
                order=order, actor=actor, shipment=pk, key=f"{key}:{pk}", delivered_at=facts.delivered_at
            )
    else:
        shipping.deliver_order(order=order, actor=actor, key=key, delivered_at=facts.delivered_at)
    return True


def _dispatched(order: Any, facts: TrackingFacts, actor: Actor, key: str, goods: QuerySet[Shipment]) -> bool:
    alias = carrier_of(facts.carrier, order)
    boxes = Parcel._default_manager.filter(shipment__in=goods).exclude(status=CANCELLED)
    if facts.code:
        code = parcels.read_parcel(carrier=alias, tracking_code=facts.code, order=order)["tracking_code"]
        if boxes.filter(tracking_code=code).exists():
            return False
    waiting = list(goods.filter(status=PENDING).order_by("pk").values_list("pk", flat=True))
    if waiting:
        for one in waiting if facts.invoice else [None]:
            shipping.dispatch_order(
                order=order, actor=actor, carrier=alias, tracking_code=facts.code, shipment=one,
                key=f"{key}:{one}" if one else key,
            )  # fmt: skip
        return True
    bare = boxes.filter(tracking_code="", status=DISPATCHED).order_by("pk").first()
    if facts.code and bare is not None:
        parcels.change_tracking(
            order=order, actor=actor, carrier=alias, tracking_code=facts.code, parcel=bare.pk, key=key
        )
        return True
    if not facts.code and (boxes.exists() or goods.filter(status__in=[DISPATCHED, DELIVERED]).exists()):
        return False
    under_way = Shipment._default_manager.filter(fulfillment=order.pk, status=DISPATCHED).order_by("-pk").first()
    if facts.code and under_way is not None:
        # The goods left in more parcels than was known.
        known = boxes.filter(shipment=under_way).order_by("number")
        told = [{"carrier": box.carrier, "tracking_code": box.tracking_code} for box in known]
        told.append({"carrier": alias, "tracking_code": facts.code})
        parcels.change_parcels(order=order, actor=actor, shipment=under_way.pk, parcels=told, key=key)
        return True
    shipping.dispatch_order(order=order, actor=actor, carrier=alias, tracking_code=facts.code, key=key)
    return True


def carrier_of(name: str, order: Any) -> str:
    """Our alias for a carrier as another system names it; the order's own, or the shop's "other", for the rest."""
    wanted = name.strip().casefold()
    if wanted:
        for alias in carriers:
            if wanted in (alias.casefold(), str(carriers.get(alias).name).casefold()):
                return alias
        return "other" if "other" in carriers else suggest(order)
    return suggest(order) or ("other" if "other" in carriers else "")


def enter_paid(*, order: Any, paid: Decimal, reference: str, actor: Actor, key: str) -> bool:
    """So much of the order is paid in all, as the accounts say; False when the shop knows of as much.

    Less than is known is not taken back here: a refund has its own way.
    """
    missing = paid - ledger.totals(order.pk).net
    if missing <= 0 or (paid > 0 and order.fulfillment.payment_status in ("paid", "refunded", "partially_refunded")):
        return False
    receipts.receive_money(
        order=order, actor=actor, amount=missing, reference=reference, source=SOURCE, key=key,
        reason=_("Paid, as the accounts say."),
    )  # fmt: skip
    return True
