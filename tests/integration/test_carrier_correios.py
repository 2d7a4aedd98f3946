"""The Correios adapter against its simulator over HTTP."""

import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.utils.translation import override

from oscar_fulfillment.carriers.base import Capability
from oscar_fulfillment.carriers.correios import Correios
from oscar_fulfillment.carriers.events import IncidentClass, TrackingState
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable, ConfigurationError
from oscar_fulfillment.selectors.tracking import sum_up
from oscar_fulfillment.test.carrier_contract import CarrierContract
from sandbox.simulators import correios as simulation
from sandbox.simulators.base import serve

pytestmark = pytest.mark.feature("A13")

LOGIN, OBJECTS = "/token/v1/autentica/cartaopostagem", "/srorastro/v1/objetos"


@pytest.fixture
def driver():
    return simulation.Correios()


@pytest.fixture
def connect(driver):
    with serve(driver) as address:

        def connected(**options):
            account = {"user": simulation.USER, "access_code": simulation.ACCESS_CODE, "card": simulation.CARD}
            values = {**account, "base_url": address, "read_timeout": 1.0, **options}
            return Correios(alias="correios", **values)

        yield connected


@pytest.fixture
def carrier(connect):
    return connect()


def calls(driver, path):
    return [call for call in driver.calls if call[1] == path]


class TestContract(CarrierContract):
    codes = {" aa 123456785 br\n": "AA123456785BR", "AA-12345678.5/BR": "AA123456785BR"}
    wrong_codes = ("AA123456784BR", "AA123456785CN", "123", "ME00000001BR")
    unknown_code = "AA999999995BR"
    secrets = (simulation.ACCESS_CODE, "wrong-access-code")

    @pytest.fixture
    def carrier(self, connect):
        return connect()

    @pytest.fixture
    def driver(self, driver):
        return driver

    @pytest.fixture
    def stranger(self, connect):
        return connect(access_code="wrong-access-code")


class TestContractWithoutAccount(CarrierContract):
    """As it always was: it reads codes and links."""

    codes = TestContract.codes
    wrong_codes = TestContract.wrong_codes

    @pytest.fixture
    def carrier(self):
        return Correios(alias="correios")

    @pytest.fixture
    def driver(self):
        return simulation.Correios()


# The account


def test_without_an_account_it_links_and_with_one_it_can_be_asked(carrier):
    link = {Capability.TRACKING_URL, Capability.MAILS_TRACKING_LINK}
    assert Correios(alias="correios").capabilities == link
    assert carrier.capabilities == link | {Capability.TRACK}
    assert (carrier.track_batch, carrier.is_generic) == (50, False)


@pytest.mark.parametrize(
    "options",
    [
        {"user": "x"},
        {"user": "x", "access_code": "y"},
        {"card": "1"},
        {"user": "x", "access_code": "y", "card": "1", "time_zone": "Brazil/Nowhere"},
        {"user": "x", "access_code": "y", "card": "1", "time_zone": 3},
        {"user": "x", "access_code": "y", "card": "1", "base_url": "ftp://api.correios.com.br"},
        {"user": "x", "access_code": "y", "card": "1", "base_url": ""},
    ],
)
def test_half_an_account_is_a_mistake_of_the_settings(options):
    with pytest.raises(ConfigurationError):
        Correios(alias="correios", **options)


def test_a_wrong_card_is_explained_in_the_words_of_correios(connect):
    with pytest.raises(AdapterRejected, match=r"Correios refused: TKN-012: Cartão de postagem inválido\.") as caught:
        connect(card="1").track(["AA123456785BR"])
    assert caught.value.status == 400


def test_a_contract_without_tracking_is_refused_after_one_renewal(driver, carrier):
    driver.has_tracking = False
    with pytest.raises(AdapterRejected, match="lacks the tracking API") as caught:
        carrier.track([driver.parcel()])
    assert caught.value.status == 403
    assert (len(calls(driver, LOGIN)), len(calls(driver, OBJECTS))) == (2, 2)


# Tokens


def test_one_token_serves_many_questions(driver, carrier):
    for _time in range(3):
        carrier.track([driver.parcel()])
    assert (len(calls(driver, LOGIN)), len(calls(driver, OBJECTS))) == (1, 3)


def test_a_token_is_renewed_half_an_hour_before_it_ends(driver, carrier, monkeypatch):
    seconds = 0.0
    monkeypatch.setattr("oscar_fulfillment.carriers.tokens.time.monotonic", lambda: seconds)
    driver.token_life = timedelta(hours=2)
    for seconds, logins in ((0.0, 1), (5_390.0, 1), (5_410.0, 2), (5_420.0, 2)):
        carrier.track([driver.parcel()])
        assert driver.logins() == logins, seconds


def test_a_short_token_is_used_for_half_of_its_life(driver, carrier, monkeypatch):
    seconds = 0.0
    monkeypatch.setattr("oscar_fulfillment.carriers.tokens.time.monotonic", lambda: seconds)
    driver.token_life = timedelta(minutes=20)
    for seconds, logins in ((0.0, 1), (590.0, 1), (610.0, 2)):
        carrier.track([driver.parcel()])
        assert driver.logins() == logins, seconds


def test_many_at_once_with_an_ended_token_all_get_their_answer(driver, carrier):
    codes = [driver.parcel() for _number in range(8)]
    for code in codes:
        driver.advance(code, "in_transit")
    carrier.track(codes)
    driver.revoke_tokens()
    answers, errors = [], []

    def ask(code):
        try:
            answers.extend(carrier.track([code]))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=ask, args=[code]) for code in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sorted(answer.code for answer in answers) == sorted(codes)
    assert all(answer.events for answer in answers)


@pytest.mark.parametrize(
    "document",
    [b"{}", b"[]", b"null", b'{"token": ""}', b'{"token": 7}', b'{"token": "a b"}', b'{"token": "x\\r\\nX-Y: 1"}',
     b'{"token": "\xc3\xbc"}'],
)  # fmt: skip
def test_an_answer_without_a_token_is_tried_later(driver, carrier, document):
    driver.answer_next(document)
    with pytest.raises(AdapterUnavailable):
        carrier.track([driver.parcel()])
    assert carrier.track([driver.parcel()])


@pytest.mark.parametrize("end", ["", "soon", "9999-99-99T00:00:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59"])
def test_a_token_of_unreadable_life_is_used(driver, carrier, end):
    token = driver.issue_token()
    driver.answer_next(f'{{"token": "{token}", "expiraEm": "{end}"}}'.encode())
    code = driver.parcel()
    driver.advance(code, "in_transit")
    assert carrier.track([code])[0].events


# Questions


def test_the_question_is_asked_as_correios_wants_it(driver, carrier):
    driver.advance("AA000000014BR", "in_transit")
    carrier.track(["AA000000014BR", "AA000000028BR"])
    [(method, _path, headers, _body)] = calls(driver, OBJECTS)
    assert (method, headers["Accept-Language"]) == ("GET", "pt-BR")
    assert headers["Authorization"].startswith("Bearer ")
    [(method, _path, headers, body)] = calls(driver, LOGIN)
    assert (method, headers["Authorization"][:6], body) == ("POST", "Basic ", b'{"numero":"0067599079"}')


def test_more_than_fifty_codes_are_refused_before_anything_is_asked(driver, carrier):
    codes = [driver.parcel() for _number in range(51)]
    with override("en"), pytest.raises(AdapterRejected, match="at most 50 codes"):
        carrier.track(codes)
    assert not driver.calls
    assert len(carrier.track(codes[:50])) == 50


@pytest.mark.parametrize(
    "code", ["", "A", "AA123456785BR,AA000000014BR", "../token", "aa123456785br", "ÄÄ123456785BR", "A" * 5_000]
)
def test_what_is_no_code_of_a_post_is_not_asked_for(driver, carrier, code):
    driver.advance("AA000000014BR", "in_transit")
    odd, known = carrier.track([code, "AA000000014BR"])
    assert (odd.code, odd.problem, odd.events) == (code, "not_found", ())
    assert known.events
    assert [answer.problem for answer in carrier.track([code])] == ["not_found"]
    assert len(calls(driver, OBJECTS)) == 1


def test_a_code_asked_twice_is_answered_once(driver, carrier):
    code = driver.parcel()
    driver.advance(code, "in_transit")
    assert [answer.code for answer in carrier.track([code, code])] == [code]


def test_an_object_that_is_not_posted_yet_is_found_later(driver, carrier):
    assert carrier.track(["AA000000014BR"])[0].problem == "not_found"
    driver.advance("AA000000014BR", "collected")
    assert [event.state for event in carrier.track(["AA000000014BR"])[0].events] == [TrackingState.PICKED_UP]


# What is told


def test_times_are_of_brasilia(driver, carrier):
    driver.now = lambda: datetime(2026, 3, 2, 2, 30, tzinfo=UTC)  # 23:30 of the day before in Brasília
    driver.advance("AA000000014BR", "in_transit")
    [event] = carrier.track(["AA000000014BR"])[0].events
    assert event.occurred_at == datetime(2026, 3, 2, 2, 30, tzinfo=UTC)
    assert event.occurred_at.strftime("%Y-%m-%d %H:%M %z") == "2026-03-01 23:30 -0300"


def test_a_parcel_on_its_way_is_told_with_its_places(driver, carrier):
    for step in ("collected", "in_transit", "attempt_failed", "delivered"):
        driver.advance("AA000000014BR", step)
    events = carrier.track(["AA000000014BR"])[0].events
    told = [(event.code, event.state, event.incident, event.place) for event in events]
    assert told == [
        ("PO/01", TrackingState.PICKED_UP, None, "Agência dos Correios, SAO PAULO/SP"),
        ("DO/01", TrackingState.IN_TRANSIT, None, "Unidade de Tratamento, CAJAMAR/SP → CURITIBA/PR"),
        ("BDE/20", TrackingState.DELIVERY_FAILED, IncidentClass.ABSENT, "Unidade de Distribuição, CURITIBA/PR"),
        ("BDE/01", TrackingState.DELIVERED, None, "Unidade de Distribuição, CURITIBA/PR"),
    ]
    assert (events[-1].text, events[-1].note) == ("Objeto entregue ao destinatário", "Recebido por: ANNA EXAMPLE")


def stands(carrier, code, now=None):
    return sum_up(carrier.track([code])[0].events, now or datetime.now(UTC)).state


def test_a_delivery_that_is_taken_back_leaves_the_parcel_where_it_was(driver, carrier):
    for step in ("collected", "out_for_delivery", "delivered"):
        driver.advance("AA000000014BR", step)
    assert stands(carrier, "AA000000014BR") == TrackingState.DELIVERED
    driver.advance("AA000000014BR", "correction")
    assert stands(carrier, "AA000000014BR") == TrackingState.OUT_FOR_DELIVERY


def test_what_is_under_way_to_the_sender_is_not_under_way_to_the_recipient(driver, carrier):
    for step, state in (
        ("collected", TrackingState.PICKED_UP),
        ("returning", TrackingState.RETURNING),
        ("in_transit", TrackingState.RETURNING),
        ("attempt_failed", TrackingState.RETURNING),
        ("ready_for_pickup", TrackingState.RETURNING),
        ("returned", TrackingState.RETURNED),
    ):
        driver.advance("AA000000014BR", step)
        assert stands(carrier, "AA000000014BR") == state, step


def test_a_way_back_that_was_a_mistake_is_none(driver, carrier):
    for step in ("collected", "returning", "correction", "out_for_delivery"):
        driver.advance("AA000000014BR", step)
    assert stands(carrier, "AA000000014BR") == TrackingState.OUT_FOR_DELIVERY


def test_an_unknown_code_is_kept_by_its_name_and_nobody_is_alarmed(driver, carrier, caplog):
    caplog.set_level(logging.WARNING)
    driver.advance("AA000000014BR", "unknown")
    [event] = carrier.track(["AA000000014BR"])[0].events
    assert (event.code, event.state, event.text) == ("XPT/77", TrackingState.UNKNOWN, "Objeto em situação nova")
    assert not caplog.records
