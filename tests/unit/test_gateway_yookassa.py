"""YooKassa: its documented documents read, every code mapped, hostile input, receipts that add up, options."""

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yookassa.domain.common import SecurityHelper
from yookassa.domain.models.cancellation_details import (
    CancellationDetailsReasonCode,
    RefundCancellationDetailsReasonCode,
)

from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    ConfigurationError,
    WebhookVerificationFailed,
)
from oscar_fulfillment.core.registry import Registry
from oscar_fulfillment.gateways.base import Buyer, Item, PaymentState, RemotePayment, RemoteRefund
from oscar_fulfillment.gateways.receipts54 import ReceiptRules, contact, partial_receipt, receipt
from oscar_fulfillment.gateways.yookassa import NETWORKS, REMOTE_ADDRESS, YooKassa
from oscar_fulfillment.gateways.yookassa_mapping import (
    CANCELLATIONS,
    REFUND_STATES,
    STATES,
    explained,
    hint_from,
    payment_from,
    refund_from,
    with_refunds,
)

DATA = Path(__file__).parents[1] / "data" / "yookassa"
D = Decimal
OPTIONS = {"shop_id": "100500", "secret_key": "test_very_secret"}


def recorded(name):
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def gateway(**options):
    return YooKassa(alias="yookassa", **{**OPTIONS, **options})


# Documents


def test_a_payment_that_waits_for_the_buyer():
    payment = payment_from(recorded("payment_pending"))
    assert payment == RemotePayment(
        external_id="23d93cac-000f-5000-8000-126628f15141",
        state=PaymentState.PENDING,
        amount=D("100.00"),
        currency="RUB",
        reference="P-1",
        raw_status="pending",
        redirect_url=(
            "https://yoomoney.ru/api-pages/v2/payment-confirm/epl?orderId=23d93cac-000f-5000-8000-126628f15141"
        ),
    )


def test_a_hold_ends_when_yookassa_says_so():
    payment = payment_from(recorded("payment_waiting_for_capture"))
    assert (payment.state, payment.authorized, payment.captured) == (PaymentState.AUTHORIZED, D("2.00"), 0)
    assert payment.hold_expires_at == datetime(2018, 7, 17, 14, 28, 32, 484_000, UTC)
    assert (payment.method, payment.reason, payment.expires_at) == ("bank_card", "", None)


def test_a_payment_that_is_in_and_partly_given_back():
    payment = payment_from(recorded("payment_succeeded"))
    assert (payment.state, payment.captured, payment.refunded) == (PaymentState.CAPTURED, D("2.00"), D("0.50"))
    assert payment.authorized == 0  # it was never held
    assert payment.paid_at == datetime(2018, 7, 10, 15, 18, 0, 123_000, UTC)
    held = {**recorded("payment_succeeded"), "metadata": {"hold": "1"}}
    assert payment_from(held).authorized == D("2.00")
    back = {**recorded("payment_succeeded"), "refunded_amount": {"value": "2.00", "currency": "RUB"}}
    assert payment_from(back).state == PaymentState.REFUNDED


def test_a_refusal_keeps_yookassas_words():
    payment = payment_from(recorded("payment_canceled"))
    assert (payment.state, payment.reason) == (PaymentState.REFUSED, "payment_method_restricted (payment_network)")
    assert (payment.authorized, payment.captured, payment.reference) == (0, 0, "")


def test_refunds():
    assert refund_from(recorded("refund_succeeded")) == RemoteRefund(
        "216749f7-0016-50be-b000-078d43a63ae4", D("1.00"), "done", key="refund-7"
    )
    failed = refund_from(recorded("refund_canceled"))
    assert (failed.state, failed.reason, failed.key) == ("failed", "insufficient_funds (yoo_money)", "")


def test_refunds_that_are_done_count_even_before_the_payment_shows_them():
    payment = replace(payment_from(recorded("payment_succeeded")), refunded=D(0))
    refunds = [RemoteRefund(str(n), D("1.00"), state) for n, state in enumerate(["done", "failed", "pending", "done"])]
    whole = with_refunds(payment, refunds)
    assert (whole.refunded, whole.state, len(whole.refunds)) == (D("2.00"), PaymentState.REFUNDED, 4)
    assert with_refunds(replace(payment, refunded=D("0.50")), []).refunded == D("0.50")


# Codes


@pytest.mark.parametrize(("status", "state"), STATES.items())
def test_every_status_has_one_meaning(status, state):
    payment = payment_from({**recorded("payment_pending"), "status": status})
    assert (payment.state, payment.raw_status) == (state, status)


@pytest.mark.parametrize(("reason", "state"), CANCELLATIONS.items())
def test_every_reason_has_one_meaning(reason, state, caplog):
    document = recorded("payment_canceled")
    document["cancellation_details"]["reason"] = reason
    assert payment_from(document).state == state
    assert not caplog.records


def reasons(codes):
    return {value for name, value in vars(codes).items() if name.isupper()} - {"unknown"}


def test_no_reason_of_the_official_sdk_is_missing():
    assert reasons(CancellationDetailsReasonCode) == set(CANCELLATIONS)


@pytest.mark.parametrize("reason", sorted(reasons(RefundCancellationDetailsReasonCode)))
def test_refunds_fail_with_their_reason(reason):
    document = {**recorded("refund_canceled"), "cancellation_details": {"party": "refund_network", "reason": reason}}
    assert refund_from(document).reason == f"{reason} (refund_network)"


def test_an_unknown_status_is_kept_and_logged(caplog):
    payment = payment_from({**recorded("payment_succeeded"), "status": "teleported"})
    assert (payment.state, payment.raw_status, payment.captured) == (PaymentState.UNKNOWN, "teleported", 0)
    assert "unknown status 'teleported'" in caplog.text
    assert refund_from({**recorded("refund_succeeded"), "status": "teleported"}).state == "pending"
    assert refund_from({**recorded("refund_succeeded"), "status": []}).state == "pending"
    assert set(REFUND_STATES) == {"pending", "succeeded", "canceled"}


@pytest.mark.parametrize(
    ("details", "state"),
    [
        ({"party": "payment_network", "reason": "moon_phase"}, PaymentState.REFUSED),
        ({"party": "yoo_money", "reason": "moon_phase"}, PaymentState.REFUSED),
        ({"party": "merchant", "reason": "moon_phase"}, PaymentState.CANCELLED),
        (None, PaymentState.CANCELLED),
        ("text", PaymentState.CANCELLED),
    ],
)
def test_an_unknown_reason_never_looks_like_money(details, state, caplog):
    payment = payment_from({**recorded("payment_canceled"), "cancellation_details": details})
    assert (payment.state, payment.captured, payment.authorized) == (state, 0, 0)
    assert "unknown reason" in caplog.text


# Answers that are none


@pytest.mark.parametrize(
    "answer",
    [
        None, [], "text", 7, {}, {"type": "processing", "description": "wait", "retry_after": 1800},
        {"id": "x"}, {"id": "", "status": "pending"}, {"id": 7, "status": "pending"}, {"id": "x", "status": []},
        {"id": "x", "status": "pending", "amount": "2.00"},
        {"id": "x", "status": "pending", "amount": {"value": "many", "currency": "RUB"}},
        {"id": "x", "status": "pending", "amount": {"value": "NaN", "currency": "RUB"}},
        {"id": "x", "status": "pending", "amount": {"value": None, "currency": "RUB"}},
        {"id": "x", "status": "pending", "amount": {"value": "1.00"}},
        {"id": "x", "status": "succeeded", "amount": {"value": "1.00", "currency": "RUB"}, "refunded_amount": {"value": {}}},
    ],
)  # fmt: skip
def test_what_is_no_payment_leaves_open_whether_it_was_done(answer):
    with pytest.raises(AdapterUnanswered):
        payment_from(answer)


@pytest.mark.parametrize("answer", [None, [], "x", {}, {"id": "x", "status": "succeeded", "amount": {"value": "?"}}])
def test_what_is_no_refund_leaves_open_whether_it_was_done(answer):
    with pytest.raises(AdapterUnanswered):
        refund_from(answer)


def test_odd_parts_of_a_payment_are_left_out():
    odd = {"metadata": [], "confirmation": "x", "payment_method": 7, "captured_at": 8, "expires_at": "soon"}
    payment = payment_from({**recorded("payment_waiting_for_capture"), **odd})
    assert (payment.reference, payment.redirect_url, payment.method) == ("", "", "")
    assert (payment.paid_at, payment.hold_expires_at) == (None, None)
    script = {"confirmation": {"confirmation_url": "javascript:alert(1)"}}
    assert payment_from({**recorded("payment_pending"), **script}).redirect_url == ""
    naive = {"expires_at": "2018-07-17T14:28:32"}
    assert payment_from({**recorded("payment_waiting_for_capture"), **naive}).hold_expires_at is None


def test_refusals_are_explained_to_people():
    body = (DATA / "error_invalid_request.json").read_bytes()
    error = explained(AdapterRejected("x", status=400, body=body))
    assert (str(error), error.status, error.body) == (
        "YooKassa refused: Idempotence key duplicated / Idempotence-Key", 400, body,
    )  # fmt: skip
    for odd in (b"", b"<html>", b"[]", b"[" * 100_000, b'{"description": ""}', b"\xff"):
        assert str(explained(AdapterRejected("x", status=400, body=odd))) == "YooKassa refused: 400"
    long = json.dumps({"description": "x" * 5_000}).encode()
    assert len(str(explained(AdapterRejected("x", status=400, body=long)))) < 400
    assert "does not accept" in str(explained(AdapterRejected("x", status=403)))
    assert "no such payment" in str(explained(AdapterRejected("x", status=404)))


# Notifications


def test_notifications_name_their_payment_and_nothing_that_could_be_taken_for_proof():
    body = (DATA / "notification_payment_waiting_for_capture.json").read_bytes()
    hint = hint_from(body)
    assert (hint.external_id, hint.kind, hint.event_id, hint.reference) == (
        "22d6d597-000f-5000-9000-145f6df21d6f", "payment.waiting_for_capture", "", "",
    )  # fmt: skip
    body = (DATA / "notification_refund_succeeded.json").read_bytes()
    assert hint_from(body).external_id == "216749da-000f-50be-b000-096747fad91e"


@pytest.mark.parametrize(
    "event", ["payout.succeeded", "deal.closed", "payment_method.active", "invoice.paid", "Ж" * 99]
)
def test_other_events_concern_no_payment(event):
    hint = hint_from(json.dumps({"event": event, "object": {"id": "x", "payment_id": "y"}}).encode())
    assert (hint.external_id, hint.reference, len(hint.kind) <= 64) == ("", "", True)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["id", "event", "object"]), inner),
    max_leaves=10,
)


@given(
    st.fixed_dictionaries(
        {"event": st.sampled_from(["payment.succeeded", "refund.succeeded"]) | JSON},
        optional={"object": st.fixed_dictionaries({}, optional={"id": JSON, "payment_id": JSON}) | JSON, "type": JSON},
    )
)
def test_any_json_is_a_hint_or_rejected(document):
    try:
        hint = hint_from(json.dumps(document).encode("utf-8", "surrogatepass"))
    except AdapterRejected:
        hint = None
    assert hint is None or len(hint.external_id + hint.kind) <= 128


@given(st.binary(max_size=200))
def test_any_bytes_are_rejected(body):
    with pytest.raises(AdapterRejected):
        hint_from(body)


def test_the_sender_is_checked_on_request():
    gateway().verify({}, b"", {})
    checking = gateway(check_sender=True)
    trusted = [network.partition("/")[0].replace("::", "::1") for network in SecurityHelper.YOOKASSA_NETWORKS]
    for address in [*trusted, "::ffff:77.75.153.5", " 77.75.156.11 "]:
        checking.verify({REMOTE_ADDRESS: address}, b"", {})
    for address in (
        "",
        "127.0.0.1",
        "77.75.153.128",
        "185.71.76.32",
        "x",
        "77.75.153.5, 10.0.0.1",
        "2a02:5181::1",
        "::1",
    ):
        with pytest.raises(WebhookVerificationFailed):
            checking.verify({REMOTE_ADDRESS: address, "x-forwarded-for": "77.75.153.5"}, b"", {})
    with pytest.raises(WebhookVerificationFailed):
        checking.verify({}, b"", {})
    gateway(check_sender=True, networks=["127.0.0.0/8"]).verify({REMOTE_ADDRESS: "127.0.0.1"}, b"", {})


def test_the_networks_are_at_least_those_of_the_official_sdk():
    from ipaddress import ip_network

    ours = [ip_network(network) for network in NETWORKS]
    for network in map(ip_network, SecurityHelper.YOOKASSA_NETWORKS):
        assert any(network.version == found.version and network.subnet_of(found) for found in ours), network


# Options


@pytest.mark.parametrize(
    "wrong",
    [
        {"shop_id": ""}, {"shop_id": None}, {"shop_id": "1:2"}, {"secret_key": ""}, {"secret_key": None},
        {"methods": []}, {"methods": ["cash"]}, {"limits": {"cash": 1}}, {"limits": {"sbp": "much"}},
        {"receipts": {"vat": 1}}, {"receipts": {"vat_code": 13}}, {"receipts": {"vat_code": "1"}},
        {"receipts": {"vat_code": True}}, {"receipts": {"vat_code": 1, "vat_codes": {"x": 2}}},
        {"receipts": {"vat_code": 1, "vat_codes": {"20": 0}}}, {"receipts": {"vat_code": 1, "tax_system_code": 7}},
        {"networks": ["nowhere"]}, {"base_url": "ftp://x"}, {"base_url": "api.yookassa.ru"},
    ],
)  # fmt: skip
def test_wrong_options_are_refused_without_showing_secrets(wrong):
    with pytest.raises(ConfigurationError) as caught:
        gateway(**wrong)
    assert "test_very_secret" not in str(caught.value)


def test_options_that_do_not_exist_and_those_left_out_are_refused(settings):
    for options in ({**OPTIONS, "colour": "red"}, {"shop_id": "1"}):
        settings.OSCAR_FULFILLMENT = {
            "GATEWAYS": {"yk": {"BACKEND": "oscar_fulfillment.gateways.yookassa.YooKassa", "OPTIONS": options}}
        }
        with pytest.raises(ConfigurationError, match="yk"):
            Registry("GATEWAYS").get("yk")


def test_a_shop_offers_some_methods_in_its_currency():
    found = gateway(methods=["sbp"], shop_id=100500, currency="USD")
    assert (list(found.methods), found.currencies, found.limits) == (["sbp"], {"USD"}, {})
    assert found.capabilities("bank_card") == frozenset()
    assert gateway(limits={"bank_card": 1_000_000}).limits["bank_card"] == 1_000_000


def test_nothing_shows_the_secret(caplog):
    caplog.set_level(logging.DEBUG)
    found = gateway()
    shown = f"{found} {found!r} {found._http!r} {found.rules!r} {caplog.text}"
    assert "test_very_secret" not in shown
    assert "Basic" not in shown


# Receipts

RULES = ReceiptRules(vat_code=1, vat_codes={"20": 4, "10.00": 3})
items = st.lists(
    st.tuples(st.integers(0, 10_000_000), st.integers(1, 50)).map(
        lambda pair: Item("Товар", pair[1], D(pair[0]).scaleb(-2))
    ),
    min_size=1,
    max_size=20,
).filter(lambda lines: any(line.total for line in lines))


def total(document):
    return sum(D(line["amount"]["value"]) * line["quantity"] for line in document["items"])


@given(items)
def test_lines_add_up_to_the_kopeck(lines):
    amount = sum(line.total for line in lines)
    made = receipt(RULES, lines, amount, "RUB", {"email": "a@b.ru"})
    assert total(made) == amount
    assert all(D(line["amount"]["value"]) > 0 and line["quantity"] >= 1 for line in made["items"])


@given(items, st.integers(1, 10_000_000))
def test_shares_add_up_to_the_kopeck(lines, kopecks):
    amount = D(kopecks).scaleb(-2)
    whole = receipt(RULES, lines, sum(line.total for line in lines), "RUB", {})
    made = partial_receipt(RULES, whole["items"], amount, "RUB", {})
    assert total(made) == amount
    assert len(made["items"]) <= len(whole["items"])


def test_a_line_takes_its_rate_from_the_shops_table():
    lines = [Item("а", 1, D("1.00"), tax_rate=rate) for rate in (None, D("20.00"), D(10), D(22))]
    made = receipt(RULES, [*lines, Item("подарок", 1, D(0))], D("4.00"), "RUB", {"phone": "79990000000"})
    assert [line["vat_code"] for line in made["items"]] == [1, 4, 3, 1]
    assert made["items"][0] == {
        "description": "а",
        "quantity": 1,
        "amount": {"value": "1.00", "currency": "RUB"},
        "vat_code": 1,
        "payment_subject": "commodity",
        "payment_mode": "full_payment",
        "measure": "piece",
    }
    assert "tax_system_code" not in made
    assert receipt(ReceiptRules(1, tax_system_code=2), lines, D(4), "RUB", {})["tax_system_code"] == 2


@pytest.mark.parametrize(
    "lines",
    [
        [], [Item("a", 1, D("9.99"))], [Item("a", 1, D("11.00")), Item("b", 1, D("-1.00"))],
        [Item("a", 0, D("10.00"))], [Item("a", 1, D("9.995")), Item("b", 1, D("0.005"))],
    ],
)  # fmt: skip
def test_lines_that_make_no_receipt_are_refused(lines):
    with pytest.raises(AdapterRejected):
        receipt(RULES, lines, D("10.00"), "RUB", {})


def test_titles_are_cut_and_never_empty():
    lines = [Item("Ж" * 500, 1, D(1)), Item("  ", 1, D(1), sku="SKU-1"), Item("", 1, D(1))]
    made = receipt(RULES, lines, D(3), "RUB", {})["items"]
    assert [line["description"] for line in made] == ["Ж" * 128, "SKU-1", "-"]


def test_a_receipt_has_a_limit():
    with pytest.raises(AdapterRejected, match="100 lines"):
        receipt(RULES, [Item("a", 1, D(1))] * 101, D(101), "RUB", {})


def test_a_part_of_nothing_registered_is_refused():
    for registered in ([], [{"amount": {"value": "0.00"}, "quantity": 1}]):
        with pytest.raises(AdapterRejected, match="which goods"):
            partial_receipt(RULES, registered, D(1), "RUB", {})


def test_the_buyer_is_reached_by_mail_or_phone():
    assert contact(Buyer(email="a@b.ru", phone="+7 (999) 123-45-67")) == {"email": "a@b.ru", "phone": "79991234567"}
    assert contact(Buyer(phone="89991234567")) == {"phone": "89991234567"}
    for nobody in (Buyer(), Buyer(phone="12"), Buyer(phone="1" * 16), Buyer(phone="١٢٣٤٥٦٧")):
        with pytest.raises(AdapterRejected, match="phone number"):
            contact(nobody)
