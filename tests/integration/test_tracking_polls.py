"""Asking carriers: in batches, within limits, one carrier's trouble is no other's."""

from datetime import timedelta

import pytest
from django.utils import timezone

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable
from oscar_fulfillment.models import LaneHealth, Parcel
from oscar_fulfillment.services import tracking_polls
from oscar_fulfillment.services.tracking_polls import poll_due, refresh_parcels
from oscar_fulfillment.tasks import watch_parcels

from .parcels import box, due_now, fake_carriers, on_the_way, statuses, two_boxes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fake():
    with fake_carriers() as carrier:
        yield carrier


def asked(carrier):
    return [codes for name, codes in carrier.calls if name == "track"]


def test_a_parcel_is_asked_for_from_an_hour_after_it_left(fake):
    order = on_the_way()
    due = box(order).next_check_at - timezone.now()
    assert timedelta(minutes=59) < due < timedelta(minutes=61)
    assert poll_due(budget=5) == {}
    assert box(on_the_way("X1", carrier="other")).next_check_at is None


@pytest.mark.feature("E13", "A13")
def test_the_task_brings_a_parcel_to_its_end(fake):
    order = on_the_way("FK1")
    for step in ("collected", "in_transit", "delivered"):
        fake.advance("FK1", step)
    due_now()
    assert watch_parcels()["fake"] == 1
    assert statuses(order) == ("paid", "delivered")
    assert box(order).next_check_at is None
    assert watch_parcels() == {"numbers": 0}


def test_parcels_are_asked_for_in_batches(fake):
    for number in range(12):
        on_the_way(f"FK{number:02d}")
        fake.parcel(f"FK{number:02d}")
    due_now()
    assert poll_due(budget=20) == {"fake": 12}
    assert [len(codes) for codes in asked(fake)] == [10, 2]


def test_no_more_calls_a_minute_than_the_carrier_allows(fake):
    fake.track_batch, fake.calls_per_minute = 1, 3
    for number in range(5):
        on_the_way(f"FK{number}")
    due_now()
    assert poll_due(budget=20) == {"fake": 3}
    assert Parcel.objects.filter(next_check_at__lte=timezone.now()).count() == 2


def test_a_code_the_carrier_does_not_know_is_no_error(fake):
    order = on_the_way("FK1")
    due_now()
    poll_due(budget=5)
    parcel = box(order)
    assert parcel.tracking_problem == "not_found"
    assert parcel.next_check_at > timezone.now()
    fake.advance("FK1", "in_transit")
    due_now()
    poll_due(budget=5)
    assert (box(order).tracking_problem, box(order).tracking_state) == ("", "in_transit")


@pytest.mark.feature("E13")
def test_a_carrier_that_is_down_for_hours_delays_no_other(fake):
    first, second = on_the_way("FK1"), on_the_way("SC1", carrier="second")
    carriers.get("second").advance("SC1", "delivered")
    fake.go_down(2)
    due_now()
    poll_due(budget=5)
    assert statuses(first)[1] == "dispatched"
    assert statuses(second)[1] == "delivered"
    health = LaneHealth.objects.get()
    assert (health.name, health.trips) == ("tracking:fake", 1)
    calls = len(asked(fake))
    due_now()
    poll_due(budget=5)
    assert len(asked(fake)) == calls  # it rests
    LaneHealth.objects.update(paused_until=timezone.now() - timedelta(seconds=1))
    due_now()
    poll_due(budget=5)
    assert len(asked(fake)) == calls + 1
    assert LaneHealth.objects.get().trips == 2
    fake.advance("FK1", "delivered")
    LaneHealth.objects.update(paused_until=timezone.now() - timedelta(seconds=1))
    due_now()
    poll_due(budget=5)
    assert statuses(first)[1] == "delivered"
    assert not LaneHealth.objects.exists()


def test_a_refusal_is_noted_and_does_not_stop_the_day(fake):
    order = on_the_way("FK1")
    fake.refuse("contract ended")
    due_now()
    poll_due(budget=5)
    assert "contract ended" in box(order).tracking_problem
    assert box(order).next_check_at > timezone.now()


def test_questions_grow_rare_and_end(fake):
    order = on_the_way("FK1")
    gaps = []
    for _time in range(4):
        due_now()
        before = timezone.now()
        poll_due(budget=5)
        gaps.append(round((box(order).next_check_at - before).total_seconds() / 60))
    assert gaps == [60, 120, 240, 240]
    Parcel.objects.update(dispatched_at=timezone.now() - timedelta(days=20))
    due_now()
    poll_due(budget=5)
    assert box(order).next_check_at > timezone.now() + timedelta(hours=23)
    Parcel.objects.update(dispatched_at=timezone.now() - timedelta(days=91))
    due_now()
    calls = len(asked(fake))
    poll_due(budget=5)
    assert box(order).next_check_at is None
    assert len(asked(fake)) == calls


def test_a_carrier_that_left_the_settings_is_not_asked_for():
    order = on_the_way("FK1")
    due_now()
    with fake_carriers() as _carrier:
        Parcel.objects.update(carrier="gone")
        assert poll_due(budget=5) == {}
    assert box(order).next_check_at is None


def test_two_workers_ask_once(fake):
    order = on_the_way("FK1")
    due_now()
    parcel = box(order)
    now = timezone.now()
    assert tracking_polls._claim(parcel, fake, now)
    assert not tracking_polls._claim(parcel, fake, now)


def test_a_person_asks_now_and_hears_why_not(fake):
    order = two_boxes("FK1", "FK2")
    ids = list(Parcel.objects.values_list("pk", flat=True))
    fake.advance("FK1", "in_transit")
    assert refresh_parcels(ids) == 1
    fake.go_down(1)
    with pytest.raises(AdapterUnavailable):
        refresh_parcels(ids)
    fake.refuse("no contract")
    with pytest.raises(AdapterRejected, match="no contract"):
        refresh_parcels(ids)
    assert statuses(order)[1] == "dispatched"
    assert refresh_parcels([box(on_the_way("X1", carrier="other")).pk]) == 0
