"""Messages going out: written once with the change, sent by workers, retried, buried, sent again."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from oscar_fulfillment.core import outbox, queue
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.core.pump import BATCH
from oscar_fulfillment.models import LaneHealth, OutboundMessage
from oscar_fulfillment.test import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def lanes(monkeypatch):
    """Only the destinations of the test, and no memory of wake-ups that were rolled back."""
    monkeypatch.setattr(outbox.PUMP, "lanes", {})
    queue.forget()
    return outbox.PUMP.lanes


def put(destination="shop", count=1, start=0, **kwargs):
    return outbox.enqueue(
        [OutboxMessage(destination, "k", f"{n}", {"n": n}, **kwargs) for n in range(start, start + count)]
    )


def statuses():
    return Counter(OutboundMessage.objects.values_list("status", flat=True))


def due_now():
    OutboundMessage.objects.update(next_attempt_at=timezone.now())
    LaneHealth.objects.update(paused_until=timezone.now())


def raiser(error):
    def handler(message):
        raise error

    return handler


def test_enqueue_writes_all_messages_in_one_statement(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert put(count=20) == 20
    assert statuses() == {"pending": 20}
    row = OutboundMessage.objects.get(key="3")
    assert (row.payload, row.attempts, row.error, row.sent_at) == ({"n": 3}, 0, "", None)


def test_enqueue_of_a_known_key_does_nothing_and_says_so():
    assert put(count=2) == 2
    assert put(count=3) == 1
    assert outbox.enqueue([OutboxMessage("shop", "k", "x"), OutboxMessage("shop", "k", "x")]) == 1
    assert outbox.enqueue([OutboxMessage("shop", "other kind", "x"), OutboxMessage("mail", "k", "x")]) == 2
    assert outbox.enqueue([]) == 0


def test_enqueue_of_hundreds_stays_within_the_databases_limits():
    assert put(count=700) == 700


def test_payload_takes_decimals_dates_and_every_script():
    from decimal import Decimal

    moment = timezone.now()
    payload = {"total": Decimal("1.10"), "at": moment, "name": "Ёлка São 中 \"'"}
    outbox.enqueue([OutboxMessage("shop", "k", "1", payload)])
    read = OutboundMessage.objects.get().payload
    assert read["total"] == "1.10"
    assert read["name"] == payload["name"]


def test_a_message_is_handed_over_once_and_noted(lanes):
    seen = []
    outbox.register_destination("shop", lambda message: seen.append(message.payload["n"]))
    put(count=3)
    assert outbox.drain() == {"sent": 3}
    assert sorted(seen) == [0, 1, 2]
    assert outbox.drain() == {}
    row = OutboundMessage.objects.first()
    assert row.status == "sent"
    assert row.sent_at is not None
    assert row.attempts == 1
    assert row.lease == ""


def test_decorator_registers(lanes):
    @outbox.destination("once", at_most_once=True)
    def handler(message):
        pass

    assert lanes["once"].at_most_once
    assert lanes["once"].handler is handler


def test_delay_is_waited_for(lanes):
    outbox.register_destination("shop", lambda message: None)
    put(delay=60)
    assert outbox.drain() == {}
    due_now()
    assert outbox.drain() == {"sent": 1}


def test_limit_and_destination_are_respected(lanes):
    outbox.register_destination("shop", lambda message: None)
    outbox.register_destination("mail", lambda message: None)
    put("shop", 10)
    put("mail", 10)
    assert outbox.drain(limit=7).total() == 7
    OutboundMessage.objects.update(status="pending", next_attempt_at=timezone.now())
    assert outbox.drain(destination="mail") == {"sent": 10}
    assert set(OutboundMessage.objects.filter(status="sent").values_list("destination", flat=True)) == {"mail"}


def test_unavailable_is_tried_again_with_growing_pauses_then_dead(lanes, settings):
    settings.OSCAR_FULFILLMENT = {"OUTBOX_BACKOFF": [10, 100], "CIRCUIT_FAILURES": 99}
    outbox.register_destination("shop", raiser(AdapterUnavailable("busy")))
    put()
    for attempt, pause in ((1, 10), (2, 100)):
        before = timezone.now()
        assert outbox.drain() == {"pending": 1}
        row = OutboundMessage.objects.get()
        waits = (row.next_attempt_at - before).total_seconds()
        assert row.attempts == attempt
        assert pause * 0.79 <= waits <= pause * 1.21 + 1
        assert "busy" in row.error
        assert outbox.drain() == {}
        due_now()
    assert outbox.drain() == {"dead": 1}
    assert OutboundMessage.objects.get().error == "AdapterUnavailable: busy"
    due_now()
    assert outbox.drain() == {}


def test_jitter_spreads_messages_that_failed_together(lanes, settings):
    settings.OSCAR_FULFILLMENT = {"OUTBOX_BACKOFF": [1000], "CIRCUIT_FAILURES": 99}
    outbox.register_destination("shop", raiser(AdapterUnavailable("busy")))
    put(count=10)
    outbox.drain()
    moments = OutboundMessage.objects.values_list("next_attempt_at", flat=True)
    assert max(moments) - min(moments) > timedelta(seconds=30)


def test_rejected_is_dead_at_once(lanes):
    outbox.register_destination("shop", raiser(AdapterRejected("no\x00such address")))
    put()
    assert outbox.drain() == {"dead": 1}
    assert OutboundMessage.objects.get().error == "AdapterRejected: nosuch address"


def test_a_bug_in_a_handler_is_logged_and_tried_again(lanes, caplog):
    outbox.register_destination("shop", raiser(ZeroDivisionError("oops")))
    put(count=5)
    assert outbox.drain() == {"pending": 5}
    assert "oops" in caplog.text
    assert LaneHealth.objects.count() == 0


def test_one_bad_message_does_not_stop_the_others(lanes):
    def handler(message):
        if message.payload["n"] == 2:
            raise AdapterRejected("this one")

    outbox.register_destination("shop", handler)
    put(count=5)
    assert outbox.drain() == {"sent": 4, "dead": 1}


@pytest.mark.parametrize("status", ["dead", "unknown"])
def test_send_again_starts_from_the_beginning_once(lanes, status):
    outbox.register_destination("shop", lambda message: None)
    put()
    OutboundMessage.objects.update(status=status, attempts=9)
    row = OutboundMessage.objects.get()
    assert list(outbox.dead()) == [row]
    assert outbox.send_again(row)
    assert not outbox.send_again(row)
    assert outbox.drain() == {"sent": 1}
    assert not outbox.send_again(row)


def test_a_destination_that_is_down_rests_and_delays_no_other(lanes):
    calls = Counter()

    def down(message):
        calls["down"] += 1
        raise AdapterUnavailable("refused")

    outbox.register_destination("down", down)
    outbox.register_destination("up", lambda message: None)
    put("down", 50)
    put("up", 50)
    assert outbox.drain(limit=500)["sent"] == 50
    assert calls["down"] == 3
    # What was not tried lost no try.
    assert OutboundMessage.objects.filter(destination="down", attempts=0, status="pending").count() == 47
    assert LaneHealth.objects.get().name == "outbox:down"
    assert not outbox.PUMP.due()
    outbox.drain()
    assert calls["down"] == 3


def test_a_resting_destination_is_probed_with_one_message(lanes):
    answers = [AdapterUnavailable("still"), None]
    calls = []

    def handler(message):
        calls.append(message.pk)
        if (error := answers.pop(0) if answers else None) is not None:
            raise error

    outbox.register_destination("shop", handler)
    put(count=5)
    LaneHealth.objects.create(name="outbox:shop", trips=1, paused_until=timezone.now())
    assert outbox.drain() == {"pending": 1}
    rest = LaneHealth.objects.get()
    assert (len(calls), rest.trips) == (1, 2)
    assert rest.paused_until > timezone.now() + timedelta(seconds=20)
    due_now()
    assert outbox.drain() == {"sent": 5}
    assert LaneHealth.objects.count() == 0


def test_only_one_worker_probes(lanes):
    outbox.register_destination("shop", lambda message: None)
    put()
    LaneHealth.objects.create(name="outbox:shop", trips=1, paused_until=timezone.now())
    from oscar_fulfillment.core import circuit

    mine, other = circuit.states()["outbox:shop"], circuit.states()["outbox:shop"]
    assert circuit.begin_probe(mine)
    assert not circuit.begin_probe(other)
    circuit.probe_found_nothing(mine)
    assert circuit.begin_probe(circuit.states()["outbox:shop"])


def test_destinations_take_turns(lanes):
    order = []
    for name in ("a", "b"):
        outbox.register_destination(name, lambda message: order.append(message.destination))
        put(name, 3 * BATCH)
    outbox.drain(limit=4 * BATCH)
    assert Counter(order) == {"a": 2 * BATCH, "b": 2 * BATCH}
    assert set(order[: BATCH + 1]) == {"a", "b"}


def test_a_slow_destination_is_left_after_its_turn(lanes, settings):
    import time

    settings.OSCAR_FULFILLMENT = {"DRAIN_TURN": 0.05}
    order = []
    outbox.register_destination("slow", lambda message: (order.append("slow"), time.sleep(0.04)))
    outbox.register_destination("fast", lambda message: order.append("fast"))
    put("slow", 6)
    put("fast", 6)
    assert outbox.drain() == {"sent": 12}
    first_fast = order.index("fast")
    assert first_fast <= 3
    assert set(OutboundMessage.objects.values_list("attempts", flat=True)) == {1}


def test_a_running_message_is_not_taken_twice_and_an_expired_lease_is(lanes):
    outbox.register_destination("shop", lambda message: None)
    put()
    OutboundMessage.objects.update(
        status="sending", attempts=1, lease="gone", next_attempt_at=timezone.now() + timedelta(seconds=30)
    )
    assert outbox.drain() == {}
    due_now()
    assert outbox.drain() == {"sent": 1}
    assert OutboundMessage.objects.get().attempts == 2


def test_a_worker_that_comes_back_late_cannot_overwrite_its_successor(lanes):
    def overtaken(message):
        OutboundMessage.objects.update(lease="successor")
        raise AdapterRejected("too late")

    outbox.register_destination("shop", overtaken)
    put()
    outbox.drain()
    row = OutboundMessage.objects.get()
    assert (row.status, row.lease, row.error) == ("sending", "successor", "")


def test_a_message_that_kills_its_worker_every_time_ends_dead(lanes, settings):
    settings.OSCAR_FULFILLMENT = {"OUTBOX_BACKOFF": [1, 1]}
    outbox.register_destination("shop", lambda message: pytest.fail("must not be handed over"))
    put()
    OutboundMessage.objects.update(status="sending", attempts=3)
    assert outbox.drain() == {"dead": 1}


def test_at_most_once_is_never_repeated_after_a_death(lanes):
    outbox.register_destination("money", lambda message: pytest.fail("must not be handed over"), at_most_once=True)
    put("money")
    OutboundMessage.objects.update(status="sending", attempts=1, lease="gone")
    assert outbox.drain() == {}
    assert statuses() == {"unknown": 1}


def test_at_most_once_claims_one_at_a_time(lanes):
    held = []
    outbox.register_destination(
        "money",
        lambda message: held.append(OutboundMessage.objects.filter(status="sending").count()),
        at_most_once=True,
    )
    put("money", 4)
    assert outbox.drain() == {"sent": 4}
    assert held == [1, 1, 1, 1]


def test_at_most_once_retries_what_certainly_did_nothing(lanes):
    outbox.register_destination("money", raiser(AdapterUnavailable("refused")), at_most_once=True)
    put("money")
    assert outbox.drain() == {"pending": 1}


def test_at_most_once_with_an_unclear_error_is_unknown(lanes):
    outbox.register_destination("money", raiser(TimeoutError("read timed out")), at_most_once=True)
    put("money")
    assert outbox.drain() == {"unknown": 1}


def test_a_timeout_of_the_queue_notes_what_is_done_and_frees_the_rest(lanes):
    def handler(message):
        if message.payload["n"] == 2:
            raise SystemExit("the queue's time-out is one")

    outbox.register_destination("shop", handler)
    put(count=5)
    with pytest.raises(SystemExit):
        outbox.drain()
    by_key = dict(OutboundMessage.objects.values_list("key", "status"))
    assert by_key == {"0": "sent", "1": "sent", "2": "sending", "3": "pending", "4": "pending"}
    assert OutboundMessage.objects.get(key="4").attempts == 0


def test_lag_is_the_age_of_the_oldest_due_message(lanes):
    outbox.register_destination("shop", lambda message: None)
    assert outbox.PUMP.lag() == 0
    put(delay=60)
    assert outbox.PUMP.lag() == 0
    OutboundMessage.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=90))
    assert 90 <= outbox.PUMP.lag() < 100


def test_messages_nobody_handles_wait_and_are_reported(lanes, caplog):
    from oscar_fulfillment import tasks

    put("nobody")
    assert outbox.drain() == {}
    tasks.sweep()
    assert "nobody" in caplog.text
    assert statuses() == {"pending": 1}


@pytest.mark.django_db(transaction=True)
@pytest.mark.feature("Z3")
def test_a_message_of_a_rolled_back_change_is_never_sent(lanes):
    outbox.register_destination("shop", lambda message: pytest.fail("must not be sent"))
    with transaction.atomic():
        put()
        transaction.set_rollback(True)
    assert outbox.drain() == {}
    assert OutboundMessage.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_drain_refuses_to_run_inside_a_transaction(lanes):
    outbox.register_destination("shop", lambda message: None)
    put()
    with pytest.raises(RuntimeError), transaction.atomic():
        outbox.drain()


@pytest.mark.django_db(transaction=True)
def test_handlers_run_outside_any_transaction(lanes):
    states = []
    outbox.register_destination("shop", lambda message: states.append(connection.in_atomic_block))
    put()
    outbox.drain()
    assert states == [False]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_workers_side_by_side_send_each_message_once(lanes):
    assert connection.vendor == "postgresql", "this test needs DB=postgres; deselect it with -m 'not postgres'"
    seen, lock = [], threading.Lock()

    def handler(message):
        with lock:
            seen.append(message.pk)

    outbox.register_destination("shop", handler)
    outbox.register_destination("mail", handler)
    put("shop", 300)
    put("mail", 300)

    def work():
        try:
            while outbox.drain():
                pass
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == len(set(seen)) == 600
    assert statuses() == {"sent": 600}


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_the_same_key_from_several_transactions_is_written_once(lanes):
    assert connection.vendor == "postgresql", "this test needs DB=postgres; deselect it with -m 'not postgres'"
    results = []

    def work():
        try:
            with transaction.atomic():
                results.append(put())
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [0] * 7 + [1]


def columns(row):
    """All that a message says, without what the moment of writing says."""
    return {
        name: value
        for name, value in OutboundMessage.objects.filter(pk=row.pk).values().get().items()
        if name not in ("id", "key", "created_at", "next_attempt_at")
    }


def test_a_message_belongs_to_its_own_order_or_else_to_the_callers():
    own, callers = factories.placed_order(), factories.placed_order()
    OutboundMessage.objects.all().delete()
    outbox.enqueue([OutboxMessage("shop", "k", "1", order_id=own.pk), OutboxMessage("shop", "k", "2")], callers.pk)
    outbox.enqueue([OutboxMessage("shop", "k", "3")])
    assert list(OutboundMessage.objects.order_by("key").values_list("order_id", flat=True)) == [
        own.pk, callers.pk, None,
    ]  # fmt: skip


def test_rows_written_with_a_step_are_the_rows_that_enqueue_writes():
    order = factories.placed_order()
    OutboundMessage.objects.all().delete()
    message = {"destination": "shop", "kind": "k", "payload": {"n": 1}, "delay": 60, "order_id": order.pk}
    before = timezone.now()
    outbox.enqueue([OutboxMessage(key="enqueued", **message)])
    (row,) = outbox.records([OutboxMessage(key="recorded", **message)])
    OutboundMessage.objects.create(**row)
    enqueued, recorded = OutboundMessage.objects.order_by("key")
    assert columns(enqueued) == columns(recorded)
    for found in (enqueued, recorded):
        assert before <= found.created_at <= timezone.now()
        assert found.next_attempt_at - found.created_at == timedelta(seconds=60)
    assert set(row) | {"id"} >= {field.column for field in OutboundMessage._meta.concrete_fields if not field.null} - {
        field.column for field in OutboundMessage._meta.concrete_fields if callable(field.default)
    }


@pytest.mark.parametrize(("asked", "new", "woken"), [(2, 2, True), (2, 1, True), (2, 0, False), (0, 0, False)])
def test_only_new_rows_wake_the_workers(asked, new, woken, monkeypatch):
    calls = []
    monkeypatch.setattr(queue, "wake_on_commit", lambda task, using: calls.append((task, using)))
    outbox.enqueued(asked, new)
    assert calls == ([(outbox.TASK, "default")] if woken else [])


def test_a_repetition_wakes_nobody(monkeypatch):
    put()
    calls = []
    monkeypatch.setattr(queue, "wake_on_commit", lambda task, using: calls.append((task, using)))
    put()
    assert calls == []
    put(start=1)
    assert calls == [(outbox.TASK, "default")]


def test_send_again_forgets_the_tries_and_ends_the_rest_of_its_destination_only():
    put()
    row = OutboundMessage.objects.get()
    for name in ("outbox:shop", "outbox:mail", "inbox:shop"):
        LaneHealth.objects.create(name=name, trips=3, paused_until=timezone.now() + timedelta(hours=1))
    assert outbox.send_again(row) is False
    assert LaneHealth.objects.count() == 3
    later = timezone.now() + timedelta(hours=1)
    OutboundMessage.objects.update(status="dead", attempts=7, lease="old", next_attempt_at=later)
    assert outbox.send_again(row) is True
    row.refresh_from_db()
    assert (row.status, row.attempts, row.lease) == ("pending", 0, "")
    assert row.next_attempt_at <= timezone.now()
    assert set(LaneHealth.objects.values_list("name", flat=True)) == {"outbox:mail", "inbox:shop"}


def test_who_waits_for_a_person_is_listed_newest_first():
    put(count=4)
    for key, status in (("0", "dead"), ("1", "sent"), ("2", "unknown"), ("3", "pending")):
        OutboundMessage.objects.filter(key=key).update(
            status=status, created_at=timezone.now() + timedelta(seconds=int(key))
        )
    assert [row.key for row in outbox.dead()] == ["2", "0"]


def test_the_decorators_leave_the_functions_callable(lanes, monkeypatch):
    monkeypatch.setattr(outbox.PUMP, "on_dead", [])

    def function(message):
        return None

    assert outbox.destination("shop")(function) is function
    assert not lanes["shop"].at_most_once
    assert outbox.on_dead(function) is function
    assert outbox.PUMP.on_dead == [function]
