"""Melhor Envio's words and documents in ours, without a network."""

import json
import pathlib
import zoneinfo
from datetime import UTC, datetime

import pytest
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.carriers.events import IncidentClass, Tracked, TrackingState
from oscar_fulfillment.carriers.melhor_envio_mapping import (
    CODES,
    events_from,
    explained,
    hint_from,
    id_of,
    is_ping,
    named,
)
from oscar_fulfillment.core.exceptions import AdapterRejected
from oscar_fulfillment.core.http import Answer
from oscar_fulfillment.test.carrier_case import CarrierCase, identity

from .test_carrier_correios import PATIENT, anything

pytestmark = pytest.mark.feature("Z15")

DATA = pathlib.Path(__file__).parent.parent / "data" / "melhor_envio"
BRASILIA = zoneinfo.ZoneInfo("America/Sao_Paulo")
S, I = TrackingState, IncidentClass  # noqa: E741
DELIVERED, CANCELLED = "76343a9b-0000-4000-8000-59b0d0a48a26", "164ad792-0000-4000-8000-2b7d25d82d09"


def recorded(name):
    return Answer(200, {}, (DATA / name).read_bytes()).json()


def told(document):
    return [(event.code, event.state) for event in events_from(document, BRASILIA)]


@pytest.mark.parametrize(
    ("code", "state", "incident"),
    [
        ("order.created", S.PENDING, None),
        ("order.pending", S.PENDING, None),
        ("order.released", S.PENDING, None),
        ("order.generated", S.PENDING, None),
        ("order.received", S.PICKED_UP, None),
        ("order.posted", S.IN_TRANSIT, None),
        ("order.delivered", S.DELIVERED, None),
        ("order.undelivered", S.DELIVERY_FAILED, I.DELIVERY_FAILED),
        ("order.cancelled", S.CANCELLED, None),
        ("order.paused", S.ON_HOLD, I.HELD),
        ("order.suspended", S.ON_HOLD, I.HELD),
        ("order.expired", S.CANCELLED, None),
    ],
)
def test_every_word_has_its_meaning(code, state, incident):
    assert (CODES[code].state, CODES[code].incident) == (state, incident)
    assert CODES[code].text
    assert len(CODES) == 12


def test_recorded_labels_are_read():
    labels = recorded("tracking.json")
    assert told(labels[DELIVERED]) == [
        ("order.created", S.PENDING),
        ("order.released", S.PENDING),
        ("order.generated", S.PENDING),
        ("order.posted", S.IN_TRANSIT),
        ("order.delivered", S.DELIVERED),
    ]
    assert events_from(labels[DELIVERED], BRASILIA)[-1].occurred_at == datetime(2026, 3, 4, 17, 0, tzinfo=UTC)
    assert told(labels[CANCELLED]) == [("order.created", S.PENDING), ("order.cancelled", S.CANCELLED)]


def test_a_recorded_notification_is_read():
    hint = hint_from((DATA / "webhook_posted.json").read_bytes(), BRASILIA)
    assert (hint.tracking_code, hint.external_id, hint.kind) == ("AA123456785BR", DELIVERED, "order.posted")
    assert [event.code for event in hint.events][-1] == "order.posted"
    assert hint.events[-1].occurred_at == datetime(2026, 3, 2, 13, 0, tzinfo=UTC)


def test_the_same_moments_are_the_same_events_however_they_were_told():
    label = recorded("tracking.json")[DELIVERED]
    notified = json.loads((DATA / "webhook_posted.json").read_bytes())["data"]
    first, second = (set(map(identity, events_from(document, BRASILIA))) for document in (label, notified))
    assert second < first


@pytest.mark.parametrize(
    ("changes", "last"),
    [
        ({"status": "undelivered"}, ("order.undelivered", S.DELIVERY_FAILED)),
        ({"status": "suspended"}, ("order.suspended", S.ON_HOLD)),
        ({"status": "Paused"}, ("order.paused", S.ON_HOLD)),
        ({"status": "posted"}, ("order.posted", S.IN_TRANSIT)),
        ({"status": "released"}, ("order.posted", S.IN_TRANSIT)),
        ({"status": "canceled"}, ("order.cancelled", S.CANCELLED)),
        ({"status": "delivered"}, ("order.delivered", S.DELIVERED)),
        ({"status": "in_orbit"}, ("order.in_orbit", S.UNKNOWN)),
        ({"status": None}, ("order.posted", S.IN_TRANSIT)),
        ({"status": {"a": 1}}, ("order.posted", S.IN_TRANSIT)),
        ({"status": "posted", "delivered_at": "2026-03-05 10:00:00"}, ("order.posted", S.IN_TRANSIT)),
        ({"status": "undelivered", "delivered_at": "2026-03-05 10:00:00"}, ("order.undelivered", S.DELIVERY_FAILED)),
        ({"status": "expired", "expired_at": "2026-03-05 10:00:00"}, ("order.expired", S.CANCELLED)),
    ],
)
def test_the_status_says_what_the_moments_do_not(changes, last):
    document = {"created_at": "2026-03-01 10:00:00", "posted_at": "2026-03-02 10:00:00", **changes}
    assert told(document)[-1] == last


def test_without_any_moment_nothing_is_known_to_have_happened():
    assert told({"status": "delivered"}) == told({}) == told({"status": "posted", "posted_at": "soon"}) == []


def test_a_label_is_found_by_any_of_its_codes_and_by_nothing_like_them():
    label = {"id": "a", "tracking": "AA123456785BR", "self_tracking": "me23", "protocol": "ORD-1", "other": "X123"}
    for code in ("AA123456785BR", "ME23", "ORD-1"):
        assert named(label, code)
    for code in ("AA123456785B", "X123", "", "A"):
        assert not named(label, code) or code == ""
    assert not named(None, "A")
    assert not named(["AA123456785BR"], "AA123456785BR")


def test_ids_of_orders():
    assert id_of({"id": DELIVERED}) == DELIVERED
    for odd in (None, {}, [], {"id": None}, {"id": 7}, {"id": ""}, {"id": "../x"}, {"id": "x" * 65}, {"id": "ä"}):
        assert id_of(odd) == ""


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b'{"message": "Unauthenticated."}', "does not accept the token"),
        (403, b"{}", "orders-read"),
        (
            422,
            b'{"message": "The given data was invalid.", "error": "E-1"}',
            "refused: The given data was invalid. / E-1",
        ),
        (400, b"<html>", "refused: 400"),
        (400, b'{"message": {"a": 1}}', "refused: 400"),
        (400, b"[" * 100_000, "refused: 400"),
    ],
)
def test_refusals_are_explained(status, body, words):
    with override("en"):
        error = explained(AdapterRejected("x", status=status, body=body))
    assert words in str(error)
    assert (error.status, error.body) == (status, body)


@PATIENT
@given(st.dictionaries(st.sampled_from(["id", "status", "tracking", "created_at", "posted_at", "delivered_at", "canceled_at"]),
                       anything | st.datetimes().map(str) | st.sampled_from(["posted", "delivered"])))  # fmt: skip
def test_whatever_a_label_holds_is_read_as_sound_events(document):
    events = events_from(document, BRASILIA)
    CarrierCase().sound(Tracked("ME1", events))
    assert events == events_from(document, BRASILIA)
    assert len(set(map(identity, events))) == len(events)
    if str(document.get("status", "")).lower() != "delivered":
        assert not [event for event in events if event.state == S.DELIVERED]


@PATIENT
@given(st.binary(max_size=200) | anything.map(lambda value: json.dumps({"event": value, "data": value}).encode())
       | anything.map(lambda value: json.dumps({"data": {"id": "a-1", "status": value, "tracking": value}}).encode()))  # fmt: skip
def test_whatever_is_sent_is_a_hint_or_rejected(body):
    try:
        hint = hint_from(body, BRASILIA)
    except AdapterRejected:
        assert not is_ping(body)
        return
    assert hint.external_id.isascii()
    assert hint.tracking_code.isascii()
    assert len(hint.external_id + hint.tracking_code + hint.kind + hint.event_id) < 300
    assert (hint.external_id == "") == is_ping(body)
