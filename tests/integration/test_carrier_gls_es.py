"""GLS Spain against the simulator over HTTP: the contract, wrong credentials, both versions of SOAP."""

import pytest
import urllib3

from oscar_fulfillment.carriers.events import IncidentClass, TrackingState
from oscar_fulfillment.carriers.gls_es import GlsSpain
from oscar_fulfillment.carriers.soap import SoapFault
from oscar_fulfillment.core.exceptions import AdapterRejected
from oscar_fulfillment.test.carrier_contract import CarrierContract
from sandbox.simulators import gls_es as simulation
from sandbox.simulators.base import serve

pytestmark = pytest.mark.feature("E13")
OTHER = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def driver():
    return simulation.GlsSpain()


@pytest.fixture
def address(driver):
    with serve(driver) as base:
        yield base


def account(address, uid=simulation.UID):
    return GlsSpain(alias="gls_es", base_url=address, read_timeout=1.0, uid=uid)


@pytest.fixture
def carrier(address):
    return account(address)


class TestContract(CarrierContract):
    codes = {"61197140245758": "61197140245758", " 61197 140 245 758": "61197140245758", "ref-1/a": "REF-1/A"}
    unknown_code = "61197999999999"
    secrets = (simulation.UID,)

    @pytest.fixture
    def carrier(self, address):
        return account(address)

    @pytest.fixture
    def driver(self):
        return simulation.GlsSpain()

    @pytest.fixture
    def stranger(self, address):
        # A GUID of nobody reads as "no such parcel" (below): what GLS refuses is a text that is none.
        return account(address, uid="no GUID at all")


def test_another_customers_guid_knows_no_parcel_of_ours(address, driver):
    code = driver.parcel()
    driver.advance(code, "delivered")
    [tracked] = account(address, OTHER).track([code])
    assert (tracked.problem, tracked.events) == ("not_found", ())


def test_an_incident_comes_with_the_couriers_note(carrier, driver):
    code = driver.parcel()
    driver.advance(code, "out_for_delivery")
    driver.advance(code, "attempt_failed", text='AUSENTE -- <b onclick="x()">2ª planta</b> & portal -- 3')
    [tracked] = carrier.track([code])
    failed = tracked.events[-1]
    assert (failed.code, failed.state, failed.incident) == (
        "INCIDENCIA/9",
        TrackingState.DELIVERY_FAILED,
        IncidentClass.ABSENT,
    )
    assert (failed.text, failed.note) == ("AUSENTE", '<b onclick="x()">2ª planta</b> & portal -- 3')
    assert failed.place == "ALCOBENDAS"


def test_a_parcel_on_its_way_back_is_never_delivered(carrier, driver):
    code = driver.parcel()
    for step in ("in_transit", "returning", "out_for_delivery", "delivered"):
        driver.advance(code, step)
    [tracked] = carrier.track([code])
    assert [event.state for event in tracked.events if not event.is_return] == [TrackingState.IN_TRANSIT]
    assert tracked.events[-1].state == TrackingState.RETURNED


def test_a_parcel_that_was_only_asked_back_can_still_be_delivered(carrier, driver):
    code = driver.parcel()
    driver.advance(code, "on_hold", number="14", text="SOLICITUD DE DEVOLUCION")
    driver.advance(code, "delivered")
    last = carrier.track([code])[0].events[-1]
    assert (last.state, last.is_return) == (TrackingState.DELIVERED, False)


def test_a_fault_keeps_its_code_and_its_words(address):
    with pytest.raises(SoapFault, match="Guid should contain") as fault:
        account(address, uid="no GUID at all").track(["61197140245758"])
    assert (fault.value.code, fault.value.status) == ("Server", 500)
    assert isinstance(fault.value, AdapterRejected)


def test_the_simulator_speaks_both_versions_of_soap(address, driver):
    code = driver.parcel()
    body = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
        f'<GetExpCli xmlns="http://www.asmred.com/"><codigo>{code}</codigo><uid>{simulation.UID}</uid></GetExpCli>'
        "</s:Body></s:Envelope>"
    )
    answer = urllib3.request("POST", f"{address}/b2b.asmx", body=body.encode(), retries=False)
    assert b"http://www.w3.org/2003/05/soap-envelope" in answer.data
    assert f"<codbar>{code}</codbar>".encode() in answer.data
    wrong = urllib3.request("POST", f"{address}/b2b.asmx", body=body.replace("GetExpCli", "Anula"), retries=False)
    assert (wrong.status, b"did not recognize" in wrong.data) == (500, True)
