"""TIPSA against the simulator over HTTP: the contract, sessions, refused logins, faults, old encodings."""

import logging
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import urllib3
from django.conf import settings
from django.core.cache import cache
from django.test import override_settings

from oscar_fulfillment.carriers.events import Address, Distance, IncidentClass, TrackingState
from oscar_fulfillment.carriers.soap import SoapFault
from oscar_fulfillment.carriers.tipsa import Tipsa
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable
from oscar_fulfillment.services.tracking_polls import poll_due
from oscar_fulfillment.test.carrier_contract import CarrierContract
from sandbox.simulators import tipsa as simulation
from sandbox.simulators.base import serve

from .parcels import box, due_now, on_the_way, statuses

pytestmark = [pytest.mark.feature("E13"), pytest.mark.usefixtures("forgetful")]
OURS = f"{simulation.AGENCY}{simulation.AGENCY}"


@pytest.fixture
def forgetful():
    """What earlier tests were refused is forgotten."""
    cache.clear()


class Clock:
    def __init__(self):
        self.at = datetime.now(UTC)

    def __call__(self):
        return self.at

    def later(self, **delta):
        self.at += timedelta(**delta)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def driver(clock):
    return simulation.Tipsa(now=clock)


@pytest.fixture
def address(driver):
    with serve(driver) as base:
        yield base


def account(address, clock=None, **changes):
    options = {"agency": simulation.AGENCY, "customer": simulation.CUSTOMER, "password": simulation.PASSWORD}
    carrier = Tipsa(alias="tipsa", base_url=address, read_timeout=1.0, **{**options, **changes})
    if clock is not None:
        carrier.session._clock = lambda: clock.at.timestamp()
    return carrier


@pytest.fixture
def carrier(address, clock):
    return account(address, clock)


class TestContract(CarrierContract):
    codes = {
        "0280020280020000000001": "0280020280020000000001",
        " 028002 028002 0000000001 ": "0280020280020000000001",
        "0000000001": "0280020280020000000001",
    }
    wrong_codes = ("123", "00000000001", "02800202800200000000012", "O280020280020000000001")
    unknown_code = f"{OURS}9999999999"
    secrets = (simulation.PASSWORD, "Pr%20", "&lt;tipsa")
    near = Address(name="Ana", line1="Calle Mayor 1", city="Rascafria", postcode="28740", country="ES")
    nowhere = Address(name="Ana", city="Macondo", postcode="99999", country="ES")

    @pytest.fixture
    def carrier(self, address):
        return account(address)

    @pytest.fixture
    def driver(self):
        return simulation.Tipsa()

    @pytest.fixture
    def stranger(self, address):
        return account(address, password="wrong")


class TestOldServer(TestContract):
    """Latin-1 that nobody declares, and faults with a proper status."""

    @pytest.fixture
    def driver(self):
        vendor = simulation.Tipsa()
        vendor.encoding, vendor.declare, vendor.fault_status = "latin-1", False, 500
        return vendor


def parcel(driver, *steps, **changes):
    code = driver.parcel()
    for step in steps:
        driver.advance(code, step, **changes)
    return code


def states(carrier, code):
    [tracked] = carrier.track([code])
    return [event.state for event in tracked.events]


# Sessions


def test_one_login_serves_many_parcels(carrier, driver):
    codes = [parcel(driver, "in_transit") for _number in range(4)]
    assert [states(carrier, code) for code in codes] == [[TrackingState.IN_TRANSIT]] * 4
    assert driver.logins() == 1


def test_a_session_that_ends_between_two_questions_about_a_parcel_is_renewed(carrier, driver):
    code = parcel(driver, "in_transit", "attempt_failed")
    statuses = driver.statuses

    def last_answer(asked):
        driver.revoke_tokens()
        driver.statuses = statuses
        return statuses(asked)

    driver.statuses = last_answer
    [tracked] = carrier.track([code])
    assert [event.code for event in tracked.events] == ["EST/1", "INC/AS"]
    assert driver.logins() == 2


def test_a_session_ends_by_itself(carrier, driver, clock):
    code = parcel(driver, "in_transit")
    assert states(carrier, code) == [TrackingState.IN_TRANSIT]
    clock.later(minutes=26)
    assert states(carrier, code) == [TrackingState.IN_TRANSIT]
    assert driver.logins() == 2


def test_threads_share_one_login(carrier, driver):
    codes = [parcel(driver, "in_transit") for _number in range(4)]
    found = {}
    threads = [threading.Thread(target=lambda code=code: found.update({code: states(carrier, code)})) for code in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert set(found) == set(codes)
    assert driver.logins() == 1


def test_a_session_that_is_never_known_costs_two_logins_and_not_more(carrier, driver, clock):
    code = parcel(driver, "in_transit")
    driver.token_life = timedelta(0)
    for _time in range(5):
        with pytest.raises(AdapterUnavailable):
            carrier.track([code])
    assert driver.logins() == 2
    driver.token_life = timedelta(minutes=25)
    clock.later(minutes=11)
    assert states(carrier, code) == [TrackingState.IN_TRANSIT]
    assert driver.logins() == 3


# Refused logins


def logins(driver):
    return [call for call in driver.calls if b"LoginCli2" in call[3]]


def test_a_wrong_password_is_tried_once_in_ten_minutes(address, driver, clock):
    code, stranger = parcel(driver, "in_transit"), account(address, clock, password="wrong")
    for _time in range(20):
        with pytest.raises(AdapterRejected, match="1: Cliente o password incorrecto") as refused:
            stranger.track([code])
    assert len(logins(driver)) == 1
    assert "wrong" not in str(refused.value)
    clock.later(minutes=11)
    with pytest.raises(AdapterRejected):
        stranger.track([code])
    assert len(logins(driver)) == 2


def test_other_workers_know_of_the_refusal_and_the_right_password_need_not_wait(address, driver, clock):
    code = parcel(driver, "in_transit")
    for _worker in range(3):
        with pytest.raises(AdapterRejected):
            account(address, clock, password="wrong").track([code])
    assert len(logins(driver)) == 1
    assert states(account(address, clock), code) == [TrackingState.IN_TRANSIT]


def test_a_blocked_address_rests_for_ten_minutes_whoever_asks(carrier, address, driver, clock):
    code = parcel(driver, "in_transit")
    driver.block()
    for asking in (carrier, carrier, account(address, clock), account(address, clock, customer="44444")):
        with pytest.raises(AdapterUnavailable, match="3: IP bloqueada"):
            asking.track([code])
    assert len(logins(driver)) == 1
    clock.later(minutes=9)
    with pytest.raises(AdapterUnavailable):
        carrier.track([code])
    assert len(logins(driver)) == 1
    clock.later(minutes=2)
    assert states(carrier, code) == [TrackingState.IN_TRANSIT]
    assert len(logins(driver)) == 2


def test_a_login_that_got_no_answer_is_no_refusal(carrier, driver):
    code = parcel(driver, "in_transit")
    for kind in ("cut_before", "cut_after", "busy", "garbage"):
        driver.fail_next(kind)
        with pytest.raises(AdapterUnavailable):
            carrier.track([code])
    assert states(carrier, code) == [TrackingState.IN_TRANSIT]


def test_an_inactive_customer_is_a_refusal_without_a_fault_too(carrier, driver, monkeypatch):
    code = parcel(driver, "in_transit")
    monkeypatch.setattr(driver, "log_in", lambda asked: {"Result": "false", "strError": "4", "strSesion": ""})
    for _time in range(2):
        with pytest.raises(AdapterRejected, match=r"\(4\)"):
            carrier.track([code])
    assert len(logins(driver)) == 1


def test_a_login_that_fails_for_another_reason_is_tried_later(carrier, driver, clock, monkeypatch):
    code = parcel(driver, "in_transit")

    def crash(asked):
        raise driver.fault("EAccessViolation", "Access violation at address 00000000")

    for broken in (crash, lambda asked: {"Result": "true", "strError": "0", "strSesion": ""}, lambda asked: {}):
        monkeypatch.setattr(driver, "log_in", broken)
        before = len(logins(driver))
        for _time in range(2):
            with pytest.raises(AdapterUnavailable, match="no login at the moment"):
                carrier.track([code])
        assert len(logins(driver)) == before + 1
        clock.later(minutes=11)
    monkeypatch.undo()
    assert states(carrier, code) == [TrackingState.IN_TRANSIT]


# Incidents


def test_an_incident_names_what_went_wrong_and_its_solution_follows(carrier, driver, clock):
    code = parcel(driver, "in_transit", "attempt_failed")
    [tracked] = carrier.track([code])
    assert [(event.code, event.state, event.incident) for event in tracked.events] == [
        ("EST/1", TrackingState.IN_TRANSIT, None),
        ("INC/AS", TrackingState.DELIVERY_FAILED, IncidentClass.ABSENT),
    ]
    assert tracked.events[1].note == "No abre nadie, 2ª planta"
    clock.later(hours=2)
    driver.solve(code)
    [again] = carrier.track([code])
    assert again.events[:2] == tracked.events
    assert (again.events[2].code, again.events[2].state) == ("INC/AS/RESUELTA", TrackingState.INFO)
    assert again.events[2].occurred_at - tracked.events[1].occurred_at > timedelta(hours=1, minutes=59)


def test_html_in_a_note_stays_text(carrier, driver):
    note = '<b onclick="x()">Portal & 3º</b> <script>alert(1)</script> ]]> &amp;lt;'
    code = parcel(driver, "attempt_failed", note=note)
    [event] = carrier.track([code])[0].events
    assert event.note == note


def test_incidents_are_asked_for_only_where_there_is_trouble(carrier, driver):
    carrier.track([parcel(driver, "announced", "collected", "in_transit", "out_for_delivery", "delivered")])
    assert not [call for call in driver.calls if b"ConsEnvIncidencias" in call[3]]
    carrier.track([parcel(driver, "on_hold")])
    assert len([call for call in driver.calls if b"ConsEnvIncidencias" in call[3]]) == 1


def test_a_parcel_on_its_way_back_is_never_delivered(carrier, driver):
    code = parcel(driver, "in_transit", "returned", "out_for_delivery", "delivered")
    [tracked] = carrier.track([code])
    assert [(event.state, event.is_return) for event in tracked.events] == [
        (TrackingState.IN_TRANSIT, False),
        (TrackingState.RETURNED, True),
        (TrackingState.OUT_FOR_DELIVERY, True),
        (TrackingState.RETURNED, True),
    ]


# What may be asked


def test_the_password_goes_as_it_is_and_nowhere_else(carrier, driver, caplog):
    caplog.set_level(logging.DEBUG)
    carrier.track([parcel(driver, "in_transit")])
    [login] = logins(driver)
    assert b"<t:strPass>Pr%20#23&amp;&lt;tipsa&gt;</t:strPass>" in login[3]
    assert not [call for call in driver.calls if call is not login and b"Pr%20" in call[3]]
    assert "Pr%20" not in caplog.text + repr(vars(carrier)) + repr(carrier.session)


def test_a_code_of_another_shape_is_not_asked_for(carrier, driver):
    [tracked] = carrier.track(["AA123456785BR"])
    assert tracked.problem == "not_found"
    assert not driver.calls


def test_a_fault_about_a_parcel_is_a_refusal_and_not_the_end_of_the_session(carrier, driver, monkeypatch):
    code = parcel(driver, "in_transit")

    def refuse(asked):
        raise driver.fault("Exception", "3: Usuario no permitido.")

    monkeypatch.setattr(driver, "statuses", refuse)
    with pytest.raises(SoapFault, match="Usuario no permitido") as fault:
        carrier.track([code])
    assert fault.value.code == "Exception"
    monkeypatch.undo()
    assert states(carrier, code) == [TrackingState.IN_TRANSIT]
    assert driver.logins() == 1


@pytest.mark.parametrize("text", ["4: El envío no existe.", "No se ha encontrado el envío", "No se encuentra"])
def test_a_fault_that_says_so_is_a_parcel_that_is_not_known(carrier, driver, monkeypatch, text):
    def missing(asked):
        raise driver.fault("Exception", text)

    monkeypatch.setattr(driver, "statuses", missing)
    assert carrier.track([f"{OURS}0000000001"])[0].problem == "not_found"


@pytest.mark.parametrize("document", ["<CONSULTA>", "<!DOCTYPE x [<!ENTITY a 'b'>]><CONSULTA/>", "text"])
def test_a_document_of_one_parcel_that_cannot_be_read_is_that_parcels_trouble(carrier, driver, monkeypatch, document):
    code = parcel(driver, "attempt_failed")
    inside = document.replace("<", "&lt;")
    for operation, field in (("statuses", "strEnvEstados"), ("incidents", "strEnvIncidencias")):
        with monkeypatch.context() as patch:
            patch.setattr(driver, operation, lambda asked, field=field: {field: inside})
            with pytest.raises(AdapterRejected, match="cannot be read"):
                carrier.track([code])
    assert states(carrier, code) == [TrackingState.DELIVERY_FAILED]


def test_a_change_whose_answer_is_lost_may_have_been_done(carrier, driver):
    carrier.track([parcel(driver, "in_transit")])
    driver.fail_next("cut_after")
    with pytest.raises(AdapterUnanswered):
        carrier.session.call("ConsKilometros", changes=True, strPobla="Madrid", strCP="28001")
    driver.fail_next("cut_after")
    with pytest.raises(AdapterUnavailable) as caught:
        carrier.session.call("ConsKilometros", strPobla="Madrid", strCP="28001")
    assert not isinstance(caught.value, AdapterUnanswered)


def test_distances(carrier, driver):
    def to(**changes):
        return carrier.distance(
            Address(**{"name": "Ana", "city": "Madrid", "postcode": "28001", "country": "ES"} | changes)
        )

    assert to() == Distance(Decimal("4.5"))
    assert to(city=" rascafria ", postcode=" 28740 ") == Distance(Decimal("91.25"))
    assert to(city="Macondo") is None
    asked = len(driver.calls)
    assert [to(country="FR"), to(country=""), to(city=""), to(postcode=" ")] == [None] * 4
    assert len(driver.calls) == asked


# In the shop


@pytest.fixture
def shop(address):
    options = {
        "agency": simulation.AGENCY,
        "customer": simulation.CUSTOMER,
        "password": simulation.PASSWORD,
        "base_url": address,
    }
    declared = {"tipsa": {"BACKEND": "oscar_fulfillment.carriers.tipsa.Tipsa", "OPTIONS": options}}
    with override_settings(OSCAR_FULFILLMENT={**settings.OSCAR_FULFILLMENT, "CARRIERS": declared}):
        yield


@pytest.mark.django_db
@pytest.mark.usefixtures("shop")
def test_a_batch_is_read_to_its_end_though_the_session_ends_and_a_parcel_is_refused(driver, monkeypatch):
    orders = {number: on_the_way(f"{number:010d}", carrier="tipsa") for number in range(1, 7)}
    code = {number: f"{OURS}{number:010d}" for number in orders}
    for number in orders:
        driver.advance(code[number], "in_transit")
    driver.advance(code[2], "attempt_failed", note="<script>alert(1)</script>")
    driver.advance(code[6], "delivered")
    statuses_of, asked = driver.statuses, []

    def statuses_for(question):
        asked.append(question.parameters["strAlbaran"])
        if len(asked) == 3:
            driver.revoke_tokens()
        if asked[-1] == "0000000004":
            raise driver.fault("Exception", "3: Usuario no permitido.")
        return statuses_of(question)

    monkeypatch.setattr(driver, "statuses", statuses_for)
    due_now()
    assert poll_due(budget=30) == {"tipsa": 6}
    found = {number: box(order) for number, order in orders.items()}
    assert {number: parcel.tracking_state for number, parcel in found.items()} == {
        1: "in_transit", 2: "delivery_failed", 3: "in_transit", 4: "", 5: "in_transit", 6: "delivered",
    }  # fmt: skip
    assert found[1].tracking_code == code[1]
    assert "Usuario no permitido" in found[4].tracking_problem
    assert (found[2].incident, found[2].events.get(code="INC/AS").note) == ("absent", "<script>alert(1)</script>")
    assert statuses(orders[6]) == ("paid", "delivered")
    assert driver.logins() == 2
    due_now()
    assert poll_due(budget=30) == {"tipsa": 5}
    assert found[2].events.count() == 2


# The simulator


def test_the_simulator_takes_no_entities_and_no_other_methods(address):
    def post(body, service="WebServService"):
        return urllib3.request("POST", f"{address}/SOAP?service={service}", body=body, retries=False)

    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
    for body in (bomb, b"", b"<x/>", b"{}"):
        answer = post(body)
        assert (answer.status, b"faultcode" in answer.data) == (400, True)
    other = (
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="http://tempuri.org/">'
        b"<s:Body><t:WebServService___BorraEnvio/></s:Body></s:Envelope>"
    )
    assert b"Unknown method" in post(other).data
    assert b"Unknown method" in post(other.replace(b"BorraEnvio", b"ConsEnvEstados"), "LoginWSService").data
