"""What waiting orders lack, and which of them can be released: the same answer as the release itself gives."""

import random
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model
from oscar.test.factories import create_product, create_stockrecord

from oscar_fulfillment.core.exceptions import TransitionNotAllowed
from oscar_fulfillment.models import OrderFulfillment, Shipment, SupplierOrderLine
from oscar_fulfillment.selectors.missing import Shortage
from oscar_fulfillment.services import cancelling, holds, release
from oscar_fulfillment.test import factories
from tests.many import copies

from .supply import TEAM, buy, needs, offered, paid, receive, record_of, set_stock, waiting

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D9", "Z6")]


def test_nothing_is_missing_in_a_shop_whose_orders_go_out():
    factories.dispatched_order()
    factories.placed_order()
    shortage = Shortage()
    assert shortage.missing == []
    assert shortage.releasable == []


def test_what_was_short_at_release_is_listed_with_its_supplier():
    mug = factories.product("Mug", sku="MUG", partner="Potter")
    order = waiting(mug, 5, has=2, age=3)
    (need,) = Shortage().missing
    (one,) = need.products
    assert (need.name, one.sku, one.title, one.upc) == ("Potter", "MUG", "Mug", mug.upc)
    assert (one.missing, one.on_order, one.to_order, one.orders) == (3, 0, 3, 1)
    assert one.oldest == order.number
    assert one.oldest_at == OrderFulfillment.objects.get(pk=order.pk).placed_at
    assert offered() == []


def test_an_order_of_which_nothing_is_there_waits_too_although_it_was_never_released():
    mug = factories.product("Mug", sku="MUG")
    order = paid((mug, 4))
    set_stock(mug, 0)
    with pytest.raises(TransitionNotAllowed):
        release.release_order(order=order, actor=TEAM, in_part=True)
    assert needs() == {"MUG": (4, 0, 1)}


def test_orders_without_money_on_hold_or_cancelled_want_no_goods():
    mug = factories.product("Mug", stock=100)
    factories.placed_order(lines=[(mug, 3)])
    held = paid((mug, 3))
    holds.place_hold(order=held, actor=TEAM, code="other")
    cancelling.cancel_order(order=paid((mug, 3)), actor=TEAM, reason="Out of fashion")
    set_stock(mug, 0)
    assert needs() == {}
    deferred = factories.manual_method("invoice", ships_before_payment=True)
    factories.placed_order(lines=[(mug, 2)], method=deferred)
    assert [units for units, *_more in needs().values()] == [2]


def test_goods_that_are_not_counted_are_never_missing():
    mug = factories.product("Mug")
    order = waiting(mug, 5)
    kind = mug.product_class
    kind.track_stock = False
    kind.save()
    assert needs() == {}
    assert offered() == [(order.number, 5, 5)]


def test_variants_are_told_apart():
    shirt = create_product(structure="parent", title="Shirt")
    small, large = (
        create_product(structure="child", parent=shirt, title=title, upc=f"u{title}") for title in ("Small", "")
    )
    for child, sku in ((small, "S"), (large, "L")):
        create_stockrecord(child, price=10, num_in_stock=10, partner_name="Weaver", partner_sku=sku)
    paid((small, 2), (large, 4))
    for child in (small, large):
        set_stock(child, 1)
    assert needs() == {"S": (1, 0, 1), "L": (3, 0, 1)}
    (need,) = Shortage().missing
    assert sorted(one.title for one in need.products) == ["Shirt", "Small"]


def test_two_suppliers_of_the_same_product_and_the_more_urgent_first():
    mug, plate = factories.product("Mug", partner="B-Potter"), factories.product("Plate", partner="A-Potter")
    waiting(mug, 2)
    waiting(plate, 2)
    assert [need.name for need in Shortage().missing] == ["A-Potter", "B-Potter"]
    buy(plate, 2)
    assert [(need.name, need.to_order) for need in Shortage().missing] == [("B-Potter", 2), ("A-Potter", 0)]


def test_a_deleted_partner_takes_its_goods_from_the_list_and_the_orders_go_on():
    mug = factories.product("Mug")
    order = waiting(mug, 5)
    bought = buy(mug, 5)
    record_of(mug).partner.delete()
    assert needs() == {}
    bought.refresh_from_db()
    assert (bought.partner, bought.partner_name) == (None, "Warehouse")
    assert bought.lines.get().stockrecord is None
    # Without a stock record nobody counts: the order can be released, and is offered.
    assert offered() == [(order.number, 5, 5)]
    release.release_order(order=order, actor=TEAM)


def test_age_decides_who_gets_what_came():
    mug = factories.product("Mug", sku="MUG")
    young = waiting(mug, 3, age=1)
    old = waiting(mug, 4, age=9)
    assert needs() == {"MUG": (7, 0, 2)}
    bought = buy(mug, 7)
    assert needs() == {"MUG": (7, 7, 2)}
    receive(bought, 5)
    assert needs() == {"MUG": (2, 2, 1)}
    assert offered() == [(old.number, 4, 4), (young.number, 1, 3)]
    (need,) = Shortage().missing
    assert need.products[0].oldest == young.number
    # The release agrees: the old one in full, then what is left for the young one.
    release.release_order(order=old, actor=TEAM)
    assert offered() == [(young.number, 1, 3)]
    with pytest.raises(TransitionNotAllowed):
        release.release_order(order=young, actor=TEAM)
    release.release_order(order=young, actor=TEAM, in_part=True)
    assert offered() == []
    assert needs() == {"MUG": (2, 2, 1)}


def test_an_order_on_hold_does_not_keep_the_goods_from_the_others():
    mug = factories.product("Mug", sku="MUG")
    held, other = waiting(mug, 2, age=9), waiting(mug, 2, age=1)
    holds.place_hold(order=held, actor=TEAM, code="other")
    set_stock(mug, 2)
    assert offered() == [(other.number, 2, 2)]
    assert needs() == {"MUG": (2, 0, 1)}


def test_an_order_that_was_never_released_is_offered_once_goods_came_for_it():
    mug = factories.product("Mug", stock=30)
    early = paid((mug, 4), age=2)
    set_stock(mug, 0)
    bought = buy(mug, 4)
    assert offered() == []
    receive(bought, 4)
    assert offered() == [(early.number, 4, 4)]
    set_stock(mug, 50)
    paid((mug, 1))  # placed after the goods came: nobody waited for them
    assert offered() == [(early.number, 4, 4)]


def test_goods_that_will_not_be_sent_at_all_are_not_missing_and_a_shipment_cancelled_for_now_is():
    mug = factories.product("Mug", sku="MUG", stock=10)
    order = paid((mug, 4), (factories.product("Plate", sku="PLATE"), 2))
    release.release_order(order=order, actor=TEAM, quantities={order.lines.get(partner_sku="MUG").pk: 4})
    set_stock(mug, 0)
    assert needs() == {}
    Shipment.objects.update(status="cancelled", is_dropped=True)
    assert needs() == {}
    Shipment.objects.update(is_dropped=False)
    assert needs() == {"MUG": (4, 0, 1)}


def test_goods_that_others_have_reserved_are_not_given_away():
    mug = factories.product("Mug", sku="MUG", stock=10)
    order = paid((mug, 4))
    # Its own reservation was lost (a stock import of the shop), and somebody who has not paid yet reserved all.
    get_model("order", "Line").objects.filter(order=order).update(num_allocated=0)
    mug.stockrecords.update(num_in_stock=10, num_allocated=8)
    assert needs() == {"MUG": (2, 0, 1)}
    assert [answer.missing for answer in release.preview_release(order)] == [2]


@pytest.mark.parametrize("seed", range(12))
def test_the_list_says_what_releasing_all_of_them_by_age_finds(seed):
    dice = random.Random(seed)
    goods = [factories.product(f"P{number}", sku=f"P{number}", stock=200) for number in range(4)]
    orders = []
    for age in range(8, 0, -1):
        chosen = dice.sample(goods, dice.randint(1, 3))
        orders.append(paid(*((one, dice.randint(1, 6)) for one in chosen), age=age))
    for one in goods:
        set_stock(one, dice.randint(0, 12))
    for order in dice.sample(orders, 4):
        try:
            release.release_order(order=order, actor=TEAM, in_part=True)
        except TransitionNotAllowed:
            continue  # nothing of it is there
    for one in goods:
        held = record_of(one)
        set_stock(one, held.num_in_stock + dice.choice([0, 0, 2, 5]))
    said_missing = {sku: missing for sku, (missing, _on_order, _orders) in needs().items()}
    said_offered = {number: available for number, available, _asked in offered()}
    released, rest = {}, {}
    for order in orders:
        answers = release.preview_release(order)
        there = sum(answer.releasable for answer in answers)
        was_partly = OrderFulfillment.objects.get(pk=order.pk).has_backorder
        try:
            release.release_order(order=order, actor=TEAM, in_part=True)
        except TransitionNotAllowed:
            there = 0
        if there and was_partly:
            released[order.number] = there
        for answer in release.preview_release(order):
            if answer.asked:
                rest[answer.line.partner_sku] = rest.get(answer.line.partner_sku, 0) + answer.asked
    assert said_offered == released
    assert said_missing == rest


def test_the_queries_do_not_grow_with_the_orders():
    def count():
        with CaptureQueriesContext(connection) as captured:
            shortage = Shortage()
            assert shortage.missing
            assert shortage.releasable
        return len(captured)

    mug, plate = factories.product("Mug"), factories.product("Plate")
    waiting(mug, 3)
    set_stock(mug, 1)
    first = count()
    for age in range(5):
        waiting(plate, 3, age=age)
    receive(buy(plate, 4), 4)
    assert SupplierOrderLine.objects.filter(received__gt=0).exists()
    assert count() == first <= 9


def test_ten_thousand_waiting_orders_are_looked_through_while_a_person_waits():
    mug = factories.product("Mug", sku="MUG", stock=100)
    order = waiting(mug, 2, age=400)
    Line = get_model("order", "Line")
    assert order.lines.order_by("pk").first().quantity == 2
    made = copies(order, 10_000)
    assert Line.objects.filter(order__in=[one.pk for one in made[:3]], stockrecord=record_of(mug)).count() == 3
    set_stock(mug, 8_001)
    began = time.perf_counter()
    shortage = Shortage()
    missing, releasable = shortage.missing, shortage.releasable
    took = time.perf_counter() - began
    print(f"{connection.vendor}: {took:.2f} s")
    assert missing[0].products[0].missing == 2 * 10_001 - 8_001
    assert len(releasable) == 4001
    assert releasable[0].order_id == order.pk
    assert (releasable[-1].available, releasable[-1].asked) == (1, 2)
    assert took < 10
