"""The small parts of the kernel: actors, texts, signatures, locks, the hash of a history row."""

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import SuspiciousOperation
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from oscar.apps.order.exceptions import InvalidOrderStatus

from oscar_fulfillment.core import exceptions, locks, signatures
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import ConfigurationError, InvalidInput, WebhookVerificationFailed
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text, fold
from oscar_fulfillment.models import StatusChange

User = get_user_model()


# Actors


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"first_name": "Ana", "last_name": "Souza", "username": "ana", "email": "a@b"}, "Ana Souza"),
        ({"username": "ana", "email": "a@b"}, "ana"),
        ({"username": "", "email": "a@b"}, "a@b"),
        ({"username": "x" * 150, "first_name": "F" * 100, "last_name": "L" * 100}, "F" * 100 + " " + "L" * 49),
    ],
)
def test_a_member_of_staff_is_named_by_name_login_or_mail(fields, label):
    user = User(**fields)
    assert Actor.from_user(user) == Actor("user", label, user)


@pytest.mark.parametrize("nobody", [AnonymousUser(), None, SimpleNamespace()])
def test_nobody_does_nothing(nobody):
    with pytest.raises(ValueError, match="anonymous"):
        Actor.from_user(nobody)


def test_those_who_act_are_of_five_kinds_and_their_labels_fit_the_column():
    user, long = User(username="c"), "é" * 151
    assert Actor.customer(SimpleNamespace(email="a@b", user=user)) == Actor("customer", "a@b", user)
    assert Actor.customer(SimpleNamespace(email="", user=None)) == Actor("customer", "guest", None)
    assert Actor.customer(SimpleNamespace(email=long, user=None)).label == "é" * 150
    for kind in ("system", "provider", "rule"):
        assert getattr(Actor, kind)("x") == Actor(kind, "x")
        assert getattr(Actor, kind)(long).label == "é" * 150


# Texts


@pytest.mark.parametrize(
    ("typed", "stored"),
    [(" a ", "a"), ("a\r\nb", "a\nb"), ("a\tb\nc", "a\tb\nc"), (None, ""), ("", ""), ("é 🎁 \u202e", "é 🎁 \u202e")],
)
def test_texts_are_kept_as_typed_but_for_the_space_around(typed, stored):
    assert clean_text("note", typed) == stored


def test_texts_that_cannot_be_are_refused_with_the_field_and_the_reason():
    assert clean_text("note", "x" * 5, limit=5) == "x" * 5
    for text, options, message in (
        ("x" * 6, {"limit": 5}, "At most 5 characters."),
        ("xx", {"limit": 1}, "At most 1 character."),
        (" ", {"required": True}, "Please say why."),
        ("a\x00", {}, "The text holds characters that cannot be stored."),
        ("a\x0bb", {}, "The text holds characters that cannot be stored."),
    ):
        with pytest.raises(InvalidInput) as error:
            clean_text("note", text, **options)
        assert error.value.errors == {"note": [message]}
        assert str(error.value) == message
    assert clean_text("note", "x", required=True) == "x"
    with override_settings(OSCAR_FULFILLMENT={"MAX_TEXT": 3}):
        assert clean_text("note", "xxx") == "xxx"
        with pytest.raises(InvalidInput, match="At most 3"):
            clean_text("note", "xxxx")


def test_names_are_folded_for_search():
    assert fold("  José  da\tSILVA ß Ångström ") == "jose da silva ss angstrom"
    assert fold("Иванова Ёлка") == "иванова елка"


# Errors


def test_errors_are_what_their_handlers_expect():
    refused = exceptions.TransitionNotAllowed([Reason("a", "Not now"), Reason("b", "Not here")])
    assert isinstance(refused, InvalidOrderStatus)
    assert str(refused) == "Not now; Not here"
    assert isinstance(WebhookVerificationFailed("x"), SuspiciousOperation)
    assert exceptions.StaleVersion().change is None
    assert exceptions.StaleVersion(7).change == 7
    assert str(InvalidInput({"a": ["1", "2"], "b": ["3"]})) == "1; 2; 3"
    assert not issubclass(ConfigurationError, exceptions.FulfillmentError)


# Signatures

BODY, KEY = b'{"id": 1}', "s3cret"
SIGNED = hmac.new(KEY.encode(), BODY, "sha256")


def test_hmacs_are_written_as_vendors_do():
    assert signatures.sign_hmac(BODY, KEY) == SIGNED.hexdigest()
    assert signatures.sign_hmac(BODY, KEY.encode(), encoding="base64") == base64.b64encode(SIGNED.digest()).decode()
    assert signatures.sign_hmac(BODY, KEY, algorithm="sha1") == hmac.new(KEY.encode(), BODY, "sha1").hexdigest()
    odd = "\ud800é"
    assert signatures.sign_hmac(BODY, odd) == hmac.new(odd.encode("utf-8", "surrogatepass"), BODY, "sha256").hexdigest()
    for wrong in ({"algorithm": "md17"}, {"encoding": "base17"}):
        with pytest.raises(ConfigurationError, match="17"):
            signatures.sign_hmac(BODY, KEY, **wrong)


def test_a_true_signature_is_accepted():
    verify = signatures.verify_hmac
    assert verify(BODY, SIGNED.hexdigest(), KEY) is None
    verify(BODY, SIGNED.hexdigest().upper(), KEY)
    verify(BODY, f"  {SIGNED.hexdigest()}\n", KEY.encode())
    verify(BODY, "sha256=" + SIGNED.hexdigest(), ["old", KEY, "new"], prefix="sha256=")
    verify(BODY, base64.b64encode(SIGNED.digest()).decode(), ["", None, KEY], encoding="base64")
    verify(BODY, hmac.new(KEY.encode(), BODY, "sha512").hexdigest(), KEY, algorithm="sha512")


@pytest.mark.parametrize(
    ("given", "secrets", "options", "why"),
    [
        (SIGNED.hexdigest(), "other", {}, "does not fit"),
        (SIGNED.hexdigest()[:-1], KEY, {}, "does not fit"),
        (SIGNED.hexdigest() + "0", KEY, {}, "does not fit"),
        ("", KEY, {}, "does not fit"),
        (None, KEY, {}, "does not fit"),
        ("sha256=", KEY, {"prefix": "sha256="}, "does not fit"),
        (SIGNED.hexdigest(), KEY, {"prefix": "sha256="}, "another scheme"),
        (None, KEY, {"prefix": "sha256="}, "another scheme"),
        (base64.b64encode(SIGNED.digest()).decode().swapcase(), KEY, {"encoding": "base64"}, "does not fit"),
        (SIGNED.hexdigest(), "", {}, "no secret"),
        (hmac.new(b"", BODY, "sha256").hexdigest(), "", {}, "no secret"),
        (hmac.new(b"", BODY, "sha256").hexdigest(), [], {}, "no secret"),
        (hmac.new(b"", BODY, "sha256").hexdigest(), ["", b"", None], {}, "no secret"),
        ("é\ud800", KEY, {}, "does not fit"),
    ],
)
def test_a_false_signature_is_refused(given, secrets, options, why):
    with pytest.raises(WebhookVerificationFailed, match=why):
        signatures.verify_hmac(BODY, given, secrets, **options)


def test_every_secret_is_compared_also_after_a_match(monkeypatch):
    compared = []
    original = hmac.compare_digest
    monkeypatch.setattr(signatures.hmac, "compare_digest", lambda a, b: compared.append(1) or original(a, b))
    signatures.verify_hmac(BODY, SIGNED.hexdigest(), [KEY, "b", "c"])
    signatures.verify_token("b", ["a", "b", "c"])
    assert len(compared) == 6


def test_tokens():
    assert signatures.verify_token("t", ["s", "t"]) is None
    signatures.verify_token("t", b"t")
    for given, secrets in (("x", "t"), ("", "t"), (None, "t"), ("t" * 2, "t"), ("", ""), ("", []), (None, [None])):
        with pytest.raises(WebhookVerificationFailed):
            signatures.verify_token(given, secrets)
    # What is compared are hashes, all of one length.
    assert hashlib.sha256(b"t").digest_size == 32


@pytest.mark.parametrize("moment", [1000, "1000", 1000.5, 700, "1300.0", 1300])
def test_a_fresh_moment_is_accepted(moment):
    assert signatures.verify_age(moment, now=1000) is None


@pytest.mark.parametrize("moment", [699, "1301", "", None, 0, "soon", "nan", "inf", [], 10**400])
def test_an_old_or_strange_moment_is_refused(moment):
    with pytest.raises(WebhookVerificationFailed, match="moment"):
        signatures.verify_age(moment, now=1000)


def test_moments_are_compared_with_the_clock(monkeypatch):
    monkeypatch.setattr(signatures.time, "time", lambda: 5000)
    signatures.verify_age(4990, tolerance=10)
    with pytest.raises(WebhookVerificationFailed):
        signatures.verify_age(4989, tolerance=10)


# Locks


@pytest.mark.django_db(transaction=True)
def test_locks_live_only_inside_a_transaction():
    for lock in (
        lambda: locks.lock_rows(User.objects.all()),
        lambda: locks.lock_name("x"),
        lambda: locks.lock_names("xy"),
    ):
        with pytest.raises(TransactionManagementError, match="only inside a transaction"):
            lock()


@pytest.mark.django_db
def test_rows_are_locked_in_the_order_of_their_keys():
    users = [User.objects.create(username=name, email=f"{name}@x") for name in "cab"]
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        assert locks.lock_rows(User.objects.order_by("username")) == users
        locks.lock_name("schedules")
        locks.lock_names(["b", "a", "b"])
    if connection.vendor == "postgresql":
        assert 'ORDER BY "auth_user"."id" ASC FOR UPDATE OF "auth_user"' in queries[0]["sql"]
        assert "pg_advisory_xact_lock(" in queries[1]["sql"]
        assert len(queries) == 3
        asked = [int(number) for number in re.findall(r"-?\d{5,}", queries[2]["sql"])]
        assert len(asked) == 2
        assert asked == sorted(asked)


# The hash of a history row: whoever changes how it is computed breaks every history that was written before.


def test_the_hash_of_a_row_is_the_same_for_ever():
    row = StatusChange(
        fulfillment_id=7, sequence=2, machine="payment", action="approve_payment", from_status="awaiting_payment",
        to_status="paid", actor_kind="user", actor_label="Ana é", reason="ok", data={"b": 1, "a": [None, True, "“"]},
        idempotency_key="k", created_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    )  # fmt: skip
    text = (
        '["p",7,2,"payment","approve_payment","awaiting_payment","paid","user","Ana é","ok",'
        '{"a":[null,true,"“"],"b":1},"k","' + row.created_at.timestamp().hex() + '"]'
    )
    assert row.compute_hash("p") == hashlib.sha256(text.encode()).hexdigest()
