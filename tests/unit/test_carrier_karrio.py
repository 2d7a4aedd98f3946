"""The karrio library as a carrier: lazy, optional, tamed; a package of the same shape stands in for it."""

import importlib
import ssl
import sys
import textwrap
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import PIL.ImageFile
import pytest

from oscar_fulfillment.carriers import karrio as adapter
from oscar_fulfillment.carriers.base import Capability
from oscar_fulfillment.carriers.events import IncidentClass, Tracked, TrackingState
from oscar_fulfillment.carriers.karrio import Karrio, library
from oscar_fulfillment.carriers.karrio_mapping import REASONS, STATUSES, problem_from, tracked_from
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable, ConfigurationError
from oscar_fulfillment.test.carrier_contract import CarrierContract
from sandbox.simulators.carriers import HOSTILE_TEXT, CarrierSimulator

pytestmark = pytest.mark.feature("E13")
KEY = "key-of-the-shop"
ZONE = ZoneInfo("Europe/Berlin")
#: What the real package does when it is imported, and how it is used.
SDK = """
import ssl
from types import SimpleNamespace

import PIL.ImageFile

ssl._create_default_https_context = ssl._create_unverified_context
PIL.ImageFile.LOAD_TRUNCATED_IMAGES = True


class gateway:
    def __class_getitem__(cls, carrier):
        return SimpleNamespace(create=lambda settings, cache=None: SimpleNamespace(
            carrier=carrier, given=settings, settings=SimpleNamespace(cache=cache or object())))


class Tracking:
    answer = None

    @classmethod
    def fetch(cls, asked):
        return SimpleNamespace(from_=lambda gateway: SimpleNamespace(parse=lambda: cls.answer(asked, gateway)))
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package ``karrio`` with one carrier, forgotten afterwards."""
    files = {
        "karrio/__init__.py": "",
        "karrio/sdk.py": textwrap.dedent(SDK),
        "karrio/mappers/__init__.py": "",
        "karrio/mappers/fakepost/__init__.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(ssl, "_create_default_https_context", ssl.create_default_context)
    monkeypatch.setattr(PIL.ImageFile, "LOAD_TRUNCATED_IMAGES", False)
    importlib.invalidate_caches()
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "karrio"]:
        del sys.modules[name]


def account(**changes):
    options = {"carrier": "fakepost", "settings": {"api_key": KEY, "test": True}, "read_timeout": 1.0, **changes}
    return Karrio(alias="fakepost", url_template="https://fakepost.example/{code}", **options)


def answering(monkeypatch, answer):
    monkeypatch.setattr(library().Tracking, "answer", staticmethod(answer))


class Driver(CarrierSimulator):
    """Plays a carrier of karrio's; it is asked directly, not over HTTP."""

    name, title = "fakepost", "Fakepost"
    steps = {
        "announced": {"status": "pending", "code": "AN"},
        "collected": {"status": "picked_up", "code": "CO"},
        "in_transit": {"status": "in_transit", "code": "IT"},
        "out_for_delivery": {"status": "out_for_delivery", "code": "OD"},
        "attempt_failed": {"status": "delivery_failed", "code": "AF", "reason": "consignee_not_home"},
        "ready_for_pickup": {"status": "ready_for_pickup", "code": "RP"},
        "on_hold": {"status": "on_hold", "code": "OH"},
        "delivered": {"status": "delivered", "code": "OK"},
        "returning": {"status": "return_to_sender", "code": "RS"},
        "cancelled": {"status": "cancelled", "code": "CA"},
        "unknown": {"status": "teleported", "code": "ZZ"},
        "hostile": {"status": "in_transit", "code": '<"&>', "text": HOSTILE_TEXT},
    }

    def __init__(self):
        super().__init__()
        self.bodies = []

    def answer_next(self, *bodies):
        self.bodies += bodies

    def answer(self, asked, gateway):
        accident = self._accident("GET /track")
        if self.bodies:
            return None, [said("SHIPPING_SDK_INTERNAL_ERROR", f"Expecting value: {self.bodies.pop(0)[:99]!r}")]
        if accident == "busy":
            return [], [said("429", "Too many requests")]
        if accident == "slow":
            time.sleep(1.3)
        elif accident:
            raise {"garbage": ValueError, "error_before": KeyError}.get(accident, OSError)(f"{KEY} {accident}")
        if gateway.given["api_key"] != KEY:
            return [], [said("401", f"{gateway.given['api_key']} is no key")]
        [number] = asked["tracking_numbers"]
        record = self.record(number)
        if record is None:
            return [], [said("404", "No shipment with given tracking number found.")]
        return [details(*[self.row(event) for event in record["events"]], number=number)], []

    @staticmethod
    def row(event):
        at = datetime.fromisoformat(event["at"]).astimezone(ZONE)
        return SimpleNamespace(
            timestamp=f"{at:%Y-%m-%dT%H:%M:%S}.000Z",
            code=event["code"],
            status=event["status"],
            reason=event.get("reason"),
            description=event.get("text", event["step"]),
            location=event.get("text", "Berlin"),
        )


def said(code, message):
    return SimpleNamespace(code=code, message=message)


def details(*events, number="1", status=None):
    return SimpleNamespace(tracking_number=number, events=list(events), status=status)


def row(**values):
    return SimpleNamespace(**{"timestamp": "2026-03-02T07:53:47.000Z", "code": "X", **values})


@pytest.mark.usefixtures("package")
class TestContract(CarrierContract):
    codes = {"ab 123": "AB123"}
    secrets = (KEY, "wrong key")

    @pytest.fixture
    def carrier(self):
        return account(time_zone="Europe/Berlin")

    @pytest.fixture
    def stranger(self, driver):
        return account(settings={"api_key": "wrong key"})

    @pytest.fixture
    def driver(self, package, monkeypatch):
        driver = Driver()
        answering(monkeypatch, driver.answer)
        return driver


# The library


def test_without_the_library_the_extra_is_named():
    assert importlib.import_module("oscar_fulfillment.carriers.karrio") is adapter
    with pytest.raises(ConfigurationError, match=r"pip install django-oscar-fulfillment\[karrio\]"):
        account()


def test_without_the_carriers_package_it_is_named(package):
    with pytest.raises(ConfigurationError, match="pip install karrio-other-post"):
        account(carrier="other_post")


def test_the_library_is_imported_when_it_is_asked_and_not_before(package, monkeypatch):
    carrier = account()
    assert "karrio.sdk" not in sys.modules
    answering(monkeypatch, lambda asked, gateway: ([], []))
    carrier.track(["1"])
    assert "karrio.sdk" in sys.modules


def test_certificates_are_still_verified_once_it_is_imported(package):
    library()
    assert ssl._create_default_https_context is ssl.create_default_context
    assert PIL.ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_certificates_are_verified_again_where_somebody_else_imported_it(package):
    importlib.import_module("karrio.sdk")
    assert ssl._create_default_https_context is ssl._create_unverified_context
    library()
    assert ssl._create_default_https_context is ssl.create_default_context


def test_a_library_that_breaks_while_it_is_imported_does_not_unlock_the_process(package, tmp_path):
    (tmp_path / "karrio" / "sdk.py").write_text(f"{SDK}\nimport no_such_module\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="karrio is not installed"):
        account().track(["1"])
    assert ssl._create_default_https_context is ssl.create_default_context


def test_tokens_are_kept_from_one_question_to_the_next_and_nothing_else(package, monkeypatch):
    asked = []
    answering(monkeypatch, lambda question, gateway: asked.append(gateway) or ([], []))
    carrier = account()
    for _time in range(3):
        carrier.track(["1"])
    assert len({id(gateway) for gateway in asked}) == 3
    assert len({id(gateway.settings.cache) for gateway in asked}) == 1
    assert asked[0].given == {"api_key": KEY, "test": True}


def test_what_goes_wrong_inside_of_it_shows_no_key(package, monkeypatch):
    def broken(asked, gateway):
        raise RuntimeError(f"https://x.example/?key={KEY}")

    answering(monkeypatch, broken)
    with pytest.raises(AdapterUnavailable, match="RuntimeError") as caught:
        account().track(["1"])
    assert caught.value.__cause__ is None
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"carrier": ""},
        {"carrier": "../sdk"},
        {"carrier": "Fakepost"},
        {"carrier": None},
        {"settings": None},
        {"settings": "key"},
        {"time_zone": "Europe/Nowhere"},
        {"time_zone": "../etc/passwd"},
        {"time_zone": None},
        {"pattern": "("},
    ],
)
def test_wrong_options_are_a_configuration_error(package, wrong):
    with pytest.raises(ConfigurationError):
        account(**wrong)


def test_what_it_can_do(package):
    assert account().capabilities == {Capability.TRACK, Capability.TRACKING_URL}
    with pytest.raises(AdapterRejected):
        account().create_order(None, key="1")


# What it says


@pytest.mark.parametrize(("status", "meaning"), STATUSES.items())
def test_every_status_has_one_meaning(status, meaning):
    [event] = tracked_from("1", [details(row(status=status))], ZONE).events
    assert (event.state, event.incident) == (meaning.state, meaning.incident)


@pytest.mark.parametrize(("reason", "incident"), REASONS.items())
def test_every_reason_has_one_meaning(reason, incident):
    [event] = tracked_from("1", [details(row(status="delivery_failed", reason=reason))], ZONE).events
    assert event.incident == incident


def test_unknown_words_are_kept_and_not_guessed():
    known = row(status="in_transit", timestamp="2026-03-01T07:00:00Z")
    events = tracked_from("1", [details(known, row(status="beamed", reason="tribbles", code="B/1"))], ZONE).events
    assert (events[1].code, events[1].state, events[1].incident) == (
        "B/1",
        TrackingState.UNKNOWN,
        IncidentClass.UNKNOWN,
    )
    [silent] = [event for event in tracked_from("1", [details(known, row())], ZONE).events if event.code == "X"][1:]
    assert silent.state == TrackingState.UNKNOWN


def test_a_status_of_the_parcel_is_that_of_its_newest_event_where_no_event_has_one():
    rows = [row(timestamp=f"2026-03-0{day}T07:00:00.000Z", code=f"D{day}") for day in (3, 1, 2)]
    events = tracked_from("1", [details(*rows, status="delivered")], ZONE).events
    assert [(event.code, event.state) for event in events] == [
        ("D1", TrackingState.INFO),
        ("D2", TrackingState.INFO),
        ("D3", TrackingState.DELIVERED),
    ]
    assert tracked_from("1", [details(rows[0])], ZONE).events[0].state == TrackingState.UNKNOWN


def test_nothing_is_delivered_on_the_way_back():
    back = row(status="return_to_sender", timestamp="2026-03-01T07:00:00Z")
    events = tracked_from("1", [details(row(status="delivered"), back)], ZONE).events
    assert [(event.state, event.is_return) for event in events] == [
        (TrackingState.RETURNING, True),
        (TrackingState.RETURNED, True),
    ]


@pytest.mark.parametrize(
    ("values", "utc"),
    [
        ({"timestamp": "2026-01-15T12:00:00.000Z"}, "2026-01-15T11:00:00+00:00"),  # winter
        ({"timestamp": "2026-07-15T12:00:00.000Z"}, "2026-07-15T10:00:00+00:00"),  # summer
        ({"timestamp": None, "date": "2026-01-15", "time": "12:30"}, "2026-01-15T11:30:00+00:00"),
        ({"timestamp": "", "date": "2026-01-15", "time": "03:30 PM"}, "2026-01-15T14:30:00+00:00"),
        ({"timestamp": "", "date": "2026-01-15", "time": "15:30 PM"}, "2026-01-15T14:30:00+00:00"),
        ({"timestamp": "", "date": "2026-01-15"}, "2026-01-14T23:00:00+00:00"),
    ],
)
def test_clocks_are_those_of_the_time_zone(values, utc):
    [event] = tracked_from("1", [details(row(status="in_transit", **values))], ZONE).events
    assert event.occurred_at.isoformat() == utc
    [plain] = tracked_from("1", [details(row(status="in_transit"))], UTC).events
    assert plain.occurred_at == datetime(2026, 3, 2, 7, 53, 47, tzinfo=UTC)


def test_what_has_no_time_is_no_event():
    assert tracked_from("1", [details(row(timestamp="soon", date=None))], ZONE) == Tracked("1", [])
    assert tracked_from("1", [SimpleNamespace(tracking_number="1", events=None)], ZONE) == Tracked("1", [])


def test_of_several_parcels_the_one_that_bears_the_code_counts():
    found = [details(row(code=code, status="in_transit"), number=code.lower()) for code in ("A", "B")]
    assert [event.code for event in tracked_from("B", found, ZONE).events] == ["B"]
    assert tracked_from("C", found, ZONE).problem == "not_found"
    # Some carriers write a number in their own way.
    assert [event.code for event in tracked_from("C", found[:1], ZONE).events] == ["A"]


@pytest.mark.parametrize(
    "messages",
    [[], [said("404", "x")], [said("TRACKING_NOT_FOUND", None)], [said("", "No tracking information available")]],
)
def test_not_found(messages):
    assert problem_from("1", messages, "said") == Tracked("1", problem="not_found")


@pytest.mark.parametrize("code", ["401", "403", "INVALID_INPUT", None])
def test_other_words_are_a_refusal(code):
    with pytest.raises(AdapterRejected, match="said"):
        problem_from("1", [said(code, "you may not")], "said")


@pytest.mark.parametrize("code", ["429", "503", "SHIPPING_SDK_INTERNAL_ERROR", "TIMEOUT"])
def test_trouble_is_asked_again_later(code):
    with pytest.raises(AdapterUnavailable, match="said"):
        problem_from("1", [said(code, "not found, sorry")], "said")
