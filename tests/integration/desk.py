"""Goods on the packing table, for the tests of the scan desk."""

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import Shipment
from oscar_fulfillment.services import packed, packing, release
from oscar_fulfillment.test import factories

PICKUP = {"pickup": {"BACKEND": "oscar_fulfillment.carriers.pickup.PickUp", "OPTIONS": {"place": "Rue de Bourg 12"}}}


def packer(**fields):
    """Somebody who packs, as an actor."""
    return Actor.from_user(factories.staff_user("*", **fields))


def goods(*lines, **options):
    """A shipment that waits, of (title, EAN, SKU, units)."""
    wanted = []
    for title, upc, sku, units in lines or [("Mug", "4006381333931", "MUG-1", 2)]:
        item = factories.product(title, sku=sku)
        item.upc = upc
        item.save()
        wanted.append((item, units))
    order = factories.invoiced_order(lines=wanted, **{"currency": "CHF"} | options)
    return Shipment.objects.select_related("fulfillment__order").get(fulfillment=order.pk)


def begun(shipment, actor):
    packing.open_packing(shipment=shipment.pk, actor=actor)
    return shipment


def scan(shipment, actor, text, key="", **options):
    return packing.scan_article(shipment=shipment.pk, actor=actor, text=text, key=key or next(_keys), **options)


def in_boxes(shipment):
    """box number -> {title: units}"""
    return {
        box.number: {line.line.title: line.quantity for line in box.lines.select_related("line")}
        for box in shipment.parcels.order_by("number")
    }


def packed_shipment(actor, *lines, **options):
    shipment = begun(goods(*lines, **options), actor)
    for line in shipment.lines.all():
        packing.count_line(
            shipment=shipment.pk, actor=actor, line=line.line_id, quantity=line.quantity, key=next(_keys)
        )
    packed.close_packing(shipment=shipment.pk, actor=actor)
    return shipment


_keys = (f"scan-{number}" for number in range(10**9))


def with_counter(settings):
    """Let the shop's customers come for their goods: at first the carrier of every "free" shipping method."""
    carriers = {"pickup": {**PICKUP["pickup"], "OPTIONS": {"place": "Rue de Bourg 12", "shipping_methods": ["free"]}}}
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "CARRIERS": carriers}


def cash_order(**options):
    """An order that its customer comes for and pays in cash then; released."""
    method = factories.manual_method("cash", paid_on_delivery=True, ships_before_payment=True)
    order = factories.placed_order(method=method, **{"currency": "EUR"} | options)
    release.release_order(order=order, actor=factories.TEAM)
    return order


def waiting(order):
    return Shipment.objects.get(fulfillment=order.pk, status="pending")
