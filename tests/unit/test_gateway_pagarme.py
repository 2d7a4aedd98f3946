"""Pagar.me without a network: every code, sums, what is sent, hooks, options."""

import base64
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    ConfigurationError,
    WebhookVerificationFailed,
)
from oscar_fulfillment.core.http import Answer
from oscar_fulfillment.gateways.base import Buyer, Hint, Item, PaymentRequest, PaymentState
from oscar_fulfillment.gateways.pagarme import PagarMe, told
from oscar_fulfillment.gateways.pagarme_charges import (
    CHARGES,
    FAILED,
    REFUNDS,
    TRANSACTIONS,
    Clocks,
    charge_state,
    link,
    moment,
    refund_of,
    went_back,
)
from oscar_fulfillment.gateways.pagarme_orders import hint_of, payment_of
from oscar_fulfillment.gateways.pagarme_requests import order_to_make

DATA = Path(__file__).parent.parent / "data" / "pagarme"
NOW = datetime(2026, 11, 20, 19, 0, tzinfo=UTC)
CLOCKS = Clocks(NOW)
HOOK = "maria:very-secret-password"


def document(name):
    return json.loads((DATA / f"{name}.json").read_text())


def charge_in(name, **changes):
    order = document(name)
    order["charges"][0] |= changes
    return order, order["charges"][0]


def transaction_in(name, **changes):
    order = document(name)
    order["charges"][0]["last_transaction"] |= changes
    return order


def gateway(**options):
    return PagarMe(**{"alias": "pagarme", "secret_key": "sk_test_abc", "webhook_credentials": [HOOK], **options})


# The whole documents


@pytest.mark.parametrize(
    ("name", "state", "authorized", "captured", "refunded"),
    [
        ("order_checkout_open", PaymentState.PENDING, 0, 0, 0),
        ("order_card_paid", PaymentState.CAPTURED, 0, 30, 0),
        ("order_card_held", PaymentState.AUTHORIZED, 30, 0, 0),
        ("order_card_refused", PaymentState.REFUSED, 0, 0, 0),
        ("order_card_refused_antifraud", PaymentState.REFUSED_ANTIFRAUD, 0, 0, 0),
        ("order_card_in_review", PaymentState.IN_REVIEW, 0, 0, 0),
        ("order_card_refunded", PaymentState.REFUNDED, 0, 30, 30),
        ("order_pix_waiting", PaymentState.PENDING, 0, 0, 0),
        ("order_boleto_waiting", PaymentState.PENDING, 0, 0, 0),
        ("order_boleto_overpaid", PaymentState.CAPTURED, 0, 60, 0),
        ("order_boleto_underpaid", PaymentState.CAPTURED, 0, 10, 0),
    ],
)
def test_each_document_is_read(name, state, authorized, captured, refunded):
    payment = payment_of(document(name), CLOCKS)
    assert payment.state == state
    assert (payment.authorized, payment.captured, payment.refunded) == (authorized, captured, refunded)
    assert (payment.external_id, payment.reference) == ("or_56GXnk6T0eU88qMm", "P100017-1")
    assert (payment.amount, payment.currency) == (Decimal("30.00"), "BRL")


def test_an_open_page_is_where_the_buyer_goes():
    payment = payment_of(document("order_checkout_open"), CLOCKS)
    assert payment.redirect_url.startswith("https://api.pagar.me/checkout/")
    assert payment.expires_at == datetime(2026, 11, 20, 20, 48, 49, tzinfo=UTC)
    assert (payment.method, payment.instructions) == ("card", {})


def test_a_pix_holds_its_code_and_a_boleto_its_line():
    pix = payment_of(document("order_pix_waiting"), CLOCKS)
    assert pix.method == "pix"
    assert pix.instructions["pix_code"].startswith("000201")
    assert pix.instructions["pix_qr_url"].endswith("payment_method=pix")
    assert "boleto_line" not in pix.instructions
    boleto = payment_of(document("order_boleto_waiting"), CLOCKS)
    assert boleto.method == "boleto"
    assert boleto.instructions == {
        "boleto_line": "23793381286000782713695000063305975520000003000",
        "boleto_url": "https://api.pagar.me/core/v5/transactions/tran_opAqDj2390S1lKQO/pdf",
    }


def test_a_paid_payment_shows_no_way_to_pay_and_when_it_was_paid():
    payment = payment_of(document("order_card_paid"), CLOCKS)
    assert (payment.redirect_url, payment.instructions, payment.expires_at) == ("", {}, None)
    assert payment.paid_at == datetime(2026, 11, 20, 18, 50, 4, tzinfo=UTC)  # written without a zone: UTC
    assert payment.raw_status == "paid/paid/captured"


def test_a_refusal_says_why_in_their_words():
    assert payment_of(document("order_card_refused"), CLOCKS).reason == "Transação não autorizada"
    assert "antifraude" in payment_of(document("order_card_refused_antifraud"), CLOCKS).reason


def test_a_refused_card_may_be_followed_by_another_on_an_open_page():
    order = document("order_card_refused")
    order["status"], order["checkouts"][0]["status"] = "pending", "open"
    payment = payment_of(order, CLOCKS)
    assert (payment.state, payment.reason) == (PaymentState.PENDING, "Transação não autorizada")
    assert payment.redirect_url
    assert payment_of(order, Clocks(NOW + timedelta(days=1))).state == PaymentState.EXPIRED


def test_money_counts_more_than_a_refusal_before_it():
    order, paid = document("order_card_refused"), document("order_card_paid")["charges"][0]
    order["charges"].append({**paid, "id": "ch_2"})
    payment = payment_of(order, CLOCKS)
    assert (payment.state, payment.captured) == (PaymentState.CAPTURED, 30)
    order["charges"].append({**paid, "id": "ch_3"})
    assert payment_of(order, CLOCKS).captured == 60


# Each code


@pytest.mark.parametrize(("status", "state"), CHARGES.items())
def test_each_status_of_a_charge_has_its_meaning(status, state):
    _order, charge = charge_in("order_card_paid", status=status)
    assert charge_state(charge, CLOCKS) == state


@pytest.mark.parametrize(("status", "state"), TRANSACTIONS.items())
@pytest.mark.parametrize("outer", ["pending", "processing"])
def test_each_status_of_a_transaction_has_its_meaning(outer, status, state):
    order = transaction_in("order_card_held", status=status)
    order["charges"][0]["status"] = outer
    assert charge_state(order["charges"][0], CLOCKS) == state


@pytest.mark.parametrize("place", ["charge", "transaction", "order"])
def test_an_unknown_word_stays_unknown_and_is_logged(place, caplog):
    order = document("order_checkout_open" if place == "order" else "order_card_held")
    if place == "order":
        order["status"] = "teleported"
    elif place == "charge":
        order["charges"][0]["status"] = "teleported"
    else:
        order["charges"][0]["last_transaction"]["status"] = "teleported"
    with caplog.at_level(logging.WARNING, "oscar_fulfillment.gateways.pagarme"):
        assert payment_of(order, CLOCKS).state == PaymentState.UNKNOWN
    assert "teleported" in caplog.text


def test_the_older_spelling_is_the_same_word():
    order = transaction_in("order_card_refused", status="notAuthorized")
    assert payment_of(order, CLOCKS).raw_status == "failed/failed/not_authorized"


@pytest.mark.parametrize("verdict", ["pending", "manual"])
@pytest.mark.parametrize("name", ["order_card_paid", "order_card_held"])
def test_what_the_risk_check_has_not_decided_is_in_review(name, verdict):
    payment = payment_of(transaction_in(name, antifraud_response={"status": verdict}), CLOCKS)
    assert payment.state == PaymentState.IN_REVIEW
    assert payment.authorized + payment.captured == 30


@pytest.mark.parametrize(("status", "state"), REFUNDS.items())
def test_each_status_of_a_refund_has_its_meaning(status, state):
    order = transaction_in("order_card_paid", status=status, amount=1000)
    (refund,) = payment_of(order, CLOCKS).refunds
    assert (refund.external_id, refund.amount, refund.state) == ("tran_opAqDj2390S1lKQO", 10, state)


def test_a_refund_that_waits_is_pending_and_a_capture_is_none():
    order = document("order_card_refunded")
    order["charges"][0]["pending_cancellation"] = True
    assert refund_of(order["charges"][0], "BRL").state == "pending"
    assert refund_of(document("order_card_paid")["charges"][0], "BRL") is None
    assert {"not_authorized", "with_error", "failed"} <= FAILED


# Time


@pytest.mark.parametrize(
    ("name", "last_moment_open", "over"),
    [
        ("order_checkout_open", "2026-11-20T20:48:48Z", "2026-11-20T20:48:49Z"),
        ("order_pix_waiting", "2026-11-20T19:49:59Z", "2026-11-20T19:50:00Z"),
        # due on the 23rd in Brasília, and three days for the banks
        ("order_boleto_waiting", "2026-11-27T02:59:58Z", "2026-11-27T02:59:59Z"),
        ("order_card_held", "2026-11-25T18:49:59Z", "2026-11-25T18:50:00Z"),
    ],
)
def test_what_is_not_paid_or_captured_in_time_runs_out(name, last_moment_open, over):
    before = payment_of(document(name), Clocks(moment(last_moment_open)))
    after = payment_of(document(name), Clocks(moment(over)))
    assert before.state in (PaymentState.PENDING, PaymentState.AUTHORIZED)
    assert (after.state, after.authorized) == (PaymentState.EXPIRED, 0)
    assert before.expires_at or before.hold_expires_at


def test_a_boleto_may_be_paid_all_of_its_day():
    assert payment_of(document("order_boleto_waiting"), CLOCKS).expires_at == moment("2026-11-24T02:59:59Z")


@pytest.mark.parametrize(
    ("name", "charge", "ended", "state"),
    [
        ("order_pix_waiting", "failed", "2026-11-20T19:50:01Z", PaymentState.EXPIRED),
        ("order_pix_waiting", "canceled", "2026-11-20T19:50:01Z", PaymentState.EXPIRED),
        ("order_pix_waiting", "canceled", "2026-11-20T19:30:00Z", PaymentState.CANCELLED),
        ("order_pix_waiting", "failed", "2026-11-20T18:50:00Z", PaymentState.REFUSED),
        ("order_boleto_waiting", "canceled", "2026-11-29T12:00:00Z", PaymentState.EXPIRED),
        ("order_boleto_waiting", "canceled", "2026-11-22T12:00:00Z", PaymentState.CANCELLED),
    ],
)
def test_how_a_charge_ended_does_not_change_with_the_time_since(name, charge, ended, state):
    order, _charge = charge_in(name, status=charge, updated_at=ended)
    for later in (timedelta(days=20), timedelta(days=400)):
        assert payment_of(order, Clocks(NOW + later)).state == state


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"status": "canceled", "canceled_at": "2026-11-20T20:48:50Z"}, PaymentState.EXPIRED),
        ({"status": "canceled", "canceled_at": "2026-11-20T19:00:00Z"}, PaymentState.CANCELLED),
        ({"status": "expired"}, PaymentState.EXPIRED),
        ({"status": "closed"}, PaymentState.PENDING),  # being paid: the charge comes
    ],
)
def test_a_page_that_ended_without_a_charge(changes, state):
    order = document("order_checkout_open")
    order["checkouts"][0] |= changes
    assert payment_of(order, CLOCKS).state == state


def test_an_order_that_the_shop_closed_stays_cancelled():
    order = {**document("order_checkout_open"), "status": "canceled", "updated_at": "2026-11-20T19:00:00Z"}
    assert payment_of(order, Clocks(NOW + timedelta(days=9))).state == PaymentState.CANCELLED


def test_a_boleto_paid_late_is_money_all_the_same():
    order, _charge = charge_in("order_boleto_waiting", status="paid", paid_amount=3000, paid_at="2026-12-24T10:00:00Z")
    payment = payment_of(order, Clocks(NOW + timedelta(days=60)))
    assert (payment.state, payment.captured) == (PaymentState.CAPTURED, 30)


# Sums


@pytest.mark.parametrize(
    ("held", "paid", "cancelled", "back"),
    [
        (False, 3000, 0, 0),
        (False, 3000, 1000, 1000),
        (True, 1000, 2000, 0),  # the rest of the hold is in it ...
        (True, 1000, 2500, 500),
        (True, 1000, 0, 0),  # ... or it is not
        (True, 1000, 500, 500),
        (False, 1000, 0, 0),
        (False, 3000, 9000, 3000),
    ],
)
def test_what_went_back_is_told_from_what_never_was_taken(held, paid, cancelled, back):
    _order, charge = charge_in("order_card_paid", paid_amount=paid, canceled_amount=cancelled)
    assert went_back(charge, held=held) == back


def test_a_captured_hold_says_that_it_was_one():
    order, _charge = charge_in("order_card_paid", paid_amount=1000, canceled_amount=2000)
    order["metadata"]["hold"] = "true"
    payment = payment_of(order, CLOCKS)
    assert (payment.authorized, payment.captured, payment.refunded) == (10, 10, 0)


def test_all_given_back_is_refunded_whatever_the_word():
    order, _charge = charge_in("order_card_paid", canceled_amount=3000)
    assert payment_of(order, CLOCKS).state == PaymentState.REFUNDED


def test_a_paid_charge_without_its_paid_sum_came_in_whole():
    order, charge = charge_in("order_card_paid")
    del charge["paid_amount"]
    assert payment_of(order, CLOCKS).captured == 30
    order, charge = charge_in("order_boleto_underpaid")
    del charge["paid_amount"]
    assert payment_of(order, CLOCKS).captured == 10
    del charge["last_transaction"]["paid_amount"]
    assert payment_of(order, CLOCKS).captured == 0


@pytest.mark.parametrize(
    "broken",
    [None, [], "x", {}, {"id": 5}, {"id": "or_1", "amount": "x", "status": "pending"}, {"id": "or_1", "amount": {}}],
)
def test_what_is_no_order_is_no_answer(broken):
    with pytest.raises(AdapterUnanswered):
        payment_of(broken, CLOCKS)


def test_wrong_types_inside_an_order_do_no_harm():
    order = document("order_card_paid")
    order |= {"checkouts": {"a": 1}, "metadata": [], "charges": [None, 5, *order["charges"]]}
    order["charges"][-1]["last_transaction"] = "x"
    assert payment_of(order, CLOCKS).captured == 30
    order["charges"][-1]["paid_amount"] = {"a": 1}
    with pytest.raises(AdapterUnanswered):
        payment_of(order, CLOCKS)


def test_only_addresses_of_the_web_are_shown():
    assert link("https://api.pagar.me/x") == "https://api.pagar.me/x"
    assert [link(value) for value in ("javascript:alert(1)", "//x", None, 5)] == ["", "", "", ""]
    assert moment("2026-11-20T18:50:08.9346361Z").second == 8
    assert moment("yesterday") is None


# What is sent

PAYER = Buyer(
    email="maria@example.com", name="Maria Exemplo", phone="+55 (11) 98765-4321", tax_id_kind="cpf",
    tax_id="529.982.247-25", country="BR", line1="375, Av. Paulista, Bela Vista", city="São Paulo", state="SP",
    postcode="01310-100",
)  # fmt: skip


def request(**changes):
    values = {
        "reference": "P100017-1",
        "order_number": "100017",
        "amount": Decimal("30.00"),
        "currency": "BRL",
        "method": "card",
        "return_url": "https://shop.example/back",
        "buyer": PAYER,
        "items": [Item("Caneca", 2, Decimal("20.00"), "C-1"), Item("Frete", 1, Decimal("10.00"), "")],
    }
    return PaymentRequest(**{**values, **changes})


def test_a_card_is_asked_for_on_their_page():
    sent = order_to_make(request(), NOW, installments=3, statement_descriptor="LOJA")
    (payment,) = sent["payments"]
    assert (payment["payment_method"], payment["amount"]) == ("checkout", 3000)
    assert payment["checkout"]["success_url"] == "https://shop.example/back"
    assert payment["checkout"]["accepted_payment_methods"] == ["credit_card"]
    assert payment["checkout"]["expires_in"] == 120
    assert payment["checkout"]["credit_card"] == {
        "capture": True,
        "installments": [{"number": n, "total": 3000} for n in (1, 2, 3)],
        "statement_descriptor": "LOJA",
    }
    assert (sent["code"], sent["metadata"]) == ("P100017-1", {"order_number": "100017", "hold": "false"})


def test_a_hold_is_not_captured():
    sent = order_to_make(request(hold=True), NOW)
    assert sent["payments"][0]["checkout"]["credit_card"]["capture"] is False
    assert sent["metadata"]["hold"] == "true"


def test_a_pix_is_asked_for_in_seconds_and_a_boleto_for_a_day():
    until = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)  # still the 23rd in Brasília
    pix = order_to_make(request(method="pix", expires_at=NOW + timedelta(minutes=30)), NOW)
    assert pix["payments"] == [{"amount": 3000, "payment_method": "pix", "pix": {"expires_in": 1800}}]
    boleto = order_to_make(request(method="boleto", expires_at=until), NOW)["payments"][0]
    assert boleto["boleto"] == {"due_at": "2026-11-23T23:59:59Z", "instructions": "100017"}
    assert order_to_make(request(method="boleto"), NOW)["payments"][0]["boleto"]["due_at"].startswith("2026-11-23")


def test_items_are_told_per_piece_and_add_up():
    sent = order_to_make(request(), NOW)["items"]
    assert [(item["code"], item["quantity"], item["amount"]) for item in sent] == [("C-1", 2, 1000), ("", 1, 1000)]
    odd = [Item("Lápis", 3, Decimal("10.00")), Item("Frete", 1, Decimal("20.00")), Item("Brinde", 1, Decimal("0.00"))]
    sent = order_to_make(request(items=odd), NOW)["items"]
    assert [(item["description"], item["quantity"], item["amount"]) for item in sent] == [
        ("3 x Lápis", 1, 1000),
        ("Frete", 1, 2000),
    ]


@pytest.mark.parametrize(
    "items",
    [(), [Item("Caneca", 1, Decimal("29.99"))], [Item("A", 1, Decimal("40.00")), Item("Cupom", 1, Decimal("-10.00"))]],
    ids=["none", "another sum", "a discount"],
)
def test_items_that_do_not_add_up_become_one(items):
    sent = order_to_make(request(items=items, description="Pedido 100017"), NOW)["items"]
    assert sent == [{"code": "100017", "description": "Pedido 100017", "quantity": 1, "amount": 3000}]


def test_the_buyer_is_told_in_their_parts():
    assert order_to_make(request(), NOW)["customer"] == {
        "name": "Maria Exemplo",
        "email": "maria@example.com",
        "document": "52998224725",
        "document_type": "CPF",
        "type": "individual",
        "phones": {"mobile_phone": {"country_code": "55", "area_code": "11", "number": "987654321"}},
        "address": {
            "line_1": "375, Av. Paulista, Bela Vista",
            "zip_code": "01310100",
            "city": "São Paulo",
            "state": "SP",
            "country": "BR",
        },
    }
    firm = order_to_make(request(buyer=replace(PAYER, tax_id_kind="cnpj", tax_id="11.222.333/0001-81")), NOW)
    assert (firm["customer"]["type"], firm["customer"]["document"]) == ("company", "11222333000181")


@pytest.mark.parametrize(
    ("typed", "number"),
    [("(11) 3456-7890", "34567890"), ("011 98765-4321", "987654321"), ("+55 11 3456-7890", "34567890"),
     ("+7 999 000 00 00", None), ("12345", None), ("", None)],
)  # fmt: skip
def test_only_a_brazilian_telephone_is_taken_apart(typed, number):
    customer = order_to_make(request(buyer=replace(PAYER, phone=typed)), NOW)["customer"]
    assert customer.get("phones", {}).get("mobile_phone", {}).get("number") == number


def test_what_is_not_known_of_the_buyer_is_not_sent():
    assert order_to_make(request(buyer=Buyer(email="m@example.com")), NOW)["customer"] == {"email": "m@example.com"}


# Hooks


def basic(pair):
    return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def test_a_hook_with_the_right_credentials_is_genuine():
    assert gateway().verify(basic(HOOK), b"{}", {}) is None
    rotated = gateway(webhook_credentials=["new:one", HOOK])
    assert rotated.verify(basic(HOOK), b"{}", {}) is None
    assert rotated.verify(basic("new:one"), b"{}", {}) is None


@pytest.mark.parametrize(
    "headers",
    [{}, basic("maria:wrong"), basic("maria:"), basic(":"), {"authorization": HOOK}, {"authorization": "Basic"},
     {"authorization": "Basic ä"}, {"authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()},
     {"authorization": basic(HOOK)["authorization"].replace("Basic", "Bearer")}],
)  # fmt: skip
def test_a_forged_hook_is_refused(headers):
    with pytest.raises(WebhookVerificationFailed):
        gateway().verify(headers, b"{}", {})


def test_without_credentials_nothing_is_genuine():
    with pytest.raises(WebhookVerificationFailed):
        gateway(webhook_credentials=()).verify(basic(HOOK), b"{}", {})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("hook_charge_paid", "charge.paid"),
        ("hook_order_paid", "order.paid"),
        ("hook_checkout_canceled", "checkout.canceled"),
    ],
)
def test_a_hook_names_our_order(name, kind):
    hint = gateway().parse_notification({}, (DATA / f"{name}.json").read_bytes(), {})
    assert hint == Hint("hook_RyEKQO789TRpZjv5", "or_56GXnk6T0eU88qMm", "P100017-1", kind)


def test_a_hook_of_something_else_concerns_no_payment():
    hint = hint_of((DATA / "hook_customer_created.json").read_bytes())
    assert hint == Hint("hook_RyEKQO789TRpZjv5", kind="customer.created")


def test_a_charge_without_its_order_is_found_by_the_code():
    body = {"id": "hook_1", "type": "charge.paid", "data": {"id": "ch_1", "code": "P100017-1"}}
    assert hint_of(json.dumps(body).encode()).reference == "P100017-1"


@pytest.mark.parametrize("value", ["or_" + "x" * 500, "or_../x", "or_1\n", "\ud800", 5, None, ["or_1"], {"id": "or_1"}])
def test_a_hook_cannot_name_what_is_no_order(value):
    body = {"id": value, "type": "order.paid", "data": {"id": value, "code": value}}
    hint = hint_of(json.dumps(body).encode())
    assert hint.external_id == ""
    assert all(isinstance(word, str) and len(word) <= 120 for word in (hint.event_id, hint.reference))


def test_too_large_a_hook_is_not_read():
    with pytest.raises(AdapterRejected, match="too large"):
        hint_of(b'{"type": "order.paid", "x": "' + b"x" * 1_000_000 + b'"}')


# Answers that no simulator gives


class Canned:
    """Stands in for the network: one answer after the other."""

    def __init__(self, *answers):
        self.answers, self.sent = list(answers), []

    def get(self, path, **options):
        return self.request("GET", path, **options).json()

    def request(self, method, path, **options):
        self.sent.append((method, path))
        return Answer(200, {}, json.dumps(self.answers.pop(0)).encode())


def answering(*answers):
    made = gateway()
    made._http = Canned(*answers)
    made.now = lambda: NOW
    return made


def test_a_payment_that_failed_at_once_is_rejected_with_the_reason():
    order = transaction_in("order_pix_waiting", gateway_response={"errors": [{"message": "Sem ambiente configurado"}]})
    order["charges"][0]["status"] = order["status"] = "failed"
    with pytest.raises(AdapterRejected, match="Sem ambiente configurado"):
        answering(order).start(request(method="pix"), key="k")


def test_a_boleto_still_being_registered_is_asked_for_again():
    order = transaction_in("order_boleto_waiting", status="processing", line=None, pdf=None, url=None)
    with pytest.raises(AdapterUnanswered, match="how to pay"):
        answering(order).start(request(method="boleto"), key="k")


@pytest.mark.parametrize("answer", [[], {}, "x", None, {"id": 5}])
def test_an_answer_of_another_kind_is_none(answer):
    for call in (
        lambda: answering(answer).start(request(), key="k"),
        lambda: answering(answer).fetch("or_1"),
        lambda: answering(answer).find("P100017-1"),
    ):
        with pytest.raises(AdapterUnanswered):
            call()


def test_what_the_acquirer_refuses_is_rejected_although_the_answer_is_200():
    held = document("order_card_held")
    failed = transaction_in("order_card_held", status="with_error", acquirer_message="Erro na captura")["charges"][0]
    payment = payment_of(held, CLOCKS)
    with pytest.raises(AdapterRejected, match="Erro na captura"):
        answering(held, failed).capture(payment, Decimal("30.00"), key="k")
    failed["last_transaction"]["status"] = "error_on_voiding"
    with pytest.raises(AdapterRejected, match="Erro na captura"):
        answering(held, failed).void(payment, key="k")


def test_a_refund_that_cannot_be_recognised_may_have_been_done():
    paid = document("order_card_paid")
    with pytest.raises(AdapterUnanswered, match="captured"):
        answering(paid, paid["charges"][0]).refund(payment_of(paid, CLOCKS), Decimal("1.00"), key="k")


def test_a_hold_is_given_back_and_its_page_closed_if_it_is_still_open():
    held = document("order_card_held")
    held["checkouts"][0]["status"] = "open"
    void = {**held["charges"][0], "status": "canceled", "canceled_at": "2026-11-20T19:00:00Z"}
    made = answering(held, void, {**held, "status": "canceled", "charges": [void]})
    assert made.void(payment_of(held, CLOCKS), key="k").state == PaymentState.CANCELLED
    assert [method for method, _path in made._http.sent] == ["GET", "DELETE", "PATCH"]


# Options and messages


@pytest.mark.parametrize(
    "options",
    [{"secret_key": ""}, {"secret_key": "pk_test_abc"}, {"secret_key": "sk_ü"}, {"webhook_credentials": "a:b"},
     {"webhook_credentials": ["nocolon"]}, {"webhook_credentials": [""]}, {"methods": []}, {"methods": ["voucher"]},
     {"base_url": "ftp://x"}, {"installments": 0}, {"statement_descriptor": "x" * 23}, {"hold_days": 0}],
)  # fmt: skip
def test_a_wrong_option_is_a_wrong_configuration(options):
    with pytest.raises(ConfigurationError) as caught:
        gateway(**options)
    assert "very-secret" not in str(caught.value)


def test_a_shop_takes_a_part_of_the_methods():
    assert list(gateway(methods=["boleto", "card"]).methods) == ["card", "boleto"]


def test_a_refusal_tells_the_merchant_what_is_missing():
    told_error = told(AdapterRejected("x", status=422, body=(DATA / "error_422.json").read_bytes()))
    assert str(told_error) == (
        "Pagar.me refused (422): The request is invalid.; "
        "order.customer.phones: At least one customer phone is required."
    )
    for body in (b"", b"<html>", b"[]", b'{"errors": [1]}', b"[" * 100_000, b'{"message": {}}'):
        assert "refused (400)" in str(told(AdapterRejected("x", status=400, body=body)))
    assert len(str(told(AdapterRejected("x", status=400, body=json.dumps({"message": "a" * 9000}).encode())))) < 400
