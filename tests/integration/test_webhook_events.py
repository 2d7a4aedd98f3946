"""What webhooks are told is written with the step itself: every event, once, for those who want it, or not at all."""

import json
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from oscar_fulfillment import signals
from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.exceptions import AdapterRejected, TransitionNotAllowed
from oscar_fulfillment.core.transitions import Move
from oscar_fulfillment.gateways.base import PaymentState
from oscar_fulfillment.models import OutboundMessage, WebhookEndpoint
from oscar_fulfillment.selectors.order_step import find_order_for_step
from oscar_fulfillment.services import (
    cancelling,
    door,
    editing,
    holds,
    operations,
    payments,
    pickup,
    release,
    restoring,
    shipping,
    tracking,
    webhook_events,
    webhooks,
)
from oscar_fulfillment.services.edit_wanted import Wanted
from oscar_fulfillment.services.webhook_bodies import make_body
from oscar_fulfillment.test import factories
from tests.integration import desk, returns
from tests.integration import payments as shop
from tests.integration.parcels import box, fake_carriers, on_the_way, told
from tests.plugin.receivers import AFTERWARDS, Plugin

from .webhooks import events, make, rows

pytestmark = [pytest.mark.django_db, pytest.mark.feature("Z15")]


def test_a_whole_life_is_told_step_by_step(team):
    endpoint = make()
    order = factories.delivered_order()
    shipping.return_order(order=order, actor=team, reason="Refused")
    moved = "order.status_changed"
    assert events(endpoint) == [
        "order.recorded", "payment.approved", moved, "order.released", moved, "order.invoiced", moved,
        "shipment.dispatched", moved, "shipment.delivered", moved, "order.returned", moved,
    ]  # fmt: skip
    assert set(rows(endpoint).values_list("order_id", flat=True)) == {order.pk}
    sequences = [row.payload["sequence"] for row in rows(endpoint)]
    assert sequences == [1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]


def test_each_event_is_told_exactly_when_its_signal_is_sent(team, django_capture_on_commit_callbacks):
    """The plugin hears signals after the commits; the outbox holds the same, written before."""
    endpoint = make()
    with Plugin() as plugin, django_capture_on_commit_callbacks(execute=True):
        order, payment, _provider = shop.held()
        operations.request_capture(order=order, payment=payment.pk, actor=team)
        outbox.drain(destination="payments:demo")
        operations.request_refund(order=order, payment=payment.pk, actor=team, amount=Decimal(5), reason="broken")
        outbox.drain(destination="payments:demo")
        other, attempt, provider = shop.begun(fresh=False)
        provider.change(attempt.reference, state=PaymentState.EXPIRED)
        shop.refresh(attempt)
        provider.pay(attempt.reference)
        shop.refresh(attempt)
        restoring.restore_order(order=other, actor=team, reason="paid late")
        third = factories.placed_order()
        holds.place_hold(order=third, actor=team, code="fraud")
        holds.release_hold(order=third, actor=team, hold=third.fulfillment.holds.get().pk)
        line = third.lines.get()
        editing.apply_edit(order=third, actor=team, wanted=Wanted(quantities={line.pk: 1}))
        cancelling.cancel_order(order=third, actor=team, reason="No")
        factories.delivered_order()
    by_signal = {event.signal: event.name for event in webhook_events.EVENTS.values()}
    heard = sorted(by_signal[name] for name in plugin.names)
    assert sorted(events(endpoint)) == heard
    assert {
        "payment.late",
        "order.restored",
        "order.edited",
        "hold.placed",
        "hold.released",
        "payment.authorized",
    } <= set(heard)
    late = rows(endpoint, kind="payment.late").get()
    assert late.payload["facts"] == {"amount": "20.00"}
    refund = rows(endpoint, kind="payment.refunded").get()
    assert refund.payload["facts"] == {"amount": "5.00"}
    edit = rows(endpoint, kind="order.edited").get()
    assert edit.payload["facts"] == {"difference": "-10.00"}


def test_returns_and_goods_to_be_collected_are_told_by_their_services(
    team, settings, django_capture_on_commit_callbacks
):
    desk.with_counter(settings)
    endpoint = make(includes_customer=True)
    with Plugin() as plugin, django_capture_on_commit_callbacks(execute=True):
        ret = returns.received(returns.delivered())
        returns.settle(ret, "refund", "10.00")
        order = desk.cash_order()
        pickup.ready_for_pickup(order=order, actor=desk.packer(first_name="Clara"))
    by_signal = {event.signal: event.name for event in webhook_events.EVENTS.values()}
    assert sorted(events(endpoint)) == sorted(by_signal[name] for name in plugin.names)
    told_ = [json.loads(make_body(rows(endpoint, kind=f"return.{step}").get(), endpoint))["data"]["return"]
             for step in ("requested", "received", "settled")]  # fmt: skip
    assert {each["id"] for each in told_} == {ret.pk}
    assert told_[2]["outcome"] == "refund"
    ready = rows(endpoint, kind="shipment.ready_for_pickup").get()
    assert ready.payload["facts"]["shipments"] == [desk.waiting(order).pk]
    assert desk.waiting(order).pickup_code not in make_body(ready, endpoint), "who has the code gets the goods"


@pytest.mark.parametrize("action", sorted(signals.BY_ACTION))
def test_every_announced_action_is_told(team, action):
    """Also those whose services come later: the record alone, through the door."""
    endpoint = make()
    order = factories.placed_order()
    door.move(order, Move("test", action, is_record=True), actor=team)
    assert events(endpoint) == ["order.recorded", webhook_events.event_of(action)]


def test_one_step_with_two_moves_tells_both(team):
    endpoint = make(all_events=False, events=["order.cancelled", "payment.cancelled", "order.status_changed"])
    factories.cancelled_order()
    assert events(endpoint) == ["order.cancelled", "payment.cancelled", "order.status_changed"]
    cancelled, payment, moved = rows(endpoint)
    assert payment.payload["sequence"] == cancelled.payload["sequence"] + 1
    assert moved.payload["sequences"] == [cancelled.payload["sequence"], payment.payload["sequence"]]


def test_everyone_gets_what_they_want_under_the_same_id(team):
    every = make("https://one.example/")
    some = make("https://two.example/", all_events=False, events=["payment.approved", "order.released"])
    off = make("https://three.example/")
    webhooks.set_active(endpoint=off, active=False, actor=team)
    factories.released_order()
    assert events(some) == ["payment.approved", "order.released"]
    assert events(off) == []
    assert rows(some).first().key == rows(every, kind="payment.approved").get().key
    assert OutboundMessage.objects.filter(destination__startswith="webhook:").values("key").distinct().count() == 5


def test_notes_and_other_records_are_told_to_nobody(team):
    endpoint = make()
    order = factories.placed_order()
    factories.payments.approve_payment(order=order, actor=team)
    count = rows(endpoint).count()
    door.move(order, Move("note", "add_note", is_record=True), actor=team)
    assert rows(endpoint).count() == count


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_told_to_nobody(team):
    endpoint = make()
    order = factories.placed_order()
    before = events(endpoint)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        payments.approve_payment(order=order, actor=team)
        raise ZeroDivisionError
    assert events(endpoint) == before
    with pytest.raises(TransitionNotAllowed):
        release.release_order(order=order, actor=team, quantities={})
    assert events(endpoint) == before


def test_a_repeated_form_tells_nothing_twice(team):
    endpoint = make()
    order = factories.placed_order()
    payments.approve_payment(order=order, actor=team, key="once")
    payments.approve_payment(order=order, actor=team, key="once")
    assert events(endpoint).count("payment.approved") == 1


def test_a_batch_tells_of_each_order_that_moved(team):
    endpoint = make(all_events=False, events=["payment.approved"])
    orders = [factories.placed_order() for _ in range(3)]
    cancelling.cancel_order(order=orders[1], actor=team, reason="No")
    steps = door.move_many([o.pk for o in orders], payments.APPROVE, actor=team, effect=payments.approve_effect)
    assert [bool(step.reasons) for step in steps] == [False, True, False]
    assert list(rows(endpoint).values_list("order_id", flat=True)) == [orders[0].pk, orders[2].pk]
    assert len(set(rows(endpoint).values_list("key", flat=True))) == 2


# ---- What it costs ----


def sent(queries):
    """Statements beside the workers' wake-up."""
    return [
        q["sql"] for q in queries
        if q["sql"] not in ("BEGIN", "COMMIT") and not any(word in q["sql"] for word in ("queuesignal", "django_q"))
    ]  # fmt: skip


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("listeners", [0, 1, 5])
def test_a_step_is_one_statement_whoever_listens(team, listeners):
    payments.approve_payment(order=factories.placed_order(), actor=team)  # looks the event type up
    for number in range(listeners):
        make(f"https://erp{number}.example/")
    order = find_order_for_step(factories.staff_user(), factories.placed_order().number)
    webhook_events.subscribers.prime()
    with CaptureQueriesContext(connection) as queries:
        payments.approve_payment(order=order, actor=team, expected_version=order.fulfillment.version)
    assert len(sent(queries)) == 1, sent(queries)
    assert OutboundMessage.objects.filter(kind="payment.approved").count() == listeners


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_batch_costs_the_same_number_of_statements_for_any_number_of_orders(team):
    def count(orders):
        pks = [factories.placed_order().pk for _ in range(orders)]
        webhook_events.subscribers.prime()
        with CaptureQueriesContext(connection) as queries:
            door.move_many(pks, payments.APPROVE, actor=team, effect=payments.approve_effect)
        return len(sent(queries))

    count(2)  # looks the event type up
    alone = count(2)
    make()
    assert count(2) == count(9) == alone


def test_who_wants_what_is_read_once_in_a_while_and_never_without_need(team, monkeypatch):
    order = factories.placed_order()
    webhook_events.subscribers.forget()
    webhook_events.subscribers.prime()
    with CaptureQueriesContext(connection) as queries:
        payments.approve_payment(order=order, actor=team)
    assert not [q for q in queries if "webhook" in q["sql"]]
    WebhookEndpoint.objects.create(url="https://other-process.example/", created_at=order.date_placed,
                                   changed_at=order.date_placed)  # fmt: skip
    assert webhook_events.subscribers.of("order.recorded") == []
    monkeypatch.setattr(webhook_events, "FRESH", -1)
    assert len(webhook_events.subscribers.of("order.recorded")) == 1


# ---- Events that are no step ----


def test_a_parcel_is_told_of_when_its_carrier_says_something_new():
    endpoint = make(all_events=False, events=["parcel.tracked"])
    with fake_carriers():
        order = on_the_way()
        parcel = box(order).pk
        news = [(parcel, [told("in_transit", -60, text="Handed to ANA SOUZA", place="Campinas")])]
        tracking.record_events(news)
        tracking.record_events(news)
        tracking.record_events([(parcel, [told("delivered", -5)])])
    first, second = rows(endpoint)
    assert first.payload["tracking"]["state"] == "in_transit"
    assert second.payload["tracking"]["state"] == "delivered"
    assert first.payload["private"] == {"text": "Handed to ANA SOUZA", "place": "Campinas"}
    assert (first.order_id, first.payload["parcel"]) == (order.pk, parcel)


@pytest.mark.django_db(transaction=True)
def test_tracking_that_is_rolled_back_is_told_to_nobody():
    endpoint = make(all_events=False, events=["parcel.tracked"])
    with fake_carriers():
        order = on_the_way()
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            tracking.record_events([(box(order).pk, [told("in_transit", -60)])])
            raise ZeroDivisionError
    assert events(endpoint) == []


def test_nobody_is_told_of_parcels_without_asking():
    make(all_events=False, events=["order.recorded"])
    assert webhook_events.tell_tracked([object()]) == 0
    assert webhook_events.tell_tracked([]) == 0


def test_a_message_that_was_given_up_is_told_but_never_a_webhooks_own(team):
    endpoint = make()
    order = factories.placed_order()

    def reject(message):
        raise AdapterRejected("ana@example.com does not exist")

    outbox.register_destination("nowhere", reject)
    try:
        outbox.enqueue([outbox.OutboxMessage("nowhere", "letter", "1")], order_id=order.pk)
        outbox.drain(destination="nowhere")
    finally:
        del outbox.PUMP.lanes["nowhere"]
    told_ = rows(endpoint, kind="message.died").get()
    dead = OutboundMessage.objects.get(destination="nowhere")
    assert told_.payload["facts"]["message"] == {
        "id": dead.pk, "destination": "nowhere", "kind": "letter", "tries": 1,
    }  # fmt: skip
    assert told_.order_id == order.pk
    count = rows(endpoint).count()
    webhook_events.tell_death(told_)
    assert rows(endpoint).count() == count


def test_every_signal_that_other_code_hears_is_in_the_table():
    assert {event.signal for event in webhook_events.EVENTS.values()} == set(AFTERWARDS)
