"""What a parcel's events come to, whatever the order in which they arrive."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.carriers.events import IncidentClass, TrackingEvent, TrackingState
from oscar_fulfillment.selectors.tracking import standing, state_of, sum_up

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
S = TrackingState


def event(state, hours=0.0, **values):
    return TrackingEvent("X", NOW + timedelta(hours=hours), S(state), **values)


BACK = {"is_return": True}
TABLE = [
    ([], S.PENDING),
    ([event("pending", -9), event("in_transit", -5)], S.IN_TRANSIT),
    ([event("in_transit", -5), event("delivered", -1)], S.DELIVERED),
    ([event("delivered", -2), event("info", -1)], S.DELIVERED),
    ([event("delivered", -2), event("unknown", -1)], S.DELIVERED),
    ([event("delivered", -3), event("in_transit", -1, **BACK)], S.RETURNING),
    ([event("in_transit", -3, **BACK), event("delivered", -1, **BACK)], S.RETURNED),
    ([event("out_for_delivery", -3), event("delivered", -2), event("info", -1, retracts=True)], S.OUT_FOR_DELIVERY),
    ([event("delivered", -2), event("info", -1, retracts=True)], S.PENDING),
    ([event("unknown", -1)], S.UNKNOWN),
    ([event("in_transit", -1), event("delivered", 48)], S.IN_TRANSIT),
    ([event("in_transit", -1), event("delivered", 23)], S.DELIVERED),
    ([event("delivered", 72)], S.PENDING),
    ([event("info", -1, retracts=True)], S.PENDING),
]


@pytest.mark.feature("E13", "Z6")
@pytest.mark.parametrize(("events", "state"), TABLE)
def test_the_newest_event_that_moves_a_parcel_counts(events, state):
    assert sum_up(events, NOW).state == state
    assert sum_up(reversed(events), NOW).state == state


def test_a_return_leg_never_means_delivered():
    for state in S:
        assert state_of(event(state, **BACK)) != S.DELIVERED


def test_what_was_in_the_way_is_forgotten_once_it_has_arrived():
    trouble = event("delivery_failed", -2, incident=IncidentClass.ABSENT, text="Ninguém em casa", place="Porto")
    found = sum_up([trouble], NOW)
    assert (found.incident, found.text, found.place, found.at) == (
        "absent",
        "Ninguém em casa",
        "Porto",
        NOW - timedelta(hours=2),
    )
    assert sum_up([trouble, event("delivered", -1, incident=IncidentClass.ABSENT)], NOW).incident == ""


events = st.lists(
    st.builds(
        event,
        st.sampled_from(list(S)),
        st.integers(-200, 200).map(lambda n: n + 0.001 * n),
        is_return=st.booleans(),
        retracts=st.booleans(),
    ),
    unique_by=lambda e: e.occurred_at,
    max_size=8,
)


@given(events, st.randoms(use_true_random=False))
def test_the_order_in_which_events_arrive_does_not_matter(told, random):
    shuffled = list(told)
    random.shuffle(shuffled)
    assert sum_up(told, NOW) == sum_up(shuffled, NOW)


@given(events)
def test_delivered_needs_an_event_that_says_so(told):
    if sum_up(told, NOW).state == S.DELIVERED:
        assert any(e.state == S.DELIVERED and not e.is_return for e in standing(told, NOW))
