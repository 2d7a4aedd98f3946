"""The Melhor Envio adapter against its simulator over HTTP."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.utils.translation import override

from oscar_fulfillment.carriers.base import Capability
from oscar_fulfillment.carriers.events import IncidentClass, TrackingState
from oscar_fulfillment.carriers.melhor_envio import MelhorEnvio
from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnavailable,
    ConfigurationError,
    WebhookVerificationFailed,
)
from oscar_fulfillment.selectors.tracking import sum_up
from oscar_fulfillment.test.carrier_contract import CarrierContract
from sandbox.simulators import melhor_envio as simulation
from sandbox.simulators.base import serve

pytestmark = pytest.mark.feature("Z15")

CONTACT = "Shop (shop@example.com)"
SEARCH, TRACKING = "/api/v2/me/orders/search", "/api/v2/me/shipment/tracking"


@pytest.fixture
def driver():
    return simulation.MelhorEnvio(deliver=lambda letter: 200, notification_url="https://shop.example/hook")


@pytest.fixture
def connect(driver):
    with serve(driver) as address:

        def connected(**options):
            values = {"token": simulation.TOKEN, "contact": CONTACT, "webhook_secrets": [simulation.SECRET]}
            return MelhorEnvio(alias="melhor_envio", **{**values, "base_url": address, "read_timeout": 1.0, **options})

        yield connected


@pytest.fixture
def carrier(connect):
    return connect()


def calls(driver, path):
    return [call for call in driver.calls if call[1] == path]


class Contract(CarrierContract):
    codes = {" me23 002owz7br": "ME23002OWZ7BR", "AA123456785BR": "AA123456785BR"}
    unknown_code = "ME99999999BR"
    open_to_pings = True
    keeps_history = False
    secrets = (simulation.TOKEN, simulation.SECRET, "a-wrong-token")

    @pytest.fixture
    def driver(self, driver):
        return driver

    @pytest.fixture
    def stranger(self, connect):
        return connect(token="a-wrong-token")


class TestContract(Contract):
    @pytest.fixture
    def carrier(self, connect):
        return connect()


class TestContractTold(Contract):
    """Without a token: it tells, and cannot be asked."""

    @pytest.fixture
    def carrier(self, connect):
        return connect(token="", contact="")


class TestContractAsked(Contract):
    """Without secrets: it can be asked, and what is sent to us is nobody's."""

    @pytest.fixture
    def carrier(self, connect):
        return connect(webhook_secrets=[])

    @pytest.fixture
    def driver(self, driver):
        driver.notification_url = ""
        driver.foreign = list
        return driver


# The account


def test_what_it_can_do_follows_from_what_it_was_given(connect):
    link = {Capability.TRACKING_URL}
    assert MelhorEnvio(alias="me").capabilities == link
    assert connect().capabilities == link | {Capability.TRACK, Capability.WEBHOOK}
    assert connect().tracking_url("ME1") == "https://www.melhorrastreio.com.br/rastreio/ME1"
    assert connect().matches("", "Melhor Envio - Jadlog")


@pytest.mark.parametrize(
    "options",
    [
        {"token": "x"},
        {"token": "x", "contact": "Loja Ação (x@example.com)"},
        {"token": "x", "contact": "Shop\r\nX-Y: 1"},
        {"token": "x", "token_source": "django.utils.timezone.now", "contact": CONTACT},
        {"token_source": "no.such.path", "contact": CONTACT},
        {"webhook_secrets": "a secret alone"},
        {"webhook_secrets": [""]},
        {"token": "x", "contact": CONTACT, "time_zone": "Brazil/Nowhere"},
        {"token": "x", "contact": CONTACT, "base_url": "melhorenvio.com.br"},
    ],
)
def test_wrong_settings_are_refused_at_once(options):
    with pytest.raises(ConfigurationError):
        MelhorEnvio(alias="melhor_envio", **options)


def test_refusals_are_explained(driver, connect):
    with pytest.raises(AdapterRejected, match="does not accept the token") as caught:
        connect(token="old").track(["ME1234"])
    assert caught.value.status == 401
    assert len(driver.calls) == 1  # one fixed token is not tried twice
    with pytest.raises(AdapterRejected, match="refused: User-Agent inválido"):
        connect(contact="nobody").track(["ME1234"])


def test_a_token_of_the_shop_is_asked_for_again_when_it_is_refused(driver, connect):
    given = iter(["first", "second", "third"])
    asked = []

    def source():
        asked.append(next(given))
        return asked[-1]

    carrier = connect(token="", token_source=source)
    driver.tokens = {"second"}
    code = driver.parcel()
    driver.advance(code, "in_transit")
    assert carrier.track([code])[0].events
    assert asked == ["first", "second"]
    assert carrier.track([code])[0].events
    assert asked == ["first", "second"]
    driver.tokens = set()
    with pytest.raises(AdapterRejected):
        carrier.track([code])
    assert asked == ["first", "second", "third"]


@pytest.mark.parametrize("token", ["", None, "x\r\ny: z", "ü"])
def test_a_shop_without_a_token_right_now_is_asked_later(driver, connect, token):
    carrier = connect(token="", token_source=lambda: token)
    with pytest.raises(AdapterUnavailable, match="no token"):
        carrier.track(["ME1234"])
    assert not driver.calls


# Questions


def test_a_code_is_searched_once_and_many_are_asked_for_together(driver, carrier):
    codes = [driver.parcel() for _number in range(5)]
    for _time in range(3):
        assert len(carrier.track(codes)) == 5
    assert (len(calls(driver, SEARCH)), len(calls(driver, TRACKING))) == (5, 3)
    [body] = {call[3] for call in calls(driver, TRACKING)}
    assert len(json.loads(body)["orders"]) == 5
    assert calls(driver, SEARCH)[0][2]["User-Agent"] == CONTACT


def test_a_code_that_only_begins_alike_is_another_parcel(driver, carrier):
    driver.parcel("ME1234567890BR")
    assert carrier.track(["ME1234567890XX"])[0].problem == "not_found"
    assert not calls(driver, TRACKING)
    assert carrier.track(["ME1234567890BR"])[0].problem == ""


def test_a_code_of_two_labels_belongs_to_none(driver, carrier):
    driver.answer_next(json.dumps([{"id": "a", "tracking": "ME12"}, {"id": "b", "self_tracking": "ME12"}]).encode())
    assert carrier.track(["ME12"])[0].problem == "not_found"


def test_a_label_that_is_gone_is_not_found(driver, carrier):
    code = driver.parcel()
    assert carrier.track([code])[0].events
    driver.answer_next(b"{}")
    assert carrier.track([code])[0].problem == "not_found"


def test_more_than_twenty_codes_are_refused_before_anything_is_asked(driver, carrier):
    with override("en"), pytest.raises(AdapterRejected, match="at most 20 codes"):
        carrier.track([f"ME{number:06d}" for number in range(21)])
    assert not driver.calls


@pytest.mark.parametrize("code", ["", "A", "../x", "ME1&x=1", "me1234", "ÄÄÄÄÄ", "M" * 5_000])
def test_what_is_no_code_is_not_asked_for(driver, carrier, code):
    assert [(answer.code, answer.problem) for answer in carrier.track([code])] == [(code, "not_found")]
    assert not driver.calls


def test_a_token_that_ends_in_the_middle_of_a_batch_loses_nothing(driver, connect):
    tokens = iter(["one", "two"])
    carrier = connect(token="", token_source=lambda: next(tokens))
    driver.tokens = {"one"}
    codes = [driver.parcel() for _number in range(3)]
    carrier.track(codes[:1])
    driver.tokens = {"two"}
    assert all(answer.events for answer in carrier.track(codes))


# What is told


def stands(carrier, code):
    return sum_up(carrier.track([code])[0].events, datetime.now(UTC)).state


def test_a_parcel_goes_its_way(driver, carrier):
    code = driver.parcel()
    for step, state in (
        ("announced", TrackingState.PENDING),
        ("collected", TrackingState.PICKED_UP),
        ("in_transit", TrackingState.IN_TRANSIT),
        ("attempt_failed", TrackingState.DELIVERY_FAILED),
        ("on_hold", TrackingState.ON_HOLD),
        ("delivered", TrackingState.DELIVERED),
    ):
        driver.advance(code, step)
        assert stands(carrier, code) == state, step
    told = [(event.code, event.state) for event in carrier.track([code])[0].events]
    assert told == [
        ("order.created", TrackingState.PENDING),
        ("order.generated", TrackingState.PENDING),
        ("order.posted", TrackingState.IN_TRANSIT),
        ("order.delivered", TrackingState.DELIVERED),
    ]


def test_a_failed_delivery_opens_a_case_and_is_one_event_however_often_it_is_asked(driver, carrier):
    code = driver.parcel()
    driver.advance(code, "in_transit")
    driver.advance(code, "attempt_failed")
    first, second = (carrier.track([code])[0].events for _time in range(2))
    assert first == second
    assert (first[-1].code, first[-1].incident) == ("order.undelivered", IncidentClass.DELIVERY_FAILED)
    assert first[-1].occurred_at - first[-2].occurred_at == timedelta(seconds=1)


def test_times_are_of_brasilia(driver, carrier):
    driver.now = lambda: datetime(2026, 3, 2, 2, 30, tzinfo=UTC)
    code = driver.parcel()
    driver.advance(code, "in_transit")
    assert {event.occurred_at for event in carrier.track([code])[0].events} == {datetime(2026, 3, 2, 2, 30, tzinfo=UTC)}


# Being told


def signed(driver, document, **changes):
    letter = driver.arrives(driver.signed(document))
    return ({**letter[0], **changes}, letter[1], letter[2])


@pytest.mark.parametrize("encoding", ["base64", "hex"])
def test_signatures_are_read_in_both_writings_and_with_each_secret(driver, connect, encoding):
    driver.encoding = encoding
    letter = signed(driver, {"event": "order.posted", "data": {"id": "a-1"}})
    connect(webhook_secrets=["new", simulation.SECRET]).verify(*letter)
    upper = {"x-me-signature": letter[0]["x-me-signature"].upper()}
    with pytest.raises(WebhookVerificationFailed):
        connect(webhook_secrets=["new"]).verify(*letter)
    with pytest.raises(WebhookVerificationFailed):
        connect().verify({}, letter[1], {})
    if encoding == "base64":
        with pytest.raises(WebhookVerificationFailed):
            connect().verify({**letter[0], **upper}, letter[1], {})


def test_the_same_document_written_otherwise_is_not_what_was_signed(driver, carrier):
    headers, body, query = signed(driver, {"event": "order.posted", "data": {"id": "a-1"}})
    carrier.verify(headers, body, query)
    with pytest.raises(WebhookVerificationFailed):
        carrier.verify(headers, json.dumps(json.loads(body), indent=1).encode(), query)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"event": "test"}', b'{"data": null}', b'{"data": []}', b'{"data": {"id": ""}}']
)
def test_the_trial_of_an_address_is_answered_and_says_nothing(carrier, body):
    carrier.verify({}, body, {})
    carrier.verify({"x-me-signature": "of somebody else"}, body, {})
    hint = carrier.parse_notification({}, body, {})
    # The same name each time: whoever sends many leaves one.
    assert (hint.event_id, hint.kind, hint.tracking_code, hint.external_id, hint.events) == ("ping", "ping", "", "", ())


@pytest.mark.parametrize(
    "body",
    [b"[]", b"null", b"7", b"<html>", b'{"data": {"id": "a-1"}}', b'{"data": {"id": 7}}', b'{"data": "x"}',
     b'{"event": "' + b"x" * 3_000 + b'"}'],
)  # fmt: skip
def test_everything_else_has_to_be_signed(carrier, body):
    with pytest.raises(WebhookVerificationFailed):
        carrier.verify({}, body, {})


@pytest.mark.parametrize(
    "data", [{"id": 7}, {"id": "../x"}, {"id": "x" * 65}, {"id": ["a"]}, {"id": "a b"}, "x", ["a"]]
)
def test_a_signed_message_whose_order_cannot_be_read_is_rejected(driver, carrier, data):
    letter = signed(driver, {"event": "order.posted", "data": data})
    carrier.verify(*letter)
    with pytest.raises(AdapterRejected):
        carrier.parse_notification(*letter)


def test_a_notification_names_the_parcel_and_its_link_is_not_looked_at(driver, carrier):
    code = driver.parcel()
    driver.advance(code, "delivered")
    [letter] = driver.received()
    assert b"evil.example" in letter[1]
    hint = carrier.parse_notification(*letter)
    assert (hint.tracking_code, hint.kind, hint.event_id) == (code, "order.delivered", "")
    assert [event.code for event in hint.events] == ["order.created", "order.delivered"]
    assert "evil" not in repr(hint)


def test_a_label_without_a_code_is_known_by_its_order(driver, carrier):
    letter = signed(driver, {"event": "order.created", "data": {"id": "a-1", "tracking": None, "status": "pending"}})
    hint = carrier.parse_notification(*letter)
    assert (hint.tracking_code, hint.external_id, hint.events) == ("", "a-1", ())
