"""The Datatrans gateway against the simulator, over real HTTP on this machine."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import urllib3

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable
from oscar_fulfillment.gateways.base import Buyer
from oscar_fulfillment.gateways.base import PaymentState as State
from oscar_fulfillment.gateways.datatrans import DatatransGateway
from oscar_fulfillment.test.gateway_case import GatewayCase, new_key
from oscar_fulfillment.test.gateway_contract import GatewayContract
from sandbox.simulators.base import ACCIDENTS, serve
from sandbox.simulators.datatrans import MERCHANT_ID, PASSWORD, SIGN_KEY, Datatrans
from sandbox.simulators.payments import NOTIFY


class Clock:
    """The provider's and the shop's time."""

    def __init__(self):
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self):
        return self.now

    def go(self, **delta):
        self.now += timedelta(**delta)


class Driver:
    """The buyer on the payment page."""

    def __init__(self, simulator, clock):
        self.simulator, self.clock, self.notifications = simulator, clock, []
        simulator.deliver = self.deliver

    def deliver(self, notification):
        self.notifications.append(notification)
        return 200

    def approve(self, payment):
        self.simulator.decide(payment.external_id, "approve")

    def refuse(self, payment):
        self.simulator.decide(payment.external_id, "refuse_issuer")

    def expire(self, payment):
        self.clock.go(minutes=31)

    def received(self):
        return [({k.lower(): v for k, v in n.headers.items()}, n.body, {}) for n in self.notifications]


class Setup:
    currency = "CHF"
    secrets = (PASSWORD, SIGN_KEY)

    @pytest.fixture
    def clock(self):
        return Clock()

    @pytest.fixture
    def simulator(self, clock):
        return Datatrans(clock=clock)

    @pytest.fixture
    def address(self, simulator):
        with serve(simulator) as address:
            yield address

    @pytest.fixture
    def gateway(self, address, clock):
        return make(address, clock)

    @pytest.fixture
    def driver(self, simulator, clock):
        return Driver(simulator, clock)


def make(address, clock, **options):
    given = {"merchant_id": MERCHANT_ID, "password": PASSWORD, "sign_keys": [SIGN_KEY], "timeout": 0.5, **options}
    return DatatransGateway(alias="dt", base_url=address, clock=clock, **given)


class TestTwint(Setup, GatewayContract):
    method, other_currency = "twint", "EUR"


class TestCard(Setup, GatewayContract):
    method = "card"


class TestPostFinance(Setup, GatewayContract):
    method = "postfinance"


class TestLife(Setup, GatewayCase):
    """What the contract does not ask for."""

    method = "twint"

    def test_the_page_of_the_buyer_pays_and_leads_back(self, gateway, driver, address):
        started = self.started(gateway, hold=True, return_url="https://shop.example/back?o=1")
        assert started.redirect_url == f"{address}/v1/start/{started.external_id}"
        assert gateway.fetch(started.external_id).redirect_url == started.redirect_url
        page = urllib3.request("GET", started.redirect_url)
        assert page.status == 200
        assert b"100.00 CHF" in page.data
        answer = urllib3.request(
            "POST",
            f"{address}/pay/{started.external_id}",
            fields={"decision": "approve", "notify": "twice"},
            redirect=False,
        )
        assert answer.headers["Location"] == f"https://shop.example/back?o=1&datatransTrxId={started.external_id}"
        assert gateway.fetch(started.external_id).state == State.AUTHORIZED
        hints = [gateway.parse_notification(*received) for received in driver.received()]
        assert len(hints) == 2
        assert len(set(hints)) == 1  # told twice: one event
        assert hints[0].reference == started.reference
        assert started.reference.encode() in urllib3.request("GET", f"{address}/").data

    def test_a_hold_goes_all_its_way(self, gateway, driver, simulator, clock):
        held = self.held(gateway, driver)
        assert held.hold_expires_at == clock.now + timedelta(days=7)
        captured = gateway.capture(held, Decimal("60.00"), key=new_key())
        assert (captured.captured, captured.authorized, captured.paid_at) == (60, 60, clock.now)
        with pytest.raises(AdapterRejected, match=r"already settled 60\.00 CHF"):
            gateway.capture(held, Decimal("40.00"), key=new_key())  # the rest is gone
        simulator.transmit()
        simulator.decide(held.external_id, "refuse_refund")
        with pytest.raises(AdapterRejected, match="DECLINED: credit declined"):
            gateway.refund(captured, Decimal("10.00"), key=new_key())
        assert gateway.fetch(held.external_id).refunded == 0
        refund = gateway.refund(captured, Decimal("10.00"), key="refund-1")
        assert (refund.state, refund.key) == ("done", "refund-1")
        assert simulator.books.get("transaction", refund.external_id)["refno"] == "refund-1"
        with pytest.raises(AdapterRejected) as caught:
            gateway.fetch(refund.external_id)  # a credit is no payment
        assert caught.value.status == 404
        with pytest.raises(AdapterRejected, match="exceeds the settled amount"):
            gateway.refund(gateway.fetch(held.external_id), Decimal("50.01"), key=new_key())
        gateway.refund(gateway.fetch(held.external_id), Decimal("50.00"), key=new_key())
        assert gateway.fetch(held.external_id).state == State.REFUNDED

    def test_autosettle_is_what_the_shop_asked_for(self, gateway, simulator):
        for hold in (True, False):
            self.started(gateway, hold=hold)
            assert json.loads(simulator.calls[-1][3])["autoSettle"] is not hold

    def test_a_hold_that_ran_out_is_not_captured(self, gateway, driver, simulator):
        held = self.held(gateway, driver)
        simulator.decide(held.external_id, "expire_hold")
        with pytest.raises(AdapterRejected, match="authorization expired"):
            gateway.capture(held, self.amount, key=new_key())
        assert gateway.fetch(held.external_id).captured == 0
        assert gateway.void(held, key=new_key()).state == State.CANCELLED

    @pytest.mark.parametrize(
        ("method", "decision", "state", "reason"),
        [
            ("card", "refuse_antifraud", State.REFUSED_ANTIFRAUD, "BLOCKED_BY_VELOCITY_CHECKER"),
            ("card", "refuse_3ds", State.REFUSED, "3-D Secure: failed"),
            ("twint", "refuse_issuer", State.REFUSED, "DECLINED"),
            ("twint", "cancel", State.CANCELLED, ""),
            ("twint", "expire", State.EXPIRED, ""),
        ],
    )
    def test_the_ends_of_a_payment(self, gateway, driver, simulator, method, decision, state, reason):
        started = self.started(gateway, method=method)
        simulator.decide(started.external_id, decision)
        ended = gateway.fetch(started.external_id)
        assert (ended.state, ended.captured, ended.authorized) == (state, 0, 0)
        assert reason in ended.reason
        assert len(driver.notifications) == (decision != "expire")  # Datatrans does not tell of timeouts
        for call in (gateway.capture, gateway.refund):
            with pytest.raises(AdapterRejected):
                call(ended, self.amount, key=new_key())
        driver.approve(ended)  # too late
        assert gateway.fetch(started.external_id).state == state

    def test_an_unpaid_payment_closes_by_itself_only(self, gateway, driver):
        started = self.started(gateway)
        with pytest.raises(AdapterRejected, match="30 minutes"):
            gateway.void(started, key=new_key())
        driver.expire(started)
        driver.approve(started)
        assert gateway.fetch(started.external_id).state == State.EXPIRED
        with pytest.raises(AdapterRejected):
            gateway.void(started, key=new_key())

    @pytest.mark.parametrize("how", NOTIFY)
    def test_the_shop_hears_once_twice_late_or_never(self, gateway, driver, simulator, how):
        first, second = self.started(gateway), self.started(gateway)
        for payment in (first, second):
            simulator.decide(payment.external_id, "approve", how)
        assert len(driver.notifications) == {"once": 2, "twice": 4, "later": 0, "never": 0}[how]
        simulator.tell_held()
        told = []
        for received in driver.received():
            gateway.verify(*received)
            told.append(gateway.parse_notification(*received).external_id)
        if how == "later":
            assert told == [second.external_id, first.external_id]  # the wrong way round

    def test_wrong_credentials_are_told(self, address, clock):
        for changes in ({"password": "other"}, {"merchant_id": "1100000018"}):
            stranger = make(address, clock, **changes)
            with pytest.raises(AdapterRejected, match="merchant id and password") as caught:
                self.started(stranger)
            assert caught.value.status == 401
            with pytest.raises(AdapterRejected) as caught:
                stranger.fetch("221012173742993375")
            assert caught.value.status == 401
            assert "other" not in str(caught.value)

    def test_what_is_not_known_of_the_buyer_is_not_sent(self, gateway, driver, simulator):
        started = self.started(gateway, buyer=Buyer(language="rm"), notification_url="")
        sent = json.loads(simulator.calls[-1][3])
        assert not {"customer", "language", "webhook"} & set(sent)
        driver.approve(started)
        assert driver.notifications == []
        self.started(gateway, buyer=Buyer(language="de-CH", email="anna@example.ch", name="Anna"))
        sent = json.loads(simulator.calls[-1][3])
        assert (sent["language"], sent["customer"]) == ("de", {"email": "anna@example.ch"})

    def test_the_time_is_that_of_the_machine(self):
        simulator = Datatrans(deliver=lambda notification: 200)
        options = {"merchant_id": MERCHANT_ID, "password": PASSWORD}
        with serve(simulator) as address:
            real = DatatransGateway(alias="dt", base_url=address, **options)
            started = self.started(real)
            simulator.decide(started.external_id, "approve")
            paid = real.fetch(started.external_id)
            assert abs(datetime.now(UTC) - paid.paid_at) < timedelta(minutes=1)
            real.refund(paid, self.part, key=new_key())
            assert real.refund(paid, self.part, key=new_key()).state == "done"
            assert real.fetch(started.external_id).refunded == 2 * self.part

    def test_a_reference_has_its_limits(self, gateway, simulator):
        assert gateway.start(self.request(reference="R" * 40), key=new_key()).reference == "R" * 40
        before = len(simulator.calls)
        for wrong in ("R" * 41, "", "a b", "ü", "a\n"):
            with pytest.raises(AdapterRejected):
                gateway.start(self.request(reference=wrong), key=new_key())
        assert len(simulator.calls) == before

    def test_a_reference_can_be_unique_at_datatrans(self, gateway, simulator):
        simulator.unique_refno = True
        request = self.request()
        gateway.start(request, key=new_key())
        with pytest.raises(AdapterRejected, match="already has a payment with this reference"):
            gateway.start(request, key=new_key())

    def test_a_card_pays_in_each_currency_of_the_account(self, address, clock):
        swiss = make(address, clock, currencies=["CHF", "EUR"])
        assert self.started(swiss, method="card", currency="EUR").currency == "EUR"
        with pytest.raises(AdapterRejected):
            self.started(swiss, method="twint", currency="EUR")
        with pytest.raises(AdapterRejected):
            self.started(swiss, method="card", currency="USD")
        assert self.started(make(address, clock, currencies=[]), method="card", currency="USD").currency == "USD"

    def test_a_mounted_simulator_has_its_pages_below_its_path(self, simulator, clock):
        from werkzeug.middleware.dispatcher import DispatcherMiddleware
        from werkzeug.wrappers import Response

        with serve(DispatcherMiddleware(Response("index"), {"/datatrans": simulator})) as address:
            started = self.started(make(f"{address}/datatrans", clock))
            page = urllib3.request("GET", started.redirect_url)
            assert (page.status, b"100.00 CHF" in page.data) == (200, True)

    def test_a_capture_that_cannot_be_looked_at_is_unanswered(self, gateway, driver, simulator):
        held, key = self.held(gateway, driver), new_key()
        get = gateway.http.get

        def fail_after_the_settlement(path, **options):
            if simulator.calls[-1][1].endswith("/settle"):
                raise AdapterUnavailable("down")
            return get(path, **options)

        gateway.http.get = fail_after_the_settlement
        with pytest.raises(AdapterUnanswered):
            gateway.capture(held, self.amount, key=key)
        gateway.http.get = get
        assert gateway.capture(held, self.amount, key=key).captured == self.amount
        assert settlements(simulator) == [10_000]


class TestRepeats(Setup, GatewayCase):
    """Accidents at each call: the same call with the same key comes to one effect."""

    method = "twint"

    def repeated(self, simulator, accident, path, call):
        simulator.fail_next(accident, path=path)
        with pytest.raises(AdapterUnavailable) as caught:
            call()
        # A connection that broke says nothing of whether it was done; a refusal to work (429) does.
        assert isinstance(caught.value, AdapterUnanswered) == (accident != "busy")
        return call()

    @pytest.mark.parametrize("accident", ACCIDENTS)
    def test_start(self, gateway, simulator, accident):
        request, key = self.request(), new_key()
        started = self.repeated(simulator, accident, "/transactions", lambda: gateway.start(request, key=key))
        assert simulator.books.count("transaction") == 1
        assert gateway.fetch(started.external_id).state == State.PENDING

    @pytest.mark.parametrize("accident", ACCIDENTS)
    def test_fetch(self, gateway, driver, simulator, accident):
        paid = self.paid(gateway, driver)
        simulator.fail_next(accident)
        with pytest.raises(AdapterUnavailable) as caught:
            gateway.fetch(paid.external_id)
        assert not isinstance(caught.value, AdapterUnanswered)
        assert gateway.fetch(paid.external_id) == paid

    @pytest.mark.parametrize("accident", ACCIDENTS)
    def test_capture(self, gateway, driver, simulator, accident):
        held, key = self.held(gateway, driver), new_key()
        captured = self.repeated(simulator, accident, "/settle", lambda: gateway.capture(held, self.part, key=key))
        assert captured.captured == self.part
        assert settlements(simulator) == [4_050]

    @pytest.mark.parametrize("accident", ACCIDENTS)
    def test_void(self, gateway, driver, simulator, accident):
        held, key = self.held(gateway, driver), new_key()
        void = self.repeated(simulator, accident, "/cancel", lambda: gateway.void(held, key=key))
        assert void.state == State.CANCELLED

    @pytest.mark.parametrize("accident", ACCIDENTS)
    def test_refund(self, gateway, driver, simulator, accident):
        paid, key = self.paid(gateway, driver), new_key()
        refund = self.repeated(simulator, accident, "/credit", lambda: gateway.refund(paid, self.part, key=key))
        assert simulator.books.count("transaction") == 2
        assert gateway.fetch(paid.external_id).refunded == self.part
        assert gateway.refund(paid, self.part, key=key) == refund
        assert gateway.refund(paid, self.part, key=new_key()) != refund  # another refund of the same sum
        assert gateway.fetch(paid.external_id).refunded == 2 * self.part

    def test_what_was_done_is_not_done_again_after_the_key_is_forgotten(self, gateway, driver, simulator, clock):
        held, key = self.held(gateway, driver), new_key()
        gateway.capture(held, self.part, key=key)
        clock.go(minutes=61)
        assert gateway.capture(held, self.part, key=key).captured == self.part
        other = self.held(gateway, driver)
        gateway.void(other, key=key)
        clock.go(minutes=61)
        assert gateway.void(other, key=key).state == State.CANCELLED
        assert settlements(simulator) == [4_050]

    def test_a_refund_that_nobody_knows_of_stops_later_ones(self, gateway, driver, simulator, clock):
        paid, key = self.paid(gateway, driver), new_key()
        simulator.fail_next("cut_after", path="/credit")
        with pytest.raises(AdapterUnanswered):
            gateway.refund(paid, self.part, key=key)
        clock.go(minutes=61)  # Datatrans has forgotten the key
        with pytest.raises(AdapterRejected, match=r"gave back 40\.50 CHF"):
            gateway.refund(paid, self.part, key=key)
        assert gateway.fetch(paid.external_id).refunded == self.part
        gateway.refund(gateway.fetch(paid.external_id), Decimal("1.00"), key=new_key())
        assert gateway.fetch(paid.external_id).refunded == self.part + 1

    def test_a_repeat_while_the_first_is_at_work_is_unanswered(self, gateway, driver, simulator):
        held, key = self.held(gateway, driver), new_key()
        gateway.capture(held, self.amount, key=key)
        with simulator.books.change("key", key) as working:
            working["status"] = 0
        with simulator.books.change("transaction", held.external_id) as found:
            found["status"] = "authorized"
        with pytest.raises(AdapterUnanswered):
            gateway.capture(held, self.amount, key=key)

    def test_a_key_belongs_to_one_request(self, gateway, simulator):
        key = new_key()
        gateway.start(self.request(), key=key)
        with pytest.raises(AdapterRejected) as caught:
            gateway.start(self.request(), key=key)
        assert caught.value.status == 422
        assert simulator.books.count("transaction") == 1

    def test_nothing_answers(self, clock):
        with serve(Datatrans()) as address:
            pass
        with pytest.raises(AdapterUnavailable) as caught:
            self.started(make(address, clock))
        assert not isinstance(caught.value, AdapterUnanswered)

    @pytest.mark.parametrize("answer", [b"[]", b"7", b"{}", b'{"transactionId": 7}', b'{"transactionId": "1"}'])
    def test_a_strange_answer_is_none(self, address, clock, answer, monkeypatch):
        gateway = make(address, clock)
        monkeypatch.setattr(gateway.http, "post", lambda *values, **options: json.loads(answer))
        with pytest.raises(AdapterUnanswered):
            self.started(gateway)

    def test_a_refund_needs_an_answer_with_an_id(self, gateway, driver, monkeypatch):
        paid = self.paid(gateway, driver)
        monkeypatch.setattr(gateway.http, "post", lambda *values, **options: {})
        with pytest.raises(AdapterUnanswered):
            gateway.refund(paid, self.part, key=new_key())


class TestWire(Setup):
    """The simulator is as strict as Datatrans: what the gateway never sends is refused as it would be there."""

    INIT = {"currency": "CHF", "refno": "r", "amount": 100, "paymentMethods": ["TWI"]}

    def call(self, address, path, body, method="POST", **headers):
        authorization = urllib3.make_headers(basic_auth=f"{MERCHANT_ID}:{PASSWORD}")
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = urllib3.request(
            method, address + path, body=content or None, headers={**authorization, **headers}, retries=False
        )
        return answer.status, json.loads(answer.data or b"null"), answer.headers

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"currency": "Franken"}, "INVALID_PROPERTY"),
            ({"refno": None}, "INVALID_PROPERTY"),
            ({"refno": "r" * 41}, "INVALID_PROPERTY"),
            ({"amount": 0}, "INVALID_PROPERTY"),
            ({"amount": "100"}, "INVALID_PROPERTY"),
            ({"amount": True}, "INVALID_PROPERTY"),
            ({"paymentMethods": ["XXX"]}, "INVALID_PROPERTY"),
            ({"currency": "EUR"}, "INVALID_SETUP"),
            ({"colour": "red"}, "UNRECOGNIZED_PROPERTY"),
        ],
    )
    def test_a_wrong_init(self, address, changes, code):
        status, answer, _headers = self.call(address, "/v1/transactions", {**self.INIT, **changes})
        assert (status, answer["error"]["code"]) == (400, code)

    def test_an_init(self, address):
        status, answer, headers = self.call(address, "/v1/transactions", self.INIT)
        assert status == 201
        assert headers["Location"] == f"{address}/v1/start/{answer['transactionId']}"
        assert self.call(address, "/v1/transactions", b"{no")[1]["error"]["code"] == "INVALID_JSON_PAYLOAD"
        assert self.call(address, "/v1/transactions", b"[]")[1]["error"]["code"] == "INVALID_JSON_PAYLOAD"

    @pytest.mark.parametrize("operation", ["", "/settle", "/cancel", "/credit"])
    def test_a_wrong_id(self, address, operation):
        body = {"currency": "CHF", "refno": "r", "amount": 100} if operation else b""
        method = "POST" if operation else "GET"
        _status, answer, _headers = self.call(address, f"/v1/transactions/17{operation}", body, method)
        assert "length must be 18 digits" in answer["error"]["message"]
        _status, answer, _headers = self.call(address, f"/v1/transactions/{'1' * 18}{operation}", body, method)
        assert answer["error"]["code"] == "TRANSACTION_NOT_FOUND"

    def test_what_is_not_allowed_in_a_state(self, address, simulator):
        number = self.call(address, "/v1/transactions", self.INIT)[1]["transactionId"]
        sums = {"currency": "CHF", "refno": "r", "amount": 100}

        def code(operation, **changes):
            answer = self.call(address, f"/v1/transactions/{number}/{operation}", {**sums, **changes})[1]
            return answer and answer["error"]["code"]

        assert [code(name) for name in ("settle", "cancel", "credit")] == ["INVALID_TRANSACTION_STATUS"] * 3
        simulator.decide(number, "approve")
        assert code("settle", amount=101) == "INVALID_PROPERTY"
        assert code("settle", currency="EUR") == "INVALID_PROPERTY"
        assert code("credit") == "INVALID_TRANSACTION_STATUS"
        assert code("settle") is None
        assert code("settle") == "INVALID_TRANSACTION_STATUS"
        assert code("credit", currency="EUR") == "INVALID_PROPERTY"
        assert code("cancel") is None  # of the same day: Datatrans does, the gateway never asks for it
        assert code("cancel") == "INVALID_TRANSACTION_STATUS"

    def test_a_credit_without_a_sum_is_the_rest(self, address, simulator):
        number = self.call(address, "/v1/transactions", {**self.INIT, "autoSettle": True})[1]["transactionId"]
        simulator.decide(number, "approve")
        self.call(address, f"/v1/transactions/{number}/credit", {"currency": "CHF", "refno": "a", "amount": 30})
        self.call(address, f"/v1/transactions/{number}/credit", {"currency": "CHF", "refno": "b"})
        history = self.call(address, f"/v1/transactions/{number}", b"", "GET")[1]["history"]
        assert [act["amount"] for act in history if act["action"] == "credit"] == [30, 70]

    def test_what_datatrans_keeps_to_itself_is_not_told(self, address, simulator):
        number = self.call(address, "/v1/transactions", self.INIT)[1]["transactionId"]
        told = self.call(address, f"/v1/transactions/{number}", b"", "GET")[1]
        assert not [name for name in told if name.startswith("_")]
        with pytest.raises(KeyError):
            simulator.decide("1" * 18, "approve")


def settlements(simulator):
    transactions = simulator.books.all("transaction")
    return [act["amount"] for found in transactions for act in found["history"] if act["action"] == "settle"]
