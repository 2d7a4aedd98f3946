"""Mercado Pago's words and documents: every code, sums exactly, signatures, hostile messages."""

import hashlib
import hmac
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mercadopago.webhook import InvalidWebhookSignatureError, WebhookSignatureValidator

from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
    ConfigurationError,
    WebhookVerificationFailed,
)
from oscar_fulfillment.gateways.base import Buyer, Hint, Item, PaymentRequest, PaymentState, RemotePayment
from oscar_fulfillment.gateways.mercadopago import MercadoPago, documents, requests
from sandbox.simulators import mercadopago_documents as simulated

pytestmark = pytest.mark.feature("A3")

DATA = Path(__file__).parent.parent / "data" / "mercadopago"
NOW = datetime(2026, 1, 20, tzinfo=UTC)
TOKEN, SECRET = "APP_USR-secret-token", "the-secret-signature"
BUYER = Buyer(
    email="ana@example.com", name="Ana Maria Souza", tax_id_kind="cpf", tax_id="191.191.191-00",
    line1="Rua das Flores, 12", city="Osasco", state="SP", postcode="06233-200",
)  # fmt: skip


def read(name):
    """A recorded answer as the client reads it: fractions stay text."""
    return json.loads((DATA / f"{name}.json").read_bytes(), parse_float=str)


def made(**options):
    return MercadoPago(alias="mp", **{"access_token": TOKEN, "webhook_secrets": [SECRET], **options})


def wanted(**changes):
    values = {
        "reference": "100017-1", "order_number": "100017", "amount": Decimal("100.00"), "currency": "BRL",
        "method": "card", "return_url": "https://shop.example/back", "buyer": BUYER,
    }  # fmt: skip
    return PaymentRequest(**{**values, **changes})


# Words

MEANINGS = {
    ("pending", "pending_waiting_payment"): PaymentState.PENDING,
    ("pending", "pending_waiting_transfer"): PaymentState.PENDING,
    ("pending", "pending_challenge"): PaymentState.PENDING,
    ("pending", "pending_review_manual"): PaymentState.IN_REVIEW,
    ("pending", "pending_contingency"): PaymentState.IN_REVIEW,
    ("in_process", "pending_review_manual"): PaymentState.IN_REVIEW,
    ("in_process", "pending_contingency"): PaymentState.IN_REVIEW,
    ("in_process", "offline_process"): PaymentState.IN_REVIEW,
    ("in_process", "deferred_retry"): PaymentState.IN_REVIEW,
    ("authorized", "pending_capture"): PaymentState.AUTHORIZED,
    ("approved", "accredited"): PaymentState.CAPTURED,
    ("approved", "partially_refunded"): PaymentState.CAPTURED,
    ("in_mediation", "pending"): PaymentState.CAPTURED,
    ("rejected", "cc_rejected_high_risk"): PaymentState.REFUSED_ANTIFRAUD,
    ("rejected", "rejected_high_risk"): PaymentState.REFUSED_ANTIFRAUD,
    ("rejected", "cc_rejected_blacklist"): PaymentState.REFUSED_ANTIFRAUD,
    ("rejected", "cc_rejected_fraud"): PaymentState.REFUSED_ANTIFRAUD,
    ("cancelled", "expired"): PaymentState.EXPIRED,
    ("cancelled", "by_collector"): PaymentState.CANCELLED,
    ("cancelled", "by_payer"): PaymentState.CANCELLED,
    ("canceled", "expired"): PaymentState.EXPIRED,
    ("refunded", "refunded"): PaymentState.REFUNDED,
    ("refunded", "by_admin"): PaymentState.REFUNDED,
    ("charged_back", "in_process"): PaymentState.CHARGED_BACK,
    ("charged_back", "settled"): PaymentState.CHARGED_BACK,
    ("charged_back", "reimbursed"): PaymentState.CAPTURED,
}


@pytest.mark.parametrize(("words", "state"), MEANINGS.items(), ids="/".join)
def test_each_word_has_one_meaning(words, state, caplog):
    assert documents.state_of(*words) is state
    assert not caplog.records


def test_every_known_word_has_a_meaning_without_a_complaint(caplog):
    assert documents.STATES.keys() == documents.DETAILS.keys()
    for status, details in documents.DETAILS.items():
        for detail in ("", *details):
            assert documents.state_of(status, detail) is not PaymentState.UNKNOWN
            if status == "rejected" and (status, detail) not in documents.FINER:
                assert documents.state_of(status, detail) is PaymentState.REFUSED
    assert {status for status, _detail in documents.FINER} <= documents.STATES.keys()
    assert all(detail in documents.DETAILS[status] for status, detail in documents.FINER)
    assert not caplog.records


def test_an_unknown_status_is_kept_and_logged_and_an_unknown_detail_logged(caplog):
    caplog.set_level(logging.WARNING)
    found = documents.payment({**read("payment_card"), "status": "teleported", "status_detail": "x"})
    assert (found.state, found.raw_status, found.captured) == (PaymentState.UNKNOWN, "teleported/x", 0)
    assert documents.state_of("rejected", "cc_rejected_moon") is PaymentState.REFUSED
    assert ["teleported" in caplog.text, "cc_rejected_moon" in caplog.text] == [True, True]


@pytest.mark.parametrize("status", ["approved", "in_process", "pending", "rejected", "cancelled", "vanished"])
def test_a_refund_is_done_pending_or_failed(status, caplog):
    found = documents.refund({"id": 7, "amount": "1.10", "status": status, "reason": None})
    expected = {"approved": "done", "rejected": "failed", "cancelled": "failed"}.get(status, "pending")
    assert (found.external_id, found.amount, found.state) == ("7", Decimal("1.10"), expected)
    assert found.reason == ("" if status == "approved" else status)
    assert ("vanished" in caplog.text) is (status == "vanished")


# Documents


def test_a_pix_is_read():
    found = documents.payment(read("payment_pix"))
    assert (found.external_id, found.reference, found.method) == ("21071815560", "100017-1", "pix")
    assert (found.state, found.amount, found.currency) == (PaymentState.PENDING, Decimal("100.5"), "BRL")
    assert found.instructions.keys() == {"pix_code"}
    assert found.instructions["pix_code"].endswith("63044CC4")
    assert found.expires_at == datetime(2026, 1, 11, 14, 10, 10, tzinfo=UTC)
    assert (found.raw_status, found.reason) == ("pending/pending_waiting_transfer", "")


def test_a_boleto_is_read():
    found = documents.payment(read("payment_boleto"))
    assert (found.method, found.amount, found.captured) == ("boleto", 100, 0)
    assert found.instructions["boleto_line"] == "23793000296060033818430006333303392740000010050"
    assert found.instructions["boleto_url"].startswith("https://www.mercadopago.com.br/payments/1311781516/ticket")


def test_what_the_buyer_paid_for_instalments_is_not_the_shops():
    found = documents.payment(read("payment_card"))
    assert (found.state, found.method) == (PaymentState.CAPTURED, "card")
    assert (found.amount, found.captured, found.refunded) == (100, 100, Decimal("1.1"))
    assert found.paid_at == datetime(2026, 9, 13, 12, 57, 18, tzinfo=UTC)
    assert [(one.external_id, one.amount, one.state) for one in found.refunds] == [
        ("1240999679", Decimal("1.1"), "done")
    ]
    assert (found.reason, found.instructions, found.expires_at) == ("", {}, None)


@pytest.mark.parametrize(
    ("status", "detail", "sums"),
    [
        ("authorized", "pending_capture", (100, 0, 0)),
        ("refunded", "refunded", (0, 100, 100)),
        ("charged_back", "reimbursed", (0, 100, 0)),
        ("charged_back", "settled", (0, 100, 0)),
        ("in_mediation", "pending", (0, 100, 0)),
        ("rejected", "cc_rejected_high_risk", (0, 0, 0)),
        ("cancelled", "expired", (0, 0, 0)),
    ],
)
def test_sums_follow_the_state(status, detail, sums):
    document = {**read("payment_card"), "status": status, "status_detail": detail, "transaction_amount_refunded": 0}
    found = documents.payment(document)
    assert (found.authorized, found.captured, found.refunded) == sums
    assert found.reason == {"authorized": "", "in_mediation": "in_mediation"}.get(status, detail)


def test_a_checkout_is_read_with_the_sum_of_its_lines():
    found = documents.preference(read("preference"), NOW)
    assert (found.state, found.amount, found.currency) == (PaymentState.PENDING, Decimal("100.00"), "BRL")
    assert found.redirect_url.startswith("https://www.mercadopago.com.br/checkout/v1/redirect?pref_id=823549964-")
    assert found.expires_at == datetime(2026, 2, 10, 10, 10, 10, tzinfo=UTC)
    late = documents.preference(read("preference"), found.expires_at)
    assert (late.state, late.redirect_url, late.expires_at) == (PaymentState.EXPIRED, "", None)
    endless = documents.preference({**read("preference"), "expires": False}, NOW + timedelta(days=999))
    assert (endless.state, endless.expires_at) == (PaymentState.PENDING, None)


def test_no_link_but_a_web_address_is_passed_on():
    assert documents.preference({**read("preference"), "init_point": "javascript:alert(1)"}, NOW).redirect_url == ""
    boleto = read("payment_boleto")
    boleto["transaction_details"]["external_resource_url"] = "data:text/html,x"
    assert "boleto_url" not in documents.payment(boleto).instructions


@pytest.mark.parametrize(
    "wrong", [{}, {"id": 1}, {"id": 1, "transaction_amount": "much"}, {"id": None, "transaction_amount": 1}]
)
def test_a_payment_that_cannot_be_read_is_refused(wrong):
    with pytest.raises(AdapterRejected):
        documents.payment(wrong)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*read("payment_pix"), "barcode"]), anything, max_size=4))
def test_a_payment_of_wrong_types_is_read_or_refused(changes):
    try:
        found = documents.payment({**read("payment_pix"), **changes})
    except AdapterRejected:
        return
    assert isinstance(found.state, PaymentState)
    words = [
        found.external_id,
        found.reference,
        found.reason,
        found.raw_status,
        found.currency,
        *found.instructions.values(),
    ]
    assert all(word == "" or word.isprintable() for word in words)


# All attempts together

WHOLE = RemotePayment("pref", PaymentState.PENDING, Decimal(100), "BRL", reference="r", redirect_url="https://pay")
EARLY = datetime(2026, 1, 1, tzinfo=UTC)


def attempt(state, captured=0, refunded=0, **more):
    return RemotePayment(
        "1", state, Decimal(100), "BRL", captured=Decimal(captured), refunded=Decimal(refunded), **more
    )


REFUSED, FRAUD = attempt(PaymentState.REFUSED, reason="issuer"), attempt(PaymentState.REFUSED_ANTIFRAUD, reason="risk")
PAID = attempt(PaymentState.CAPTURED, 100, paid_at=EARLY)
GONE, LOST = attempt(PaymentState.CANCELLED), attempt(PaymentState.CHARGED_BACK, 100, paid_at=EARLY + timedelta(days=1))
BACK, WAITING = attempt(PaymentState.REFUNDED, 100, 100), attempt(PaymentState.PENDING)
REVIEW, ODD = attempt(PaymentState.IN_REVIEW), attempt(PaymentState.UNKNOWN)


@pytest.mark.parametrize(
    ("attempts", "state", "captured", "refunded"),
    [
        ([], PaymentState.PENDING, 0, 0),
        ([REFUSED], PaymentState.REFUSED, 0, 0),
        ([REFUSED, FRAUD], PaymentState.REFUSED_ANTIFRAUD, 0, 0),
        ([FRAUD, REFUSED], PaymentState.REFUSED, 0, 0),
        ([GONE], PaymentState.PENDING, 0, 0),
        ([REFUSED, GONE], PaymentState.REFUSED, 0, 0),
        ([REFUSED, PAID, REFUSED], PaymentState.CAPTURED, 100, 0),
        ([PAID, PAID], PaymentState.CAPTURED, 200, 0),
        ([PAID, BACK], PaymentState.CAPTURED, 200, 100),
        ([PAID, LOST], PaymentState.CAPTURED, 200, 100),
        ([PAID, attempt(PaymentState.CHARGED_BACK, 100, 30)], PaymentState.CAPTURED, 200, 100),
        ([LOST, LOST], PaymentState.CHARGED_BACK, 200, 0),
        ([BACK], PaymentState.REFUNDED, 100, 100),
        ([BACK, WAITING], PaymentState.REFUNDED, 100, 100),
        ([BACK, LOST], PaymentState.CHARGED_BACK, 200, 100),
        ([REFUSED, WAITING], PaymentState.PENDING, 0, 0),
        ([WAITING, REVIEW], PaymentState.IN_REVIEW, 0, 0),
        ([ODD, WAITING], PaymentState.UNKNOWN, 0, 0),
        ([ODD, REVIEW], PaymentState.IN_REVIEW, 0, 0),
    ],
)
def test_the_decisive_attempt_decides(attempts, state, captured, refunded):
    found = documents.together(WHOLE, attempts)
    assert (found.state, found.captured, found.refunded) == (state, captured, refunded)
    assert (found.external_id, found.reference, found.amount) == ("pref", "r", 100)
    assert bool(found.redirect_url) is (
        state in (PaymentState.PENDING, PaymentState.REFUSED, PaymentState.REFUSED_ANTIFRAUD)
    )


def test_the_first_money_dates_it_and_a_closed_checkout_stays_closed():
    assert documents.together(WHOLE, [LOST, PAID]).paid_at == EARLY
    closed = replace(WHOLE, state=PaymentState.CANCELLED)
    assert documents.together(closed, [REFUSED]).state is PaymentState.CANCELLED
    assert documents.together(closed, [PAID]).state is PaymentState.CAPTURED
    assert documents.together(replace(WHOLE, state=PaymentState.EXPIRED), [GONE]).state is PaymentState.EXPIRED


# Boleto's line, Pix's code


def test_the_line_of_a_boleto_is_made_from_its_bars():
    # The example of the bar code's specification by the Banco do Brasil.
    assert (
        documents.boleto_line("00193373700000001000500940144816060680935031")
        == "00190500954014481606906809350314337370000000100"
    )
    for other in ("", "123", "x" * 44, "٣" * 44, "00190500954014481606906809350314337370000000100"):
        assert documents.boleto_line(other) == other


def test_the_simulators_codes_are_well_formed():
    bars = simulated.bars(1311000001, datetime(2026, 12, 1, tzinfo=UTC), Decimal("1234.56"))
    assert (len(bars), bars[:4], bars[9:19]) == (44, "2379", "0000123456")
    assert simulated.bars(1, datetime(2025, 2, 22, 12, tzinfo=UTC), Decimal(1))[5:9] == "1000"
    code = simulated.brcode("mpqrinter1", Decimal("10.00"))
    assert "540510.00" in code
    assert len(code.rpartition("6304")[2]) == 4


# Answers that are none


class Says:
    """Instead of HTTP: answers everything with the same document."""

    def __init__(self, document):
        self.document = document

    def get(self, path, **options):
        return self.document

    def request(self, method, path, **options):
        return self

    def json(self):
        return self.document


@pytest.mark.parametrize("document", [[], None, "x", 7, {}, {"id": 5}, {"id": 5, "transaction_amount": "Infinity"}])
def test_an_answer_that_cannot_be_read_may_have_been_done(document):
    gateway = made()
    gateway._http = Says(document)
    with pytest.raises(AdapterUnanswered):
        gateway.start(wanted(method="pix"), key="k")
    with pytest.raises(AdapterUnanswered):
        gateway.refund(RemotePayment("5", PaymentState.CAPTURED, Decimal(1), "BRL"), Decimal(1), key="k")
    with pytest.raises(AdapterUnavailable):
        gateway.fetch("5")
    with pytest.raises(AdapterUnavailable):
        gateway.find("100017-1")


def test_nothing_is_found_without_a_reference_and_nobody_asked():
    gateway = made()
    gateway._http = None
    assert gateway.find("") is None
    gateway._http = Says({**read("preference"), "external_reference": None, "results": [read("payment_card")]})
    assert gateway.fetch("823549964-e8063b12").captured == 0
    with pytest.raises(AdapterRejected, match="No single payment"):
        gateway.refund(
            RemotePayment("823549964-e8063b12", PaymentState.CAPTURED, Decimal(9), "BRL"), Decimal(9), key="k"
        )


def test_an_endless_list_of_attempts_is_left_to_a_person():
    gateway = made()
    gateway._http = Says({"elements": [], "results": [{**read("payment_card"), "id": n} for n in range(100)]})
    with pytest.raises(AdapterRejected, match="Too many attempts"):
        gateway.find("100019-1")


def test_others_payments_that_a_search_brings_do_not_count():
    gateway = made()
    gateway._http = Says({"elements": [{"external_reference": "other", "id": "x"}], "results": [read("payment_card")]})
    assert gateway.find("100017-1") is None
    assert gateway.find("100019-1").captured == 100


@pytest.mark.parametrize("value", [None, "", 5, "yesterday", "2026-13-01T00:00:00Z"])
def test_a_moment_that_is_none_is_nothing(value):
    assert documents.moment(value) is None
    assert documents.moment("2026-01-02T03:04:05") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


# What is sent


def test_a_boleto_is_asked_for_with_payer_and_address():
    due = datetime(2026, 6, 25, 23, 59, 59, tzinfo=UTC)
    body = requests.payment(wanted(method="boleto", expires_at=due, notification_url="https://shop.example/n?a=1"))
    assert body["payment_method_id"] == "bolbradesco"
    assert body["date_of_expiration"] == "2026-06-25T23:59:59.000+00:00"
    assert body["notification_url"] == "https://shop.example/n?a=1&source_news=webhooks&reference=100017-1"
    assert body["payer"] == {
        "email": "ana@example.com", "first_name": "Ana", "last_name": "Maria Souza",
        "identification": {"type": "CPF", "number": "19119119100"},
        "address": {"zip_code": "06233200", "street_name": "Rua das Flores", "street_number": "12",
                    "neighborhood": "Osasco", "city": "Osasco", "federal_unit": "SP"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("Av. das Nações Unidas, 3003 - Bonfim", ("Av. das Nações Unidas", "3003", "Bonfim")),
        ("Rua 7 de Setembro, 15-A, Centro", ("Rua 7 de Setembro", "15-A", "Centro")),
        ("Rua sem Número, s/n", ("Rua sem Número", "s/n", "Osasco")),
        ("Estrada Velha", ("Estrada Velha", "S/N", "Osasco")),
    ],
)
def test_a_street_is_taken_apart_as_brazilians_write_it(line, parts):
    address = requests.payment(wanted(method="boleto", buyer=replace(BUYER, line1=line)))["payer"]["address"]
    assert (address["street_name"], address["street_number"], address["neighborhood"]) == parts


def test_a_company_has_one_name_and_its_cnpj_may_have_letters():
    company = replace(BUYER, name="Loja Azul Ltda", tax_id_kind="cnpj", tax_id="12.ABC.345/01DE-35")
    payer = requests.payment(wanted(method="pix", buyer=company))["payer"]
    assert payer["identification"] == {"type": "CNPJ", "number": "12ABC34501DE35"}
    assert payer["first_name"] == "Loja Azul Ltda"
    assert "last_name" not in payer
    assert "address" not in payer


def test_lines_add_up_to_the_sum_whatever_the_items_are():
    cup, box = Item("Cup", 3, Decimal("59.97"), sku="C"), Item("Box", 7, Decimal("40.03"))
    for items in ((), (cup,), (cup, box), (Item("Nothing", 0, Decimal("100.00")),)):
        lines = requests.preference(wanted(items=items), statement_descriptor="", max_installments=None)["items"]
        assert sum(Decimal(str(line["unit_price"])) * line["quantity"] for line in lines) == 100


@given(st.integers(1, 10**11))
def test_sums_survive_the_number_that_json_has(cents):
    amount = Decimal(cents).scaleb(-2)
    assert Decimal(str(json.loads(json.dumps(requests.number(amount)), parse_float=str))) == amount


def test_a_checkout_has_what_the_shop_set():
    body = requests.preference(wanted(), statement_descriptor="LOJA", max_installments=6)
    assert (body["statement_descriptor"], body["payment_methods"]["installments"]) == ("LOJA", 6)
    assert body["auto_return"] == "approved"
    local = requests.preference(
        wanted(return_url="http://localhost/back"), statement_descriptor="", max_installments=None
    )
    assert local.keys().isdisjoint({"auto_return", "statement_descriptor", "expires", "notification_url"})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": Decimal("0")}, "more than zero"),
        ({"amount": Decimal("NaN")}, "more than zero"),
        ({"amount": Decimal("10.005")}, "too many decimals"),
        ({"currency": "USD"}, "BRL only"),
        ({"method": "cheque"}, "not offered"),
        ({"hold": True}, "cannot hold"),
        ({"reference": ""}, "reference"),
        ({"method": "pix", "buyer": Buyer()}, "e-mail"),
        ({"method": "boleto", "buyer": Buyer(email="a@b.c")}, "name, CPF or CNPJ, street, city, state, postcode"),
        ({"method": "boleto", "buyer": replace(BUYER, tax_id_kind="inn")}, "CPF or CNPJ"),
    ],
)
def test_what_mercado_pago_would_refuse_is_refused_before(changes, words):
    with pytest.raises(AdapterRejected, match=words):
        made().start(wanted(**changes), key="k")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, (DATA / "error_token.json").read_bytes(), "Mercado Pago refused: Card Token not found"),
        (400, b'{"cause": [{"code": "2063"}]}', "present state"),
        (
            400,
            b'{"message": "preference_id not found", "error": "invalid_id", "cause": null}',
            "preference_id not found",
        ),
        (400, b'{"cause": "x", "message": ["y"]}', "refused"),
        (401, b"<html>", "access token"),
        (403, b"", "access token"),
        (404, b"[" * 100_000, "as it was"),
        (404, b"[]", "as it was"),
        (422, b'{"message": "' + b"x" * 9_000 + b'"}', "refused"),
    ],
)
def test_a_refusal_is_explained(status, body, words):
    told = requests.explain(AdapterRejected("as it was", status=status, body=body))
    assert words in told
    assert len(told) < 300


# Notifications


def signed(name="1241011467", call="f7b2a1d4", moment="1742505638683", secret=SECRET):
    manifest = "".join(
        f"{word}:{value};" for word, value in (("id", name), ("request-id", call), ("ts", moment)) if value
    )
    digest = hmac.new(secret.encode(), manifest.encode(), hashlib.sha256).hexdigest()
    headers = {"x-signature": f"ts={moment},v1={digest}", "x-request-id": call}
    return {word: value for word, value in headers.items() if value}, b"{}", {"data.id": name} if name else {}


def test_a_signature_of_mercado_pago_is_accepted():
    # Computed once by hand with openssl, so that a mistake here and there at once would show.
    headers = {
        "x-signature": "ts=1742505638683,v1=7a4a5e0e83a3bd7a7e3ea3e5b4c2e3e04b0d5a36",
        "x-request-id": "bb56a2f1-6aae-46ac-982e-9dcd3581d08e",
    }
    with pytest.raises(WebhookVerificationFailed):
        made().verify(headers, b"", {"data.id": "999999999"})
    headers["x-signature"] = "ts=1742505638683,v1=54f5f3cec70e23773b17b967c4c0362ad9b7a1fc2aa065859ed57169bef96067"
    made().verify(headers, b"", {"data.id": "999999999"})


@pytest.mark.parametrize("parts", [{}, {"name": ""}, {"call": ""}, {"name": "", "call": ""}, {"secret": "old"}])
def test_absent_parts_are_left_out_and_the_old_secret_counts(parts):
    made(webhook_secrets=["old", SECRET]).verify(*signed(**parts))


def test_ids_with_letters_count_in_both_spellings():
    headers, body, _query = signed(name="ord01abc")
    made().verify(headers, body, {"data.id": "ORD01ABC"})
    headers, body, query = signed(name="ORD01ABC")
    made().verify(headers, body, query)
    with pytest.raises(WebhookVerificationFailed):
        made().verify(headers, body, {"data.id": "ord01abc"})


HEADERS, BODY, QUERY = signed()


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, QUERY),
        ({**HEADERS, "x-signature": ""}, QUERY),
        ({**HEADERS, "x-signature": HEADERS["x-signature"].partition(",")[2]}, QUERY),
        ({**HEADERS, "x-signature": HEADERS["x-signature"].partition(",")[0]}, QUERY),
        ({**HEADERS, "x-signature": HEADERS["x-signature"].replace("v1=", "v2=")}, QUERY),
        ({**HEADERS, "x-signature": HEADERS["x-signature"].replace("ts=", "ts=-")}, QUERY),
        ({**HEADERS, "x-signature": "ts=١,v1=" + "a" * 64}, QUERY),
        ({**HEADERS, "x-signature": "v1=é\ud800,ts=1"}, QUERY),
        ({**HEADERS, "x-signature": "," * 100_000}, QUERY),
        ({**HEADERS, "x-request-id": "other"}, QUERY),
        ({"x-signature": HEADERS["x-signature"]}, QUERY),
        (HEADERS, {}),
        (HEADERS, {"data.id": "1"}),
        (HEADERS, {"data.id": "x" * 10_000}),
        # The parts may not be shifted into each other.
        (
            {"x-signature": HEADERS["x-signature"]},
            {"data.id": f"{QUERY['data.id']};request-id:{HEADERS['x-request-id']}"},
        ),
        ({**HEADERS, "x-request-id": f"x;id:{QUERY['data.id']}"}, {}),
    ],
)
def test_anything_else_is_refused(headers, query):
    with pytest.raises(WebhookVerificationFailed):
        made().verify(headers, BODY, query)
    with pytest.raises(WebhookVerificationFailed):
        made(webhook_secrets=[]).verify(headers, BODY, query)


def test_a_call_with_a_separator_is_refused_though_signed():
    with pytest.raises(WebhookVerificationFailed, match="malformed"):
        made().verify(*signed(call="f7b2a1d4;ts:1"))


def test_nothing_is_accepted_without_a_secret_and_unsigned_only_where_allowed():
    with pytest.raises(WebhookVerificationFailed, match="no secret"):
        made(webhook_secrets=()).verify(*signed(secret=""))
    open_to_hints = made(allow_unsigned=True)
    open_to_hints.verify({}, b"{}", {"id": "5", "topic": "payment"})
    with pytest.raises(WebhookVerificationFailed):
        open_to_hints.verify({**HEADERS, "x-request-id": "other"}, BODY, QUERY)


@given(
    name=st.from_regex(r"[0-9]{1,18}", fullmatch=True),
    call=st.from_regex(r"[0-9a-f-]{1,36}", fullmatch=True),
    moment=st.from_regex(r"[0-9]{1,13}", fullmatch=True),
    other=st.from_regex(r"[0-9]{1,18}", fullmatch=True),
)
def test_we_believe_what_the_official_sdk_believes(name, call, moment, other):
    headers, body, query = signed(name, call, moment)
    said = (headers["x-signature"], headers["x-request-id"])
    WebhookSignatureValidator.validate(*said, name, SECRET)
    made().verify(headers, body, query)
    if other != name:
        with pytest.raises(InvalidWebhookSignatureError):
            WebhookSignatureValidator.validate(*said, other, SECRET)
        with pytest.raises(WebhookVerificationFailed):
            made().verify(headers, body, {"data.id": other})


def test_a_notification_names_its_payment():
    body = (DATA / "webhook_payment.json").read_bytes()
    named = Hint(event_id="112233445566", external_id="1241011467", kind="payment.updated")
    assert made().parse_notification({}, body, {"data.id": "1241011467", "type": "payment"}) == named
    assert made().parse_notification({}, body, {}) == named
    assert made().parse_notification({}, body, {"reference": "100019-1"}).reference == "100019-1"
    with pytest.raises(AdapterRejected, match="two payments"):
        made().parse_notification({}, body, {"data.id": "1"})


@pytest.mark.parametrize(
    ("body", "query", "expected"),
    [
        (
            b'{"id": 7, "type": "topic_chargebacks_wh", "data": {"id": "x9"}}',
            {},
            Hint("7", "", "", "topic_chargebacks_wh"),
        ),
        (
            b'{"id": 7, "topic": "merchant_order", "resource": "https://x/1"}',
            {"id": "1"},
            Hint("7", "", "", "merchant_order"),
        ),
        (
            b'{"action": "test.created", "type": "test", "id": 1, "data": {"id": "1"}}',
            {},
            Hint("1", "", "", "test.created"),
        ),
        (b'{"resource": "55", "topic": "payment"}', {"id": "55", "topic": "payment"}, Hint("", "55", "", "payment")),
        (b"{}", {}, Hint()),
        (b"", {}, Hint()),
    ],
)
def test_other_topics_and_the_old_way(body, query, expected):
    assert made().parse_notification({}, body, query) == expected


@pytest.mark.parametrize(
    "body",
    [
        b'{"type": "payment"}',
        b'{"type": "payment", "data": {"id": "../1"}}',
        b'{"type": "payment", "data": {"id": "823549964-e8063b12"}}',
        b'{"type": "payment", "data": {"id": true}}',
        b'{"type": "payment", "data": {"id": ' + b"9" * 400 + b"}}",
        b'{"type": "payment", "data": {"id": "' + "٣".encode() + b'"}}',
        b"[1]", b"null", b"\xff\xfe", b"[" * 50_000, b'{"a":' * 20_000, b"{" + b" " * 100_000 + b"}",
    ],
)  # fmt: skip
def test_a_hostile_body_is_refused(body):
    with pytest.raises(AdapterRejected):
        made().parse_notification({}, body, {})


@given(
    st.dictionaries(st.sampled_from(["id", "type", "topic", "action", "data", "resource"]), anything),
    st.dictionaries(st.text(max_size=9), st.text()),
)
def test_any_body_gives_a_hint_or_a_refusal(said, query):
    try:
        hint = made().parse_notification({}, json.dumps(said).encode(), query)
    except AdapterRejected:
        return
    assert hint.external_id == "" or hint.external_id.isdigit()
    assert all(
        len(word) <= 64 and (word == "" or word.isprintable()) for word in (hint.event_id, hint.kind, hint.reference)
    )


# Options


@pytest.mark.parametrize(
    "options",
    [
        {"access_token": ""},
        {"access_token": None},
        {"access_token": "two\nlines"},
        {"webhook_secrets": "one"},
        {"webhook_secrets": [""]},
        {"webhook_secrets": [None]},
        {"webhook_secrets": None},
        {"methods": ()},
        {"methods": "card"},
        {"methods": ["cheque"]},
        {"base_url": "ftp://x"},
        {"base_url": "api.mercadopago.com"},
        {"statement_descriptor": "x" * 23},
        {"max_installments": 0},
        {"max_installments": "3"},
    ],
)
def test_a_wrong_option_is_told(options):
    with pytest.raises(ConfigurationError) as told:
        made(**options)
    assert TOKEN not in str(told.value)
    assert SECRET not in str(told.value)


def test_methods_are_chosen_and_secrets_not_shown():
    gateway = made(methods=["pix"])
    assert list(gateway.methods) == ["pix"]
    assert gateway.capabilities("card") == frozenset()
    assert list(MercadoPago.methods) == ["card", "boleto", "pix"]
    shown = repr(gateway) + str(gateway) + repr(gateway._http)
    assert TOKEN not in shown
    assert SECRET not in shown
