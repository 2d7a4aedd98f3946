"""The YooKassa gateway against the simulator over HTTP, and YooKassa's own SDK against the same simulator."""

import json
import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import urllib3
import yookassa
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from yookassa.domain.exceptions import BadRequestError, UnauthorizedError
from yookassa.domain.notification import WebhookNotificationFactory
from yookassa.domain.request import PaymentRequest as TheirRequest

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable
from oscar_fulfillment.gateways.base import Buyer, Item, PaymentRequest, PaymentState
from oscar_fulfillment.gateways.yookassa import YooKassa
from oscar_fulfillment.test.gateway_case import new_key, same
from oscar_fulfillment.test.gateway_contract import GatewayContract
from sandbox.simulators import yookassa as simulation
from sandbox.simulators.base import serve

D = Decimal
RECEIPTS = {"vat_code": 4, "vat_codes": {"10": 3, "0": 5}}
#: Those that leave the caller in doubt or certain that nothing happened.
ACCIDENTS = ("cut_before", "cut_after", "error_before", "error_after", "garbage", "busy", "slow")


class Provider:
    """The simulator with its clock and letter box; also the buyer of the contract."""

    def __init__(self):
        self.letters, self.at = [], datetime.now(UTC)
        self.vendor = simulation.YooKassa(
            deliver=lambda letter: self.letters.append(letter) or 200,
            notification_url="https://shop.example/notify",
            now=lambda: self.at,
        )

    def approve(self, payment):
        self.vendor.decide(payment.external_id, "approve")

    def refuse(self, payment):
        self.vendor.decide(payment.external_id, "refuse_issuer")

    def expire(self, payment):
        self.vendor.decide(payment.external_id, "expire")

    def received(self):
        return [
            ({name.lower(): text for name, text in letter.headers.items()}, letter.body, {}) for letter in self.letters
        ]

    def later(self, **delta):
        self.at += timedelta(**delta)

    def posts(self, end):
        return [call for call in self.vendor.calls if call[0] == "POST" and call[1].endswith(end)]


@pytest.fixture
def driver():
    return Provider()


@pytest.fixture
def address(driver):
    with serve(driver.vendor) as address:
        yield f"{address}/v3"


@pytest.fixture
def connect(address):
    def connected(**options):
        values = {"shop_id": simulation.SHOP_ID, "secret_key": simulation.SECRET_KEY, "base_url": address}
        return YooKassa(alias="yookassa", **{**values, "read_timeout": 1.0, **options})

    return connected


@pytest.fixture
def gateway(connect):
    return connect()


def asked(**changes):
    values = {
        "reference": f"R{new_key()}",
        "order_number": "100017",
        "amount": D("1500.00"),
        "currency": "RUB",
        "method": "bank_card",
        "return_url": "https://shop.example/back",
        "hold": True,
        "description": "Заказ 100017",
        "buyer": Buyer(email="anna@example.com", phone="+7 (999) 000-00-00", language="ru"),
        "items": [Item("Чайник", 3, D("1000.00"), tax_rate=D("10.0")), Item("Доставка", 1, D("500.00"))],
    }
    return PaymentRequest(**{**values, **changes})


def begun(gateway, driver, **changes):
    """A payment that the buyer has approved."""
    started = gateway.start(asked(**changes), key=new_key())
    driver.approve(started)
    return gateway.fetch(started.external_id)


class Contract(GatewayContract):
    currency = "RUB"
    other_currency = "EUR"
    signed = False
    secrets = (simulation.SECRET_KEY,)

    @pytest.fixture
    def gateway(self, connect):
        return connect()

    @pytest.fixture
    def driver(self, driver):
        return driver


@pytest.mark.feature("E1")
class TestBankCard(Contract):
    method = "bank_card"


class TestSbp(Contract):
    method = "sbp"


class TestYooMoney(Contract):
    method = "yoo_money"


class TestBankCardWithReceipts(Contract):
    method = "bank_card"

    @pytest.fixture
    def gateway(self, connect):
        return connect(receipts=RECEIPTS)


# The life of a hold


@pytest.mark.feature("E1")
def test_a_hold_says_when_it_ends_and_runs_out_by_itself(gateway, driver):
    held = begun(gateway, driver)
    assert abs(held.hold_expires_at - driver.at - timedelta(days=7)) < timedelta(seconds=1)
    assert (held.expires_at, held.method, held.redirect_url) == (None, "bank_card", "")
    driver.later(days=6, hours=23)
    assert gateway.fetch(held.external_id).state == PaymentState.AUTHORIZED
    driver.later(hours=1)
    now = gateway.fetch(held.external_id)
    assert (now.state, now.reason, now.authorized) == (PaymentState.EXPIRED, "expired_on_capture (yoo_money)", 0)
    assert now.hold_expires_at is None
    with pytest.raises(AdapterRejected, match="Invalid payment status"):
        gateway.capture(held, D("1500.00"), key=new_key())
    assert [letter[1].count(b"payment.canceled") for letter in driver.received()] == [0, 1]


def test_a_payment_can_be_paid_for_an_hour(gateway, driver):
    started = gateway.start(asked(), key=new_key())
    driver.later(hours=1)
    driver.approve(started)  # too late
    now = gateway.fetch(started.external_id)
    assert (now.state, now.reason) == (PaymentState.EXPIRED, "expired_on_confirmation (yoo_money)")


@pytest.mark.feature("E2")
def test_less_than_the_hold_is_captured_with_a_receipt_of_what_is_left(connect, driver):
    gateway = connect(receipts=RECEIPTS)
    held = begun(gateway, driver)
    with pytest.raises(AdapterRejected, match="add up to 500.00 RUB, not to 1000.00 RUB"):
        gateway.capture(held, D("1000.00"), key=new_key(), items=[Item("Доставка", 1, D("500.00"))])
    with pytest.raises(AdapterRejected, match="add up to 0 RUB"):
        gateway.capture(held, D("1000.00"), key=new_key())
    kept = [Item("Чайник", 3, D("1000.00"), tax_rate=D(10))]
    captured = gateway.capture(held, D("1000.00"), key=new_key(), items=kept)
    assert (captured.captured, captured.authorized, captured.state) == (D(1000), D(1000), PaymentState.CAPTURED)
    assert captured.paid_at == driver.at.replace(microsecond=driver.at.microsecond // 1000 * 1000)
    [receipt] = driver.vendor.books.all("receipt")
    lines = [(line["quantity"], line["amount"]["value"], line["vat_code"]) for line in receipt["items"]]
    assert lines == [(1, "333.34", 3), (2, "333.33", 3)]


def test_the_whole_hold_needs_no_second_receipt(connect, driver):
    gateway = connect(receipts=RECEIPTS)
    gateway.capture(begun(gateway, driver), D("1500.00"), key=new_key())
    assert b"receipt" not in driver.posts("/capture")[0][3]
    assert [len(receipt["items"]) for receipt in driver.vendor.books.all("receipt")] == [3]


def test_without_receipts_no_personal_data_of_the_buyer_goes_out(gateway, driver):
    gateway.start(asked(), key=new_key())
    sent = driver.posts("/payments")[0][3]
    assert b"anna@example.com" not in sent
    assert b"999" not in sent
    assert b'"locale":"ru_RU"' in sent


def test_a_receipt_needs_to_reach_the_buyer(connect, driver):
    with pytest.raises(AdapterRejected, match="e-mail"):
        connect(receipts=RECEIPTS).start(asked(buyer=Buyer(phone="12")), key=new_key())
    assert not driver.vendor.calls


def test_a_payment_that_nobody_paid_cannot_be_closed(gateway, driver):
    started = gateway.start(asked(), key=new_key())
    with pytest.raises(AdapterRejected, match="Invalid payment status"):
        gateway.void(started, key=new_key())
    assert gateway.fetch(started.external_id).state == PaymentState.PENDING


def test_the_risk_check_is_told_apart_from_the_issuer(gateway, driver):
    started = gateway.start(asked(), key=new_key())
    driver.vendor.decide(started.external_id, "refuse_antifraud")
    now = gateway.fetch(started.external_id)
    assert (now.state, now.reason) == (PaymentState.REFUSED_ANTIFRAUD, "fraud_suspected (yoo_money)")


@pytest.mark.parametrize(("method", "limit"), [("bank_card", "350000"), ("sbp", "700000"), ("yoo_money", "250000")])
def test_sums_beyond_the_method_are_refused_before_the_call(connect, driver, method, limit):
    gateway, hold = connect(), method != "sbp"
    for wrong in (D(limit) + D("0.01"), D("0.99")):
        with pytest.raises(AdapterRejected, match=f"1 to {limit} RUB"):
            gateway.start(asked(method=method, amount=wrong, hold=hold), key=new_key())
    assert not driver.vendor.calls
    assert gateway.start(asked(method=method, amount=D(limit), hold=hold), key=new_key()).amount == D(limit)
    # A raised limit of ours does not raise YooKassa's: its refusal is shown.
    with pytest.raises(AdapterRejected, match=r"YooKassa refused: Amount is outside .* / amount.value"):
        connect(limits={method: 900_000}).start(asked(method=method, amount=D(800_000), hold=hold), key=new_key())


# Accidents: whatever happens to a call, its repetition has one effect


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_a_start_whose_answer_is_lost_begins_one_payment(gateway, driver, accident):
    request, key = asked(), new_key()
    driver.vendor.fail_next(accident)
    with pytest.raises(AdapterUnavailable) as caught:
        gateway.start(request, key=key)
    assert isinstance(caught.value, AdapterUnanswered) == (accident != "busy")
    found = gateway.find(request.reference)
    assert (found is None) == (accident in ("cut_before", "error_before", "busy"))
    again = gateway.start(request, key=key)
    assert driver.vendor.books.count("payment") == 1
    assert gateway.find(request.reference) == again
    if found:
        assert again == found


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_a_capture_whose_answer_is_lost_takes_the_money_once(gateway, driver, accident):
    held, key = begun(gateway, driver), new_key()
    driver.vendor.fail_next(accident, path="/capture")
    with pytest.raises(AdapterUnavailable):
        gateway.capture(held, D("1200.00"), key=key)
    again = gateway.capture(held, D("1200.00"), key=key)
    assert again.captured == D("1200.00")
    assert same(gateway.fetch(held.external_id)) == same(again)
    assert len([letter for letter in driver.letters if b"payment.succeeded" in letter.body]) == 1


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_a_void_whose_answer_is_lost_gives_back_once(gateway, driver, accident):
    held, key = begun(gateway, driver), new_key()
    driver.vendor.fail_next(accident, path="/cancel")
    with pytest.raises(AdapterUnavailable):
        gateway.void(held, key=key)
    assert gateway.void(held, key=key).state == PaymentState.CANCELLED
    assert gateway.fetch(held.external_id).reason == "canceled_by_merchant (merchant)"


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_a_refund_whose_answer_is_lost_is_made_once(gateway, driver, accident):
    paid, key = begun(gateway, driver, hold=False), new_key()
    gateway.refund(paid, D("1.00"), key=new_key())
    # The second call is the one that refunds: the first asks for what was refunded.
    driver.vendor.fail_next(accident, path="/refunds")
    with pytest.raises(AdapterUnavailable):
        gateway.refund(paid, D("700.00"), key=key)
    assert gateway.refund(paid, D("700.00"), key=key).amount == D("700.00")
    assert gateway.fetch(paid.external_id).refunded == D("701.00")
    assert driver.vendor.books.count("refund") == 2


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_the_post_of_a_refund_may_be_lost(gateway, driver, accident, monkeypatch):
    paid, key = begun(gateway, driver, hold=False), new_key()
    post = gateway._http.post

    def lose(*args, **options):
        driver.vendor.fail_next(accident, path="/refunds")
        monkeypatch.setattr(gateway._http, "post", post)
        return post(*args, **options)

    monkeypatch.setattr(gateway._http, "post", lose)
    with pytest.raises(AdapterUnavailable):
        gateway.refund(paid, D("700.00"), key=key)
    assert gateway.refund(paid, D("700.00"), key=key).state == "done"
    assert [gateway.fetch(paid.external_id).refunded, driver.vendor.books.count("refund")] == [D("700.00"), 1]


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_a_question_without_answer_is_only_unavailable(gateway, driver, accident):
    started = gateway.start(asked(), key=new_key())
    for call in (lambda: gateway.fetch(started.external_id), lambda: gateway.find(started.reference)):
        driver.vendor.fail_next(accident)
        with pytest.raises(AdapterUnavailable) as caught:
            call()
        assert not isinstance(caught.value, AdapterUnanswered)


def test_nobody_there(connect):
    gateway = connect(base_url="http://127.0.0.1:9/v3")
    with pytest.raises(AdapterUnavailable, match="cannot be reached") as caught:
        gateway.start(asked(), key=new_key())
    assert not isinstance(caught.value, AdapterUnanswered)


# The day after: YooKassa has forgotten the key


def test_after_a_day_steps_that_were_done_are_still_done_once(gateway, driver):
    taken, given, paid = (begun(gateway, driver, hold=hold) for hold in (True, True, False))
    keys = [new_key() for _step in range(3)]

    def steps():
        return (
            gateway.capture(taken, D("900.00"), key=keys[0]).captured,
            gateway.void(given, key=keys[1]).state,
            gateway.refund(paid, D("500.00"), key=keys[2]).external_id,
        )

    first = steps()
    driver.later(hours=25)
    assert steps() == first
    assert gateway.fetch(paid.external_id).refunded == D("500.00")
    # Another sum was not what was done.
    with pytest.raises(AdapterRejected, match="Invalid payment status"):
        gateway.capture(taken, D("901.00"), key=keys[0])
    with pytest.raises(AdapterRejected, match="Invalid payment status"):
        gateway.void(taken, key=new_key())


def test_after_a_day_a_start_is_found_instead(gateway, driver):
    request, key = asked(), new_key()
    first = gateway.start(request, key=key)
    driver.approve(first)
    driver.later(hours=25)
    assert gateway.find(request.reference).external_id == first.external_id
    assert gateway.start(request, key=key).external_id != first.external_id  # why it has to be asked for


def test_the_search_looks_back_some_days_through_all_pages(connect, driver):
    gateway, old = connect(), asked()
    driver.later(days=-4)
    gateway.start(old, key=new_key())
    driver.later(days=4)
    wanted = gateway.start(asked(), key=new_key())
    for _other in range(230):
        gateway.start(asked(method="sbp", hold=False), key=new_key())
    driver.vendor.calls.clear()
    assert gateway.find(wanted.reference) == wanted
    assert len(driver.vendor.calls) == 3
    assert gateway.find(old.reference) is None
    assert connect(find_days=5).find(old.reference).reference == old.reference


def test_a_list_too_long_to_be_read_is_no_answer(gateway, driver, monkeypatch):
    monkeypatch.setattr("oscar_fulfillment.gateways.yookassa._PAGE", 1)
    monkeypatch.setattr("oscar_fulfillment.gateways.yookassa._PAGES", 2)
    requests = [asked() for _payment in range(3)]
    for request in requests:
        gateway.start(request, key=new_key())
    assert gateway.find(requests[1].reference)
    with pytest.raises(AdapterUnavailable, match="longer than 2"):
        gateway.find(requests[0].reference)


def test_the_same_key_for_another_call_is_refused(gateway, driver):
    key = new_key()
    gateway.start(asked(), key=key)
    with pytest.raises(AdapterRejected, match="Idempotence key duplicated"):
        gateway.start(asked(), key=key)


def test_a_key_that_does_not_fit_the_header_is_hashed(gateway, driver):
    request, key = asked(), "order 100017: capture №1 " * 9
    assert gateway.start(request, key=key) == gateway.start(request, key=key)
    [first, second] = [headers["Idempotence-Key"] for _m, _p, headers, _b in driver.posts("/payments")]
    assert first == second
    assert len(first) == 64


def test_eight_at_once_with_one_key_refund_once(connect, driver):
    gateway = connect(read_timeout=20.0)
    paid, key, found = begun(gateway, driver, hold=False), new_key(), []
    threads = [
        threading.Thread(target=lambda: found.append(gateway.refund(paid, D("10.00"), key=key).external_id))
        for _thread in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert gateway.fetch(paid.external_id).refunded == D("10.00")


# Refunds


def test_refunds_that_wait_and_fail_are_told(gateway, driver):
    paid = begun(gateway, driver, hold=False)
    driver.vendor.next_refunds.extend(["pending", "insufficient_funds"])
    waits = gateway.refund(paid, D("1000.00"), key=new_key())
    assert waits.state == "pending"
    with pytest.raises(AdapterRejected, match="500.00 RUB are left"):
        gateway.refund(paid, D("600.00"), key=new_key())
    failed = gateway.refund(paid, D("500.00"), key="the second")
    assert (failed.state, failed.reason) == ("failed", "insufficient_funds (refund_network)")
    now = gateway.fetch(paid.external_id)
    assert (now.refunded, now.state) == (0, PaymentState.CAPTURED)
    assert (now.refunds[0].state, now.refunds[0].key) == ("failed", "the second")
    driver.vendor.settle_refund(waits.external_id)
    gateway.refund(paid, D("500.00"), key=new_key())
    now = gateway.fetch(paid.external_id)
    assert (now.refunded, now.state) == (D("1500.00"), PaymentState.REFUNDED)
    assert sorted(refund.state for refund in now.refunds) == ["done", "done", "failed"]


def test_receipts_of_refunds(connect, driver):
    gateway = connect(receipts=RECEIPTS)
    paid = begun(gateway, driver, hold=False)

    def sent():
        return json.loads(driver.posts("/refunds")[-1][3])

    gateway.refund(paid, D("100.00"), key=new_key(), reason="Брак")
    lines = sent()["receipt"]["items"]
    # By sum: 1000 of 1500 was tea kettles in two lines of 333.34 and 666.66.
    assert [(line["amount"]["value"], line["vat_code"]) for line in lines] == [("22.22", 3), ("44.45", 3), ("33.33", 4)]
    assert sent()["receipt"]["customer"] == {"email": "anna@example.com", "phone": "79990000000"}
    assert sent()["description"] == "Брак"
    gateway.refund(paid, D("500.00"), key=new_key(), items=[Item("Доставка", 1, D("500.00"))])
    assert [line["description"] for line in sent()["receipt"]["items"]] == ["Доставка"]
    whole = begun(gateway, driver, hold=False)
    gateway.refund(whole, D("1500.00"), key=new_key())
    assert "receipt" not in sent()


# Credentials and notifications


def test_wrong_credentials_are_said_without_showing_them(connect, caplog):
    caplog.set_level(logging.DEBUG)
    gateway = connect(secret_key="live_wrong_secret")
    with pytest.raises(AdapterRejected, match="does not accept") as caught:
        gateway.start(asked(), key=new_key())
    assert caught.value.status == 401
    shown = "".join([repr(gateway), repr(gateway._http), str(caught.value), repr(caught.value), caplog.text])
    assert "live_wrong_secret" not in shown


def test_notifications_once_twice_late_and_never(gateway, driver):
    started = [gateway.start(asked(), key=new_key()) for _payment in range(4)]
    for payment, how in zip(started, ("once", "twice", "later", "never"), strict=True):
        driver.vendor.decide(payment.external_id, "approve", how)
    gateway.capture(gateway.fetch(started[2].external_id), D("1500.00"), key=new_key())
    driver.vendor.tell_held()
    hints = [gateway.parse_notification(*letter) for letter in driver.received()]
    ids = [payment.external_id for payment in started]
    assert [ids.index(hint.external_id) for hint in hints] == [0, 1, 1, 2, 2]
    # The one that was held back arrives after the capture: only fetching tells the truth.
    assert [hint.kind for hint in hints[3:]] == ["payment.succeeded", "payment.waiting_for_capture"]
    assert gateway.fetch(ids[2]).state == PaymentState.CAPTURED
    assert gateway.fetch(ids[3]).state == PaymentState.AUTHORIZED


def test_a_refund_leads_to_its_payment(gateway, driver):
    paid = begun(gateway, driver, hold=False)
    gateway.refund(paid, D("1.00"), key=new_key())
    hint = gateway.parse_notification(*driver.received()[-1])
    assert (hint.kind, hint.external_id) == ("refund.succeeded", paid.external_id)


# YooKassa's SDK as a second opinion of the simulator


@pytest.fixture
def sdk(address):
    yookassa.Configuration.configure(simulation.SHOP_ID, simulation.SECRET_KEY, api_url=address)
    yield yookassa
    yookassa.Configuration.account_id = yookassa.Configuration.secret_key = None
    yookassa.Configuration.api_url = "https://api.yookassa.ru/v3"


def test_the_official_sdk_sees_what_the_gateway_sees(gateway, driver, sdk):
    held = begun(gateway, driver)
    theirs = sdk.Payment.find_one(held.external_id)
    assert (theirs.status, theirs.amount.value, theirs.metadata["reference"]) == (
        "waiting_for_capture", D("1500.00"), held.reference,
    )  # fmt: skip
    assert datetime.fromisoformat(theirs.expires_at) == held.hold_expires_at
    theirs = sdk.Payment.capture(held.external_id, {"amount": {"value": "1200.00", "currency": "RUB"}}, new_key())
    ours = gateway.fetch(held.external_id)
    assert (theirs.status, theirs.amount.value, ours.captured) == ("succeeded", D("1200.00"), D("1200.00"))
    refund = sdk.Refund.create(
        {"payment_id": held.external_id, "amount": {"value": "200.00", "currency": "RUB"}}, new_key()
    )
    [seen] = gateway.fetch(held.external_id).refunds
    assert (seen.external_id, seen.amount, seen.state) == (refund.id, refund.amount.value, "done")
    listed = sdk.Payment.list({"status": "succeeded", "created_at.gte": "2020-01-01T00:00:00.000Z"})
    assert [payment.id for payment in listed.items] == [held.external_id]
    assert [found.id for found in sdk.Refund.list({"payment_id": held.external_id}).items] == [refund.id]


def test_the_official_sdk_begins_what_the_gateway_finds(gateway, driver, sdk):
    body = {
        "amount": {"value": "10.00", "currency": "RUB"},
        "capture": False,
        "payment_method_data": {"type": "yoo_money"},
        "confirmation": {"type": "redirect", "return_url": "https://shop.example/back"},
        "metadata": {"reference": "FROM-SDK"},
    }
    key = new_key()
    theirs = sdk.Payment.create(body, key)
    assert sdk.Payment.create(body, key).id == theirs.id
    ours = gateway.find("FROM-SDK")
    assert (ours.external_id, ours.redirect_url) == (theirs.id, theirs.confirmation.confirmation_url)
    driver.approve(ours)
    assert sdk.Payment.cancel(theirs.id, new_key()).cancellation_details.reason == "canceled_by_merchant"
    assert gateway.fetch(theirs.id).state == PaymentState.CANCELLED
    with pytest.raises(BadRequestError):
        sdk.Payment.capture(theirs.id, {"amount": body["amount"]}, new_key())
    sdk.Configuration.secret_key = "wrong"
    with pytest.raises(UnauthorizedError):
        sdk.Payment.find_one(theirs.id)


def test_the_official_sdk_reads_our_notifications(gateway, driver, sdk):
    held = begun(gateway, driver)
    gateway.void(held, key=new_key())
    for _headers, body, _query in driver.received():
        theirs = WebhookNotificationFactory().create(json.loads(body))
        hint = gateway.parse_notification({}, body, {})
        assert (theirs.event, theirs.object.id) == (hint.kind, hint.external_id)
    assert len(driver.letters) == 2


def test_the_official_sdk_accepts_the_body_of_our_receipts(connect, driver, sdk):
    connect(receipts={**RECEIPTS, "tax_system_code": 2}).start(asked(), key=new_key())
    request = TheirRequest(json.loads(driver.posts("/payments")[0][3]))
    request.validate()
    assert sum(item.amount.value * D(item.quantity) for item in request.receipt.items) == D("1500.00")
    assert request.receipt.tax_system_code == 2


# The pages for people


def test_a_person_decides_on_the_page_and_sets_the_profile(gateway, driver, address):
    started = gateway.start(asked(), key=new_key())
    assert started.redirect_url == f"{address.removesuffix('/v3')}/pay/{started.external_id}"
    assert b"1500.00 RUB" in urllib3.request("GET", started.redirect_url).data
    http = urllib3.PoolManager()
    form = {"encode_multipart": False, "redirect": False}
    answer = http.request("POST", started.redirect_url, fields={"decision": "approve", "notify": "once"}, **form)
    assert (answer.status, answer.headers["Location"]) == (303, "https://shop.example/back")
    held = gateway.fetch(started.external_id)
    assert held.state == PaymentState.AUTHORIZED
    home = address.removesuffix("/v3")
    profile = home + "/profile"
    assert b'href="/profile"' in urllib3.request("GET", home + "/").data
    fields = {"url": "https://elsewhere.example/", "refund": "insufficient_funds"}
    http.request("POST", profile, fields=fields, **form)
    assert b"https://elsewhere.example/" in urllib3.request("GET", profile).data
    captured = gateway.capture(held, held.amount, key=new_key())
    assert driver.letters[-1].url == "https://elsewhere.example/"
    assert gateway.refund(captured, D("1.00"), key=new_key()).state == "failed"


def test_the_simulator_lives_below_a_path_too():
    vendor = simulation.YooKassa()
    with serve(DispatcherMiddleware(None, {"/yookassa": vendor})) as address:
        gateway = YooKassa(
            alias="yk", shop_id=vendor.shop_id, secret_key=vendor.secret_key, base_url=f"{address}/yookassa/v3"
        )
        started = gateway.start(asked(), key=new_key())
        assert started.redirect_url == f"{address}/yookassa/pay/{started.external_id}"
        assert urllib3.request("GET", started.redirect_url).status == 200
        missing = urllib3.request("GET", f"{address}/yookassa/v3/nothing")
        assert (missing.status, missing.json()["code"]) == (404, "not_found")


def test_a_stale_view_of_the_payment_does_no_harm(gateway, driver):
    held = begun(gateway, driver)
    gateway.void(held, key=new_key())
    with pytest.raises(AdapterRejected):
        gateway.capture(held, held.amount, key=new_key())
    with pytest.raises(AdapterRejected):
        gateway.refund(replace(held, captured=held.amount), held.amount, key=new_key())
    assert gateway.fetch(held.external_id).captured == 0


# The simulator refuses what YooKassa refuses

BODY = {
    "amount": {"value": "10.00", "currency": "RUB"},
    "capture": True,
    "payment_method_data": {"type": "bank_card"},
    "confirmation": {"type": "redirect", "return_url": "https://shop.example/back"},
}
LINE = {"description": "Чай", "quantity": 1, "vat_code": 1, "amount": {"value": "10.00", "currency": "RUB"}}
MAIL = {"email": "anna@example.com"}


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"amount": None}, "amount"),
        ({"amount": {"value": "10.00", "currency": "USD"}}, "amount.currency"),
        ({"amount": {"value": 10, "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "10.0", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "0.00", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "0.50", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "350000.01", "currency": "RUB"}}, "amount.value"),
        ({"payment_method_data": {"type": "gold"}}, "payment_method_data.type"),
        ({"payment_method_data": {"type": "sbp"}, "capture": False}, "capture"),
        ({"confirmation": {"type": "redirect"}}, "confirmation.return_url"),
        ({"description": "x" * 129}, "description"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "metadata"),
        ({"metadata": {"k" * 33: "x"}}, "metadata"),
        ({"metadata": {"k": "x" * 513}}, "metadata"),
        ({"receipt": {"items": []}}, "receipt"),
        ({"receipt": {"items": [LINE]}}, "receipt.customer"),
        ({"receipt": {"customer": MAIL, "items": [LINE] * 81}}, "receipt.items"),
        ({"receipt": {"customer": MAIL, "items": [{**LINE, "vat_code": 13}]}}, "receipt.items"),
        ({"receipt": {"customer": MAIL, "items": [{**LINE, "quantity": "two"}]}}, "receipt.items.quantity"),
        ({"receipt": {"customer": MAIL, "items": [{**LINE, "quantity": 2}]}}, "receipt.items.amount"),
    ],
)
def test_bad_requests_are_refused_by_the_simulator(sdk, address, driver, changes, parameter):
    answer = urllib3.request(
        "POST", f"{address}/payments", body=json.dumps({**BODY, **changes}),
        headers={**urllib3.make_headers(basic_auth=f"{simulation.SHOP_ID}:{simulation.SECRET_KEY}"),
                 "Idempotence-Key": new_key(), "Content-Type": "application/json"},
    )  # fmt: skip
    assert (answer.status, answer.json()["code"], answer.json()["parameter"]) == (400, "invalid_request", parameter)
    assert driver.vendor.books.count("payment") == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("POST", "/payments", BODY, {}, 400),
        ("POST", "/payments", BODY, {"Idempotence-Key": "k" * 65}, 400),
        ("POST", "/payments", [], {"Idempotence-Key": "k"}, 400),
        ("POST", "/payments", BODY, {"Idempotence-Key": "k", "Content-Type": "text/plain"}, 415),
        ("POST", "/refunds", {"payment_id": "none", "amount": BODY["amount"]}, {"Idempotence-Key": "k"}, 400),
        ("POST", "/payments/none/capture", {}, {"Idempotence-Key": "k"}, 404),
        ("GET", "/payments?limit=0", None, {}, 400),
        ("GET", "/payments?limit=x", None, {}, 400),
        ("GET", "/payments?created_at.gte=yesterday", None, {}, 200),
        ("GET", "/refunds/none", None, {}, 404),
        ("GET", "/payments", None, {"Authorization": "Basic eDp5"}, 401),
    ],
)
def test_bad_calls_are_refused_by_the_simulator(address, method, path, body, headers, status):
    credentials = urllib3.make_headers(basic_auth=f"{simulation.SHOP_ID}:{simulation.SECRET_KEY}")
    sent = {"Authorization": credentials["authorization"], "Content-Type": "application/json", **headers}
    answer = urllib3.request(method, address + path, headers=sent, body=None if body is None else json.dumps(body))
    assert answer.status == status
    assert answer.json()["type"] == ("list" if status == 200 else "error")


def test_lists_are_filtered_by_time_status_and_method(gateway, driver, sdk):
    paid = begun(gateway, driver, hold=False)
    driver.later(hours=2)
    gateway.start(asked(method="sbp", hold=False), key=new_key())

    def count(**query):
        return len(sdk.Payment.list({name.replace("__", "."): value for name, value in query.items()}).items)

    moment = sdk.Payment.find_one(paid.external_id).created_at
    assert (count(created_at__gte=moment), count(created_at__gt=moment)) == (2, 1)
    assert (count(created_at__lte=moment), count(created_at__lt=moment)) == (1, 0)
    assert (count(captured_at__gte=moment), count(payment_method="bank_card"), count(status="pending")) == (1, 1, 1)
    with pytest.raises(BadRequestError):
        count(created_at__gte="yesterday")


def test_notifications_come_over_http_while_the_shop_still_waits_for_its_answer(connect):
    told, arrived = [], threading.Event()

    def shop(environ, start_response):
        told.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        arrived.set()
        start_response("200 OK", [])
        return [b""]

    with serve(shop) as address:
        vendor = simulation.YooKassa(notification_url=address)
        with serve(vendor) as api:
            gateway = YooKassa(alias="yk", shop_id=vendor.shop_id, secret_key=vendor.secret_key, base_url=f"{api}/v3")
            started = gateway.start(asked(), key=new_key())
            vendor.decide(started.external_id, "approve")
            assert [gateway.parse_notification({}, body, {}).kind for body in told] == ["payment.waiting_for_capture"]
            arrived.clear()
            gateway.capture(gateway.fetch(started.external_id), D("1500.00"), key=new_key())
            assert arrived.wait(10)
            assert gateway.parse_notification({}, told[1], {}).kind == "payment.succeeded"


def test_odd_lists_are_no_answer(gateway, monkeypatch):
    for odd in ([], {}, {"items": "x"}, None):
        monkeypatch.setattr(gateway._http, "get", lambda path, query=None, odd=odd: odd)
        with pytest.raises(AdapterUnavailable, match="no list"):
            gateway.find("R1")


def test_a_payment_of_another_shop_cannot_be_captured_or_given_back(connect, driver):
    held = begun(connect(), driver)
    for change in (lambda: connect(secret_key="x").void(held, key=new_key()), lambda: connect().void(
        replace(held, external_id="22e12f66-000f-5000-8000-18db351245c7"), key=new_key())):  # fmt: skip
        with pytest.raises(AdapterRejected) as caught:
            change()
        assert caught.value.status in (401, 404)
