"""Eight threads at one order on PostgreSQL while it is edited: one after the other, nothing lost, no deadlock.

``RACE_ROUNDS`` (a percentage) shortens or lengthens the runs, see ``test_races``.
"""

# ruff: noqa: B023 (every race ends within its round, so a callable may look at the round's order)

import random
from decimal import Decimal

import pytest
from django.db.models import Sum
from oscar.core.loading import get_model

from oscar_fulfillment.core import history
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import StaleVersion
from oscar_fulfillment.models import OrderDraft, OrderFulfillment, PaymentOperation, ShipmentLine, StatusChange
from oscar_fulfillment.services import drafts, editing, operations, payments, release, shipping
from oscar_fulfillment.services.edit_wanted import Wanted
from oscar_fulfillment.test import factories

from . import payments as pay
from .editing import edit, fresh, offer, place
from .test_races import ACTORS, DONE, REFUSED, THREADS, count, race, rounds  # noqa: F401

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.feature("E2"),
]


@pytest.fixture
def goods(db):
    return [factories.product(f"P{n}", "10.00", stock=40, sku=f"S{n}") for n in range(3)]


@pytest.fixture(autouse=True)
def books(goods):
    """After the race: stock, sums and histories agree with the lines."""
    yield
    Line, Order = get_model("order", "Line"), get_model("order", "Order")
    for product in goods:
        record = product.stockrecords.get()
        lines = Line.objects.filter(stockrecord=record)
        gone = ShipmentLine.objects.filter(line__in=lines, shipment__status="dispatched")
        sent = gone.aggregate(n=Sum("quantity"))["n"] or 0
        assert record.num_in_stock == 40 - sent
        assert (record.num_allocated or 0) == (lines.aggregate(n=Sum("num_allocated"))["n"] or 0)
        assert record.num_allocated is None or record.num_allocated <= record.num_in_stock
    for order in Order.objects.all():
        assert order.total_incl_tax == sum(line.line_price_incl_tax for line in order.lines.all())
    assert not get_model("basket", "Basket").objects.filter(status="Open").exists()
    assert list(history.verify(OrderFulfillment, StatusChange)) == []


def set_units(order, actor, quantities, **options):
    """Edit the order's lines in place, by their position."""
    lines = order.lines.order_by("pk")
    wanted = Wanted({line.pk: q for line, q in zip(lines, quantities, strict=False) if line.quantity != q})
    return editing.apply_edit(order=order, actor=actor, wanted=wanted, notify=False, **options)


def test_one_of_eight_who_saw_the_same_order_edits_it(race, goods):  # noqa: F811
    for _round in rounds(10):
        order = place([(goods[0], 1), (goods[1], 1)])
        seen = order.fulfillment.version
        outcomes = race(
            lambda n: set_units(fresh(order), ACTORS[n], [n + 2, 1], expected_version=seen, expected_total=None)
        )
        assert count(outcomes) == 1
        assert all(isinstance(error, StaleVersion) for kind, error in outcomes if kind == REFUSED)
        assert OrderDraft.objects.filter(fulfillment=order.pk, status="applied").count() == 1
        edit(order, [(goods[0], 1)])


def test_edits_and_their_taking_back_stand_in_a_row(race, goods):  # noqa: F811
    for number in rounds(10):
        order = place([(goods[0], 1), (goods[1], 1)])
        chance = random.Random(number)
        plans = [(chance.randint(0, 3), chance.randint(1, 4), chance.random() < 0.4) for _n in range(THREADS)]

        def work(n):
            first, second, back = plans[n]
            if back:
                return editing.revert_edit(order=fresh(order), actor=ACTORS[n], notify=False)
            return set_units(fresh(order), ACTORS[n], [first, second])

        race(work)
        while drafts.last_applied(order.pk):
            editing.revert_edit(order=fresh(order), actor=factories.TEAM, notify=False)
        assert sorted(order.lines.values_list("quantity", "num_allocated")) == [(1, 1), (1, 1)]
        assert fresh(order).total_incl_tax == Decimal("20.00")


def test_what_is_released_and_sent_is_what_the_order_holds(race, goods):  # noqa: F811
    for _round in rounds(8):
        order = place([(goods[0], 1), (goods[1], 1)], flow="STANDARD")
        OrderFulfillment.objects.filter(pk=order.pk).update(payment_status="authorized")

        def work(n):
            if n == 0:
                return release.release_order(order=fresh(order), actor=ACTORS[n], notify=False)
            if n == 1:
                return shipping.dispatch_order(order=fresh(order), actor=ACTORS[n], notify=False)
            return set_units(fresh(order), ACTORS[n], [n % 2, 1 if n % 2 == 0 else 0])

        race(work)
        for line in order.lines.all():
            sent = ShipmentLine.objects.filter(line=line).aggregate(n=Sum("quantity"))["n"] or 0
            assert sent in (0, line.quantity)
            left = ShipmentLine.objects.filter(line=line, shipment__status="dispatched").exists()
            assert line.num_allocated == (0 if left else line.quantity)
        assert OrderFulfillment.objects.get(pk=order.pk).shipping_status in ("released", "dispatched")


def test_the_last_units_go_to_one_order(race, goods):  # noqa: F811
    goods[2].stockrecords.update(num_in_stock=43)
    orders = [place([(goods[0], 1)]) for _n in range(THREADS)]
    outcomes = race(lambda n: edit(fresh(orders[n]), added=[(goods[2], 7)], notify=False))
    assert count(outcomes) == 6
    assert {error.reasons[0].code for kind, error in outcomes if kind == REFUSED} == {"short"}
    goods[2].stockrecords.update(num_in_stock=40)
    for order in orders:
        if order.lines.count() == 2:
            edit(order, [(goods[2], 6)], notify=False)


def test_what_is_approved_is_what_the_order_costs(race, goods):  # noqa: F811
    for _round in rounds(10):
        order = place([(goods[0], 1), (goods[1], 1)])

        def work(n):
            if n == 0:
                return payments.approve_payment(order=fresh(order), actor=ACTORS[n], notify=False)
            return set_units(fresh(order), ACTORS[n], [n % 3, 1])

        outcomes = race(work)
        assert outcomes[0][0] == DONE
        assert pay.money(order)[1] == fresh(order).total_incl_tax


def test_what_is_charged_is_what_the_order_costs(race, goods):  # noqa: F811
    for _round in rounds(8):
        order, payment, _provider = pay.held(lines=[(goods[0], 2), (goods[1], 2)])

        def work(n):
            if n == 0:
                return operations.request_capture(order=fresh(order), payment=payment.pk, actor=ACTORS[n])
            return set_units(fresh(order), ACTORS[n], [n % 3, 1])

        race(work)
        assert PaymentOperation.objects.get(payment=payment).amount == fresh(order).total_incl_tax
        payment.delete()  # the provider of the tests counts from one again


def test_placing_and_editing_with_the_same_offers_never_deadlock(race, goods):  # noqa: F811
    for product in goods:
        offer(value="10", at_least=1, products=[product], name=f"Offer {product.title}")
    method = factories.manual_method()
    for number in rounds(6):
        orders = [place([(goods[n % 3], 1), (goods[(n + 1) % 3], 1)], method=method) for n in range(4)]

        def work(n):
            lines = [(goods[(n + k) % 3], 1) for k in range(3)]
            if n < 4:
                order = fresh(orders[n])
                return edit(order, [(line.product, 0) for line in order.lines.all()][:1], [(goods[(n + 2) % 3], 1)],
                            notify=False)  # fmt: skip
            return place(lines, method=method, number=f"N{number}-{n}")

        assert count(race(work)) == THREADS
        for order in get_model("order", "Order").objects.all():
            assert order.discounts.count() == order.lines.count()
        for order in get_model("order", "Order").objects.all():  # room for the next round
            product = order.lines.first().product
            edit(order, [(line.product, 0) for line in order.lines.all()][1:] or [(product, 1)], notify=False,
                 added=[(product, 0)]) if order.lines.count() > 1 else None  # fmt: skip
            product.stockrecords.update(num_allocated=0)
            order.lines.update(num_allocated=0)


def test_one_person_with_two_tabs_has_one_draft(race, goods):  # noqa: F811
    user = factories.staff_user("edit_order")
    order = place([(goods[0], 1)])
    wanted = Wanted({order.lines.get().pk: 2})
    outcomes = race(
        lambda n: drafts.save_draft(order=order, actor=Actor.from_user(user), wanted=wanted, base_version=1)
    )
    assert count(outcomes) == THREADS
    assert OrderDraft.objects.count() == 1
