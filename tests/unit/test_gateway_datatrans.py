"""Datatrans' documents in our words, its signatures, and what is refused before anything is sent."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    ConfigurationError,
    WebhookVerificationFailed,
)
from oscar_fulfillment.gateways.base import PaymentState as State
from oscar_fulfillment.gateways.datatrans import DatatransGateway
from oscar_fulfillment.gateways.datatrans_documents import (
    AUTHENTICATION,
    ERRORS,
    FAILURES,
    METHODS,
    STATES,
    UNCERTAIN,
    remote_payment,
    three_d_secure,
)
from oscar_fulfillment.gateways.datatrans_wire import page_of, refund_reference, told

DATA = Path(__file__).parents[1] / "data" / "datatrans"
KEY = "5f0b8a1c94d2e736"


def document(name, **changes):
    return {**json.loads((DATA / f"{name}.json").read_bytes()), **changes}


def gateway(**options):
    return DatatransGateway(**{"alias": "dt", "merchant_id": "1100000017", "password": "s3cret", **options})


def acted(action, *, success=True, source="api", **more):
    return {"action": action, "success": success, "source": source, "date": "2022-10-12T15:00:00Z", **more}


# Documents


def test_the_documented_answer_is_a_hold():
    found = remote_payment(document("authorized"), hold_days={"card": 7})
    assert (found.external_id, found.reference) == ("221012173742993375", "sO84emTrU")
    assert (found.state, found.raw_status, found.method) == (State.AUTHORIZED, "authorized", "card")
    assert (found.amount, found.currency) == (Decimal("10.00"), "CHF")
    assert (found.authorized, found.captured, found.refunded) == (Decimal("10.00"), 0, 0)
    assert found.hold_expires_at == datetime(2022, 10, 19, 15, 37, 42, tzinfo=UTC)
    assert (found.redirect_url, found.paid_at, found.expires_at) == ("", None, None)


def test_an_unpaid_one_leads_to_the_page_and_expires():
    found = remote_payment(document("initialized"), pay_url="https://pay.example")
    assert (found.state, found.amount, found.authorized) == (State.PENDING, Decimal("13.37"), 0)
    assert found.redirect_url == "https://pay.example/v1/start/221012173732593266"
    assert found.expires_at == datetime(2022, 10, 12, 16, 7, 32, tzinfo=UTC)


def test_sums_come_from_the_books_and_failed_credits_do_not_count():
    found = remote_payment(document("settled_partly_refunded"))
    assert (found.state, found.method, found.amount) == (State.CAPTURED, "twint", Decimal("100.00"))
    assert (found.authorized, found.captured, found.refunded) == (70, 70, 20)
    assert found.paid_at == datetime(2022, 10, 13, 8, tzinfo=UTC)


def test_all_given_back_is_refunded():
    history = [
        acted("authorize", amount=5000, autoSettle=True),
        acted("credit", amount=2000),
        acted("credit", amount=3000),
    ]
    found = remote_payment(
        document("authorized", status="settled", detail={"settle": {"amount": 5000}}, history=history)
    )
    assert (found.state, found.captured, found.refunded) == (State.REFUNDED, 50, 50)
    assert (found.authorized, found.amount) == (0, 50)  # it was never a hold


def test_a_refusal_says_why_with_the_outcome_of_3d_secure():
    found = remote_payment(document("failed_3d_secure"))
    assert (found.state, found.authorized, found.captured) == (State.REFUSED, 0, 0)
    assert found.reason == "DECLINED; 3D authentication failed; 3-D Secure: failed"


@pytest.mark.parametrize("code", AUTHENTICATION)
def test_every_outcome_of_3d_secure_has_words(code):
    assert (
        three_d_secure({"card": {"3D": {"directoryResponse": "C", "authenticationResponse": code}}})
        == AUTHENTICATION[code]
    )
    assert three_d_secure({"card": {"3D": {"directoryResponse": code}}}) == AUTHENTICATION[code]


@pytest.mark.parametrize(("status", "state"), STATES.items())
def test_every_status_has_its_state(status, state):
    history = [acted("authorize", amount=1000)]
    assert remote_payment(document("authorized", status=status, history=history)).state == state


@pytest.mark.parametrize("status", ["on_the_moon", "", None, 7, ["settled"], {}])
def test_an_unknown_status_is_unknown_and_logged(status, caplog):
    found = remote_payment(document("authorized", status=status))
    assert (found.state, found.authorized, found.captured) == (State.UNKNOWN, 0, 0)
    assert "unknown status" in caplog.text


@pytest.mark.parametrize(
    ("status", "history", "fail", "state"),
    [
        ("canceled", [acted("authorize"), acted("cancel")], {}, State.CANCELLED),
        ("canceled", [acted("init"), acted("cancel", source="redirect")], {}, State.CANCELLED),
        ("canceled", [acted("init"), acted("cancel", source="system")], {}, State.EXPIRED),
        ("canceled", [acted("cancel", source="system", success=False), acted("cancel")], {}, State.CANCELLED),
        ("failed", [acted("init")], {}, State.EXPIRED),
        ("failed", [acted("init"), acted("authorize", success=False)], {}, State.REFUSED),
        ("failed", [], {"reason": "EXPIRED_CARD"}, State.REFUSED),
        ("failed", [], {"reason": "SOMETHING_NEW"}, State.REFUSED),
        *(("failed", [], {"reason": reason}, state) for reason, state in FAILURES.items()),
    ],
)
def test_ends_are_told_apart(status, history, fail, state):
    found = remote_payment(document("authorized", status=status, history=history, detail={"fail": fail}))
    assert (found.state, found.authorized, found.captured) == (state, 0, 0)


@pytest.mark.parametrize(("code", "method"), METHODS.items())
def test_every_payment_method_has_ours(code, method):
    assert remote_payment(document("authorized", paymentMethod=code)).method == method


def test_an_unknown_payment_method_stays_visible():
    assert remote_payment(document("authorized", paymentMethod="XYZ")).method == "xyz"


def test_without_details_the_history_counts():
    history = [acted("authorize", amount=5000), acted("settle", amount=3000)]
    found = remote_payment(document("authorized", status="settled", detail=None, history=history))
    assert (found.amount, found.captured, found.authorized) == (50, 30, 30)


def test_yen_have_no_hundredths():
    detail = {"authorize": {"amount": 1000}}
    assert remote_payment(document("authorized", currency="JPY", detail=detail)).amount == 1000


@pytest.mark.parametrize(
    "answer", [None, [], "x", 7, {}, {"transactionId": "1"}, {"transactionId": {}, "currency": "CHF"}]
)
def test_what_is_no_transaction_is_no_answer(answer):
    with pytest.raises(AdapterUnanswered):
        remote_payment(answer)


@pytest.mark.parametrize("amount", ["much", [1], {"a": 1}, "NaN", "Infinity", True])
def test_what_is_no_sum_is_no_answer(amount):
    with pytest.raises(AdapterUnanswered):
        remote_payment(document("authorized", detail={"authorize": {"amount": amount}}))


@pytest.mark.parametrize("garbage", [None, 7, "x", [], [None, 7, "x", []], {"a": 1}, [{"action": [], "date": {}}]])
def test_a_strange_history_counts_nothing(garbage):
    found = remote_payment(document("authorized", history=garbage, detail=garbage, card=garbage))
    assert (found.state, found.authorized, found.hold_expires_at) == (State.AUTHORIZED, 0, None)


def test_a_date_without_zone_is_utc_and_a_wrong_one_is_none():
    at = {"init": {"expires": "2022-10-12T16:07:32"}}
    assert remote_payment(document("initialized", detail=at)).expires_at == datetime(
        2022, 10, 12, 16, 7, 32, tzinfo=UTC
    )
    assert remote_payment(document("initialized", detail={"init": {"expires": "soon"}})).expires_at is None


# Refusals


@pytest.mark.parametrize("code", ERRORS)
def test_every_error_is_told_to_the_merchant(code):
    body = json.dumps({"error": {"code": code, "message": "because"}}).encode()
    error = told(AdapterRejected("refused", status=400, body=body))
    assert isinstance(error, AdapterRejected)
    assert str(error) == f"{ERRORS[code]} ({code}: because)"
    assert error.status == (404 if code == "TRANSACTION_NOT_FOUND" else 400)


@pytest.mark.parametrize("code", sorted(UNCERTAIN))
def test_an_uncertain_error_is_no_refusal(code):
    body = json.dumps({"error": {"code": code}}).encode()
    assert isinstance(told(AdapterRejected("refused", status=400, body=body)), AdapterUnanswered)


def test_a_repeat_that_came_too_early_is_unanswered():
    assert isinstance(told(AdapterRejected("refused", status=409)), AdapterUnanswered)
    body = (DATA / "error_credit.json").read_bytes()
    error = told(AdapterRejected("refused", status=409, body=body))
    assert isinstance(error, AdapterRejected)
    assert "the transaction cannot be credited" in str(error)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error": 7}', b'{"error": {"code": {}}}', b"[" * 100_000, b"\xff"]
)
def test_a_strange_refusal_is_a_refusal(body):
    error = told(AdapterRejected("refused", status=422, body=body))
    assert isinstance(error, AdapterRejected)
    assert str(error) == "Datatrans refused."
    assert str(told(AdapterRejected("refused", status=401, body=body))) == f"{ERRORS['UNAUTHORIZED']} (UNAUTHORIZED)"


# Options


def test_no_secret_is_shown():
    made = gateway(sign_keys=[KEY])
    assert "s3cret" not in repr(made) + str(made) + repr(made.http)
    assert KEY not in repr(made)


@pytest.mark.parametrize(
    "options",
    [
        {"merchant_id": ""},
        {"merchant_id": "shop:1"},
        {"password": ""},
        {"sign_keys": ["no hex"]},
        {"sign_keys": [17]},
        {"methods": []},
        {"methods": ["twint", "cheque"]},
        {"methods": "twint"},
        {"card_brands": "VIS"},
        {"card_brands": ["visa"]},
        {"currencies": "CHF"},
        {"hold_days": {"cheque": 3}},
        {"base_url": "ftp://x"},
    ],
)
def test_a_wrong_option_is_told_without_the_secrets(options):
    with pytest.raises(ConfigurationError) as caught:
        gateway(**options)
    assert "s3cret" not in str(caught.value)
    assert "no hex" not in str(caught.value)


def test_methods_are_those_of_the_account():
    assert set(gateway(methods=["twint"]).methods) == {"twint"}


def test_the_payment_page_belongs_to_the_api():
    assert page_of("https://api.sandbox.datatrans.com") == "https://pay.sandbox.datatrans.com"
    assert page_of("https://api.datatrans.com") == "https://pay.datatrans.com"
    assert page_of("http://127.0.0.1:8001/datatrans") == "http://127.0.0.1:8001/datatrans"


def test_the_reference_of_a_refund_is_its_key_if_that_fits():
    assert refund_reference("0b0c-1") == "0b0c-1"
    long = refund_reference("x" * 41)
    assert len(long) == 40
    assert long != refund_reference("y" * 41)


# Notifications

BODY = b'{"transactionId":"221012173742993375","refno":"sO84emTrU"}'
#: printf 1559303131511 and the body | openssl dgst -sha256 -mac HMAC -macopt hexkey:<KEY>
DIGEST = "085c7e6e94dddc1bfdd62ebec7468b19a726b6173c9792a7bd4dca1d3caae236"
SIGNED = {"datatrans-signature": f"t=1559303131511,s0={DIGEST}"}


def test_the_signature_is_that_of_openssl():
    gateway(sign_keys=[KEY]).verify(SIGNED, BODY, {})
    gateway(sign_keys=["00ff", KEY]).verify(
        {"datatrans-signature": f" t=1559303131511 , s0={DIGEST.upper()}"}, BODY, {}
    )
    hint = gateway().parse_notification(SIGNED, BODY, {})
    assert (hint.event_id, hint.external_id, hint.reference) == (DIGEST, "221012173742993375", "sO84emTrU")


@pytest.mark.parametrize(
    ("keys", "headers", "body"),
    [
        ([], SIGNED, BODY),
        ([""], SIGNED, BODY),
        (["00ff"], SIGNED, BODY),
        ([KEY], {}, BODY),
        ([KEY], SIGNED, BODY + b" "),
        ([KEY], {"datatrans-signature": f"t=1559303131512,s0={DIGEST}"}, BODY),
        ([KEY], {"datatrans-signature": f"s0={DIGEST}"}, BODY),
        ([KEY], {"datatrans-signature": "t=1559303131511,s0="}, BODY),
        ([KEY], {"datatrans-signature": "t=1559303131511"}, BODY),
        ([KEY], {"datatrans-signature": f"t=\ud800,s0={DIGEST}"}, BODY),
        ([KEY], {"datatrans-signature": DIGEST}, BODY),
    ],
)
def test_everything_else_is_refused(keys, headers, body):
    with pytest.raises(WebhookVerificationFailed):
        gateway(sign_keys=keys).verify(headers, body, {})


@pytest.mark.parametrize("kind", ["credit", "card_check"])
def test_other_transactions_concern_no_payment(kind):
    body = json.dumps({"transactionId": "221012173742993375", "refno": "r", "type": kind}).encode()
    hint = gateway().parse_notification({}, body, {})
    assert (hint.external_id, hint.reference, hint.event_id, hint.kind) == ("", "", "", kind)


@pytest.mark.parametrize(
    "number", ["", "1", "2210121737429933751", "../2210121737429933", "²21012173742993375", 221012173742993375]
)
def test_a_notification_names_a_transaction(number):
    with pytest.raises(AdapterRejected):
        gateway().parse_notification({}, json.dumps({"transactionId": number}).encode(), {})


def test_a_reference_that_is_none_of_ours_is_left_out():
    body = json.dumps({"transactionId": "221012173742993375", "refno": "a b\n" * 200, "type": "x" * 500}).encode()
    hint = gateway().parse_notification({"datatrans-signature": "s0=zz"}, body, {})
    assert (hint.external_id, hint.reference, hint.kind, hint.event_id) == ("221012173742993375", "", "", "")
