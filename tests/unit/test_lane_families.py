"""Lanes that come and go while the workers run, with a schedule of their own; and an other side that asks for a rest."""

from datetime import timedelta

import pytest
from django.utils import timezone

from oscar_fulfillment.core import circuit, outbox, pump, queue
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.core.pump import Lane
from oscar_fulfillment.models import LaneHealth, OutboundMessage

pytestmark = [pytest.mark.django_db, pytest.mark.feature("Z15")]


@pytest.fixture(autouse=True)
def family(monkeypatch):
    """The only lanes, by name; a test changes them as it likes."""
    found = {}
    monkeypatch.setattr(outbox.PUMP, "lanes", {})
    monkeypatch.setattr(outbox.PUMP, "families", [lambda: found.values()])
    monkeypatch.setattr(outbox.PUMP, "on_dead", [])
    queue.forget()
    return found


def put(destination, key="1"):
    outbox.enqueue([OutboxMessage(destination, "k", key)])
    return OutboundMessage.objects.get(destination=destination, key=key)


def due(message):
    """Its next try is now, and the lane rests no more."""
    LaneHealth.objects.all().delete()
    OutboundMessage.objects.filter(pk=message.pk).update(next_attempt_at=timezone.now())


def fails(error):
    def handler(message):
        raise error

    return handler


def test_a_lane_is_known_as_soon_as_it_is_there(family):
    did = []
    message = put("hook:1")
    assert outbox.drain() == {}
    assert outbox.PUMP.orphans() == ["hook:1"]
    assert not outbox.PUMP.due()
    family["a"] = Lane("hook:1", did.append)
    assert outbox.PUMP.due()
    assert outbox.PUMP.orphans() == []
    assert outbox.drain() == {"sent": 1}
    assert did == [message]
    family.clear()
    put("hook:1", "2")
    assert outbox.drain() == {}


def test_what_is_registered_comes_before_the_family(family):
    did = []
    outbox.register_destination("hook:1", lambda message: did.append("registered"))
    family["a"] = Lane("hook:1", lambda message: did.append("family"))
    put("hook:1")
    outbox.drain()
    assert did == ["registered"]


@pytest.mark.parametrize("tries", [1, 2, 3])
def test_a_lane_may_have_its_own_schedule(family, monkeypatch, tries):
    monkeypatch.setattr(pump.random, "uniform", lambda low, high: 1.0)
    family["a"] = Lane("hook:1", fails(AdapterUnavailable("down")), backoff=(7, 500))
    message = put("hook:1")
    OutboundMessage.objects.update(attempts=tries - 1)
    before = timezone.now()
    outbox.drain()
    message.refresh_from_db()
    assert message.attempts == tries
    if tries == 3:
        assert message.status == "dead"
    else:
        pause = [7, 500][tries - 1]
        assert 0 <= (message.next_attempt_at - before).total_seconds() - pause < 5


def test_a_message_that_takes_its_workers_along_is_given_up_by_the_lanes_schedule(family):
    did = []
    family["a"] = Lane("hook:1", did.append, backoff=(1,))
    message = put("hook:1")
    OutboundMessage.objects.update(attempts=2)
    assert outbox.drain() == {"dead": 1}
    assert did == []
    message.refresh_from_db()
    assert "worker died" in message.error


def test_who_asks_for_a_rest_gets_it_for_all_messages(family):
    family["a"] = Lane("hook:1", fails(AdapterUnavailable("429", retry_after=3600)), backoff=(5, 5))
    first, second = put("hook:1"), put("hook:1", "2")
    before = timezone.now()
    assert outbox.drain() == {"pending": 1}
    first.refresh_from_db()
    second.refresh_from_db()
    assert second.attempts == 0
    assert first.next_attempt_at - before >= timedelta(seconds=3600)
    (rest,) = circuit.states().values()
    assert rest.paused_until - before >= timedelta(seconds=3600), "longer than CIRCUIT_MAX_PAUSE: it was asked for"
    assert outbox.drain() == {}


def test_a_short_rest_does_not_shorten_the_schedule(family, monkeypatch):
    monkeypatch.setattr(pump.random, "uniform", lambda low, high: 1.0)
    family["a"] = Lane("hook:1", fails(AdapterUnavailable("429", retry_after=1)), backoff=(500,))
    message = put("hook:1")
    before = timezone.now()
    outbox.drain()
    message.refresh_from_db()
    assert (message.next_attempt_at - before).total_seconds() >= 500


def test_a_rest_does_not_keep_a_message_alive_for_ever(family):
    family["a"] = Lane("hook:1", fails(AdapterUnavailable("429", retry_after=60)), backoff=(1,))
    message = put("hook:1")
    for expected in ("pending", "dead"):
        due(message)
        assert outbox.drain() == {expected: 1}


def test_errors_ask_for_nothing_unless_they_say_so():
    assert AdapterUnavailable("x").retry_after == 0
    assert AdapterUnanswered("x").retry_after == 0
    assert AdapterUnanswered("x", retry_after=5).retry_after == 5
    assert str(AdapterUnavailable("words", retry_after=5)) == "words"
    assert not hasattr(AdapterRejected("x"), "retry_after")
