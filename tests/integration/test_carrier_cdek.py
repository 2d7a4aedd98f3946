"""CDEK against its simulator over HTTP, and somebody else's client of CDEK against the same simulator."""

import json
import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import urllib3
from gocream_pycdek.client import CdekClient, ContractType
from gocream_pycdek.exceptions import CdekApiAccessException, CdekRequestException
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from oscar_fulfillment.carriers import cdek as adapter
from oscar_fulfillment.carriers.base import Capability
from oscar_fulfillment.carriers.cdek import Cdek
from oscar_fulfillment.carriers.cdek_wire import tokens
from oscar_fulfillment.carriers.events import (
    Address,
    CarrierOrderRequest,
    CarrierOrderState,
    IncidentClass,
    Package,
    PackedItem,
    TrackingState,
)
from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
    WebhookVerificationFailed,
)
from oscar_fulfillment.test.carrier_case import new_key
from oscar_fulfillment.test.carrier_contract import CarrierContract
from sandbox.simulators import cdek_wire as simulation
from sandbox.simulators.base import serve
from sandbox.simulators.cdek import Cdek as Vendor
from tests.pdf import words

D = Decimal
TARIFFS = {"": 137, "cdek-pvz": 136}
SENDER = {"shipment_point": "NSK33", "company": "Shop", "phone": "+7 383 000-00-00"}
ANNA = Address(
    name="Анна Иванова",
    line1="ул. Ленина, 1",
    city="Москва",
    postcode="101000",
    country="RU",
    phone="8 (999) 000-00-00",
)
BAD_PHONE = replace(ANNA, phone="+123")


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    tokens.forget()
    monkeypatch.setattr(adapter, "PAUSES", (0.0,))


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
    vendor = Vendor(deliver=lambda letter: 200, notification_url="https://shop.example/hooks/", now=clock)
    vendor.delay = vendor.making = timedelta(0)
    return vendor


@pytest.fixture
def address(driver):
    with serve(driver) as address:
        yield address


@pytest.fixture
def connect(address):
    def connected(**options):
        values = {
            "account": simulation.ACCOUNT,
            "password": simulation.PASSWORD,
            "webhook_tokens": [simulation.WEBHOOK_TOKEN],
            "tariffs": TARIFFS,
            "sender": SENDER,
            "base_url": f"{address}/v2",
            "read_timeout": 1.0,
        }
        return Cdek(alias="cdek", **{**values, **options})

    return connected


@pytest.fixture
def carrier(connect):
    return connect()


def asked(**changes):
    item = PackedItem("Чайник", "T-1", 2, D("1000.00"), weight=300)
    values = {
        "reference": f"T{new_key()}"[:30],
        "order_number": "100017",
        "recipient": ANNA,
        "packages": (Package(1, 700, 20, 15, 10, (item,)),),
        "currency": "RUB",
        "shipping_code": "cdek-door",
        "shipping_name": "СДЭК",
    }
    return CarrierOrderRequest(**{**values, **changes})


def posts(vendor, end="/v2/orders"):
    return [call for call in vendor.calls if call[0] == "POST" and call[1].endswith(end)]


def states(carrier, code):
    [found] = carrier.track([code])
    return [event.state for event in found.events]


class Contract(CarrierContract):
    codes = {"110 508 8384": "1105088384", "1105088384": "1105088384"}
    wrong_codes = ("AA123456785BR", "110-508", "123")
    unknown_code = "1000000001"
    secrets = (simulation.PASSWORD, simulation.WEBHOOK_TOKEN)

    @pytest.fixture
    def carrier(self, connect):
        return connect()

    @pytest.fixture
    def stranger(self, connect):
        return connect(password="wrong")

    @pytest.fixture
    def driver(self, driver):
        return driver

    def forge(self, received):
        """The body proves nothing and is not believed; what counts is the secret in the address."""
        headers, body, query = received
        return [
            (headers, body, {}),
            (headers, body, {"token": "guessed-by-a-stranger"}),
            (headers, body, {"token": ""}),
        ]


@pytest.mark.feature("A12")
class TestCdek(Contract):
    pass


class TestRefusedAfterwards(Contract):
    """Orders are taken at first, and found to be wrong when CDEK looks closer."""

    wrong_order = {"recipient": BAD_PHONE}


class TestTracksOnly(Contract):
    @pytest.fixture
    def carrier(self, connect):
        return connect(tariffs=None, sender=None)


class TestWithoutNotifications(Contract):
    @pytest.fixture
    def carrier(self, connect):
        return connect(webhook_tokens=())

    @pytest.fixture
    def driver(self, clock):
        vendor = Vendor(deliver=lambda letter: 200, now=clock)
        vendor.delay = vendor.making = timedelta(0)
        vendor.foreign = list
        return vendor


# Following


@pytest.mark.feature("E14")
def test_a_parcel_that_was_not_handed_over_is_followed_back_to_the_shop(carrier, driver):
    code = driver.parcel()
    for step in ("announced", "collected", "in_transit", "out_for_delivery", "attempt_failed", "returning"):
        driver.advance(code, step)
    [found] = carrier.track([code])
    assert [event.state for event in found.events] == [
        TrackingState.PENDING, TrackingState.PICKED_UP, TrackingState.IN_TRANSIT, TrackingState.OUT_FOR_DELIVERY,
        TrackingState.DELIVERY_FAILED, TrackingState.RETURNING,
    ]  # fmt: skip
    assert [event.incident for event in found.events[-2:]] == [IncidentClass.ABSENT, IncidentClass.REFUSED]
    driver.advance(code, "returned")
    [found] = carrier.track([code])
    last = found.events[-1]
    assert (last.state, last.is_return, last.code) == (TrackingState.RETURNED, True, "RETURN/DELIVERED")
    assert not [event for event in found.events if event.state == TrackingState.DELIVERED]


def test_the_way_back_by_its_own_number_leads_to_the_shop_too(carrier, driver):
    code = driver.parcel()
    driver.advance(code, "returned")
    [(_headers, _body, _query)] = driver.received()
    assert states(carrier, driver.record(code)["way_back"]) == [TrackingState.RETURNED]


def test_a_delivery_that_cdek_takes_back_is_retracted(carrier, driver):
    code = driver.parcel()
    driver.advance(code, "in_transit")
    driver.advance(code, "delivered")
    assert states(carrier, code)[-1] == TrackingState.DELIVERED
    driver.take_back(code)
    [found] = carrier.track([code])
    assert [(event.state, event.retracts) for event in found.events] == [
        (TrackingState.IN_TRANSIT, False),
        (TrackingState.INFO, False),
        (TrackingState.INFO, True),
    ]


def test_events_doubled_late_and_from_the_future_are_told_as_cdek_tells_them(carrier, driver, clock):
    code, future = driver.parcel(), (clock.at + timedelta(days=30)).replace(microsecond=0)
    driver.advance(code, "delivered", at=future.isoformat())
    early = (clock.at - timedelta(days=2)).replace(microsecond=0)
    for _time in range(2):
        driver.advance(code, "in_transit", at=early.isoformat())
    [found] = carrier.track([code])
    assert [(event.state, event.occurred_at) for event in found.events] == [
        (TrackingState.IN_TRANSIT, early),
        (TrackingState.DELIVERED, future),
    ]


def test_hostile_texts_are_kept_short_and_plain(carrier, driver):
    code = driver.parcel()
    driver.advance(code, "hostile")
    driver.advance(code, "in_transit", status='<img src=x onerror="x">' * 50, reason={"a": ["b"]})
    driver.advance(code, "attempt_failed", problem="13'; DROP TABLE --")
    [found] = carrier.track([code])
    assert [event.state for event in found.events] == [
        TrackingState.IN_TRANSIT, TrackingState.UNKNOWN, TrackingState.UNKNOWN,
    ]  # fmt: skip
    for event in found.events:
        assert len(event.text) <= 500
        assert event.text.isprintable()
        assert not set("<>\"'") & set(event.code)
    assert [event.incident for event in found.events[1:]] == [IncidentClass.UNKNOWN, IncidentClass.UNKNOWN]


def test_what_is_no_number_of_cdek_is_not_asked(carrier, driver):
    [found] = carrier.track(["AA123456785BR"])
    assert found.problem == "not_found"
    assert not driver.calls


# Tokens


def test_the_token_ends_in_the_middle_of_a_batch_and_is_renewed_once(carrier, driver):
    codes = [driver.parcel() for _number in range(6)]
    for code in codes:
        driver.advance(code, "in_transit")
    found = carrier.track(codes[:3])
    driver.revoke_tokens()
    found += carrier.track(codes[3:])
    assert [answer.code for answer in found] == codes
    assert all(len(answer.events) == 1 for answer in found)
    assert driver.logins() == 2


def test_one_token_serves_all_of_the_process_and_ends_a_little_early(connect, driver, clock, monkeypatch):
    code = driver.parcel()
    for _time in range(3):
        connect().track([code])
    assert driver.logins() == 1
    [login] = posts(driver, "/oauth/token")
    assert b"client_secret=" in login[3]
    monkeypatch.setattr("oscar_fulfillment.carriers.cdek_wire.time.monotonic", lambda: 10_000_000.0)
    connect().track([code])
    assert driver.logins() == 2


def test_threads_that_find_the_token_dead_all_get_their_answer(connect, driver):
    codes = [driver.parcel() for _number in range(12)]
    for code in codes:
        driver.advance(code, "in_transit")
    carrier = connect(read_timeout=10.0)
    carrier.track(codes[:1])
    driver.revoke_tokens()
    found = []
    threads = [threading.Thread(target=lambda code=code: found.extend(carrier.track([code]))) for code in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(answer.code for answer in found) == sorted(codes)
    assert all(len(answer.events) == 1 for answer in found)


def test_a_token_that_is_refused_again_is_a_refusal(carrier, driver):
    code = driver.parcel()
    driver.check_token = lambda request: Vendor.check_token(driver, _without_token(request))
    with pytest.raises(AdapterRejected) as refused:
        carrier.track([code])
    assert refused.value.status == 401
    assert driver.logins() == 2


def _without_token(request):
    request.environ["HTTP_AUTHORIZATION"] = "Bearer nonsense"
    return request


@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "error_after", "garbage", "busy"])
def test_a_lost_token_is_no_lost_order(carrier, driver, kind):
    driver.fail_next(kind, path="/oauth/token")
    with pytest.raises(AdapterUnavailable) as failed:
        carrier.create_order(asked(), key=new_key())
    assert not isinstance(failed.value, AdapterUnanswered)
    assert driver.orders() == 0


@pytest.mark.parametrize("body", [b"{}", b'{"access_token":"a b\\n","expires_in":3600}', b'{"access_token":1,"expires_in":1}', b"[]", b'{"access_token":"t","expires_in":-5}'])  # fmt: skip
def test_a_strange_token_is_none(carrier, driver, body):
    driver.answer_next(body)
    with pytest.raises(AdapterUnavailable):
        carrier.track(["1105000001"])


# Being told


@pytest.mark.feature("E13")
def test_a_notification_of_the_way_back_leads_to_the_parcel_that_the_shop_sent(carrier, driver):
    code = driver.parcel()
    driver.advance(code, "returning")
    driver.advance(code, "returned")
    hints = [carrier.parse_notification(*received) for received in driver.received()]
    assert [hint.tracking_code for hint in hints] == [code, code]
    assert not any(hint.events or hint.event_id for hint in hints)


def test_a_notification_doubled_or_out_of_order_says_the_same(carrier, driver):
    code = driver.parcel()
    driver.advance(code, "in_transit", "later")
    driver.advance(code, "delivered", "later")
    driver.advance(code, "attempt_failed", "twice")
    driver.tell_held()
    hints = [carrier.parse_notification(*received) for received in driver.received()]
    assert [hint.kind for hint in hints] == ["DELIV_PROBLEM", "DELIV_PROBLEM", "ORDER_STATUS", "ORDER_STATUS"]
    assert {hint.tracking_code for hint in hints} == {code}
    assert hints[2] == hints[3]


def test_a_notification_of_a_parcel_that_is_not_ours_is_only_a_hint(carrier, driver):
    body = json.dumps(
        {
            "type": "ORDER_STATUS",
            "uuid": "72753031-1820-4f99-9240-aab139f05ca5",
            "attributes": {"cdek_number": "9999999999", "code": "DELIVERED", "is_return": False},
        }
    ).encode()
    hint = carrier.parse_notification({}, body, {})
    assert (hint.tracking_code, hint.events) == ("9999999999", ())
    [found] = carrier.track([hint.tracking_code])
    assert found.problem == "not_found"


def test_the_old_token_counts_as_long_as_it_is_configured(connect, driver):
    driver.advance(driver.parcel(), "delivered")
    [received] = driver.received()
    connect(webhook_tokens=["a-new-and-unguessable-token", simulation.WEBHOOK_TOKEN]).verify(*received)
    with pytest.raises(WebhookVerificationFailed):
        connect(webhook_tokens=["a-new-and-unguessable-token"]).verify(*received)


def test_subscribing_ends_stale_subscriptions_of_ours_and_makes_no_doubles(connect, driver):
    driver.configure("https://shop.example/hooks/?token=an-old-token-of-the-shop")
    carrier, url = connect(), "https://shop.example/hooks/?token=a-new-and-unguessable-token"
    for _time in range(2):
        carrier.subscribe(url)
        assert {(found["type"], found["url"]) for found in driver.subscriptions()} == {
            ("ORDER_STATUS", url),
            ("DELIV_PROBLEM", url),
        }
    assert len(posts(driver, "/webhooks")) == 2


def test_subscribing_leaves_those_of_others_alone(connect, driver):
    driver.configure("https://other.example/cdek")
    with pytest.raises(AdapterRejected, match="at most 2"):
        connect().subscribe("https://shop.example/hooks/?token=a-new-and-unguessable-token")
    assert len(driver.subscriptions()) == 2


# Ordering


@pytest.mark.feature("E14")
def test_the_number_comes_later(carrier, driver, clock):
    driver.delay = timedelta(seconds=30)
    ordered = carrier.create_order(asked(), key=new_key())
    assert (ordered.state, ordered.tracking_code) == (CarrierOrderState.ACCEPTED, "")
    assert carrier.fetch_order(ordered.external_id).state == CarrierOrderState.ACCEPTED
    clock.later(seconds=31)
    now = carrier.fetch_order(ordered.external_id)
    assert (now.state, now.reference, now.problem) == (CarrierOrderState.CREATED, ordered.reference, "")
    [(_headers, body, _query)] = driver.received()
    assert carrier.parse_notification({}, body, {}).external_id == ordered.external_id
    assert states(carrier, now.tracking_code) == [TrackingState.PENDING, TrackingState.PENDING]


@pytest.mark.feature("E14")
def test_an_invalid_order_says_why_in_cdeks_words(carrier, driver):
    ordered = carrier.create_order(asked(recipient=BAD_PHONE), key=new_key())
    now = carrier.fetch_order(ordered.external_id)
    assert (now.state, now.tracking_code) == (CarrierOrderState.INVALID, "")
    assert "Некорректно указан телефон получателя" in now.problem
    with pytest.raises(AdapterRejected):
        carrier.label(ordered.external_id)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"packages": ()}, r"\[packages\] is empty"),
        ({"packages": (Package(1, 50),)}, r"items\] is empty"),
        ({"recipient": replace(ANNA, name="")}, r"recipient.name\] is empty"),
        ({"recipient": replace(ANNA, line1="")}, r"to_location.address\] is empty"),
        ({"recipient": replace(ANNA, city="Нигде")}, "location is not recognized"),
    ],
)
def test_an_order_that_cdek_refuses_at_once(carrier, driver, changes, says):
    with pytest.raises(AdapterRejected, match=says) as refused:
        carrier.create_order(asked(**changes), key=new_key())
    assert refused.value.status == 400
    assert driver.orders() == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"shipping_code": "cdek-pvz"}, "ve_receiver_pickup_point_empty"),
        ({"shipping_code": "cdek-pvz", "pickup_point": "nowhere"}, "code_invalid"),
        ({"recipient": replace(ANNA, name="ООО / Ромашка")}, "error_validate_receiver_name_incorrect_symbol"),
        ({"packages": (asked().packages[0],) * 2}, "error_validate_package_number_not_unique"),
    ],
)
def test_an_order_that_cdek_refuses_afterwards(carrier, changes, code):
    ordered = carrier.create_order(asked(**changes), key=new_key())
    now = carrier.fetch_order(ordered.external_id)
    assert now.state == CarrierOrderState.INVALID
    assert code in now.problem


def test_an_unknown_tariff_is_refused_afterwards(connect):
    carrier = connect(tariffs={"": 999})
    now = carrier.fetch_order(carrier.create_order(asked(), key=new_key()).external_id)
    assert now.state == CarrierOrderState.INVALID
    assert "тариф недоступен" in now.problem


def test_an_order_to_an_office_and_with_cash_is_accepted(carrier, driver):
    item = PackedItem("Чашка", "C-1", 3, D("333.33"))
    request = asked(
        shipping_code="cdek-pvz", pickup_point="MSK67", cash_on_delivery=D("500.00"),
        packages=(Package(1, 900, 20, 15, 10, (item,)),),
    )  # fmt: skip
    now = carrier.fetch_order(carrier.create_order(request, key=new_key()).external_id)
    assert now.state == CarrierOrderState.CREATED
    [body] = [json.loads(call[3]) for call in posts(driver)]
    assert body["delivery_point"] == "MSK67"
    assert "to_location" not in body
    assert round(sum(line["payment"]["value"] * line["amount"] for line in body["packages"][0]["items"]), 2) == 500.0


@pytest.mark.parametrize("kind", ["cut_after", "error_after", "garbage"])
def test_an_order_whose_answer_was_lost_is_found(carrier, driver, kind):
    request = asked()
    driver.fail_next(kind, path="POST /v2/orders")
    with pytest.raises(AdapterUnanswered):
        carrier.create_order(request, key=new_key())
    found = carrier.find_order(request.reference)
    assert found.state == CarrierOrderState.CREATED
    assert carrier.create_order(request, key=new_key()) == found
    assert driver.orders() == 1


def test_cdek_refuses_a_number_that_is_taken_and_the_other_order_is_the_answer(carrier, driver):
    """Somebody ordered twice at once, so that neither found the other."""
    driver.delay, request = timedelta(hours=1), asked()
    first = carrier.create_order(request, key=new_key())
    body = driver.books.get("order", first.external_id)
    driver.books.put(
        "order", "00000000-0000-4000-8000-000000000001", {**body, "uuid": "00000000-0000-4000-8000-000000000001"}
    )
    driver.confirm("00000000-0000-4000-8000-000000000001")
    driver.confirm(first.external_id)
    now = carrier.fetch_order(first.external_id)
    assert (now.state, now.external_id) == (CarrierOrderState.CREATED, "00000000-0000-4000-8000-000000000001")


def test_a_number_that_is_taken_is_never_called_invalid(carrier, driver):
    """CDEK tells the newest of a number; when that is the refused one, the other one still exists."""
    driver.delay, request = timedelta(hours=1), asked()
    first = carrier.create_order(request, key=new_key())
    body = driver.books.get("order", first.external_id)
    second = {**body, "uuid": "00000000-0000-4000-8000-000000000002"}
    driver.books.put("order", second["uuid"], second)
    driver.confirm(first.external_id)
    driver.confirm(second["uuid"])
    now = carrier.fetch_order(second["uuid"])
    assert now.state == CarrierOrderState.UNKNOWN
    assert "не уникальный" in now.problem


def test_the_number_of_an_order_that_is_done_may_be_taken_again(carrier, driver):
    request = asked()
    first = carrier.create_order(request, key=new_key())
    driver.advance(carrier.fetch_order(first.external_id).tracking_code, "delivered")
    assert not driver._holds(driver.books.get("order", first.external_id), request.reference)


def test_an_order_that_cdek_has_begun_is_not_taken_back(carrier, driver):
    ordered = carrier.create_order(asked(), key=new_key())
    code = carrier.fetch_order(ordered.external_id).tracking_code
    driver.advance(code, "collected")
    with pytest.raises(AdapterRejected, match="только в статусе Создан"):
        carrier.cancel_order(ordered.external_id)
    now = carrier.fetch_order(ordered.external_id)
    assert now.state == CarrierOrderState.CREATED
    assert "error_validate_order_delete_status" in now.problem


def test_a_deleted_order_may_be_gone_altogether(carrier, driver):
    driver.forgets = True
    ordered = carrier.create_order(asked(), key=new_key())
    assert carrier.cancel_order(ordered.external_id).state == CarrierOrderState.CANCELLED
    with pytest.raises(AdapterRejected) as refused:
        carrier.fetch_order(ordered.external_id)
    assert refused.value.status == 404
    assert carrier.find_order(ordered.reference) is None


@pytest.mark.parametrize("forgets", [True, False])
def test_a_deletion_that_takes_a_while_is_tried_again(carrier, driver, forgets):
    driver.forgets = forgets
    ordered = carrier.create_order(asked(), key=new_key())
    carrier.fetch_order(ordered.external_id)
    driver.work = lambda: None
    with pytest.raises(AdapterUnavailable):
        carrier.cancel_order(ordered.external_id)
    del driver.work
    assert carrier.cancel_order(ordered.external_id).state == CarrierOrderState.CANCELLED
    assert len([call for call in driver.calls if call[0] == "DELETE"]) == 1


@pytest.mark.parametrize("forgets", [True, False])
def test_a_deletion_whose_answer_was_lost_is_found_done(carrier, driver, forgets):
    driver.forgets = forgets
    ordered = carrier.create_order(asked(), key=new_key())
    driver.fail_next("cut_after", path="DELETE")
    with pytest.raises(AdapterUnanswered):
        carrier.cancel_order(ordered.external_id)
    assert carrier.cancel_order(ordered.external_id).state == CarrierOrderState.CANCELLED


@pytest.mark.parametrize("body", [b"{}", b'{"entity":{}}', b'{"entity":{"uuid":"x"},"requests":[]}', b"[]", b"null"])
def test_a_strange_answer_to_the_first_question_is_no_doubt_about_an_order(carrier, driver, body):
    """CDEK is asked for the reference before it is asked to carry."""
    carrier.track([driver.parcel()])
    driver.answer_next(body)
    with pytest.raises(AdapterUnavailable) as failed:
        carrier.create_order(asked(), key=new_key())
    assert not isinstance(failed.value, AdapterUnanswered)
    assert driver.orders() == 0


@pytest.mark.parametrize("document", [{}, {"entity": {}}, {"entity": {"uuid": 1}}, None, []])
def test_a_strange_answer_to_an_order_leaves_it_in_doubt(carrier, driver, document):
    request, register = asked(), driver.register
    driver.register = lambda request: (register(request), driver.json(document))[1]
    with pytest.raises(AdapterUnanswered):
        carrier.create_order(request, key=new_key())
    assert carrier.find_order(request.reference) is not None


# Printing


def test_a_label_is_being_made_and_then_fetched(carrier, driver, clock):
    driver.making = timedelta(seconds=5)
    ordered = carrier.create_order(asked(), key=new_key())
    number = carrier.fetch_order(ordered.external_id).tracking_code
    for _time in range(2):
        with pytest.raises(AdapterUnavailable):
            carrier.label(ordered.external_id)
    clock.later(seconds=6)
    label = carrier.label(ordered.external_id)
    assert number in words(label)
    [(_method, _path, _headers, body)] = posts(driver, "/print/barcodes")
    assert json.loads(body) == {"orders": [{"order_uuid": ordered.external_id}], "format": "A6"}


def test_another_process_finds_the_label_that_was_made(carrier, connect, driver):
    ordered = carrier.create_order(asked(), key=new_key())
    carrier.fetch_order(ordered.external_id)
    assert carrier.label(ordered.external_id) == connect().label(ordered.external_id)
    assert len(posts(driver, "/print/barcodes")) == 1


def test_a_label_whose_hour_is_over_is_made_again(carrier, driver, clock):
    ordered = carrier.create_order(asked(), key=new_key())
    carrier.fetch_order(ordered.external_id)
    carrier.label(ordered.external_id)
    clock.later(hours=2)
    assert carrier.label(ordered.external_id).startswith(b"%PDF-")
    assert len(posts(driver, "/print/barcodes")) == 2


def test_the_receipt_can_be_the_label(connect, driver):
    carrier = connect(label="waybill")
    ordered = carrier.create_order(asked(), key=new_key())
    carrier.fetch_order(ordered.external_id)
    assert carrier.label(ordered.external_id).startswith(b"%PDF-")
    assert len(posts(driver, "/print/orders")) == 1


def test_an_order_without_its_number_has_no_label_yet(carrier, driver):
    driver.delay = timedelta(hours=1)
    ordered = carrier.create_order(asked(), key=new_key())
    with pytest.raises(AdapterUnavailable, match="later"):
        carrier.label(ordered.external_id)


def test_a_label_that_is_no_pdf_is_none(carrier, driver):
    ordered = carrier.create_order(asked(), key=new_key())
    carrier.fetch_order(ordered.external_id)
    carrier.label(ordered.external_id)
    driver.fail_next("garbage", path=".pdf")
    with pytest.raises(AdapterUnavailable):
        carrier.label(ordered.external_id)


def test_no_secret_is_logged_and_none_stands_in_an_address(carrier, driver, caplog):
    caplog.set_level(logging.DEBUG)
    ordered = carrier.create_order(asked(), key=new_key())
    carrier.fetch_order(ordered.external_id)
    assert simulation.PASSWORD not in caplog.text
    assert not [call for call in driver.calls if simulation.PASSWORD in call[1]]
    assert "Анна" not in caplog.text


# The simulator, seen by somebody else's client


@pytest.fixture
def theirs(address):
    with CdekClient(simulation.ACCOUNT, simulation.PASSWORD, base_url=address) as client:
        yield client


def their_order(client, **changes):
    values = {
        "tariff_code": 137,
        "recipient": {"name": "Анна", "phones": [{"number": "+79990000000"}]},
        "packages": [
            {
                "number": "1", "weight": 700, "length": 20, "width": 15, "height": 10,
                "items": [
                    {"name": "Чайник", "ware_key": "T-1", "payment": {"value": 0}, "cost": 1000, "weight": 300, "amount": 2}
                ],
            }
        ],
        "contract_type": ContractType.ONLINE_STORE,
        "number": f"G{new_key()}"[:30],
        "shipment_point": "NSK33",
        "to_location": {"city": "Москва", "address": "ул. Ленина, 1"},
    }  # fmt: skip
    return client.registrate_order(**{**values, **changes})


def test_their_client_orders_and_reads_what_ours_reads(theirs, carrier, driver):
    made = their_order(theirs)
    document = theirs.get_order(uuid=made["uuid"])
    ours = carrier.fetch_order(made["uuid"])
    assert (document["cdek_number"], document["number"]) == (ours.tracking_code, ours.reference)
    driver.advance(ours.tracking_code, "attempt_failed")
    driver.advance(ours.tracking_code, "returning")
    document = theirs.get_order(cdek_number=ours.tracking_code)
    assert document["statuses"][0]["code"] == "NOT_DELIVERED"
    assert document["statuses"][0]["reason_code"] == "11"
    assert document["delivery_problem"][0]["code"] == "13"
    assert theirs.get_order(im_number=ours.reference)["uuid"] == made["uuid"]
    assert len(driver.calls) == 7  # theirs and ours have a token each, and no call was refused


def test_their_client_reads_the_order_that_ours_made(theirs, carrier):
    request = asked(cash_on_delivery=D("2300.00"))
    ordered = carrier.create_order(request, key=new_key())
    document = theirs.get_order(uuid=ordered.external_id)
    assert document["tariff_code"] == 137
    assert document["recipient"]["phones"] == [{"number": "+79990000000"}]
    assert document["packages"][0]["items"][0]["payment"] == {"value": 1000.0, "vat_rate": None, "vat_sum": 0.0}
    assert document["delivery_recipient_cost"]["value"] == 300.0


def test_their_client_prints_and_subscribes(theirs, driver):
    made = their_order(theirs)
    theirs.get_order(uuid=made["uuid"])
    form = theirs.request_barcode([{"order_uuid": made["uuid"]}], format_type="A6")
    printed = theirs.get_barcode(form["uuid"])
    assert printed["statuses"][-1]["code"] == "READY"
    path = printed["url"].removeprefix("https://api.cdek.ru/")
    assert theirs.download(path).getvalue().startswith(b"%PDF-")
    for subscription in theirs.subscribe_info():
        theirs.subscribe_delete(subscription["uuid"])
    made = theirs.subscribe("https://shop.example/x", "ORDER_STATUS")
    assert theirs.subscribe_info_by_uuid(made["entity"]["uuid"])["entity"]["type"] == "ORDER_STATUS"


def test_their_client_is_refused_as_ours_is(address, theirs):
    with pytest.raises(CdekApiAccessException):
        CdekClient(simulation.ACCOUNT, "wrong", base_url=address).get_order(cdek_number="1")
    with pytest.raises(CdekRequestException) as refused:
        their_order(theirs, packages=[])
    assert refused.value.response.json()["requests"][0]["errors"][0]["code"] == "v2_field_is_empty"


def test_their_client_deletes_an_order(theirs, carrier):
    made = their_order(theirs)
    theirs.remove_order(made["uuid"])
    assert carrier.fetch_order(made["uuid"]).state == CarrierOrderState.CANCELLED


# The simulator's page


def test_a_person_gives_an_order_its_number_or_refuses_it(carrier, address, driver):
    page = urllib3.request("POST", f"{address}/orders", fields={"do": "by_hand"}, redirect=True)
    assert "New orders wait for you" in page.data.decode()
    good, bad = (carrier.create_order(asked(), key=new_key()) for _time in range(2))
    page = urllib3.request("GET", address).data.decode()
    assert good.external_id in page
    assert bad.external_id in page
    urllib3.request("POST", f"{address}/orders", fields={"do": "number", "uuid": good.external_id})
    urllib3.request("POST", f"{address}/orders", fields={"do": "refuse", "uuid": bad.external_id})
    assert carrier.fetch_order(good.external_id).state == CarrierOrderState.CREATED
    assert carrier.fetch_order(bad.external_id).state == CarrierOrderState.INVALID
    assert urllib3.request("POST", f"{address}/orders", fields={"do": "else"}).status == 400


def test_the_sandbox_has_an_account_at_its_simulator():
    from sandbox.simulators.__main__ import application, build
    from sandbox.vendors import carriers

    built = build()
    built["cdek"].delay = timedelta(0)
    with serve(application(built)) as address:
        declared = carriers(address)["cdek"]
        carrier = Cdek(alias="cdek", **declared["OPTIONS"])
        assert Capability.CREATE_ORDER in carrier.capabilities
        ordered = carrier.create_order(asked(), key=new_key())
        assert carrier.fetch_order(ordered.external_id).state == CarrierOrderState.CREATED
    assert isinstance(application(built), DispatcherMiddleware)
