"""Mercado Pago's adapter against its simulator, over HTTP, with the official SDK as a witness."""

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qsl, urlsplit

import mercadopago as official
import pytest
import urllib3
from mercadopago.errors import MPAuthenticationError
from mercadopago.http import HttpClient as OfficialHttp
from mercadopago.webhook import InvalidWebhookSignatureError, WebhookSignatureValidator

from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
    WebhookVerificationFailed,
)
from oscar_fulfillment.gateways.base import Buyer, PaymentState
from oscar_fulfillment.gateways.mercadopago import MercadoPago
from oscar_fulfillment.test.gateway_case import GatewayCase, new_key
from oscar_fulfillment.test.gateway_contract import GatewayContract
from sandbox.simulators import mercadopago as simulated
from sandbox.simulators.__main__ import application
from sandbox.simulators.base import ACCIDENTS, serve

pytestmark = pytest.mark.feature("A3")

BUYER = Buyer(
    email="ana@example.com", name="Ana Maria Souza", phone="+5511987654321", tax_id_kind="cpf", tax_id="191.191.191-00",
    country="BR", language="pt", line1="Av. das Nações Unidas, 3003 - Bonfim", city="Osasco", state="SP",
    postcode="06233-200",
)  # fmt: skip
SECRETS = (simulated.ACCESS_TOKEN, simulated.WEBHOOK_SECRET)


def now():
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def running():
    simulator = simulated.MercadoPago()
    with serve(simulator) as address:
        yield simulator, address


@pytest.fixture
def sent():
    """The notifications of this test, as they went out."""
    return []


@pytest.fixture
def simulator(running, sent):
    simulator, _address = running
    simulator.deliver = lambda notification: sent.append(notification) or 200
    simulator.clock, simulator.webhook_url = now, ""
    simulator.calls.clear()
    simulator.held.clear()
    simulator._accidents.clear()
    simulator.refund_outcomes.clear()
    return simulator


def made(running, **options):
    values = {"access_token": simulated.ACCESS_TOKEN, "webhook_secrets": [simulated.WEBHOOK_SECRET], "timeout": 1.0}
    return MercadoPago(alias="mp", base_url=running[1], **{**values, **options})


def arrived(notification):
    headers = {name.lower(): value for name, value in notification.headers.items()}
    return headers, notification.body, dict(parse_qsl(urlsplit(notification.url).query))


class Driver:
    def __init__(self, simulator, sent):
        self.simulator, self.sent = simulator, sent

    def approve(self, payment):
        self.simulator.decide(payment.external_id, "approve")

    def refuse(self, payment):
        self.simulator.decide(payment.external_id, "refuse_issuer")

    def expire(self, payment):
        self.simulator.decide(payment.external_id, "expire")

    def received(self):
        return [arrived(one) for one in self.sent]


class MercadoPagoCase(GatewayCase):
    currency, other_currency, payer, secrets = "BRL", "ARS", BUYER, SECRETS

    @pytest.fixture
    def gateway(self, running, simulator):
        return made(running)

    @pytest.fixture
    def driver(self, simulator, sent):
        return Driver(simulator, sent)

    def forge(self, received):
        """The signature covers the payment's number, the call and the moment; the body is only a hint."""
        headers, body, query = received
        signature = headers["x-signature"]
        return [
            (headers, body, {**query, "data.id": "1311000999"}),
            ({**headers, "x-request-id": "another"}, body, query),
            ({**headers, "x-signature": signature.replace("ts=", "ts=1")}, body, query),
            ({**headers, "x-signature": signature[:-1] + ("0" if signature[-1] != "0" else "1")}, body, query),
            ({**headers, "x-signature": signature.partition(",")[0]}, body, query),
            ({name: value for name, value in headers.items() if name != "x-signature"}, body, query),
        ]


class TestCard(MercadoPagoCase, GatewayContract):
    method = "card"


class TestBoleto(MercadoPagoCase, GatewayContract):
    method = "boleto"


class TestPix(MercadoPagoCase, GatewayContract):
    method = "pix"


case = MercadoPagoCase()


@pytest.fixture
def gateway(running, simulator):
    return made(running)


@pytest.fixture(params=["card", "boleto", "pix"])
def method(request):
    return request.param


def begin(gateway, method="card", **changes):
    return gateway.start(case.request(method=method, **changes), key=new_key())


def money(payment):
    return payment.state, payment.captured, payment.refunded


# The checkout for cards


def test_the_buyer_is_sent_to_a_checkout_that_only_takes_cards(gateway, simulator, running):
    started = begin(gateway, expires_at=now() + timedelta(hours=2))
    kept = simulator.books.get("preference", started.external_id)
    assert [one["id"] for one in kept["payment_methods"]["excluded_payment_types"]] == [
        "ticket",
        "bank_transfer",
        "atm",
    ]
    assert set(kept["back_urls"].values()) == {"https://shop.example/back"}
    assert kept["payer"]["identification"] == {"type": "CPF", "number": "19119119100"}
    assert abs(started.expires_at - now() - timedelta(hours=2)) < timedelta(seconds=5)
    page = urllib3.request("GET", started.redirect_url, redirect=True)
    assert page.status == 200
    assert b"R$ 100.00" in page.data


def test_a_person_decides_on_the_page_and_goes_back_to_the_shop(gateway, running):
    started = begin(gateway)
    answer = urllib3.request(
        "POST",
        f"{running[1]}/pay/{started.external_id}",
        body="decision=approve&notify=never",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        redirect=False,
    )
    assert (answer.status, answer.headers["Location"]) == (303, "https://shop.example/back")
    assert money(gateway.fetch(started.external_id)) == (PaymentState.CAPTURED, 100, 0)


def test_an_approved_attempt_wins_over_refused_ones_before_and_after(gateway, simulator):
    started = begin(gateway)
    simulator.decide(started.external_id, "refuse_issuer")
    refused = gateway.fetch(started.external_id)
    assert (refused.state, refused.reason) == (PaymentState.REFUSED, "cc_rejected_insufficient_amount")
    assert refused.redirect_url  # they may try again
    simulator.decide(started.external_id, "refuse_antifraud")
    assert gateway.fetch(started.external_id).state == PaymentState.REFUSED_ANTIFRAUD
    simulator.decide(started.external_id, "approve")
    simulator.decide(started.external_id, "refuse_issuer")
    paid = gateway.fetch(started.external_id)
    assert money(paid) == (PaymentState.CAPTURED, 100, 0)
    assert (paid.reason, paid.redirect_url) == ("", "")
    assert paid.paid_at is not None


def test_a_review_is_no_payment_until_it_is_decided(gateway, simulator, method):
    for decision, state in (("approve", PaymentState.CAPTURED), ("refuse_antifraud", PaymentState.REFUSED_ANTIFRAUD)):
        started = begin(gateway, method)
        simulator.decide(started.external_id, "review")
        reviewed = gateway.fetch(started.external_id)
        assert (reviewed.state, reviewed.captured) == (PaymentState.IN_REVIEW, 0)
        assert reviewed.reason == "pending_review_manual"
        simulator.decide(started.external_id, decision)
        assert gateway.fetch(started.external_id).state == state


def test_paid_twice_shows_as_the_sum_and_each_half_is_given_back_once(gateway, simulator):
    started = begin(gateway)
    simulator.decide(started.external_id, "pay_twice")
    paid = gateway.fetch(started.external_id)
    assert money(paid) == (PaymentState.CAPTURED, 200, 0)
    assert paid.amount == 100
    with pytest.raises(AdapterRejected, match="No single payment"):
        gateway.refund(paid, Decimal("150"), key=new_key())
    key = new_key()
    first = gateway.refund(paid, Decimal("100"), key=key)
    # The answer was lost: repeating it with the same key must not reach for the other payment.
    assert gateway.refund(gateway.fetch(paid.external_id), Decimal("100"), key=key).external_id == first.external_id
    half = gateway.fetch(paid.external_id)
    assert money(half) == (PaymentState.CAPTURED, 200, 100)
    second = gateway.refund(half, Decimal("100"), key=new_key())
    assert second.external_id != first.external_id
    assert money(gateway.fetch(paid.external_id)) == (PaymentState.REFUNDED, 200, 200)
    with pytest.raises(AdapterRejected):
        gateway.refund(half, Decimal("0.01"), key=new_key())


def test_no_two_payments_are_changed_with_one_key(gateway, simulator):
    started, key = begin(gateway), new_key()
    simulator.decide(started.external_id, "pay_twice")
    paid = gateway.fetch(started.external_id)
    gateway.refund(paid, Decimal("60"), key=new_key())
    simulator.calls.clear()
    gateway.refund(paid, Decimal("60"), key=key)
    keys = {path: headers["X-Idempotency-Key"] for verb, path, headers, _body in simulator.calls if verb == "POST"}
    assert len(keys) == len(set(keys.values())) == 2
    assert all(len(one) <= 64 for one in keys.values())
    assert gateway.fetch(started.external_id).refunded == 120


def test_a_chargeback_of_one_of_two_payments_leaves_the_other(gateway, simulator):
    started = begin(gateway)
    simulator.decide(started.external_id, "pay_twice")
    simulator.decide(started.external_id, "charge_back")
    assert money(gateway.fetch(started.external_id)) == (PaymentState.CAPTURED, 200, 100)
    simulator.decide(started.external_id, "charge_back")
    lost = gateway.fetch(started.external_id)
    assert money(lost) == (PaymentState.CHARGED_BACK, 200, 0)
    assert lost.raw_status == "charged_back/in_process"


def test_a_chargeback_is_not_refunded_again(gateway, simulator):
    started = begin(gateway)
    simulator.decide(started.external_id, "approve")
    simulator.decide(started.external_id, "charge_back")
    with pytest.raises(AdapterRejected):
        gateway.refund(gateway.fetch(started.external_id), Decimal("100"), key=new_key())
    lost = gateway.fetch(started.external_id)
    assert (lost.refunded, lost.refunds) == (0, ())


def test_many_attempts_are_all_read(gateway, simulator):
    started = begin(gateway)
    simulator.decide(started.external_id, "approve", "never")
    for _time in range(130):
        simulator.decide(started.external_id, "refuse_issuer", "never")
    assert money(gateway.fetch(started.external_id)) == (PaymentState.CAPTURED, 100, 0)
    searched = [path for _method, path, *_rest in simulator.calls if path == "/v1/payments/search"]
    assert len(searched) == 2


def test_the_search_lags_and_the_named_payment_counts_all_the_same(gateway, simulator, monkeypatch):
    started = begin(gateway)
    simulator.decide(started.external_id, "approve")
    number = str(simulator.books.all("payment", newest_first=True)[0]["id"])
    asked = gateway._ask
    empty = {"results": [], "paging": {}}
    monkeypatch.setattr(
        gateway,
        "_ask",
        lambda method, path, *rest, **more: (
            empty if path == "/v1/payments/search" else asked(method, path, *rest, **more)
        ),
    )
    assert gateway.fetch(started.external_id).state == PaymentState.PENDING
    seen = gateway.fetch(number)
    assert (seen.external_id, *money(seen)) == (started.external_id, PaymentState.CAPTURED, 100, 0)


def test_the_same_reference_with_another_sum_is_refused(gateway, simulator):
    request = case.request(reference="R-twice")
    gateway.start(request, key=new_key())
    with pytest.raises(AdapterRejected, match="another sum"):
        gateway.start(case.request(reference="R-twice", amount=Decimal("99.00")), key=new_key())
    assert len([one for one in simulator.books.all("preference") if one["external_reference"] == "R-twice"]) == 1


def test_items_are_told_where_they_add_up_and_else_the_sum(gateway, simulator):
    from oscar_fulfillment.gateways.base import Item

    cup, box = Item("Cup", 3, Decimal("59.97"), sku="C"), Item("Box", 3, Decimal("40.03"), sku="B")
    started = begin(gateway, items=[cup, box])
    told = simulator.books.get("preference", started.external_id)["items"]
    assert [(one["title"], one["quantity"], one["unit_price"]) for one in told] == [
        ("Cup", 3, 19.99),
        ("3 × Box", 1, 40.03),
    ]
    assert started.amount == 100
    started = begin(gateway, items=[cup], description="Pedido 17")
    told = simulator.books.get("preference", started.external_id)["items"]
    assert [(one["title"], one["unit_price"]) for one in told] == [("Pedido 17", 100.0)]


def test_it_is_served_below_a_path_of_its_own(simulator):
    with serve(application({"mercadopago": simulator})) as address:
        gateway = made((simulator, f"{address}/mercadopago"))
        started = begin(gateway)
        assert started.redirect_url.startswith(f"{address}/mercadopago/checkout/v1/redirect?pref_id=")
        page = urllib3.request("GET", started.redirect_url)
        assert (page.status, b"Charge back" in page.data) == (200, True)
        assert started.reference.encode() in urllib3.request("GET", f"{address}/mercadopago/").data
        assert urllib3.request("GET", f"{address}/mercadopago/pay/nobody").status == 404


# Boleto and Pix


def test_a_boleto_has_its_line_its_page_and_its_date(gateway, running):
    due = now() + timedelta(days=5)
    started = begin(gateway, "boleto", expires_at=due)
    assert len(started.instructions["boleto_line"]) == 47
    assert started.instructions["boleto_url"].startswith(f"{running[1]}/payments/{started.external_id}/ticket")
    assert abs(started.expires_at - due) < timedelta(seconds=1)
    assert urllib3.request("GET", started.instructions["boleto_url"]).status == 200


def test_a_pix_has_its_code(gateway):
    started = begin(gateway, "pix", amount=Decimal("12.34"))
    code = started.instructions["pix_code"]
    assert code.startswith("000201")
    assert "540512.34" in code
    assert not started.redirect_url


def test_a_boleto_needs_who_pays_and_where(gateway, simulator):
    for gone, word in (
        ({"tax_id": ""}, "CPF"),
        ({"line1": ""}, "street"),
        ({"postcode": ""}, "postcode"),
        ({"email": ""}, "e-mail"),
    ):
        buyer = Buyer(**{**BUYER.__dict__, **gone})
        with pytest.raises(AdapterRejected, match=word):
            begin(gateway, "boleto", buyer=buyer)
    assert not simulator.calls
    with pytest.raises(AdapterRejected, match="CPF or CNPJ"):
        begin(gateway, "boleto", buyer=Buyer(**{**BUYER.__dict__, "tax_id": "123"}))


def test_what_nobody_pays_expires_by_the_clock_and_a_late_boleto_still_counts(gateway, simulator):
    started = {method: begin(gateway, method) for method in ("boleto", "pix")}
    simulator.clock = lambda: now() + timedelta(days=2)
    assert gateway.fetch(started["pix"].external_id).state == PaymentState.EXPIRED
    assert gateway.fetch(started["boleto"].external_id).state == PaymentState.PENDING
    simulator.clock = lambda: now() + timedelta(days=4)
    expired = gateway.fetch(started["boleto"].external_id)
    assert (expired.state, expired.raw_status, expired.instructions) == (PaymentState.EXPIRED, "cancelled/expired", {})
    simulator.decide(started["boleto"].external_id, "pay_late")
    assert money(gateway.fetch(started["boleto"].external_id)) == (PaymentState.CAPTURED, 100, 0)


def test_a_checkout_expires_by_the_clock_and_takes_a_late_payment(gateway, simulator):
    started = begin(gateway, expires_at=now() + timedelta(hours=1))
    gateway.clock = simulator.clock = lambda: now() + timedelta(hours=2)
    expired = gateway.fetch(started.external_id)
    assert (expired.state, expired.redirect_url) == (PaymentState.EXPIRED, "")
    simulator.decide(started.external_id, "pay_late")
    assert money(gateway.fetch(started.external_id)) == (PaymentState.CAPTURED, 100, 0)


@pytest.mark.parametrize("wrong", [timedelta(minutes=5), timedelta(days=60), timedelta(days=-1)])
def test_a_date_that_mercado_pago_does_not_take_is_explained(gateway, wrong):
    with pytest.raises(AdapterRejected, match="date_of_expiration"):
        begin(gateway, "pix", expires_at=now() + wrong)


# Giving up and giving back


def test_giving_up_closes_it_once_and_for_all(gateway, simulator, method):
    started, key = begin(gateway, method), new_key()
    for _time in range(2):
        assert gateway.void(started, key=key).state == PaymentState.CANCELLED
    closed = gateway.fetch(started.external_id)
    assert (closed.state, closed.captured, closed.redirect_url, closed.instructions) == (
        PaymentState.CANCELLED,
        0,
        "",
        {},
    )
    assert gateway.find(started.reference).state == PaymentState.CANCELLED
    with pytest.raises(Exception, match="400"):
        simulator.decide(started.external_id, "approve")


def test_giving_up_a_checkout_cancels_what_is_under_review(gateway, simulator):
    started = begin(gateway)
    simulator.decide(started.external_id, "refuse_issuer")
    simulator.decide(started.external_id, "review")
    assert gateway.void(started, key=new_key()).state == PaymentState.CANCELLED
    statuses = [
        one["status"] for one in simulator.books.all("payment") if one.get("_preference") == started.external_id
    ]
    assert statuses == ["rejected", "cancelled"]
    assert gateway.fetch(started.external_id).state == PaymentState.CANCELLED


def test_what_was_paid_in_the_meantime_is_not_given_up(gateway, simulator, monkeypatch, method):
    started = begin(gateway, method)
    asked = gateway._ask

    def paid_meanwhile(verb, path, *rest, **more):
        if verb == "PUT":
            simulator.decide(started.external_id, "approve", "never")
        return asked(verb, path, *rest, **more)

    monkeypatch.setattr(gateway, "_ask", paid_meanwhile)
    with pytest.raises(AdapterRejected):
        gateway.void(started, key=new_key())
    assert money(gateway.fetch(started.external_id)) == (PaymentState.CAPTURED, 100, 0)


def test_an_expired_payment_is_given_up_without_a_word(gateway, simulator, method):
    started = begin(gateway, method)
    simulator.decide(started.external_id, "expire")
    assert gateway.void(started, key=new_key()).state == PaymentState.EXPIRED


def test_refunds_that_wait_and_refunds_that_fail(gateway, simulator, method):
    started = begin(gateway, method)
    simulator.decide(started.external_id, "approve")
    paid = gateway.fetch(started.external_id)
    simulator.decide(started.external_id, "refuse_refund")
    simulator.refund_outcomes.extend(["in_process", "refused"])
    key = new_key()
    failed = gateway.refund(paid, Decimal("10"), key=key)
    assert (failed.state, failed.amount, failed.reason, failed.key) == ("failed", 10, "rejected", key)
    waiting = gateway.refund(paid, Decimal("20"), key=new_key())
    assert waiting.state == "pending"
    with pytest.raises(AdapterRejected, match="not enough money"):
        gateway.refund(paid, Decimal("30"), key=new_key())
    assert money(gateway.fetch(paid.external_id)) == (PaymentState.CAPTURED, 100, 0)
    simulator.settle_refund(waiting.external_id, "approved")
    after = gateway.fetch(paid.external_id)
    assert money(after) == (PaymentState.CAPTURED, 100, 20)
    assert {(one.external_id, one.state) for one in after.refunds} == {
        (failed.external_id, "failed"),
        (waiting.external_id, "done"),
    }


def test_an_old_payment_is_not_refunded(gateway, simulator):
    started = begin(gateway, "pix")
    simulator.decide(started.external_id, "approve")
    simulator.clock = lambda: now() + timedelta(days=181)
    with pytest.raises(AdapterRejected, match="too old"):
        gateway.refund(gateway.fetch(started.external_id), Decimal("1"), key=new_key())


# Accidents

HAPPENED = {"cut_after", "error_after", "garbage", "slow"}


@pytest.mark.parametrize("kind", ACCIDENTS)
def test_a_start_that_fails_is_repeated_without_a_second_payment(gateway, simulator, kind, method):
    request, key = case.request(method=method), new_key()
    simulator.fail_next(kind, path="POST /checkout/preferences" if method == "card" else "POST /v1/payments")
    with pytest.raises(AdapterUnavailable) as failed:
        gateway.start(request, key=key)
    assert isinstance(failed.value, AdapterUnanswered) is (kind != "busy")
    left = gateway.find(request.reference)
    assert (left is not None) is (kind in HAPPENED)
    started = gateway.start(request, key=key)
    kinds = ("preference", "payment")
    assert (
        len(
            [
                one
                for name in kinds
                for one in simulator.books.all(name)
                if one["external_reference"] == request.reference
            ]
        )
        == 1
    )
    assert gateway.find(request.reference).external_id == started.external_id


@pytest.mark.parametrize("kind", ACCIDENTS)
@pytest.mark.parametrize(
    "path", ["GET /v1/payments/search", "GET /checkout/preferences/search", "GET /checkout/preferences/8"]
)
def test_a_question_that_fails_changes_nothing_and_is_asked_again(gateway, simulator, kind, path):
    started = begin(gateway)
    simulator.decide(started.external_id, "approve")
    simulator.fail_next(kind, path=path)
    with pytest.raises(AdapterUnavailable) as failed:
        gateway.find(started.reference)
    assert not isinstance(failed.value, AdapterUnanswered)
    assert money(gateway.find(started.reference)) == (PaymentState.CAPTURED, 100, 0)


@pytest.mark.parametrize("kind", ACCIDENTS)
def test_a_refund_that_fails_is_repeated_without_a_second_one(gateway, simulator, kind, method):
    started, key = begin(gateway, method), new_key()
    simulator.decide(started.external_id, "pay_twice" if method == "card" else "approve")
    paid = gateway.fetch(started.external_id)
    simulator.fail_next(kind, path="/refunds")
    with pytest.raises(AdapterUnavailable):
        gateway.refund(paid, Decimal("100"), key=key)
    gateway.refund(gateway.fetch(paid.external_id), Decimal("100"), key=key)
    after = gateway.fetch(paid.external_id)
    assert (after.refunded, len(after.refunds)) == (100, 1)


@pytest.mark.parametrize("kind", ACCIDENTS)
@pytest.mark.parametrize("when", ["PUT", "GET"])
def test_giving_up_that_fails_is_repeated(gateway, simulator, kind, when, method):
    started, key = begin(gateway, method), new_key()
    if method == "card":
        simulator.decide(started.external_id, "review")
    simulator.fail_next(kind, path=when)
    with pytest.raises(AdapterUnavailable):
        gateway.void(started, key=key)
    assert gateway.void(started, key=key).state == PaymentState.CANCELLED
    assert gateway.fetch(started.external_id).state == PaymentState.CANCELLED


def test_two_workers_with_one_key_begin_one_payment(gateway, simulator):
    request, key, found = case.request(method="pix"), new_key(), []
    threads = [threading.Thread(target=lambda: found.append(gateway.start(request, key=key))) for _time in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({one.external_id for one in found}) == 1


def test_a_long_key_is_one_key_too(gateway):
    request, key = case.request(method="pix"), "order-100017-" * 20
    assert gateway.start(request, key=key).external_id == gateway.start(request, key=key).external_id


def test_a_wrong_token_is_refused_at_every_call_and_not_shown(gateway, running, simulator):
    paid = begin(gateway, "pix")
    simulator.decide(paid.external_id, "approve")
    paid = gateway.fetch(paid.external_id)
    stranger = made(running, access_token="APP_USR-stolen")
    for call in (
        lambda: begin(stranger),
        lambda: begin(stranger, "pix"),
        lambda: stranger.fetch(paid.external_id),
        lambda: stranger.find(paid.reference),
        lambda: stranger.void(paid, key=new_key()),
        lambda: stranger.refund(paid, Decimal("1"), key=new_key()),
    ):
        with pytest.raises(AdapterRejected, match="access token") as refused:
            call()
        assert refused.value.status == 401
        assert "stolen" not in str(refused.value) + repr(refused.value)
    assert money(gateway.fetch(paid.external_id)) == (PaymentState.CAPTURED, 100, 0)


def test_nobody_there_is_unavailable(simulator):
    gateway = MercadoPago(alias="mp", access_token="t", base_url="http://127.0.0.1:9")
    for call in (lambda: begin(gateway, "pix"), lambda: gateway.fetch("1"), lambda: gateway.find("r")):
        with pytest.raises(AdapterUnavailable, match="cannot be reached"):
            call()


# Notifications


def test_a_notification_of_an_attempt_leads_to_the_whole_checkout(gateway, simulator, sent):
    started = begin(gateway)
    simulator.decide(started.external_id, "refuse_issuer")
    simulator.decide(started.external_id, "approve")
    assert len(sent) == 2
    for notification in sent:
        assert "source_news=webhooks" in notification.url
        gateway.verify(*arrived(notification))
        hint = gateway.parse_notification(*arrived(notification))
        assert (hint.reference, hint.kind) == (started.reference, "payment.created")
        assert gateway.fetch(hint.external_id).external_id == started.external_id
        assert money(gateway.fetch(hint.external_id)) == (PaymentState.CAPTURED, 100, 0)


def test_a_notification_to_the_address_of_the_account_leads_to_the_payment_too(gateway, simulator, sent, method):
    simulator.configure("https://shop.example/webhooks/mercadopago/")
    started = begin(gateway, method, notification_url="")
    simulator.decide(started.external_id, "approve")
    (notification,) = sent
    gateway.verify(*arrived(notification))
    hint = gateway.parse_notification(*arrived(notification))
    assert hint.reference == ""
    found = gateway.fetch(hint.external_id)
    assert (found.external_id, found.reference) == (started.external_id, started.reference)


def test_notifications_come_twice_late_in_the_wrong_order_or_never(gateway, simulator, sent):
    started = begin(gateway)
    simulator.decide(started.external_id, "approve", "never")
    assert sent == []
    simulator.decide(started.external_id, "refuse_issuer", "twice")
    twice = [gateway.parse_notification(*arrived(one)) for one in sent]
    assert twice[0] == twice[1]
    assert twice[0].event_id
    sent.clear()
    simulator.decide(started.external_id, "refuse_issuer", "later")
    simulator.decide(started.external_id, "charge_back", "later")
    simulator.tell_held()
    hints = [gateway.parse_notification(*arrived(one)) for one in sent]
    assert [hint.kind for hint in hints] == ["payment.updated", "payment.created"]
    assert {gateway.fetch(hint.external_id).state for hint in hints} == {PaymentState.CHARGED_BACK}


def test_an_old_signature_and_the_old_secret_still_count(running, simulator, sent):
    simulator.clock = lambda: now() - timedelta(days=3)
    gateway = made(running, webhook_secrets=["the new one", simulated.WEBHOOK_SECRET])
    started = begin(gateway, "boleto")
    simulator.decide(started.external_id, "approve")
    gateway.verify(*arrived(sent[0]))
    with pytest.raises(WebhookVerificationFailed):
        made(running, webhook_secrets=["the new one"]).verify(*arrived(sent[0]))
    with pytest.raises(WebhookVerificationFailed, match="no secret"):
        made(running, webhook_secrets=[]).verify(*arrived(sent[0]))


# The official SDK as a witness


class Here(OfficialHttp):
    """Sends the SDK's calls to the simulator."""

    def __init__(self, address):
        self.address = address

    def request(self, method, url, **options):
        options.pop("maxretries", None)
        return super().request(
            method, url.replace("https://api.mercadopago.com", self.address), maxretries=0, **options
        )


@pytest.fixture
def sdk(running, simulator):
    return official.SDK(simulated.ACCESS_TOKEN, http_client=Here(running[1]))


def test_the_sdk_sees_what_we_see(gateway, simulator, sdk, method):
    started = begin(gateway, method)
    simulator.decide(started.external_id, "approve")
    paid = gateway.fetch(started.external_id)
    gateway.refund(paid, Decimal("40.50"), key=new_key())
    ours = gateway.fetch(started.external_id)
    (theirs,) = sdk.payment().search({"external_reference": started.reference})["response"]["results"]
    assert (theirs["status"], theirs["status_detail"]) == ("approved", "partially_refunded")
    assert f"{theirs['status']}/{theirs['status_detail']}" == ours.raw_status
    assert Decimal(str(theirs["transaction_amount"])) == ours.amount == ours.captured
    assert Decimal(str(theirs["transaction_amount_refunded"])) == ours.refunded == Decimal("40.50")
    assert theirs == sdk.payment().get(theirs["id"])["response"]
    listed = sdk.refund().list_all(theirs["id"])["response"]
    assert [str(one["id"]) for one in listed] == [one.external_id for one in ours.refunds]
    if method == "card":
        preference = sdk.preference().get(started.external_id)["response"]
        assert (preference["external_reference"], preference["init_point"]) == (started.reference, started.redirect_url)


def test_we_see_what_the_sdk_does(gateway, simulator, sdk):
    payer = {"email": "ana@example.com", "first_name": "Ana"}
    body = {"transaction_amount": 55.5, "payment_method_id": "pix", "external_reference": "by-sdk", "payer": payer}
    made_there = sdk.payment().create(body)
    assert made_there["status"] == 201
    number = str(made_there["response"]["id"])
    ours = gateway.fetch(number)
    assert (ours.state, ours.amount, ours.method) == (PaymentState.PENDING, Decimal("55.5"), "pix")
    assert gateway.find("by-sdk").external_id == number
    simulator.decide(number, "approve")
    assert sdk.refund().create(number, {"amount": 5.5})["status"] == 201
    assert money(gateway.fetch(number)) == (PaymentState.CAPTURED, Decimal("55.5"), Decimal("5.5"))
    assert sdk.refund().create(number)["response"]["amount"] == 50.0
    assert money(gateway.fetch(number)) == (PaymentState.REFUNDED, Decimal("55.5"), Decimal("55.5"))
    other = sdk.payment().create({**body, "external_reference": "by-sdk-2"})["response"]["id"]
    assert sdk.payment().update(other, {"status": "cancelled"})["response"]["status_detail"] == "by_collector"
    assert gateway.fetch(str(other)).state == PaymentState.CANCELLED
    checkout = sdk.preference().create({"items": [{"title": "Cup", "quantity": 2, "unit_price": 10.25}]})["response"]
    assert gateway.fetch(checkout["id"]).amount == Decimal("20.5")


def test_the_sdk_is_refused_as_it_expects(running, simulator, sdk):
    stranger = official.SDK("APP_USR-other", http_client=Here(running[1]))
    with pytest.raises(MPAuthenticationError):
        stranger.payment().get("1").raise_for_status()
    unknown = sdk.payment().get("1")
    assert (unknown.status_code, unknown.error_message) == (404, "Payment not found")
    assert sdk.preference().get("nobody").status_code == 400
    assert [cause["code"] for cause in sdk.payment().create({"transaction_amount": -1}).error_causes] == [4037]


def test_the_sdk_believes_our_signature_and_no_forged_one(gateway, simulator, sent):
    started = begin(gateway, "pix")
    simulator.decide(started.external_id, "approve")
    headers, _body, query = arrived(sent[0])
    said = (headers["x-signature"], headers["x-request-id"], query["data.id"])
    WebhookSignatureValidator.validate(*said, simulated.WEBHOOK_SECRET)
    for forged in ((said[0], said[1], "17"), (said[0], "other", said[2]), (said[0][:-1] + "x", *said[1:])):
        with pytest.raises(InvalidWebhookSignatureError):
            WebhookSignatureValidator.validate(*forged, simulated.WEBHOOK_SECRET)
        with pytest.raises(WebhookVerificationFailed):
            gateway.verify({"x-signature": forged[0], "x-request-id": forged[1]}, b"", {"data.id": forged[2]})
