"""The engine of the boxes by a clock of its own: whose turn it is and for how long, what is noted when, who is told."""

from collections import Counter
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from oscar_fulfillment.core import leases, outbox, pump, queue
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.core.pump import BATCH, MAX_ERROR, NOTE_EVERY, describe
from oscar_fulfillment.models import LaneHealth, OutboundMessage

pytestmark = pytest.mark.django_db


class Clock:
    """``time`` as the pump sees it: it moves when a test says so. Looked at without end, it stops the test."""

    def __init__(self):
        self.seconds, self.looks, self.slept = 1000.0, 0, []

    def monotonic(self):
        self.looks += 1
        assert self.looks < 2000, "the pump turns without end"
        return self.seconds

    def sleep(self, seconds):
        self.slept.append(seconds)


@pytest.fixture
def clock(monkeypatch):
    hands = Clock()
    monkeypatch.setattr(pump, "time", hands)
    return hands


@pytest.fixture(autouse=True)
def lanes(monkeypatch):
    """Only the test's lanes, and in the order in which they are registered."""
    monkeypatch.setattr(outbox.PUMP, "lanes", {})
    monkeypatch.setattr(outbox.PUMP, "on_dead", [])
    monkeypatch.setattr(pump.random, "shuffle", lambda names: names.sort())
    queue.forget()
    return outbox.PUMP.lanes


def put(destination="shop", count=1, **options):
    outbox.enqueue([OutboxMessage(destination, "k", str(n), {"n": n}, **options) for n in range(count)])


def statuses():
    return Counter(OutboundMessage.objects.values_list("status", flat=True))


def lane(name, did, clock=None, seconds=0.0, error=None, **options):
    """A lane that writes down each call in ``did``, lets ``seconds`` go by and may raise."""

    def handler(message):
        did.append(name)
        if clock is not None:
            clock.seconds += seconds
        if error is not None:
            raise error

    outbox.register_destination(name, handler, **options)


# ---- Turns ----


def test_lanes_begin_in_a_random_order(clock, monkeypatch):
    did = []
    monkeypatch.setattr(pump.random, "shuffle", lambda names: names.sort(reverse=True))
    for name in ("a", "b", "c"):
        lane(name, did)
        put(name)
    outbox.drain()
    assert did == ["c", "b", "a"]


def test_the_limit_is_kept_across_lanes_even_where_the_next_would_be_a_probe(clock):
    did = []
    for name in ("a", "b"):
        lane(name, did)
        put(name, 3)
    LaneHealth.objects.create(name="outbox:b", trips=1, paused_until=timezone.now())
    assert outbox.drain(limit=1) == {"sent": 1}
    assert did == ["a"]
    assert outbox.drain(limit=3) == {"sent": 3}
    assert did == ["a", "a", "a", "b"]


@pytest.mark.parametrize(("seconds", "expected"), [(10.0, ["a"]), (9.9, ["a", "b"])])
def test_no_lane_begins_at_the_end_of_the_budget(clock, settings, seconds, expected):
    settings.OSCAR_FULFILLMENT = {"DRAIN_TURN": 60}
    did = []
    for name in ("a", "b"):
        lane(name, did, clock, seconds)
        put(name)
    outbox.drain(budget=10)
    assert did == expected
    assert statuses() == Counter(sent=len(expected), pending=2 - len(expected))


def test_without_a_budget_the_setting_counts(clock, settings):
    settings.OSCAR_FULFILLMENT = {"DRAIN_BUDGET": 5, "DRAIN_TURN": 1}
    did = []
    lane("a", did, clock, 2.5)
    put("a", 9)
    outbox.drain()
    assert len(did) == 2


@pytest.mark.parametrize("at_most_once", [True, False])
@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(1.0, "abab"), (0.5, "aabb"), (0.0, "aabb"), (7.0, "abab")],
    ids=["a turn each", "half a turn", "no time", "longer than a turn"],
)
def test_a_turn_ends_with_its_time_but_never_before_its_first_message(clock, settings, at_most_once, seconds, expected):
    settings.OSCAR_FULFILLMENT = {"DRAIN_TURN": 1, "DRAIN_BUDGET": 100}
    did = []
    for name in ("a", "b"):
        lane(name, did, clock, seconds, at_most_once=at_most_once)
        put(name, 2)
    assert outbox.drain() == {"sent": 4}
    assert "".join(did) == expected
    assert set(OutboundMessage.objects.values_list("attempts", flat=True)) == {1}


def test_a_turn_of_no_time_at_all_still_handles_one(clock, settings):
    settings.OSCAR_FULFILLMENT = {"DRAIN_TURN": 0}
    did = []
    for name in ("a", "b"):
        lane(name, did)
        put(name, 2)
    assert outbox.drain() == {"sent": 4}
    assert did == ["a", "b", "a", "b"]


def test_a_lane_takes_one_batch_and_then_the_next_has_its_turn(clock):
    did = []
    for name in ("a", "b"):
        lane(name, did)
        put(name, BATCH + 1)
    outbox.drain(limit=500)
    assert did == ["a"] * BATCH + ["b"] * BATCH + ["a", "b"]


# ---- Probes and rests ----


def test_a_lane_whose_rest_ends_now_is_due(monkeypatch):
    noon = datetime(2026, 3, 1, 12, tzinfo=timezone.get_fixed_timezone(0))
    monkeypatch.setattr(pump, "timezone", SimpleNamespace(now=lambda: noon))
    lane("shop", [])
    put()
    rest = LaneHealth.objects.create(name="outbox:shop", trips=1, paused_until=noon)
    assert outbox.PUMP.due() is True
    LaneHealth.objects.filter(pk=rest.pk).update(paused_until=noon + timedelta(microseconds=1))
    assert outbox.PUMP.due() is False


def test_a_probe_takes_a_single_message_into_its_hands(clock):
    held = []
    outbox.register_destination("shop", lambda m: held.append(OutboundMessage.objects.filter(status="sending").count()))
    put(count=4)
    LaneHealth.objects.create(name="outbox:shop", trips=1, paused_until=timezone.now())
    assert outbox.drain() == {"sent": 4}
    assert held == [1, 3, 3, 3]
    assert LaneHealth.objects.count() == 0


def test_a_lane_that_rests_is_left_alone(clock):
    did = []
    lane("shop", did)
    put()
    later = timezone.now() + timedelta(minutes=5)
    LaneHealth.objects.create(name="outbox:shop", trips=1, paused_until=later)
    assert outbox.drain() == {}
    assert did == []
    assert LaneHealth.objects.get().paused_until == later


def test_a_probe_that_finds_nothing_reserves_nothing(clock, monkeypatch):
    """The message was taken by another worker between our look and our claim."""
    lane("shop", [])
    put()
    LaneHealth.objects.create(name="outbox:shop", trips=1, paused_until=timezone.now())
    monkeypatch.setattr(leases, "claim", lambda *args, **options: [])
    assert outbox.drain() == {}
    assert LaneHealth.objects.get().paused_until <= timezone.now()


@pytest.mark.parametrize(("seconds", "trips"), [(20.0, 1), (19.9, 0)])
def test_one_failure_as_slow_as_a_turn_is_enough_to_rest(clock, settings, seconds, trips):
    settings.OSCAR_FULFILLMENT = {"DRAIN_TURN": 20, "CIRCUIT_FAILURES": 99, "DRAIN_BUDGET": 1000}
    did = []
    lane("shop", did, clock, seconds, AdapterUnavailable("timed out"))
    put()
    assert outbox.drain() == {"pending": 1}
    assert LaneHealth.objects.count() == trips


def test_only_failures_in_a_row_count(clock, settings):
    settings.OSCAR_FULFILLMENT = {"CIRCUIT_FAILURES": 2}
    bad = {0, 2, 4, 5}

    def handler(message):
        if message.payload["n"] in bad:
            raise AdapterUnavailable("busy")

    outbox.register_destination("shop", handler)
    put(count=8)
    assert outbox.drain() == {"pending": 4, "sent": 2}
    rest = LaneHealth.objects.get()
    assert (rest.trips, rest.error) == (1, "AdapterUnavailable: busy")
    assert set(OutboundMessage.objects.filter(attempts=0).values_list("key", flat=True)) == {"6", "7"}


@pytest.mark.parametrize("error", [AdapterRejected("no such address"), ValueError("a bug of ours")])
def test_an_answer_of_any_kind_ends_the_rest(clock, error):
    lane("shop", [], error=error)
    put()
    LaneHealth.objects.create(name="outbox:shop", trips=1, paused_until=timezone.now())
    outbox.drain()
    assert LaneHealth.objects.count() == 0


# ---- Noting ----


def seen_while_handling(clock, seconds):
    """How many are noted as sent when each message is handled; ``seconds``: how long each takes."""
    noted = []

    def handler(message):
        noted.append(OutboundMessage.objects.filter(status="sent").count())
        clock.seconds += seconds[message.payload["n"]]

    outbox.register_destination("shop", handler)
    put(count=len(seconds))
    assert outbox.drain() == {"sent": len(seconds)}
    assert statuses() == {"sent": len(seconds)}
    return noted


def test_fast_messages_share_a_note(clock):
    assert seen_while_handling(clock, [0.0] * 4) == [0, 0, 0, 0]


def test_a_slow_message_is_noted_before_the_next_begins(clock):
    # Binary fractions, so that "exactly" is exact.
    clock.seconds = 0.0
    assert seen_while_handling(clock, [NOTE_EVERY, 0.0, 0.0, NOTE_EVERY, 0.0]) == [0, 1, 1, 1, 4]


@pytest.fixture
def settling(monkeypatch):
    """``settle`` as a database that is away lets it fail: set ``errors``."""
    real, told = leases.settle, SimpleNamespace(errors=[], calls=0)

    def settle(*args):
        told.calls += 1
        if told.errors:
            raise told.errors.pop(0)
        return real(*args)

    monkeypatch.setattr(leases, "settle", settle)
    return told


def test_nothing_to_note_asks_nothing(clock, settling):
    lane("shop", [], clock, NOTE_EVERY * 2)
    put(count=2)
    assert outbox.drain() == {"sent": 2}
    assert settling.calls == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_what_was_sent_is_noted_when_the_database_comes_back(clock, settling, error):
    settling.errors = [error("gone"), error("gone"), error("gone")]
    did = []
    lane("shop", did)
    put()
    assert outbox.drain() == {"sent": 1}
    assert clock.slept == [0.5, 2.0, 5.0]
    assert statuses() == {"sent": 1}
    assert did == ["shop"]


@pytest.mark.django_db(transaction=True)
def test_a_database_that_stays_away_is_an_error(clock, settling):
    settling.errors = [OperationalError("gone")] * 4
    lane("shop", [])
    put()
    with pytest.raises(OperationalError):
        outbox.drain()
    assert settling.calls == 4


def test_inside_a_transaction_there_is_no_second_try(clock, settling):
    settling.errors = [OperationalError("gone")]
    lane("shop", [])
    put()
    with pytest.raises(OperationalError):
        outbox.drain()
    assert (settling.calls, clock.slept) == (1, [])


# ---- Outcomes ----


@pytest.mark.parametrize(
    ("answer", "status"), [(None, "sent"), ("", "sent"), (True, "sent"), (7, "sent"), ("dead", "dead")]
)
def test_a_handler_may_name_the_status_and_nothing_else(clock, answer, status):
    outbox.register_destination("shop", lambda message: answer)
    put()
    assert outbox.drain() == {status: 1}
    assert OutboundMessage.objects.get().status == status


@pytest.mark.parametrize(("claimed", "status"), [(2, "sent"), (3, "dead")])
def test_a_message_is_handed_over_once_more_than_there_are_pauses(clock, settings, claimed, status):
    settings.OSCAR_FULFILLMENT = {"OUTBOX_BACKOFF": [1, 1]}
    lane("shop", [])
    put()
    OutboundMessage.objects.update(attempts=claimed)
    assert outbox.drain() == {status: 1}
    assert OutboundMessage.objects.get().error == ("" if status == "sent" else "its worker died at every try")


def test_the_pause_is_the_tries_own_within_a_fifth(clock, settings, monkeypatch):
    settings.OSCAR_FULFILLMENT = {"OUTBOX_BACKOFF": [100, 1000], "CIRCUIT_FAILURES": 99}
    asked = []
    monkeypatch.setattr(pump.random, "uniform", lambda *bounds: asked.append(bounds) or 1.5)
    lane("shop", [], error=AdapterUnavailable("busy"))
    put()
    OutboundMessage.objects.update(attempts=1)
    before = timezone.now()
    outbox.drain()
    assert asked == [(0.8, 1.2)]
    assert timedelta(seconds=1499) < OutboundMessage.objects.get().next_attempt_at - before < timedelta(seconds=1510)


def test_everybody_is_told_of_a_dead_message_even_when_one_cannot_deal_with_it(clock, caplog):
    told = []

    def broken(row):
        raise KeyError("nobody")

    outbox.on_dead(broken)
    assert outbox.on_dead(lambda row: told.append((row.key, row.status, row.error))) is not None
    lane("shop", [], error=AdapterRejected("no"))
    lane("well", [])
    put()
    put("well")
    assert outbox.drain() == {"dead": 1, "sent": 1}
    assert told == [("0", "dead", "AdapterRejected: no")]
    assert "could not deal with that" in caplog.text


def test_an_error_is_kept_as_text_that_every_database_takes():
    assert describe(ValueError("a\x00b")) == "ValueError: ab"
    assert describe(ValueError("x" * 5000)) == ("ValueError: " + "x" * 5000)[:MAX_ERROR]
    assert len(describe(ValueError("x" * 5000))) == MAX_ERROR


def test_messages_of_lanes_that_nobody_handles_are_named_once(clock):
    lane("shop", [])
    put("shop")
    for number in range(25):
        put(f"nobody-{number:02}", 2)
    put("done")
    OutboundMessage.objects.filter(destination="done").update(status="sent")
    found = outbox.PUMP.orphans()
    assert len(found) == len(set(found)) == 20
    assert set(found) < {f"nobody-{number:02}" for number in range(25)}


def test_lag_counts_what_a_dead_worker_holds():
    put(count=2)
    OutboundMessage.objects.filter(key="0").update(
        status="sending", next_attempt_at=timezone.now() - timedelta(seconds=90)
    )
    assert 90 <= outbox.PUMP.lag() < 100
    OutboundMessage.objects.filter(key="0").update(status="sent")
    assert 0 <= outbox.PUMP.lag() < 10
