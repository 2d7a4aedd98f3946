"""Several devices at the same instant, on PostgreSQL: no unit is counted twice, no box holds too much, nobody meets a
deadlock."""

# ruff: noqa: B023 (every race ends within its round, so a callable may look at the round's shipment)

from decimal import Decimal

import pytest
from django.db import transaction

from oscar_fulfillment.core import history
from oscar_fulfillment.models import OrderFulfillment, Packing, PackingScan, Parcel, ParcelLine, Shipment, StatusChange
from oscar_fulfillment.services import cancelling, packed, packing, pickup, shipping

from .desk import begun, cash_order, goods, packed_shipment, packer, scan, waiting, with_counter
from .test_races import DONE, THREADS, race, rounds

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.feature("Z13")]

__all__ = ["race"]

MUG, PEN = ("Mug", "4006381333931", "MUG-1", 5), ("Pen", "012345678905", "PEN-2", 1)


def outcomes(found):
    return [kind for kind, _result in found].count(DONE)


def counted(shipment):
    lines = ParcelLine.objects.filter(parcel__shipment=shipment.pk)
    return sum(lines.values_list("quantity", flat=True))


def whole():
    assert list(history.verify(OrderFulfillment, StatusChange)) == []


def fresh_goods(round_, *lines):
    """EANs are unique in the shop: each round has its own."""
    return goods(*[(title, f"{upc}-{round_}", f"{sku}-{round_}", units) for title, upc, sku, units in lines])


def test_two_devices_scan_the_same_article_at_the_same_instant(race):
    ana = packer()
    for round_ in rounds(40):
        shipment = begun(fresh_goods(round_, MUG, PEN), ana)
        found = race(lambda n: scan(shipment, ana, f"MUG-1-{round_}", key=f"{n}"))
        assert outcomes(found) == 5  # eight scans, five mugs
        assert counted(shipment) == 5
        assert PackingScan.objects.filter(packing__shipment=shipment.pk).count() == 5


def test_the_same_scan_sent_many_times_counts_once(race):
    ana = packer()
    for round_ in rounds(40):
        shipment = begun(fresh_goods(round_, MUG, PEN), ana)
        found = race(lambda n: scan(shipment, ana, f"MUG-1-{round_}", key="once"))
        assert outcomes(found) == THREADS
        assert [result.is_repeated for _kind, result in found].count(False) == 1
        assert counted(shipment) == 1


def test_one_of_several_packers_has_it(race):
    people = [packer(first_name=f"P{n}") for n in range(THREADS)]
    for round_ in rounds(40):
        shipment = fresh_goods(round_, MUG)
        found = race(lambda n: packing.open_packing(shipment=shipment.pk, actor=people[n]))
        assert outcomes(found) == 1
        assert Packing.objects.filter(shipment=shipment.pk).count() == 1
        assert Parcel.objects.filter(shipment=shipment.pk).count() == 1


def test_scans_undoings_boxes_and_the_end_cross(race):
    ana = packer()
    for round_ in rounds(40):
        shipment = begun(fresh_goods(round_, MUG, PEN), ana)
        scan(shipment, ana, f"MUG-1-{round_}", key="first")
        box = Packing.objects.get(shipment=shipment.pk).box_id
        common = {"shipment": shipment.pk, "actor": ana}
        calls = [
            lambda: scan(shipment, ana, f"MUG-1-{round_}", key="a"),
            lambda: scan(shipment, ana, f"PEN-2-{round_}", key="b"),
            lambda: packing.undo_scan(**common, scan="first"),
            lambda: packing.undo_scan(**common, scan="first"),
            lambda: packing.next_box(**common, box=box),
            lambda: packing.next_box(**common, box=box),
            lambda: packed.close_packing(**common, in_part=True),
            lambda: scan(shipment, ana, f"MUG-1-{round_}", key="c", take_out=True),
        ]
        race(lambda n: calls[n]())
        for row in Shipment.objects.filter(fulfillment=shipment.fulfillment_id):
            for line in row.lines.all():
                boxed = ParcelLine.objects.filter(parcel__shipment=row.pk, line=line.line_id)
                assert sum(each.quantity for each in boxed) <= line.quantity
        units = Shipment.objects.filter(fulfillment=shipment.fulfillment_id).values_list("lines__quantity", flat=True)
        assert sum(units) == 6
    whole()


def test_packing_crosses_dispatch_and_cancelling(race, team):
    ana = packer()
    for round_ in rounds(40):
        shipment = begun(fresh_goods(round_, MUG), ana)
        order = shipment.fulfillment.order

        def act(n):
            if n == 0:
                return shipping.dispatch_order(order=order, actor=team)
            if n == 1:
                return cancelling.cancel_order(order=order, actor=team, reason="Out")
            if n == 2:
                return packed.close_packing(shipment=shipment.pk, actor=ana, in_part=True)
            return scan(shipment, ana, f"MUG-1-{round_}", key=f"{n}")

        race(act)
        assert counted(shipment) <= 5
        shipment.refresh_from_db()
        if shipment.status == "dispatched":
            before = counted(shipment)
            with pytest.raises(Exception, match="sent already"), transaction.atomic():
                scan(shipment, ana, f"MUG-1-{round_}")
            assert counted(shipment) == before
    whole()


def test_one_tracking_code_for_many_scans_of_it(race):
    ana = packer()
    for round_ in rounds(20):
        shipment = packed_shipment(ana, ("Mug", f"e{round_}", f"S{round_}", 1))
        found = race(
            lambda n: packed.dispatch_by_code(shipment=shipment.pk, actor=ana, text=f"CODE{round_}", carrier="other")
        )
        assert outcomes(found) >= 1
        assert StatusChange.objects.filter(fulfillment=shipment.fulfillment_id, action="dispatch").count() == 1
        assert shipment.parcels.get().tracking_code == f"CODE{round_}"
    whole()


@pytest.mark.feature("D5")
def test_goods_are_handed_over_and_paid_once(race, settings):
    with_counter(settings)
    clerk = packer()
    for _round in rounds(20):
        order = cash_order()
        pickup.ready_for_pickup(order=order, actor=clerk)
        code = waiting(order).pickup_code
        found = race(
            lambda n: pickup.hand_over_order(
                order=factories_order(order), actor=clerk, code=code, cash_taken=Decimal(20)
            )
        )
        assert outcomes(found) == 1
        assert [source.amount_debited for source in order.sources.all()] == [Decimal(20)]
    whole()


@pytest.mark.feature("D5")
def test_codes_of_goods_that_wait_differ(race, settings, monkeypatch):
    with_counter(settings)
    clerk = packer()
    # So few codes that the same is drawn again and again.
    monkeypatch.setattr(pickup.secrets, "randbelow", lambda below: next(_draws) % 40)
    orders = [cash_order() for _n in range(THREADS)]
    for _n in range(2):
        race(lambda n: pickup.ready_for_pickup(order=factories_order(orders[n]), actor=clerk))
    codes = list(Shipment.objects.exclude(pickup_code="").values_list("pickup_code", flat=True))
    assert len(codes) == len(set(codes))


def factories_order(order):
    """Each thread has an object of its own, as each request has."""
    return type(order).objects.get(pk=order.pk)


_draws = iter(range(10**9))
