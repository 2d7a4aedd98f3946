"""Returns on their way here: asked for, approved, refused, given up; what carriers bring back by themselves."""

from datetime import timedelta

import pytest
from django.utils import timezone

from oscar_fulfillment import signals
from oscar_fulfillment.carriers.events import TrackingEvent, TrackingState
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.models import OrderFulfillment, Parcel, Return, Shipment
from oscar_fulfillment.selectors import return_units
from oscar_fulfillment.services import returns, shipping, tracking
from oscar_fulfillment.services.release import release_order
from oscar_fulfillment.test import factories

from . import returns as do
from .returns import TEAM, actions, approved, ask, by_customer, delivered, line, mails

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D15")]


def days_ago(order, days):
    """The goods arrived so many days ago."""
    Shipment.objects.filter(fulfillment=order.pk).update(delivered_at=timezone.now() - timedelta(days=days))


def refusal(call, *args, **options):
    with pytest.raises(TransitionNotAllowed) as error:
        call(*args, **options)
    return [reason.code for reason in error.value.reasons]


def complaint(call, *args, **options):
    with pytest.raises(InvalidInput) as error:
        call(*args, **options)
    return error.value.errors


# Asking


def test_a_return_is_asked_for_with_its_lines_its_reason_and_a_mail():
    order = delivered(("Mug", "10.00", 3), ("Plate", "5.00", 1))
    user = factories.staff_user(first_name="Bruna")
    given = {line(order).pk: (2, "damaged"), line(order, "Plate").pk: (1, "wrong_size")}
    ret = returns.request_return(
        order=order, lines=given, actor=Actor.from_user(user), note="Two broken", wants="exchange"
    )
    assert (ret.number, ret.status, ret.wants, ret.by_customer) == (1, "requested", "exchange", False)
    assert (ret.created_by, ret.created_by_label, ret.staff_note) == (user, "Bruna", "Two broken")
    assert [(each.line.title, each.quantity, each.reason, each.received) for each in ret.lines.all()] == [
        ("Mug", 2, "damaged", 0), ("Plate", 1, "wrong_size", 0),
    ]  # fmt: skip
    change = OrderFulfillment.objects.get(pk=order.pk).history.first()
    assert (change.action, change.reason, change.data["return"]) == ("request_return", "Two broken", ret.pk)
    assert mails(order) == ["RETURN_REQUESTED"]
    assert do.shipping(order) == "delivered"


def test_what_a_customer_asks_for_is_told_to_the_shop_too():
    order = delivered()
    ret = by_customer(order, note="Cracked <b>glaze</b>")
    assert (ret.by_customer, ret.customer_note, ret.staff_note) == (True, "Cracked <b>glaze</b>", "")
    assert ret.created_by_label == "ana@example.com"
    assert mails(order) == ["RETURN_REQUESTED", "OPERATOR_RETURN"]


def test_staff_may_approve_a_return_as_they_write_it_down():
    order = delivered()
    ret = approved(order)
    assert ret.status == "approved"
    assert ret.approved_at is not None
    assert actions(order)[-2:] == ["request_return", "approve_return"]
    assert mails(order) == ["RETURN_APPROVED"]


@pytest.mark.parametrize(
    ("situation", "sent"), [("paid", False), ("released", False), ("dispatched", True), ("delivered", True)]
)
def test_only_what_has_left_can_come_back(situation, sent):
    order = getattr(factories, f"{situation}_order")(currency="CHF", lines=[(factories.product("Mug"), 2)])
    if sent:
        assert ask(order, 2).status == "requested"
    else:
        assert refusal(ask, order) == ["nothing_sent"]
        assert not Return.objects.exists()


def test_of_an_order_sent_in_part_only_the_part_can_come_back():
    order = factories.released_order(currency="CHF", lines=[(factories.product("Mug"), 3)])
    shipping.dispatch_order(order=order, actor=TEAM, quantities={line(order).pk: 2})
    assert complaint(ask, order, 3) == {f"line_{line(order).pk}": ["At most 2 of “Mug” can come back."]}
    assert ask(order, 2).status == "requested"


def test_units_are_in_one_return_at_a_time():
    order = delivered()
    first = ask(order, 2)
    assert "At most 1" in str(complaint(ask, order, 2))
    second = approved(order, 1)
    assert "At most 0" in str(complaint(ask, order, 1))
    returns.refuse_return(ret=first, actor=TEAM, reason="Worn")
    returns.cancel_return(ret=second, actor=TEAM)
    assert ask(order, 3).number == 3


def test_what_came_back_does_not_come_back_again():
    order = delivered()
    do.received(order, 2)
    assert "At most 1" in str(complaint(ask, order, 2))
    assert ask(order, 1).status == "requested"


def test_what_was_announced_and_did_not_come_can_be_announced_anew():
    order = delivered()
    do.receive(approved(order, 3), restocked=1)
    assert ask(order, 2).status == "requested"


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ({0: (1, "damaged")}, "lines"),
        ({}, "lines"),
        ({"own": (0, "damaged")}, "lines"),
        ({"own": (-1, "damaged")}, "line_"),
        ({"own": (4, "damaged")}, "line_"),
        ({"own": (2**40, "damaged")}, "line_"),
        ({"own": (1, "magic")}, "reason_"),
        ({"own": (1, "")}, "reason_"),
    ],
)
def test_wrong_lines_are_refused_at_their_field_and_nothing_is_written(lines, field):
    order, other = delivered(), delivered()
    own = {(line(order).pk if pk == "own" else line(other).pk): pair for pk, pair in lines.items()}
    before = actions(order)
    errors = complaint(returns.request_return, order=order, lines=own, actor=TEAM)
    assert [name for name in errors if name.startswith(field)]
    assert not Return.objects.exists()
    assert actions(order) == before


def test_a_customer_cannot_say_that_goods_were_undeliverable():
    assert "reason_" in str(complaint(by_customer, delivered(), reason="undeliverable"))


@pytest.mark.parametrize("note", ["x" * 4001, "bell \x07", "half \ud800"])
def test_texts_that_cannot_be_kept_are_refused(note):
    assert list(complaint(ask, delivered(), note=note)) == ["note"]


def test_a_wish_must_be_money_or_exchange():
    assert list(complaint(ask, delivered(), wants="diamonds")) == ["wants"]


def test_the_same_form_twice_asks_once():
    order = delivered()
    first = by_customer(order, 2, key="form-1")
    again = by_customer(order, 2, key="form-1")
    assert first == again
    assert Return.objects.count() == 1
    assert mails(order) == ["RETURN_REQUESTED", "OPERATOR_RETURN"]
    assert by_customer(delivered(), key="form-1").number == 1  # another order's form


def test_a_key_of_any_kind_asks_once():
    order = delivered()
    for key in ("k" * 300, "null \x00 byte"):
        first = ask(order, key=key)
        assert ask(order, key=key) == first
    assert Return.objects.count() == 2


def test_a_stale_form_asks_for_nothing():
    order = delivered()
    seen = OrderFulfillment.objects.get(pk=order.pk).version
    ask(order)
    with pytest.raises(StaleVersion):
        ask(order, expected_version=seen)
    assert Return.objects.count() == 1


# The time limit


@pytest.mark.parametrize(
    ("setting", "days", "allowed"),
    [(30, 30, True), (30, 31, False), (None, 4000, True), (0, 0, False), (1, 1, True), (1, 2, False)],
)
def test_a_customer_asks_within_the_days_of_the_shop_and_staff_at_any_time(setting, days, allowed, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "RETURN_DAYS": setting}
    order = delivered()
    days_ago(order, days)
    offer = return_units.offer_to_customer(order)
    if allowed:
        assert [(each.title, most) for each, most in offer.lines] == [("Mug", 3)]
        assert by_customer(order).status == "requested"
    else:
        assert offer.lines == []
        assert offer.reason.code == ("too_late" if setting else "ask_us")
        assert str(offer.reason.message) in str(complaint(by_customer, order))
        assert ask(order).status == "requested"


def test_goods_that_have_not_arrived_yet_are_in_time():
    order = factories.dispatched_order(currency="CHF", lines=[(factories.product("Mug"), 1)])
    assert by_customer(order).status == "requested"


def test_each_shipment_has_its_own_time():
    order = factories.released_order(currency="CHF", lines=[(factories.product("Mug"), 3)])
    for units in (2, 1):
        shipping.dispatch_order(order=order, actor=TEAM, quantities={line(order).pk: units})
        order.refresh_from_db()
    shipping.deliver_order(order=order, actor=TEAM)
    first = Shipment.objects.order_by("pk").first()
    Shipment.objects.filter(pk=first.pk).update(delivered_at=timezone.now() - timedelta(days=60))
    offer = return_units.offer_to_customer(order)
    assert [most for _line, most in offer.lines] == [1]
    assert "30 days" in str(complaint(by_customer, order, 2))
    assert by_customer(order, 1).status == "requested"


def test_the_offer_says_why_there_is_nothing():
    assert return_units.offer_to_customer(factories.paid_order()).reason.code == "nothing_sent"
    order = delivered()
    by_customer(order, 3)
    assert return_units.offer_to_customer(order).reason.code == "all_back"


# Approving, refusing, giving up


def test_approval_keeps_what_the_customer_is_told_and_the_parcel_that_comes():
    order = delivered()
    ret = returns.approve_return(
        ret=ask(order), actor=TEAM, answer="By post, please", carrier="correios", tracking_code="aa 123456785 br"
    )
    assert (ret.status, ret.answer, ret.carrier, ret.tracking_code) == (
        "approved", "By post, please", "correios", "AA123456785BR",
    )  # fmt: skip
    assert mails(order) == ["RETURN_REQUESTED", "RETURN_APPROVED"]


def test_a_code_without_carrier_is_kept_as_typed_and_a_wrong_one_is_refused():
    assert returns.approve_return(ret=ask(delivered()), actor=TEAM, tracking_code=" 00-1 ").tracking_code == "00-1"
    ret = ask(delivered())
    assert list(complaint(returns.approve_return, ret=ret, actor=TEAM, carrier="magic", tracking_code="1")) == [
        "carrier"
    ]
    wrong = {"carrier": "correios", "tracking_code": "AA123456786BR"}
    assert list(complaint(returns.approve_return, ret=ret, actor=TEAM, **wrong)) == ["tracking_code"]
    ret.refresh_from_db()
    assert ret.status == "requested"


def test_a_refusal_needs_a_reason_that_the_customer_reads():
    order = delivered()
    ret = ask(order)
    assert list(complaint(returns.refuse_return, ret=ret, actor=TEAM, reason=" ")) == ["reason"]
    ret = returns.refuse_return(ret=ret, actor=TEAM, reason="Worn")
    assert (ret.status, ret.answer) == ("refused", "Worn")
    assert ret.closed_at is not None
    assert mails(order)[-1] == "RETURN_REFUSED"


def test_a_customer_gives_up_what_is_not_approved_and_staff_until_it_is_here():
    order = delivered()
    mine = returns.cancel_return(ret=by_customer(order), actor=Actor.customer(order), by_customer=True)
    assert mine.status == "cancelled"
    ret = approved(order)
    assert refusal(returns.cancel_return, ret=ret, actor=Actor.customer(order), by_customer=True) == ["return_state"]
    assert returns.cancel_return(ret=ret, actor=TEAM, reason="Sent to another shop").status == "cancelled"
    ret = do.received(order)
    assert refusal(returns.cancel_return, ret=ret, actor=TEAM) == ["return_state"]


DECISIONS = {
    "approve": lambda ret: returns.approve_return(ret=ret, actor=TEAM),
    "refuse": lambda ret: returns.refuse_return(ret=ret, actor=TEAM, reason="No"),
    "cancel": lambda ret: returns.cancel_return(ret=ret, actor=TEAM),
    "receive": lambda ret: do.receive(ret),
    "settle": lambda ret: do.settle(ret, "nothing", reason="Worn"),
}
POSSIBLE = {
    "requested": {"approve", "refuse", "cancel", "receive"},
    "approved": {"cancel", "receive"},
    "received": {"settle"},
    "settled": set(),
    "refused": set(),
    "cancelled": set(),
}


@pytest.mark.parametrize("step", DECISIONS)
@pytest.mark.parametrize("status", POSSIBLE)
def test_every_step_is_possible_in_its_states_and_refused_in_the_others(status, step):
    order = delivered()
    ret = ask(order)
    Return.objects.filter(pk=ret.pk).update(status=status)
    before = actions(order)
    if step in POSSIBLE[status]:
        DECISIONS[step](ret)
        assert actions(order)[len(before) :]
        return
    with pytest.raises(TransitionNotAllowed) as error:
        DECISIONS[step](ret)
    assert str(ret.__class__(status=status).status_label) in str(error.value)
    assert actions(order) == before
    assert Return.objects.get(pk=ret.pk).status == status


@pytest.mark.parametrize("step", ["approve", "refuse", "cancel"])
def test_a_decision_that_is_sent_twice_is_made_once(step):
    order = delivered()
    ret = ask(order)
    call = {"approve": returns.approve_return, "refuse": returns.refuse_return, "cancel": returns.cancel_return}[step]
    given = {"ret": ret, "actor": TEAM, "key": "form-9"} | ({"reason": "No"} if step == "refuse" else {})
    first = call(**given)
    before = actions(order)
    assert call(**given) == first
    assert actions(order) == before


# What carriers bring back


def undelivered(order, code="X-1"):
    parcel = Parcel.objects.get(tracking_code=code)
    told = TrackingEvent(
        code="BACK", state=TrackingState.RETURNED, occurred_at=timezone.now(), text="Back at the sender"
    )
    tracking.record_events([(parcel.pk, [told])])


def test_goods_that_the_carrier_brings_back_wait_to_be_inspected_once():
    order = factories.dispatched_order(
        currency="CHF", lines=[(factories.product("Mug"), 2)], carrier="other", tracking_code="X-1"
    )
    undelivered(order)
    ret = Return.objects.get()
    assert (ret.status, ret.by_customer, ret.created_by_label) == ("approved", False, "Other carrier")
    assert [(each.quantity, each.reason) for each in ret.lines.all()] == [(2, "undeliverable")]
    assert mails(order) == []
    undelivered(order)
    returns.open_undelivered(Shipment.objects.get(), TEAM)
    assert Return.objects.count() == 1
    do.receive(ret, restocked=2)
    assert do.shipping(order) == "returned"
    assert Parcel.objects.get().status == "returned"


def test_a_return_of_undelivered_goods_that_was_given_up_is_not_opened_again():
    order = factories.dispatched_order(currency="CHF", carrier="other", tracking_code="X-1")
    undelivered(order)
    returns.cancel_return(ret=Return.objects.get(), actor=TEAM, reason="Sent out again")
    returns.open_undelivered(Shipment.objects.get(), TEAM)
    assert [ret.status for ret in Return.objects.all()] == ["cancelled"]


def test_undelivered_goods_that_are_in_a_return_already_open_no_second_one():
    order = factories.dispatched_order(
        currency="CHF", lines=[(factories.product("Mug"), 2)], carrier="other", tracking_code="X-1"
    )
    approved(order, 2)
    undelivered(order)
    assert Return.objects.count() == 1
    assert returns.open_undelivered(Shipment.objects.get(), TEAM) is None


def test_undelivered_goods_are_counted_in_the_shipment_that_came_back():
    order = factories.released_order(currency="CHF", lines=[(factories.product("Mug"), 2)])
    for code in ("X-1", "X-2"):
        shipping.dispatch_order(
            order=order, actor=TEAM, carrier="other", tracking_code=code, quantities={line(order).pk: 1}
        )
        order.refresh_from_db()
    undelivered(order, "X-2")
    do.receive(Return.objects.get())
    assert do.back(order) == [("dispatched", 1, 0), ("returned", 1, 1)]
    assert do.shipping(order) == "dispatched"


# Signals, and the step for everything at once


def test_other_peoples_code_is_told_with_the_id_of_the_return(django_capture_on_commit_callbacks):
    heard = []

    def listen(signal, name):
        def receiver(sender, order, return_id, **kwargs):
            heard.append((name, order.pk, return_id))

        signal.connect(receiver, weak=False)
        return lambda: signal.disconnect(receiver)

    names = ("return_requested", "return_received", "return_settled")
    undo = [listen(getattr(signals, name), name) for name in names]
    try:
        with django_capture_on_commit_callbacks(execute=True):
            order = delivered()
            ret = do.settle(do.received(order), "nothing", reason="Worn")
    finally:
        for each in undo:
            each()
    assert heard == [(name, order.pk, ret.pk) for name in names]


@pytest.mark.parametrize("open_one", [ask, approved, do.received])
def test_everything_came_back_is_refused_while_a_return_is_open(open_one):
    order = delivered()
    open_one(order)
    assert refusal(shipping.return_order, order=order, actor=TEAM, reason="Refused") == ["open_return"]
    assert do.back(order)[0][0] == "delivered"


def test_everything_came_back_counts_only_what_is_not_back_yet():
    order = delivered()
    do.settle(do.received(order, 1, 1), "nothing", reason="Worn")
    assert do.stock_of(order) == (18, 0)
    shipping.return_order(order=order, actor=TEAM, reason="The rest too")
    assert do.back(order) == [("returned", 3, 3)]
    assert do.stock_of(order) == (19, 0)
    assert do.shipping_events(order) == [{"Mug": 2}, {"Mug": 1}]


def test_the_rest_of_an_order_can_be_released_while_a_return_is_open():
    product = factories.product("Mug", stock=2)
    order = factories.paid_order(currency="CHF", lines=[(product, 2)])
    product.stockrecords.update(num_in_stock=1)
    release_order(order=order, actor=TEAM, in_part=True)
    shipping.dispatch_order(order=order, actor=TEAM)
    do.received(order, 1)
    # All that was sent is back, and the rest is still to be sent.
    assert do.shipping(order) == "partially_dispatched"
    assert OrderFulfillment.objects.get(pk=order.pk).has_backorder
    product.stockrecords.update(num_in_stock=5)
    order.refresh_from_db()
    release_order(order=order, actor=TEAM)
    assert do.back(order) == [("returned", 1, 1), ("pending", 1, 0)]
