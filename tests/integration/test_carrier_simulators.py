"""The pages of the simulated carriers: what a person lets happen to a parcel, and what the shop hears of it."""

import pytest
from django.utils.module_loading import import_string
from werkzeug.test import Client

from sandbox.simulators import __main__ as simulators
from sandbox.simulators.books import Books
from sandbox.simulators.carriers import STEPS, CarrierSimulator
from sandbox.simulators.correios import Correios
from sandbox.simulators.melhor_envio import MelhorEnvio
from sandbox.vendors import carriers as accounts


def page(simulator):
    answer = Client(simulator).get("/")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def press(simulator, **fields):
    return Client(simulator).post("/parcels", data=fields).status_code


def test_a_person_lets_a_parcel_go_its_way():
    correios = Correios()
    assert "No parcels yet" in page(correios)
    assert press(correios, code=" aa 000000014 br", step="") == 303
    for step in ("collected", "in_transit", "delivered"):
        assert press(correios, code="AA000000014BR", step=step) == 303
    text = page(correios)
    assert text.count('<section class="parcel"') == 1
    assert [event["step"] for event in correios.record("AA000000014BR")["events"]] == [
        "collected",
        "in_transit",
        "delivered",
    ]
    assert all(f">{label}<" in text for label in ("Collected", "In transit", "Back at the sender"))
    # These two are for tests, and nobody is told of anything.
    assert "Hostile texts" not in text
    assert "The shop hears of it" not in text


def test_what_the_shop_asks_for_waits_on_the_page_until_it_is_posted():
    correios = Correios()
    assert correios.asked("AA000000014BR") is None
    assert "the carrier does not have it yet" in page(correios)
    press(correios, code="AA000000014BR", step="collected")
    assert "the carrier does not have it yet" not in page(correios)
    assert correios.asked("A" * 65) is None
    assert page(correios).count('<section class="parcel"') == 1


def test_the_shop_is_told_once_twice_later_or_never():
    letters = []
    vendor = MelhorEnvio(deliver=lambda letter: letters.append(letter) or 200)
    vendor.configure("https://shop.example/hook?token=x&y=z")
    for notify, told in (("once", 1), ("twice", 3), ("never", 3), ("later", 3)):
        assert press(vendor, code="ME00000001BR", step="in_transit", notify=notify) == 303
        assert len(letters) == told, notify
    assert "The shop hears of it" in page(vendor)
    assert "Send the 1 held notifications" in page(vendor)
    assert Client(vendor).post("/held").status_code == 303
    assert len(letters) == len(vendor.received()) == 4
    assert vendor.received()[0][2] == {"token": "x", "y": "z"}


def test_a_vendor_without_an_address_tells_nobody():
    vendor = MelhorEnvio(deliver=lambda letter: 1 / 0)
    vendor.advance(vendor.parcel(), "delivered")
    assert "The shop hears of it" not in page(vendor)


@pytest.mark.parametrize(
    "fields",
    [{}, {"code": "", "step": "delivered"}, {"code": "A" * 65, "step": ""}, {"code": "ü", "step": ""},
     {"code": "A\x00B", "step": ""}, {"code": "A", "step": "flies"}, {"code": "A", "step": "delivered", "notify": "x"}],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_changes_nothing(fields):
    correios = Correios()
    assert press(correios, **fields) == 400
    assert correios.books.count("parcel") == 0


def test_hostile_codes_and_texts_are_shown_as_text():
    correios = Correios()
    assert press(correios, code='"><script>alert(1)</script>', step="hostile") == 303
    correios.asked("<b>asked</b>")
    text = page(correios)
    assert "<script>" not in text
    assert "<b>asked" not in text
    assert "&lt;B&gt;" not in text
    assert "&lt;b&gt;asked" in text


def test_a_vendor_that_is_down_still_shows_its_page():
    correios = Correios()
    correios.mood = "down"
    assert "It is down" in page(correios)
    text = Client(correios).get("/control").get_data(as_text=True)
    assert "All parcels" in text
    assert "No parcel moves" in text


def test_events_of_one_moment_are_a_second_apart_and_survive_a_restart(tmp_path):
    path = str(tmp_path / "books.sqlite3")
    correios = Correios(Books(path))
    code = correios.parcel()
    for _time in range(3):
        correios.advance(code, "in_transit")
    correios.books.close()
    events = Correios(Books(path)).record(code)["events"]
    assert len({event["at"][:19] for event in events}) == 3
    assert [event["n"] for event in events] == [1, 2, 3]


def test_the_steps_of_each_carrier_have_a_label():
    for cls in (Correios, MelhorEnvio):
        assert set(cls.steps) <= set(STEPS)
        assert issubclass(cls, CarrierSimulator)


def test_the_sandbox_serves_them_and_knows_their_accounts():
    built = simulators.build()
    simulators.tell_address(built, "http://shop.example")
    assert built["melhor_envio"].notification_url == "http://shop.example/fulfillment/webhooks/carriers/melhor_envio/"
    assert built["yookassa"].notification_url == "http://shop.example/fulfillment/webhooks/payments/yookassa/"
    index = Client(simulators.application(built)).get("/").get_data(as_text=True)
    for alias, declared in accounts("http://vendors.example").items():
        assert f'href="/{alias}/"' in index
        adapter = import_string(declared["BACKEND"])(alias=alias, **declared["OPTIONS"])
        assert "track" in adapter.capabilities
