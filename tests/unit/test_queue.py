"""The seam to the queue: one wake-up for many changes, schedules, signs of life."""

from __future__ import annotations

import gc
import os
import time
from datetime import timedelta
from functools import partial
from io import StringIO
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ, Schedule
from django_q.signals import post_execute_in_worker, post_spawn, pre_execute

from oscar_fulfillment import tasks
from oscar_fulfillment.core import inbox, outbox, queue
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.core.watchdog import Life
from oscar_fulfillment.models import InboundMessage, OutboundMessage, QueueSignal

committed = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(outbox.PUMP, "lanes", {})
    monkeypatch.setattr(inbox.PUMP, "lanes", {})
    queue.forget()


def say(key, destination="shop"):
    return outbox.enqueue([OutboxMessage(destination, "k", key)])


def queued():
    return [row.task["func"] for row in OrmQ.objects.all()]


@committed
def test_a_commit_wakes_the_workers_and_a_rollback_does_not():
    with transaction.atomic():
        say("1")
        transaction.set_rollback(True)
    assert queued() == []
    with transaction.atomic():
        say("1")
        assert queued() == []
    assert queued() == [outbox.TASK]


@committed
def test_whatever_is_to_be_done_wakes_the_workers():
    outbox.register_destination("shop", lambda message: None)
    message, _ = inbox.receive("cdek", "1", {}, b"")
    say("1")
    assert queued() == [inbox.TASK, outbox.TASK]
    for pump, model, again in (
        (inbox.TASK, InboundMessage, inbox.replay), (outbox.TASK, OutboundMessage, outbox.send_again),
    ):  # fmt: skip
        OrmQ.objects.all().delete()
        QueueSignal.objects.update(asked_at=None)
        queue.forget()
        row = model.objects.get()
        assert not again(row)
        assert queued() == [], "nothing to do, nobody is woken"
        model.objects.update(status="dead" if model is OutboundMessage else "failed")
        assert again(row)
        assert queued() == [pump]


@committed
def test_a_repetition_from_outside_wakes_nobody():
    inbox.receive("cdek", "1", {}, b"")
    OrmQ.objects.all().delete()
    QueueSignal.objects.update(asked_at=None)
    queue.forget()
    assert not inbox.receive("cdek", "1", {}, b"")[1]
    assert queued() == []


@committed
def test_what_others_registered_for_the_commit_does_not_replace_the_wake():
    done = []
    with transaction.atomic():
        transaction.on_commit(lambda: done.append("a function"))
        transaction.on_commit(partial(done.append, "a partial"))
        queue.wake_on_commit(inbox.TASK)
        queue.wake_on_commit(outbox.TASK)
    assert sorted(queued()) == sorted([inbox.TASK, outbox.TASK])
    assert done == ["a function", "a partial"]


@committed
def test_many_calls_in_one_transaction_register_one_wake(monkeypatch):
    calls = []
    monkeypatch.setattr(queue, "wake", calls.append)
    with transaction.atomic():
        say("first")
        with transaction.atomic():
            say("in a savepoint")
        say("last")
    assert calls == [outbox.TASK]


@committed
def test_a_savepoint_that_is_rolled_back_does_not_take_the_wake_of_the_rest_with_it():
    with transaction.atomic():
        with transaction.atomic():
            say("1")
            transaction.set_rollback(True)
        say("2")
    assert queued() == [outbox.TASK]


@committed
def test_many_transactions_cause_one_task_until_a_worker_takes_it():
    for number in range(20):
        say(str(number))
    assert len(queued()) == 1
    queue.forget()
    say("after the memory of this process")
    assert len(queued()) == 1
    queue.taken(outbox.TASK)
    queue.forget()
    say("after a worker took it")
    assert len(queued()) == 2


@committed
def test_a_pending_wake_costs_one_read_then_nothing(django_assert_num_queries):
    queue.wake(outbox.TASK)
    queue.forget()
    with django_assert_num_queries(1):
        assert not queue.wake(outbox.TASK)
    with django_assert_num_queries(0):
        assert not queue.wake(outbox.TASK)
    time.sleep(queue.SEEN)
    with django_assert_num_queries(1):
        assert not queue.wake(outbox.TASK)


@committed
def test_a_lost_wake_is_asked_for_again():
    assert queue.wake(outbox.TASK) is True
    queue.forget()
    QueueSignal.objects.update(asked_at=timezone.now() - timedelta(seconds=queue.LOST_AFTER + 1))
    assert queue.wake(outbox.TASK) is True


@committed
def test_the_memory_of_a_wake_and_the_patience_with_one_end_exactly(monkeypatch):
    now, ticks = timezone.now(), [50.0]
    monkeypatch.setattr(queue, "timezone", SimpleNamespace(now=lambda: now))
    monkeypatch.setattr(queue, "time", SimpleNamespace(monotonic=lambda: ticks[0]))
    monkeypatch.setattr(queue, "SEEN", 2.0)
    assert queue.wake(outbox.TASK) is True
    QueueSignal.objects.update(asked_at=None)  # a worker took it
    ticks[0] = 51.9
    assert queue.wake(outbox.TASK) is False, "what was seen just now is believed"
    ticks[0] = 52.0
    assert queue.wake(outbox.TASK) is True
    ticks[0] = 60.0
    asked = now - timedelta(seconds=queue.LOST_AFTER)
    QueueSignal.objects.update(asked_at=asked + timedelta(microseconds=1))
    assert queue.wake(outbox.TASK) is False
    ticks[0] = 70.0
    QueueSignal.objects.update(asked_at=asked)
    assert queue.wake(outbox.TASK) is True


@committed
@pytest.mark.parametrize("pending", [True, False])
def test_two_that_find_no_signal_at_the_same_moment_ask_once(pending, monkeypatch):
    """Another process writes the first signal between our look and our insert."""
    real = queue._signals

    def overtaken(**lookup):
        if not QueueSignal.objects.exists():
            found = list(real(**lookup))
            QueueSignal.objects.create(name=outbox.TASK, asked_at=timezone.now() if pending else None)
            assert found == []
            return real(name="nobody")
        return real(**lookup)

    monkeypatch.setattr(queue, "_signals", overtaken)
    assert queue.wake(outbox.TASK) is not pending
    assert queued() == ([] if pending else [outbox.TASK])


def test_an_install_without_the_queue_says_that_nobody_was_woken(settings):
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "django_q"]
    assert queue.wake(outbox.TASK) is False


def test_the_last_look_of_a_task_comes_after_the_memory_of_a_process_ends():
    assert queue.LINGER > queue.SEEN


@committed
def test_a_row_that_relied_on_a_pending_wake_is_seen_by_the_lingering_task(monkeypatch):
    """Another process commits without waking just after the task looked for the first time."""
    sent = []
    outbox.register_destination("shop", lambda message: sent.append(message.key))
    real = time.sleep

    def sleep(seconds):
        monkeypatch.setattr(time, "sleep", real)
        OutboundMessage.objects.create(destination="shop", kind="k", key="late")

    monkeypatch.setattr(time, "sleep", sleep)
    say("1")
    tasks.drain_outbox()
    assert sent == ["1", "late"]


@committed
def test_a_queue_that_is_down_does_not_hurt_the_change(monkeypatch, caplog):
    def broken(*args, **kwargs):
        raise ConnectionError("redis is away")

    monkeypatch.setattr(queue, "_enqueue", broken)
    with transaction.atomic():
        say("1")
    assert OutboundMessage.objects.count() == 1
    assert "redis is away" in caplog.text
    assert not QueueSignal.objects.filter(asked_at__isnull=False).exists()


@committed
def test_without_django_q_rows_are_written_and_nothing_is_woken(settings):
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "django_q"]
    say("1")
    assert OutboundMessage.objects.count() == 1
    assert not queue.wake(outbox.TASK)
    with pytest.raises(RuntimeError):
        queue.run_later("oscar_fulfillment.tasks.sweep")
    with pytest.raises(CommandError):
        call_command("fulfillment_watchdog")


@committed
def test_run_later_rolls_back_with_the_transaction():
    with transaction.atomic():
        queue.run_later("oscar_fulfillment.tasks.sweep", key="one")
        transaction.set_rollback(True)
    assert queued() == []
    with transaction.atomic():
        queue.run_later("builtins.print", 1, 2, key="two")
        row = OrmQ.objects.get()  # in this very transaction: a crash after the commit cannot lose it
        assert row.task["save"] is False
    assert (row.task["func"], row.task["args"], row.task["name"]) == ("builtins.print", (1, 2), "two")


@committed
def test_a_long_name_of_a_task_is_cut_to_what_the_queue_takes():
    queue.run_later("builtins.print", key="k" * 150)
    assert OrmQ.objects.get().task["name"] == "k" * 100


@committed
def test_run_later_on_a_foreign_broker_waits_for_the_commit(settings, monkeypatch):
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "orm": None}
    calls = []
    monkeypatch.setattr(queue, "_enqueue", lambda dotted, *args, name: calls.append((dotted, args, name)))
    with transaction.atomic():
        queue.run_later("a.b", 1, key="k")
        assert calls == []
    assert calls == [("a.b", (1,), "k")]


@committed
def test_the_tasks_drain_both_boxes_and_ask_for_help_when_there_is_more():
    outbox.register_destination("shop", lambda message: None)
    inbox.register_source("cdek", lambda message: None)
    outbox.enqueue([OutboxMessage("shop", "k", str(number)) for number in range(120)])
    inbox.receive("cdek", "1", {}, b"")
    OrmQ.objects.all().delete()
    queue.forget()
    assert tasks.drain_outbox() == {"sent": 120}
    assert queued() == [outbox.TASK]
    assert tasks.process_inbox() == {"processed": 1}


@committed
def test_a_task_that_used_up_its_time_goes_to_the_end_of_the_queue(settings):
    settings.OSCAR_FULFILLMENT = {"DRAIN_BUDGET": 0}
    outbox.register_destination("shop", lambda message: None)
    say("1")
    OrmQ.objects.all().delete()
    queue.forget()
    assert tasks.drain_outbox() == {}
    assert queued() == [outbox.TASK]


@committed
def test_the_sweep_wakes_for_whatever_is_due_and_only_then():
    outbox.register_destination("shop", lambda message: None)
    tasks.sweep()
    assert queued() == []
    OutboundMessage.objects.create(destination="shop", kind="k", key="forgotten")
    InboundMessage.objects.create(source="unknown", external_id="1")
    tasks.sweep()
    assert queued() == [outbox.TASK]


@committed
def test_heartbeat_is_asked_for_and_answered():
    assert queue.last_heartbeat() is None
    queue.ping()
    queue.ping()
    assert queued() == [queue.HEARTBEAT]
    assert queue.last_heartbeat() is None
    tasks.heartbeat()
    assert timezone.now() - queue.last_heartbeat() < timedelta(seconds=5)
    # A ping asks although this process believes that one is pending.
    queue.ping()
    assert queued() == [queue.HEARTBEAT, queue.HEARTBEAT]


@committed
def test_setup_installs_schedules_once_mends_and_removes(monkeypatch):
    monkeypatch.setattr("oscar_fulfillment.management.commands.fulfillment_setup.find_spec", lambda name: None)
    Schedule.objects.create(name="somebody else's", func="a.b")
    Schedule.objects.create(name="fulfillment:old", func="a.b")
    for _ in range(2):
        call_command("fulfillment_setup", stdout=StringIO())
    ours = Schedule.objects.filter(name__startswith="fulfillment:")
    assert [row.name for row in ours] == ["fulfillment:" + entry.name for entry in tasks.SCHEDULES]
    assert Schedule.objects.count() == len(tasks.SCHEDULES) + 1
    assert set(ours.values_list("repeats", flat=True)) == {-1}, "for ever"
    ours.update(minutes=99)
    Schedule.objects.create(name=ours[0].name, func="a.b")
    assert queue.ensure_schedules(tasks.SCHEDULES) == (0, len(tasks.SCHEDULES), 1)
    assert queue.ensure_schedules(tasks.SCHEDULES) == (0, 0, 0)
    ours.update(repeats=2)
    assert queue.ensure_schedules(tasks.SCHEDULES) == (0, len(tasks.SCHEDULES), 0)
    ours.all().delete()
    assert queue.ensure_schedules(tasks.SCHEDULES) == (len(tasks.SCHEDULES), 0, 0)


@committed
@pytest.mark.postgres
def test_setup_may_run_on_several_machines_at_once():
    import threading

    from django.db import connection

    assert connection.vendor == "postgresql", "this test needs DB=postgres; deselect it with -m 'not postgres'"

    def work():
        try:
            queue.ensure_schedules(tasks.SCHEDULES)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Schedule.objects.count() == len(tasks.SCHEDULES)


def test_signs_of_life_tell_busy_from_idle_and_dead(tmp_path):
    life = Life(tmp_path)
    assert (life.last(), life.busy()) == (0.0, 0)
    mine = tmp_path / str(os.getpid())
    mine.write_text("idle")
    assert life.last() > 0
    assert life.busy() == 0
    mine.write_text(str(time.time() + 30))
    assert life.busy() == 1
    mine.write_text(str(time.time() - 1))
    assert life.busy() == 0
    (tmp_path / "99999999").write_text(str(time.time() + 30))
    assert life.busy() == 0
    life.clear()
    assert list(tmp_path.iterdir()) == []


def test_workers_report_the_tasks_they_begin_and_end(monkeypatch):
    seen = []
    queue.connect_signs_of_life(seen.append)
    queue.connect_signs_of_life(seen.append)  # an app that is set up twice reports once
    try:
        gc.collect()
        post_spawn.send(sender="django_q", proc_name="1")
        pre_execute.send(sender="django_q", func=None, task={})
        pre_execute.send(sender="django_q", func=None, task={"timeout": 7})
        monkeypatch.setattr(Conf, "TIMEOUT", None)
        pre_execute.send(sender="django_q", func=None, task={})
        post_execute_in_worker.send(sender="django_q", func=None, task={})
    finally:
        known = [
            signal.disconnect(dispatch_uid="oscar_fulfillment.alive")
            for signal in (post_spawn, pre_execute, post_execute_in_worker)
        ]
    assert seen == [None, 60.0, 7.0, 0.0, None]
    assert known == [True, True, True]


def test_the_number_of_workers_is_the_clusters(monkeypatch):
    monkeypatch.setattr(Conf, "WORKERS", 3)
    assert queue.workers() == 3


@committed
def test_messages_command_lists_and_sends_again():
    outbox.register_destination("shop", lambda message: None)
    outbox.enqueue([OutboxMessage("shop", "k", "1"), OutboxMessage("mail", "k", "2")])
    OutboundMessage.objects.update(status="dead", error="no such address\nsecond line")
    out = StringIO()
    call_command("fulfillment_messages", stdout=out)
    assert "shop/k/1" in out.getvalue()
    assert "no such address" in out.getvalue()
    assert "second line" not in out.getvalue()
    assert "shop: dead 1" in out.getvalue()
    with pytest.raises(CommandError):
        call_command("fulfillment_messages", "--send-again")
    first = OutboundMessage.objects.get(key="1").pk
    call_command("fulfillment_messages", str(first), "--send-again", stdout=out)
    assert OutboundMessage.objects.get(key="1").status == "pending"
    with pytest.raises(CommandError):
        call_command("fulfillment_messages", str(first), "--send-again", stdout=out)
    call_command("fulfillment_messages", "--send-again", "--all", "--lane", "mail", stdout=out)
    assert OutboundMessage.objects.filter(status="pending").count() == 2


@committed
def test_messages_command_replays_what_came_in():
    inbox.register_source("cdek", lambda message: None)
    inbox.receive("cdek", "1", {}, b"")
    InboundMessage.objects.update(status="failed", error="x")
    out = StringIO()
    call_command("fulfillment_messages", "--inbox", stdout=out)
    assert "cdek/1" in out.getvalue()
    call_command("fulfillment_messages", "--inbox", "--replay", "--all", stdout=out)
    assert InboundMessage.objects.get().status == "received"
