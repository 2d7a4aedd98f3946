"""The gateway of Pagar.me against the simulator, over HTTP on this machine."""

import base64
import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

import pytest
import urllib3
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
    WebhookVerificationFailed,
)
from oscar_fulfillment.gateways.base import Buyer, PaymentState
from oscar_fulfillment.gateways.pagarme import PagarMe
from oscar_fulfillment.test.gateway_contract import GatewayContract
from sandbox.simulators import pagarme as vendor
from sandbox.simulators.base import serve

HOOK = f"{vendor.HOOK_USER}:{vendor.HOOK_PASSWORD}"
BRAZILIAN = Buyer(
    email="maria@example.com", name="Maria Exemplo", phone="+55 11 98765-4321", tax_id_kind="cpf", tax_id="529.982.247-25",
    country="BR", line1="375, Av. Paulista, Bela Vista", city="São Paulo", state="SP", postcode="01310-100",
)  # fmt: skip


class Shop:
    """The simulator, what it has told, and who plays the buyer (the Driver of the contract)."""

    def __init__(self):
        self.told = []
        self.simulator = vendor.PagarMe(deliver=self._deliver, hook_url="https://shop.example/hook")
        self.url = ""

    def _deliver(self, notification):
        headers = {name.lower(): value for name, value in notification.headers.items()}
        self.told.append((headers, notification.body, {}))
        return 200

    def received(self):
        return self.told

    def kinds(self):
        return [json.loads(body)["type"] for _headers, body, _query in self.told]

    def decide(self, payment, decision, notify="once"):
        self.simulator.decide(payment.external_id, decision, notify)

    def approve(self, payment):
        self.decide(payment, "approve")

    def refuse(self, payment):
        self.decide(payment, "refuse_issuer")

    def expire(self, payment):
        self.decide(payment, "expire")

    def gateway(self, **options):
        return PagarMe(
            **{
                "alias": "pagarme",
                "secret_key": vendor.SECRET_KEY,
                "webhook_credentials": [HOOK],
                "base_url": f"{self.url}/core/v5",
                **options,
            }
        )

    def orders(self):
        return self.simulator.books.all("order")

    def charge(self, payment):
        return self.simulator.books.get("order", payment.external_id)["charges"][-1]


@pytest.fixture(scope="module", name="vendors")
def running_vendors():
    """One server for all tests (starting and stopping is what takes time); each test has books of its own."""
    apps = {}
    with serve(lambda environ, start_response: apps["now"](environ, start_response)) as url:
        yield url, apps


@pytest.fixture(name="shop")
def shop_of_a_test(vendors):
    shop = Shop()
    shop.url, vendors[1]["now"] = vendors[0], shop.simulator
    return shop


class Contract(GatewayContract):
    currency, amount, other_currency = "BRL", Decimal("100.00"), "EUR"
    secrets = (vendor.SECRET_KEY, vendor.HOOK_PASSWORD, base64.b64encode(f"{vendor.SECRET_KEY}:".encode()).decode())
    payer = BRAZILIAN

    @pytest.fixture
    def gateway(self, shop):
        return shop.gateway()

    @pytest.fixture
    def driver(self, shop):
        return shop

    def forge(self, received):
        # Not the body is signed: the hook's user and password are what counts.
        _headers, body, query = received
        wrong = base64.b64encode(f"{vendor.HOOK_USER}:guessed".encode()).decode()
        return [
            ({}, body, query),
            ({"authorization": f"Basic {wrong}"}, body, query),
            ({"authorization": HOOK}, body, query),
        ]


class TestCard(Contract):
    method = "card"


class TestPix(Contract):
    method, can_refuse = "pix", False


class TestBoleto(Contract):
    method, can_refuse = "boleto", False


def started(shop, method="card", **changes):
    case = TestCard()
    request = case.request(method=method, **changes)
    return shop.gateway().start(request, key=f"start-{request.reference}")


def held(shop):
    payment = started(shop, hold=True)
    shop.approve(payment)
    return shop.gateway().fetch(payment.external_id)


def paid(shop, method="card"):
    payment = started(shop, method)
    shop.approve(payment)
    return shop.gateway().fetch(payment.external_id)


# The buyer's page


def press(url, **fields):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return urllib3.request("POST", url, body=urlencode(fields), headers=headers, redirect=False)


def test_the_page_belongs_to_the_payment_and_leads_back_to_the_shop(shop):
    payment = started(shop)
    page = urllib3.request("GET", payment.redirect_url).data.decode()
    assert "R$ 100.00" in page
    assert "Refused by the risk check" in page
    answer = press(payment.redirect_url, decision="approve", notify="never")
    assert (answer.status, answer.headers["Location"]) == (303, "https://shop.example/back")
    assert shop.gateway().fetch(payment.external_id).state == PaymentState.CAPTURED
    assert press(payment.redirect_url, decision="approve").status == 409
    assert payment.reference in urllib3.request("GET", f"{shop.url}/").data.decode()


def test_no_card_is_asked_for_by_the_shop(shop):
    started(shop)
    (_method, _path, _headers, body) = shop.simulator.calls[0]
    assert set(json.loads(body)["payments"][0]["checkout"]["credit_card"]) == {"capture", "installments"}


# What can become of it


@pytest.mark.parametrize(
    ("decisions", "state", "kinds"),
    [
        (["approve"], PaymentState.CAPTURED, ["charge.paid", "order.paid"]),
        (["refuse_issuer"], PaymentState.REFUSED, ["charge.payment_failed", "order.payment_failed"]),
        (
            ["refuse_antifraud"],
            PaymentState.REFUSED_ANTIFRAUD,
            ["charge.antifraud_reproved", "charge.payment_failed", "order.payment_failed"],
        ),
        (["review"], PaymentState.IN_REVIEW, ["charge.antifraud_manual"]),
        (["review", "approve"], PaymentState.CAPTURED, ["charge.antifraud_manual", "charge.paid", "order.paid"]),
        (
            ["review", "refuse_antifraud"],
            PaymentState.REFUSED_ANTIFRAUD,
            ["charge.antifraud_manual", "charge.antifraud_reproved", "charge.payment_failed", "order.payment_failed"],
        ),
        (["expire"], PaymentState.EXPIRED, ["checkout.canceled", "order.updated"]),
        (["approve", "charge_back"], PaymentState.CHARGED_BACK, ["charge.paid", "order.paid", "charge.chargedback"]),
    ],
)
def test_what_becomes_of_a_card(shop, decisions, state, kinds):
    payment = started(shop)
    for decision in decisions:
        shop.decide(payment, decision)
    assert shop.gateway().fetch(payment.external_id).state == state
    assert shop.kinds() == ["order.created", *kinds]


@pytest.mark.parametrize(
    ("method", "decisions", "state", "captured"),
    [
        ("pix", ["approve"], PaymentState.CAPTURED, 100),
        ("pix", ["expire"], PaymentState.EXPIRED, 0),
        ("boleto", ["approve"], PaymentState.CAPTURED, 100),
        ("boleto", ["expire"], PaymentState.EXPIRED, 0),
        ("boleto", ["expire", "pay_late"], PaymentState.CAPTURED, 100),
        ("boleto", ["pay_twice"], PaymentState.CAPTURED, 200),
        ("boleto", ["approve", "pay_twice"], PaymentState.CAPTURED, 200),
    ],
)
def test_what_becomes_of_a_pix_and_a_boleto(shop, method, decisions, state, captured):
    payment = started(shop, method)
    for decision in decisions:
        shop.decide(payment, decision)
    now = shop.gateway().fetch(payment.external_id)
    assert (now.state, now.captured, now.amount) == (state, captured, 100)


@pytest.mark.parametrize(
    ("method", "decisions"),
    [
        ("card", ["pay_late"]),
        ("card", ["approve", "approve"]),
        ("card", ["expire", "approve"]),
        ("card", ["charge_back"]),
        ("card", ["expire_hold"]),
        ("pix", ["refuse_issuer"]),
        ("pix", ["expire", "pay_late"]),
        ("pix", ["expire", "approve"]),
        ("boleto", ["expire", "approve"]),
        ("boleto", ["pay_late"]),
        ("pix", ["approve", "charge_back"]),
        ("pix", ["refuse_refund"]),
        ("boleto", ["approve", "refuse_refund"]),
    ],
)
def test_what_cannot_happen_changes_nothing(shop, method, decisions):
    payment = started(shop, method)
    for decision in decisions[:-1]:
        shop.decide(payment, decision)
    before, told = shop.orders(), len(shop.told)
    with pytest.raises(vendor.Conflict):
        shop.decide(payment, decisions[-1])
    assert (shop.orders(), len(shop.told)) == (before, told)


def test_a_boleto_paid_short_shows_what_came_in(shop):
    payment = started(shop, "boleto")
    shop.simulator.underpay(payment.external_id, 4000)
    now = shop.gateway().fetch(payment.external_id)
    assert (now.state, now.captured, now.amount) == (PaymentState.CAPTURED, 40, 100)


def test_a_page_and_a_pix_run_out_by_the_clock(shop):
    card, pix = started(shop), started(shop, "pix")
    later = datetime.now(UTC) + timedelta(days=1)
    shop.simulator.now = lambda: later
    for payment in (card, pix):
        assert shop.gateway().fetch(payment.external_id).state == PaymentState.EXPIRED
        with pytest.raises(vendor.Conflict):
            shop.approve(payment)


# Holds


def test_a_hold_that_ran_out_is_expired_and_not_captured(shop):
    payment, gateway = held(shop), shop.gateway()
    assert payment.hold_expires_at > datetime.now(UTC) + timedelta(days=4)
    shop.decide(payment, "expire_hold")
    now = gateway.fetch(payment.external_id)
    assert (now.state, now.authorized) == (PaymentState.EXPIRED, 0)
    with pytest.raises(AdapterRejected, match="authorization of this charge has expired"):
        gateway.capture(payment, Decimal("100.00"), key="late")
    assert gateway.void(now, key="tidy").state == PaymentState.CANCELLED


def test_refunds_of_a_part_that_was_captured_count_from_that_part(shop):
    payment, gateway = held(shop), shop.gateway()
    captured = gateway.capture(payment, Decimal("60.00"), key="c")
    assert (captured.authorized, captured.captured, captured.refunded) == (60, 60, 0)
    gateway.refund(captured, Decimal("10.00"), key="r1")
    now = gateway.fetch(payment.external_id)
    assert (now.state, now.captured, now.refunded) == (PaymentState.CAPTURED, 60, 10)
    with pytest.raises(AdapterRejected):
        gateway.refund(now, Decimal("50.01"), key="r2")
    gateway.refund(now, Decimal("50.00"), key="r3")
    now = gateway.fetch(payment.external_id)
    assert (now.state, now.captured, now.refunded) == (PaymentState.REFUNDED, 60, 60)


def test_a_sale_without_hold_cannot_be_captured(shop):
    with pytest.raises(AdapterRejected, match="nothing is held"):
        shop.gateway().capture(paid(shop), Decimal("1.00"), key="c")


def test_what_is_in_review_is_not_captured(shop):
    payment = started(shop, hold=True)
    shop.decide(payment, "review")
    now = shop.gateway().fetch(payment.external_id)
    assert (now.state, now.authorized) == (PaymentState.IN_REVIEW, 100)
    with pytest.raises(AdapterRejected, match="can't be captured"):
        shop.gateway().capture(now, Decimal("1.00"), key="c")
    shop.approve(payment)
    assert shop.gateway().fetch(payment.external_id).state == PaymentState.AUTHORIZED


# Closing


@pytest.mark.parametrize("method", ["card", "pix", "boleto"])
def test_what_nobody_has_paid_is_closed_and_cannot_be_paid(shop, method):
    payment, gateway = started(shop, method), shop.gateway()
    for _time in range(2):
        assert gateway.void(payment, key="v").state == PaymentState.CANCELLED
    with pytest.raises(vendor.Conflict):
        shop.approve(payment)
    assert gateway.fetch(payment.external_id).state == PaymentState.CANCELLED


def test_an_overdue_boleto_can_be_closed_so_that_nobody_pays_it_late(shop):
    payment = started(shop, "boleto")
    shop.expire(payment)
    shop.gateway().void(payment, key="v")
    with pytest.raises(vendor.Conflict):
        shop.decide(payment, "pay_late")


def test_closing_what_is_refused_changes_nothing(shop):
    payment = started(shop)
    shop.refuse(payment)
    assert shop.gateway().void(payment, key="v").state == PaymentState.REFUSED


# Refunds


def test_a_refund_that_fails_says_why_and_gives_nothing(shop):
    payment, gateway = paid(shop, "pix"), shop.gateway()
    shop.decide(payment, "refuse_refund")
    refund = gateway.refund(payment, Decimal("30.00"), key="r")
    assert (refund.state, refund.amount, refund.key) == ("failed", 30, "r")
    assert "Saldo insuficiente" in refund.reason
    now = gateway.fetch(payment.external_id)
    assert (now.state, now.refunded) == (PaymentState.CAPTURED, 0)
    assert now.refunds[0].state == "failed"
    assert gateway.refund(payment, Decimal("30.00"), key="another").state == "done"


def test_a_refund_may_take_its_time(shop):
    payment, gateway = paid(shop), shop.gateway()
    shop.simulator.let_refund(payment.external_id, "pending")
    refund = gateway.refund(payment, Decimal("100.00"), key="r")
    assert refund.state == "pending"
    now = gateway.fetch(payment.external_id)
    assert (now.state, now.refunded, now.refunds[0].state) == (PaymentState.CAPTURED, 0, "pending")
    shop.simulator.settle_refund(payment.external_id)
    now = gateway.fetch(payment.external_id)
    assert (now.state, now.refunded) == (PaymentState.REFUNDED, 100)


def test_a_boleto_is_not_refunded(shop):
    with pytest.raises(AdapterRejected, match="cannot refund a payment by boleto"):
        shop.gateway().refund(paid(shop, "boleto"), Decimal("1.00"), key="r")
    assert not [call for call in shop.simulator.calls if call[0] == "DELETE"]


def test_what_was_paid_in_several_charges_is_left_to_a_person(shop):
    payment = paid(shop)
    with shop.simulator.books.change("order", payment.external_id) as order:
        order["charges"].append({**order["charges"][0], "id": "ch_second"})
    assert shop.gateway().fetch(payment.external_id).captured == 200
    with pytest.raises(AdapterRejected, match="several times"):
        shop.gateway().refund(payment, Decimal("100.00"), key="r")


# Accidents

ACCIDENTS = ["cut_before", "cut_after", "error_before", "error_after", "garbage", "busy"]
LATER = (AdapterUnavailable,)


def survive(shop, accident, path, call):
    """The call fails in this way, and is repeated: what it answers then."""
    shop.simulator.fail_next(accident, path=path)
    with pytest.raises(LATER) as caught:
        call()
    # "busy" alone is certain to have done nothing.
    assert isinstance(caught.value, AdapterUnanswered) == (accident != "busy")
    return call()


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_starting_survives(shop, accident):
    gateway, request = shop.gateway(), TestCard().request()
    payment = survive(shop, accident, "/orders", lambda: gateway.start(request, key="k"))
    assert payment.redirect_url
    assert [order["id"] for order in shop.orders()] == [payment.external_id]
    assert gateway.find(request.reference).external_id == payment.external_id


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_capturing_survives(shop, accident):
    payment, gateway = held(shop), shop.gateway()
    done = survive(shop, accident, "/capture", lambda: gateway.capture(payment, Decimal("60.00"), key="k"))
    assert (done.captured, shop.charge(payment)["paid_amount"]) == (60, 6000)
    assert shop.kinds().count("charge.paid") == 1


@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("method", ["card", "hold", "pix"])
def test_closing_survives(shop, accident, method):
    payment = held(shop) if method == "hold" else started(shop, method)
    path = "/closed" if method == "card" else "/charges/"
    done = survive(shop, accident, path, lambda: shop.gateway().void(payment, key="k"))
    assert (done.state, done.captured) == (PaymentState.CANCELLED, 0)


@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("amount", [Decimal("30.00"), Decimal("100.00")])
def test_refunding_survives(shop, accident, amount):
    payment, gateway = paid(shop), shop.gateway()
    refund = survive(shop, accident, "/charges/", lambda: gateway.refund(payment, amount, key="k"))
    assert (refund.state, refund.amount) == ("done", amount)
    assert gateway.fetch(payment.external_id).refunded == amount
    assert shop.charge(payment)["canceled_amount"] == int(amount * 100)


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_asking_can_always_be_repeated(shop, accident):
    payment, gateway = paid(shop), shop.gateway()
    for call in (lambda: gateway.fetch(payment.external_id), lambda: gateway.find(payment.reference)):
        shop.simulator.fail_next(accident)
        with pytest.raises(AdapterUnavailable) as caught:
            call()
        assert not isinstance(caught.value, AdapterUnanswered)  # asking changes nothing
        assert call().captured == 100


@pytest.mark.parametrize("change", ["capture", "refund", "void"])
def test_looking_before_a_change_that_fails_has_done_nothing(shop, change):
    payment, gateway = (paid if change == "refund" else held)(shop), shop.gateway()
    shop.simulator.fail_next("cut_before", path="/orders/")
    arguments = () if change == "void" else (Decimal("1.00"),)
    with pytest.raises(AdapterUnavailable) as caught:
        getattr(gateway, change)(payment, *arguments, key="k")
    assert not isinstance(caught.value, AdapterUnanswered)
    assert {call[0] for call in shop.simulator.calls[1:]} == {"GET"}


def test_nobody_there_is_unavailable(shop):
    gateway = shop.gateway(base_url="http://127.0.0.1:9/core/v5")
    with pytest.raises(AdapterUnavailable) as caught:
        gateway.start(TestCard().request(), key="k")
    assert not isinstance(caught.value, AdapterUnanswered)


def test_a_key_is_remembered_for_a_day_and_the_payment_found_after_it(shop):
    gateway, request = shop.gateway(), TestCard().request()
    first = gateway.start(request, key="k")
    later = datetime.now(UTC) + timedelta(hours=25)
    shop.simulator.now = lambda: later
    assert gateway.find(request.reference).external_id == first.external_id
    assert gateway.start(request, key="k").external_id != first.external_id  # so: ask first
    shop.approve(replace(first, external_id=shop.orders()[-1]["id"]))
    assert gateway.find(request.reference).captured == 100  # of two, the one with the money


def test_a_busy_key_is_not_a_refusal(shop, monkeypatch):
    monkeypatch.setattr(shop.simulator, "_api", lambda request, work: shop.simulator.json({"message": "locked"}, 409))
    with pytest.raises(AdapterUnanswered, match="busy"):
        shop.gateway().start(TestCard().request(), key="k")


# Refusals


@pytest.mark.parametrize("key", ["sk_test_wrong", "sk_live_other"])
def test_a_wrong_key_is_rejected_everywhere(shop, key):
    payment, gateway = paid(shop), shop.gateway(secret_key=key)
    for call in (
        lambda: gateway.fetch(payment.external_id),
        lambda: gateway.find(payment.reference),
        lambda: gateway.start(TestCard().request(), key="k"),
        lambda: gateway.refund(payment, Decimal("1.00"), key="k"),
    ):
        with pytest.raises(AdapterRejected, match=r"refused \(401\): Authorization has been denied") as caught:
            call()
        assert caught.value.status == 401
        assert key not in str(caught.value)


def test_what_the_provider_misses_is_told(shop):
    with pytest.raises(AdapterRejected, match="At least one customer phone is required"):
        started(shop, "pix", buyer=replace(BRAZILIAN, phone=""))
    with pytest.raises(AdapterRejected, match=r"order\.customer\.name: The name field is required"):
        started(shop, buyer=Buyer(email="m@example.com"))
    assert shop.orders() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": "x" * 53}, "references of at most 52"),
        ({"reference": ""}, "references of at most 52"),
        ({"currency": "USD"}, "BRL only"),
        ({"amount": Decimal("0.001")}, "too many decimals"),
        ({"method": "pix", "hold": True}, "cannot hold a sum by pix"),
        ({"method": "voucher"}, "no method"),
    ],
)
def test_what_cannot_be_asked_for_is_not_sent(shop, changes, message):
    with pytest.raises(AdapterRejected, match=message):
        started(shop, **changes)
    assert shop.simulator.calls == []


def test_a_method_the_shop_left_out_is_not_there(shop):
    gateway = shop.gateway(methods=["pix"])
    with pytest.raises(AdapterRejected, match="no method 'card'"):
        gateway.start(TestCard().request(), key="k")


# Hooks


@pytest.mark.parametrize(("how", "times"), [("once", 1), ("twice", 2), ("later", 0), ("never", 0)])
def test_the_shop_hears_of_it_as_the_person_chose(shop, how, times):
    payment = started(shop, "pix")
    shop.decide(payment, "approve", how)
    assert shop.kinds().count("charge.paid") == times
    shop.simulator.tell_held()
    assert shop.kinds().count("charge.paid") == (1 if how == "later" else times)


def test_a_hook_repeated_has_the_same_id_and_one_held_back_comes_in_the_wrong_order(shop):
    gateway, payment = shop.gateway(), started(shop)
    shop.decide(payment, "approve", "later")
    shop.simulator.tell_held()
    assert shop.kinds() == ["order.created", "order.paid", "charge.paid"]
    hints = []
    for headers, body, query in shop.received():
        gateway.verify(headers, body, query)
        hints.append(gateway.parse_notification(headers, body, query))
    assert {hint.external_id for hint in hints} == {payment.external_id}
    assert {hint.reference for hint in hints} == {payment.reference}
    assert len({hint.event_id for hint in hints}) == 3
    shop.told.clear()
    other = started(shop, "boleto")
    shop.decide(other, "approve", "twice")
    ids = [gateway.parse_notification(*received).event_id for received in shop.told if b"charge.paid" in received[1]]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_every_change_is_told_with_the_name_of_its_order(shop):
    gateway = shop.gateway()
    decisions = {
        "card": [["review", "approve", "charge_back"], ["refuse_antifraud"], ["expire"]],
        "pix": [["approve"], ["expire"]],
        "boleto": [["expire", "pay_late"], ["pay_twice"]],
    }
    for method, ways in decisions.items():
        for way in ways:
            payment = started(shop, method)
            shop.told.clear()
            for decision in way:
                shop.decide(payment, decision)
            hints = [gateway.parse_notification(*received) for received in shop.told]
            named = {hint.external_id for hint in hints if not hint.kind.startswith("checkout.")}
            assert named == {payment.external_id}


def test_a_hook_from_elsewhere_is_refused(shop):
    shop.simulator.hook_credentials = "pagarme:guessed"
    paid(shop)
    for headers, body, query in shop.received():
        with pytest.raises(WebhookVerificationFailed):
            shop.gateway().verify(headers, body, query)


# The simulator as such


def test_below_a_path_of_its_own_its_pages_are_there_too(shop, vendors):
    vendors[1]["now"] = DispatcherMiddleware(shop.simulator, {"/pagarme": shop.simulator})
    shop.url += "/pagarme"
    payment = started(shop)
    assert payment.redirect_url.startswith(f"{shop.url}/pay/or_")
    assert press(payment.redirect_url, decision="approve").status == 303
    assert shop.gateway().fetch(payment.external_id).captured == 100


def test_the_books_survive_a_restart(tmp_path):
    from sandbox.simulators.books import Books

    first = Shop()
    first.simulator.books = Books(str(tmp_path / "pagarme.sqlite3"))
    with serve(first.simulator) as first.url:
        payment = started(first)
    second = Shop()
    second.simulator.books = Books(str(tmp_path / "pagarme.sqlite3"))
    with serve(second.simulator) as second.url:
        second.approve(payment)
        assert second.gateway().fetch(payment.external_id).captured == 100


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"items": 5}', b'{"items": [{}], "customer": {"name": "x"}, "payments": [{}]}']
)
def test_the_simulator_answers_nonsense_as_a_vendor_does(shop, body):
    key = base64.b64encode(f"{vendor.SECRET_KEY}:".encode()).decode()
    answer = urllib3.request("POST", f"{shop.url}/core/v5/orders", body=body, headers={"Authorization": f"Basic {key}"})
    assert answer.status in (400, 422)
    assert json.loads(answer.data)["message"]
    with contextlib.suppress(KeyError):
        shop.simulator.decide("or_unknown", "approve")
        pytest.fail("a payment that does not exist was decided")
    assert json.loads(urllib3.request("GET", f"{shop.url}/core/v5/nothing").data)["message"]
