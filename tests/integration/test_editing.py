"""Orders edited before they leave: prices, stock and counters as if the order had been placed so, and back again."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_fulfillment import signals
from oscar_fulfillment.core import history
from oscar_fulfillment.core.exceptions import InvalidInput, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.models import OrderDraft, OrderFulfillment, OutboundMessage, StatusChange
from oscar_fulfillment.services import editing, mails, notes, payments, receipts, release
from oscar_fulfillment.services.edit_wanted import Shipping, Wanted
from oscar_fulfillment.test import factories

from . import payments as pay
from .editing import (
    TEAM,
    as_if_placed,
    counters,
    edit,
    figures,
    fresh,
    line_of,
    offer,
    place,
    voucher,
    wants,
)

pytestmark = [pytest.mark.django_db, pytest.mark.feature("E2")]


@pytest.fixture
def mug(db):
    return factories.product("Mug", "10.00", sku="MUG")


@pytest.fixture
def plate(db):
    return factories.product("Plate", "7.50", sku="PLATE")


@pytest.fixture
def bowl(db):
    return factories.product("Bowl", "4.25", sku="BOWL", stock=5)


def codes(error):
    return [reason.code for reason in error.value.reasons]


def world():
    """All that a refused edit must leave alone."""
    return (
        [figures(order) for order in get_model("order", "Order").objects.order_by("pk")],
        counters(),
        list(OrderFulfillment.objects.order_by("pk").values()),
        StatusChange.objects.count(),
        OutboundMessage.objects.count(),
        OrderDraft.objects.exclude(status="open").count(),
        get_model("basket", "Basket").objects.count(),
    )


# ---- What an edit does ----


def test_quantities_change_lines_go_and_come(mug, plate, bowl):
    order = place([(mug, 2), (plate, 3)])
    change = edit(order, [(mug, 1), (plate, 0)], [(bowl, 4)], reason="She called")
    assert figures(order) == as_if_placed(order, [(mug, 1), (bowl, 4)])[0]
    assert order.total_incl_tax == fresh(order).total_incl_tax == Decimal("27.00")
    assert counters()["stock"] == {"MUG": 1, "PLATE": 0, "BOWL": 4}
    assert (change.machine, change.action, change.reason) == ("edit", "edit_order", "She called")
    assert change.data["before"]["total"] == "42.50"
    assert change.data["after"]["total"] == "27.00"
    assert [(c["title"], c["from"], c["to"]) for c in change.data["changes"]] == [
        ("Mug", 2, 1),
        ("Plate", 3, 0),
        ("Bowl", 0, 4),
    ]
    assert list(history.verify(OrderFulfillment, StatusChange)) == []
    draft = OrderDraft.objects.get()
    assert (draft.status, draft.total_before, draft.total_after) == ("applied", Decimal("42.50"), Decimal("27.00"))
    assert draft.applied_version == change.sequence


def test_more_of_what_is_there_joins_its_line(mug):
    order = place([(mug, 2)])
    edit(order, added=[(mug, 3)])
    assert order.lines.get().quantity == 5
    assert figures(order) == as_if_placed(order, [(mug, 5)])[0]


def test_an_agreed_price_stays_agreed_and_what_comes_costs_todays(mug, plate):
    order = place([(mug, 2)])
    mug.stockrecords.update(price=Decimal("99.00"))
    plate.stockrecords.update(price=Decimal("8.00"))
    edit(order, [(mug, 3)], [(plate, 1)])
    assert line_of(order, mug).unit_price_incl_tax == Decimal("10.00")
    assert fresh(order).total_incl_tax == Decimal("38.00")


def test_options_of_a_line_stay_and_reach_the_basket(mug, plate):
    order = place([(mug, 2), (plate, 1)])
    engraving = get_model("catalogue", "Option").objects.create(name="Engraving", code="engraving")
    line_of(order, mug).attributes.create(option=engraving, type="engraving", value="For Ana")
    edit(order, [(mug, 1)], [(mug, 1)])
    lines = order.lines.filter(product=mug).order_by("pk")
    assert [(line.quantity, list(line.attributes.values_list("value", flat=True))) for line in lines] == [
        (1, ["For Ana"]),
        (1, []),
    ]
    editing.revert_edit(order=order, actor=TEAM)
    assert list(line_of(order, mug).attributes.values_list("value", flat=True)) == ["For Ana"]


def test_goods_whose_stock_is_not_counted(mug):
    ebook = factories.product("E-book", "5.00", sku="EBOOK", stock=0)
    ebook.product_class.track_stock = False
    ebook.product_class.save()
    order = place([(ebook, 1)])
    edit(order, [(ebook, 4)])
    assert figures(order) == as_if_placed(order, [(ebook, 4)])[0]
    editing.revert_edit(order=order, actor=TEAM)
    assert figures(order) == as_if_placed(order, [(ebook, 1)])[0]


# ---- Offers, vouchers, taxes ----


def test_a_range_offer_is_reckoned_anew(mug, plate):
    offer(value="10", at_least=3, products=[mug])
    order = place([(mug, 3), (plate, 1)])
    assert order.total_incl_tax == Decimal("34.50")
    edit(order, [(mug, 2)])
    assert (figures(order), counters()) == as_if_placed(order, [(mug, 2), (plate, 1)])
    assert not order.discounts.exists()
    edit(order, [(mug, 5)])
    assert (figures(order), counters()) == as_if_placed(order, [(mug, 5), (plate, 1)])
    assert order.discounts.get().amount == Decimal("5.00")


def test_an_offer_that_ended_since_still_holds_and_one_that_began_since_does_not(mug, plate):
    yesterday = timezone.now() - timedelta(days=1)
    ended = offer(value="50", at_least=2, products=[mug], name="Summer", start_datetime=yesterday)
    order = place([(mug, 1)])
    ended.end_datetime = timezone.now()
    ended.save()
    offer(value="90", at_least=1, products=[mug], name="Winter", start_datetime=timezone.now(), priority=9)
    edit(order, [(mug, 2)])
    assert order.discounts.get().offer_name == "Summer"
    assert fresh(order).total_incl_tax == Decimal("10.00")


def test_a_suspended_offer_stays_with_an_order_that_has_it_and_comes_to_none_that_has_not(mug, plate):
    found = offer(value="50", at_least=1, products=[mug])
    having, lacking = place([(mug, 1)]), place([(plate, 1)])
    found.suspend()
    edit(having, [(mug, 2)])
    edit(lacking, added=[(mug, 1)])
    assert fresh(having).total_incl_tax == Decimal("10.00")
    assert fresh(lacking).total_incl_tax == Decimal("17.50")
    found.refresh_from_db()
    assert found.is_suspended


def test_an_offer_used_up_by_this_order_is_its_own(mug):
    found = offer(value="10", at_least=1, products=[mug], max_global_applications=1)
    order = place([(mug, 1)])
    found.refresh_from_db()
    assert found.status == "Consumed"
    edit(order, [(mug, 2)])
    assert order.discounts.get().amount == Decimal("2.00")
    found.refresh_from_db()
    assert (found.num_applications, found.num_orders, found.total_discount) == (1, 1, Decimal("2.00"))


def test_an_offer_freed_by_an_edit_is_open_again(mug):
    found = offer(value="10", at_least=2, products=[mug], max_global_applications=1)
    order = place([(mug, 2)])
    edit(order, [(mug, 1)])
    found.refresh_from_db()
    assert (found.status, found.num_applications, found.num_orders) == ("Open", 0, 0)


def test_an_offer_that_others_used_up_does_not_come_to_this_order(mug, plate):
    offer(value="10", at_least=1, products=[mug], max_global_applications=1)
    order = place([(plate, 1)])
    place([(mug, 1)])
    edit(order, added=[(mug, 1)])
    assert not order.discounts.exists()


@pytest.mark.parametrize("usage", ["Single use", "Multi-use", "Once per customer"])
def test_a_voucher_stays_with_its_order(usage, mug, plate, django_user_model):
    user = django_user_model.objects.create_user("ana", "ana@example.com", "x")
    code = voucher(usage=usage, value="20", products=[mug])
    order = place([(mug, 2)], user=user, vouchers=[code])
    assert order.total_incl_tax == Decimal("16.00")
    code.refresh_from_db()
    code.end_datetime = timezone.now()  # over since
    code.save()
    edit(order, [(mug, 3)], [(plate, 1)])
    discount = order.discounts.get()
    assert (discount.voucher_code, discount.amount) == ("WELCOME", Decimal("6.00"))
    code.refresh_from_db()
    assert (code.num_orders, code.total_discount, code.applications.count()) == (1, Decimal("6.00"), 1)
    edit(order, [(mug, 0)])
    code.refresh_from_db()
    assert (code.num_orders, code.total_discount, code.applications.count()) == (1, Decimal("0.00"), 1)
    assert not order.discounts.exists()
    edit(order, added=[(mug, 1)])
    assert fresh(order).total_incl_tax == Decimal("15.50")


def test_a_limit_per_customer_counts_without_this_order(mug, django_user_model):
    user = django_user_model.objects.create_user("ana", "ana@example.com", "x")
    offer(value="10", at_least=1, products=[mug], max_user_applications=1)
    order = place([(mug, 1)], user=user)
    edit(order, [(mug, 4)])
    assert fresh(order).total_incl_tax == Decimal("36.00")


def test_a_discount_on_shipping_stays_as_agreed_until_shipping_is_chosen_anew(mug):
    offer(value="50", kind="Shipping percentage", at_least=1)
    order = place([(mug, 2)], charge=Decimal("8.00"))
    assert order.shipping_incl_tax == Decimal("4.00")
    edit(order, [(mug, 1)])
    assert fresh(order).total_incl_tax == Decimal("14.00")
    assert order.discounts.get().amount == Decimal("4.00")
    edit(order, shipping=Shipping(charge=Decimal("3.00")))
    assert fresh(order).total_incl_tax == Decimal("13.00")
    assert not order.discounts.exists()
    editing.revert_edit(order=order, actor=TEAM)
    assert fresh(order).total_incl_tax == Decimal("14.00")
    assert order.discounts.get().category == "Shipping"


def test_what_an_offer_did_after_the_order_is_not_done_again(mug):
    order = place([(mug, 2)])
    order.discounts.create(category="Deferred", offer_id=77, offer_name="Points", frequency=1, message="100 points")
    edit(order, [(mug, 1)])
    assert order.discounts.get().message == "100 points"


@pytest.fixture
def swiss(monkeypatch):
    """The demo shop's strategy of its Swiss store: prices with 8.1 % of tax in them."""
    from sandbox.partner.strategy import StoreStrategy
    from sandbox.shop.stores import STORES

    monkeypatch.setattr(
        "oscar.apps.partner.strategy.Selector.strategy",
        lambda self, request=None, user=None, **kwargs: StoreStrategy(request, STORES["ch"]),
    )

    def product(title, price, sku):
        found = factories.product(title, price, sku=sku)
        found.stockrecords.update(price_currency="CHF")
        return found

    return product


@pytest.mark.parametrize(("kind", "value"), [("Percentage", "15"), ("Absolute", "3.33"), ("Multibuy", "0")])
def test_prices_with_tax_are_those_of_an_order_placed_so(kind, value, swiss):
    cup, saucer = swiss("Cup", "12.90", "CUP"), swiss("Saucer", "4.45", "SAUCER")
    offer(value=value, kind=kind, at_least=2, products=[cup])
    order = place([(cup, 1), (saucer, 3)])
    assert order.currency == "CHF"
    assert order.total_excl_tax < order.total_incl_tax
    edit(order, [(cup, 3), (saucer, 2)])
    assert (figures(order), counters()) == as_if_placed(order, [(cup, 3), (saucer, 2)])
    assert order.discounts.exists()
    edit(order, [(cup, 1)], shipping=Shipping(charge=Decimal("10.81")))
    assert (fresh(order).shipping_excl_tax, fresh(order).shipping_incl_tax) == (Decimal("10.00"), Decimal("10.81"))


def test_a_product_without_a_price_in_the_orders_currency_is_refused(swiss, mug):
    order = place([(swiss("Cup", "12.90", "CUP"), 1)])
    with pytest.raises(InvalidInput, match="no price in CHF"):
        edit(order, added=[(mug, 1)])


# ---- Shipping and surcharges ----


def test_shipping_by_hand_and_by_method(mug):
    order = place([(mug, 1)], charge=Decimal("5.00"))
    edit(order, shipping=Shipping(charge=Decimal("2.50")))
    assert (fresh(order).shipping_incl_tax, fresh(order).total_incl_tax) == (Decimal("2.50"), Decimal("12.50"))
    assert order.shipping_code == "fixed-price-shipping"
    change = edit(order, shipping=Shipping(method="free-shipping"))
    assert fresh(order).shipping_code == "free-shipping"
    assert fresh(order).total_incl_tax == Decimal("10.00")
    assert change.data["changes"] == []
    assert change.data["after"]["shipping"] == ["Free shipping", "0.00"]
    with pytest.raises(InvalidInput, match="not offered"):
        edit(order, shipping=Shipping(method="by-drone"))


def test_surcharges_stay_and_are_reckoned_where_the_shop_still_knows_them(mug, monkeypatch):
    from oscar.apps.checkout.surcharges import PercentageCharge

    order = place([(mug, 2)])
    order.surcharges.create(name="Card", code="percentage-surcharge", incl_tax=2, excl_tax=2)
    order.surcharges.create(name="Gift", code="gift", incl_tax=1, excl_tax=1)
    get_model("order", "Order").objects.filter(pk=order.pk).update(total_incl_tax=23, total_excl_tax=23)
    monkeypatch.setattr(
        "oscar.apps.checkout.applicator.SurchargeApplicator.get_surcharges",
        lambda self, basket, **kwargs: (PercentageCharge(percentage=Decimal("10")),),
    )
    edit(order, [(mug, 1)])
    assert figures(order)["surcharges"] == [
        ("gift", Decimal("1.00"), Decimal("1.00")),
        ("percentage-surcharge", Decimal("1.00"), Decimal("1.00")),
    ]
    assert fresh(order).total_incl_tax == Decimal("12.00")
    editing.revert_edit(order=order, actor=TEAM)
    assert fresh(order).total_incl_tax == Decimal("23.00")
    assert dict(order.surcharges.values_list("code", "incl_tax")) == {
        "gift": Decimal("1.00"),
        "percentage-surcharge": Decimal("2.00"),
    }


def test_what_a_shop_has_added_to_the_total_stays(mug):
    order = place([(mug, 3)])
    get_model("order", "Order").objects.filter(pk=order.pk).update(total_incl_tax=25, total_excl_tax=24)  # a gift card
    edit(order, [(mug, 2)])
    assert (fresh(order).total_incl_tax, fresh(order).total_excl_tax) == (Decimal("15.00"), Decimal("14.00"))
    editing.revert_edit(order=order, actor=TEAM)
    assert fresh(order).total_incl_tax == Decimal("25.00")


# ---- Back again ----


def test_an_edit_is_taken_back_row_by_row(mug, plate, bowl):
    offer(value="10", at_least=2, products=[mug])
    code = voucher(value="5", products=[plate])
    order = place([(mug, 2), (plate, 3)], vouchers=[code])
    pks = set(order.lines.values_list("pk", flat=True))
    before = (figures(order), counters())
    edit(order, [(mug, 1), (plate, 0)], [(bowl, 4)], Shipping(charge=Decimal("3.00")))
    first = (figures(order), counters())
    edit(order, [(mug, 6)])
    editing.revert_edit(order=order, actor=TEAM)
    assert (figures(order), counters()) == first
    change = editing.revert_edit(order=order, actor=TEAM, reason="A mistake")
    assert (figures(order), counters()) == before
    assert set(order.lines.values_list("pk", flat=True)) == pks
    assert (change.action, change.data["after"]["total"]) == ("revert_edit", str(order.total_incl_tax))
    assert {(c["title"], c["from"], c["to"]) for c in change.data["changes"]} == {
        ("Mug", 1, 2), ("Plate", 0, 3), ("Bowl", 4, 0),
    }  # fmt: skip
    with pytest.raises(TransitionNotAllowed) as error:
        editing.revert_edit(order=order, actor=TEAM)
    assert codes(error) == ["no_edit"]
    assert list(history.verify(OrderFulfillment, StatusChange)) == []


def test_what_is_gone_from_the_catalogue_comes_back_without_it(mug, plate):
    order = place([(mug, 2), (plate, 1)])
    edit(order, [(plate, 0)])
    plate.delete()
    editing.revert_edit(order=order, actor=TEAM)
    line = order.lines.get(title="Plate")
    assert (line.product_id, line.stockrecord_id, line.quantity) == (None, None, 1)
    assert fresh(order).total_incl_tax == Decimal("27.50")


def test_an_edit_is_not_taken_back_over_another_change(mug):
    order = place([(mug, 2)])
    edit(order, [(mug, 1)])
    order.lines.update(line_price_incl_tax=Decimal("9.00"))
    before = world()
    with pytest.raises(TransitionNotAllowed) as error:
        editing.revert_edit(order=order, actor=TEAM)
    assert codes(error) == ["changed_otherwise"]
    assert world() == before


def test_taking_back_needs_the_goods_again(bowl, mug):
    order = place([(bowl, 5), (mug, 1)])
    edit(order, [(bowl, 1)])
    place([(bowl, 3)])
    before = world()
    with pytest.raises(TransitionNotAllowed, match=r"Bowl \(3 missing\)") as error:
        editing.revert_edit(order=order, actor=TEAM)
    assert codes(error) == ["short"]
    assert world() == before


# ---- Money ----


def test_within_the_held_sum_up_and_down_and_the_charge_is_the_new_total(mug):
    order, payment, provider = pay.held(lines=[(mug, 4)])
    edit(order, [(mug, 1)])
    edit(order, [(mug, 4)])
    with pytest.raises(TransitionNotAllowed, match="10.00 above the held sum of .*40.00") as error:
        edit(order, [(mug, 5)])
    assert codes(error) == ["above_hold"]
    edit(order, [(mug, 3)])
    from oscar_fulfillment.services import operation_runs, operations

    change = operations.request_capture(order=order, payment=payment.pk, actor=TEAM)
    assert change.data["amount"] == "30.00"
    with pytest.raises(TransitionNotAllowed) as error:
        edit(order, [(mug, 2)])
    assert codes(error) == ["asked_already"]
    with pytest.raises(TransitionNotAllowed):
        editing.revert_edit(order=order, actor=TEAM)
    operation_runs.run_operation(payment.operations.get().pk)
    assert pay.statuses(order) == ("paid", "received")
    assert pay.money(order) == (Decimal("30.00"), Decimal("30.00"), Decimal("0.00"))
    for attempt in (lambda: edit(order, [(mug, 2)]), lambda: editing.revert_edit(order=order, actor=TEAM)):
        with pytest.raises(TransitionNotAllowed) as error:
            attempt()
        assert codes(error) == ["captured"]


def test_a_provider_that_takes_all_or_nothing_keeps_the_total(mug, plate):
    order, _payment, _provider = pay.held(method=pay.hold_method("whole", provider_method="whole"), lines=[(mug, 3)])
    with pytest.raises(TransitionNotAllowed) as error:
        edit(order, [(mug, 2)])
    assert codes(error) == ["whole_or_nothing"]
    edit(order, [(mug, 0)], [(plate, 4)])
    assert fresh(order).total_incl_tax == Decimal("30.00")


def test_before_the_provider_holds_it_the_sum_is_fixed(mug):
    order, _payment, _provider = pay.begun(lines=[(mug, 2)])
    before = world()
    with pytest.raises(TransitionNotAllowed, match="Card is asking the buyer") as error:
        edit(order, [(mug, 1)])
    assert codes(error) == ["sum_fixed"]
    assert world() == before


def test_a_held_order_from_before_the_ledger_is_bound_to_what_it_cost(mug):
    order = place([(mug, 3)])
    OrderFulfillment.objects.filter(pk=order.pk).update(payment_status="authorized")
    edit(order, [(mug, 1)])
    edit(order, [(mug, 3)])
    with pytest.raises(TransitionNotAllowed) as error:
        edit(order, [(mug, 4)])
    assert codes(error) == ["above_hold"]


def test_an_unpaid_order_by_hand_may_cost_more_and_the_sum_due_follows(mug):
    order = place([(mug, 1)])
    edit(order, [(mug, 9)])
    change = payments.approve_payment(order=fresh(order), actor=TEAM)
    assert change.data["amount"] == "90.00"
    assert pay.money(order)[1] == Decimal("90.00")


def test_an_edit_down_to_what_has_come_in_is_paid(mug):
    order = place([(mug, 3)])
    receipts.receive_money(order=order, actor=TEAM, amount=Decimal("20.00"))
    assert pay.open_kinds(order) == ["underpaid"]
    edit(order, [(mug, 2)])
    assert pay.statuses(order) == ("paid", "received")
    assert pay.open_kinds(order) == []


def test_an_edit_below_what_has_come_in_tells_a_person(mug):
    order = place([(mug, 3)])
    receipts.receive_money(order=order, actor=TEAM, amount=Decimal("20.00"))
    edit(order, [(mug, 1)])
    assert pay.statuses(order) == ("paid", "received")
    assert pay.open_kinds(order) == ["overpaid"]


def test_money_is_compared_with_the_order_as_it_was_edited(mug):
    order = place([(mug, 3)])
    old = fresh(order)
    edit(order, [(mug, 2)])
    receipts.receive_money(order=old, actor=TEAM, amount=Decimal("20.00"))
    assert pay.statuses(order) == ("paid", "received")
    assert pay.open_kinds(order) == []


def test_nothing_left_to_pay_is_a_cancellation(mug):
    order = place([(mug, 1)])
    offer(value="100", products=[mug], start_datetime=timezone.now() - timedelta(days=1), at_least=2)
    with pytest.raises(TransitionNotAllowed) as error:
        edit(order, [(mug, 2)])
    assert codes(error) == ["nothing_left"]


def _released(order):
    payments.approve_payment(order=order, actor=TEAM)
    release.release_order(order=order, actor=TEAM)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (factories.paid_order, "captured"),
        (factories.released_order, "released"),
        (factories.dispatched_order, "released"),
        (factories.cancelled_order, "cancelled"),
    ],
)
def test_no_edit_once_money_or_goods_have_moved(make, code):
    order = make()
    line = order.lines.get()
    before = world()
    with pytest.raises(TransitionNotAllowed) as error:
        editing.apply_edit(order=order, actor=TEAM, wanted=Wanted({line.pk: 1}))
    assert codes(error) == [code]
    assert world() == before
    assert [reason.code for reason in editing.preview(order, Wanted({line.pk: 1})).reasons] == [code]


# ---- Bad input ----


@pytest.mark.parametrize("quantity", [-1, 10_001, 10**12])
def test_quantities_that_no_order_has(quantity, mug):
    order = place([(mug, 2)])
    before = world()
    line = line_of(order, mug)
    with pytest.raises(InvalidInput) as error:
        edit(order, [(mug, quantity)])
    assert list(error.value.errors) == [f"line-{line.pk}"]
    with pytest.raises(InvalidInput):
        edit(order, added=[(mug, quantity)])
    with pytest.raises(InvalidInput):
        editing.preview(order, wants(order, [(mug, quantity)]))
    assert world() == before


@pytest.mark.parametrize("charge", ["-0.01", "NaN", "Infinity", "1e10"])
def test_charges_that_no_order_has(charge, mug):
    order = place([(mug, 2)])
    with pytest.raises(InvalidInput) as error:
        edit(order, shipping=Shipping(charge=Decimal(charge)))
    assert list(error.value.errors) == ["charge"]


def test_too_many_units_in_all_and_none_at_all(mug, plate):
    order = place([(mug, 2)])
    mug.stockrecords.update(num_in_stock=50_000)
    with pytest.raises(InvalidInput, match="at most 10000"):
        edit(order, [(mug, 9_999)], [(plate, 2)])
    with pytest.raises(InvalidInput, match="cancel it"):
        edit(order, [(mug, 0)])


def test_a_total_that_no_column_holds(mug):
    mug.stockrecords.update(num_in_stock=10_000, price=Decimal("9999999.99"))
    order = place([(mug, 1)])
    with pytest.raises(InvalidInput, match="larger than an order can hold"):
        edit(order, [(mug, 9_999)])


def test_foreign_lines_and_unknown_products(mug, plate):
    order, other = place([(mug, 2)]), place([(plate, 1)])
    before = world()
    with pytest.raises(InvalidInput, match="does not belong to this order"):
        editing.apply_edit(order=order, actor=TEAM, wanted=Wanted({other.lines.get().pk: 5}))
    with pytest.raises(InvalidInput, match="no such product"):
        editing.apply_edit(order=order, actor=TEAM, wanted=Wanted(added={987654: 1}))
    assert world() == before
    assert editing.preview(order, Wanted({other.lines.get().pk: 5})).plan.lost == 1


def test_products_that_only_the_customer_can_choose(mug):
    order = place([(mug, 1)])
    engraved = factories.product("Engraved", sku="ENGRAVED")
    option = get_model("catalogue", "Option").objects.create(name="Text", code="text", required=True)
    engraved.product_options.add(option)
    with pytest.raises(InvalidInput, match="options"):
        edit(order, added=[(engraved, 1)])
    parent = factories.product("Shirt", sku="SHIRT")
    parent.structure = "parent"
    parent.save()
    with pytest.raises(InvalidInput, match="variants"):
        edit(order, added=[(parent, 1)])


def test_goods_that_left_the_catalogue_stay_or_go(mug, plate):
    order = place([(mug, 2), (plate, 1)])
    pk = line_of(order, mug).pk
    mug.delete()
    with pytest.raises(InvalidInput, match="no longer in the catalogue"):
        editing.apply_edit(order=order, actor=TEAM, wanted=Wanted({pk: 1}))
    edit(order, [(plate, 2)])
    assert fresh(order).total_incl_tax == Decimal("35.00")
    editing.apply_edit(order=order, actor=TEAM, wanted=Wanted({pk: 0}))
    assert fresh(order).total_incl_tax == Decimal("15.00")


def test_nothing_changed_is_no_edit(mug):
    order = place([(mug, 2)])
    with pytest.raises(TransitionNotAllowed) as error:
        edit(order, [(mug, 2)])
    assert codes(error) == ["nothing_changed"]


def test_what_is_not_in_the_house_is_refused_by_name(mug, bowl):
    order = place([(mug, 1), (bowl, 2)])
    place([(bowl, 2)])
    before = world()
    with pytest.raises(TransitionNotAllowed, match=r"Bowl \(1 missing\)") as error:
        edit(order, [(mug, 5), (bowl, 4)])
    assert codes(error) == ["short"]
    assert world() == before
    edit(order, [(bowl, 3)])
    assert counters()["stock"]["BOWL"] == 5


def test_what_one_line_gives_up_another_may_take(bowl, mug):
    order = place([(bowl, 5)])
    option = get_model("catalogue", "Option").objects.create(name="Text", code="text")
    order.lines.get().attributes.create(option=option, type="text", value="A")
    edit(order, [(bowl, 2)], [(bowl, 3)])
    assert sorted(order.lines.values_list("quantity", "num_allocated")) == [(2, 2), (3, 3)]
    assert counters()["stock"]["BOWL"] == 5


def test_a_failure_halfway_leaves_nothing_behind(mug, plate, monkeypatch):
    offer(value="10", at_least=1, products=[mug])
    order = place([(mug, 2)])
    before = world()

    def fail(*args, **kwargs):
        raise RuntimeError("the disk is full")

    for point in ("edit_writing._write_order", "edit_stock.move", "edit_usage.recount", "drafts.take_draft"):
        with monkeypatch.context() as patch:
            patch.setattr(f"oscar_fulfillment.services.{point}", fail)
            with pytest.raises(RuntimeError):
                edit(order, [(mug, 1)], [(plate, 1)])
        assert world() == before, point
    edit(order, [(mug, 1)], [(plate, 1)])
    after = world()
    for point in ("edit_usage.recount", "edit_stock.move", "editing._the_other_way"):
        with monkeypatch.context() as patch:
            patch.setattr(f"oscar_fulfillment.services.{point}", fail)
            with pytest.raises(RuntimeError):
                editing.revert_edit(order=order, actor=TEAM)
        assert world() == after, point


# ---- Once, and not over somebody else's ----


def test_the_same_key_edits_once(mug):
    order = place([(mug, 4)])
    wanted = wants(order, [(mug, 3)])
    first = editing.apply_edit(order=order, actor=TEAM, wanted=wanted, key="k-123456")
    again = editing.apply_edit(order=order, actor=TEAM, wanted=wanted, key="k-123456")
    assert first.pk == again.pk
    assert OrderDraft.objects.count() == 1
    back = editing.revert_edit(order=order, actor=TEAM, key="r-123456")
    assert editing.revert_edit(order=order, actor=TEAM, key="r-123456").pk == back.pk
    assert order.lines.get().quantity == 4


def test_a_draft_on_an_order_that_moved_on_is_refused_and_a_note_is_no_move(mug):
    order = place([(mug, 4)])
    seen = order.fulfillment.version
    notes.add_note(order=order, actor=TEAM, text="Hello")
    edit(order, [(mug, 3)], expected_version=seen)
    with pytest.raises(StaleVersion) as error:
        edit(order, [(mug, 2)], expected_version=seen)
    assert error.value.change.action == "edit_order"
    assert order.lines.get().quantity == 3


def test_another_total_than_was_seen_is_refused(mug):
    order = place([(mug, 4)])
    with pytest.raises(TransitionNotAllowed, match="The new total is") as error:
        edit(order, [(mug, 3)], expected_total=Decimal("29.99"))
    assert codes(error) == ["total_changed"]
    edit(order, [(mug, 3)], expected_total=Decimal("30.00"))


# ---- Looking, telling ----


def test_a_look_writes_nothing_and_says_what_an_edit_would(mug, plate, bowl):
    offer(value="10", at_least=2, products=[mug])
    code = voucher(value="5", products=[plate])
    order = place([(mug, 1), (plate, 3)], vouchers=[code], charge=Decimal("5.00"))
    before = world()
    wanted = wants(order, [(mug, 2)], [(bowl, 9)])
    found = editing.preview(order, wanted)
    assert world() == before
    assert [reason.code for reason in found.reasons] == ["short"]
    assert {line.title: line.missing for line in found.quote.missing} == {"Bowl": 4}
    wanted = wants(order, [(mug, 2)], [(bowl, 5)])
    found = editing.preview(order, wanted)
    assert found.can_apply
    assert found.bound is None
    editing.apply_edit(order=order, actor=TEAM, wanted=wanted, expected_total=found.quote.total)
    assert fresh(order).total_incl_tax == found.quote.total
    assert fresh(order).total_excl_tax == found.quote.total_excl_tax
    assert {(name, amount) for name, amount in found.quote.discounts} == set(
        order.discounts.values_list("offer_name", "amount")
    )
    assert [line.total for line in found.quote.lines] == [line.line_price_incl_tax for line in order.lines.all()]


def test_a_look_at_a_held_order_says_how_much_room_is_left(mug):
    order, _payment, _provider = pay.held(lines=[(mug, 4)])
    order = fresh(order)
    found = editing.preview(order, wants(order, [(mug, 3)]))
    assert (found.bound, found.room, found.quote.difference) == (Decimal(40), Decimal(10), Decimal(-10))
    found = editing.preview(order, wants(order, [(mug, 6)]))
    assert found.room == Decimal(-20)
    assert [reason.code for reason in found.reasons] == ["above_hold"]


def test_the_customer_is_told_or_not(mug, mailoutbox):
    order = place([(mug, 4)])
    edit(order, [(mug, 3)], notify=False)
    assert not OutboundMessage.objects.filter(kind="FULFILLMENT_ORDER_EDITED").exists()
    edit(order, [(mug, 2)])
    message = OutboundMessage.objects.get(kind="FULFILLMENT_ORDER_EDITED")
    mails.send_mail(message)
    (letter,) = mailoutbox
    assert letter.subject == f"Your order {order.number} was changed"
    assert "2 × Mug" in letter.body
    assert "20.00" in letter.body
    assert letter.to == ["ana@example.com"]


def test_the_mail_of_a_held_order_says_what_will_be_charged(mug, mailoutbox):
    order, _payment, _provider = pay.held(lines=[(mug, 4)])
    edit(order, [(mug, 3)])
    mails.send_mail(OutboundMessage.objects.get(kind="FULFILLMENT_ORDER_EDITED"))
    (letter,) = mailoutbox
    assert "You will be charged" in letter.body
    assert "30.00" in letter.body


def test_others_hear_of_it_after_the_commit(mug, django_capture_on_commit_callbacks):
    heard = []

    def listen(sender, **given):
        heard.append((given["change"].action, given["difference"], given["order"].total_incl_tax))

    signals.order_edited.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            order = place([(mug, 4)])
            edit(order, [(mug, 3)])
            editing.revert_edit(order=order, actor=TEAM)
    finally:
        signals.order_edited.disconnect(listen)
    assert heard == [
        ("edit_order", Decimal("-10.00"), Decimal("30.00")),
        ("revert_edit", Decimal("10.00"), Decimal("40.00")),
    ]


def test_a_shop_may_veto_an_edit(mug):
    from django.core.exceptions import ValidationError

    order = place([(mug, 4)])

    def refuse(sender, step, actions, **kwargs):
        if ("edit", "edit_order") in actions:
            raise ValidationError("Not on Sundays.")

    signals.validate_transition.connect(refuse)
    try:
        with pytest.raises(TransitionNotAllowed, match="Not on Sundays"):
            edit(order, [(mug, 3)])
    finally:
        signals.validate_transition.disconnect(refuse)
    assert order.lines.get().quantity == 4


# ---- What it costs ----


def _queries(call):
    with CaptureQueriesContext(connection) as seen:
        call()
    return len(seen)


def test_a_look_costs_the_same_few_queries_whatever_the_order(mug, plate):
    def order_of(count):
        return place([(factories.product(f"Thing {count}.{n}", sku=f"T{count}.{n}"), 1) for n in range(count)])

    small, large = order_of(3), order_of(60)
    wanted = {order.pk: Wanted({order.lines.first().pk: 2}, {mug.stockrecords.get().pk: 1}) for order in (small, large)}
    few, many = (_queries(lambda o=order: editing.preview(fresh(o), wanted[o.pk])) for order in (small, large))
    print(f"a look: {few} queries for 3 lines, {many} for 60")
    assert many == few
    assert many <= 30
