"""The breaker of a lane: how long it rests, who may probe it, and who ends its rest."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from oscar_fulfillment.core import circuit
from oscar_fulfillment.models import LaneHealth

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.get_fixed_timezone(0))
BACKOFF = [10, 100]


@pytest.fixture
def clock(monkeypatch):
    """The time as the breaker sees it; set ``clock.moment``."""
    hands = SimpleNamespace(moment=NOON)
    monkeypatch.setattr(circuit, "timezone", SimpleNamespace(now=lambda: hands.moment))
    return hands


def resting(until=NOON, trips=1):
    LaneHealth.objects.create(name="outbox:shop", trips=trips, paused_until=until)
    return circuit.states()["outbox:shop"]


def test_a_rest_is_over_at_its_very_end_and_not_before(clock):
    state = resting()
    clock.moment = NOON - timedelta(microseconds=1)
    assert circuit.begin_probe(state) is False
    assert LaneHealth.objects.get().paused_until == NOON
    clock.moment = NOON
    assert circuit.begin_probe(state) is True


def test_a_probe_keeps_the_others_away_until_its_worker_must_be_dead(clock):
    state = resting()
    assert circuit.begin_probe(state)
    reserved = NOON + timedelta(seconds=circuit.PROBE)
    assert state.paused_until == reserved == LaneHealth.objects.get().paused_until
    clock.moment = reserved - timedelta(seconds=1)
    assert circuit.begin_probe(circuit.states()["outbox:shop"]) is False
    clock.moment = reserved
    assert circuit.begin_probe(circuit.states()["outbox:shop"]) is True


def test_a_probe_without_a_message_frees_only_its_own_reservation(clock):
    mine = resting()
    assert circuit.begin_probe(mine)
    later = NOON + timedelta(hours=1)
    LaneHealth.objects.update(paused_until=later)  # another worker's probe failed meanwhile
    circuit.probe_found_nothing(mine)
    assert LaneHealth.objects.get().paused_until == later


def test_the_rest_grows_with_every_failed_probe_up_to_the_last_step(clock):
    state = None
    for trips, pause in ((1, 10), (2, 100), (3, 100)):
        circuit.trip("outbox:shop", state, "refused", BACKOFF)
        state = LaneHealth.objects.get()
        assert (state.trips, state.error) == (trips, "refused")
        assert state.paused_until == NOON + timedelta(seconds=pause)


@pytest.mark.parametrize(("backoff", "pause"), [([], 60), ([5000], 300), ([300], 300), ([299], 299)])
def test_a_rest_has_a_usual_and_a_longest_length(clock, settings, backoff, pause):
    settings.OSCAR_FULFILLMENT = {"CIRCUIT_MAX_PAUSE": 300}
    circuit.trip("outbox:shop", None, "refused", backoff)
    assert LaneHealth.objects.get().paused_until == NOON + timedelta(seconds=pause)


@pytest.mark.parametrize("end", [lambda state: circuit.reopen(state.name), circuit.close])
def test_the_end_of_a_rest_concerns_one_lane(clock, end):
    state = resting()
    LaneHealth.objects.create(name="outbox:mail", trips=1, paused_until=NOON)
    end(state)
    assert list(LaneHealth.objects.values_list("name", flat=True)) == ["outbox:mail"]
