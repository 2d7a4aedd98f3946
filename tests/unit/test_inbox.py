"""Messages coming in: proved, stored once, processed, failed, replayed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from oscar_fulfillment.core import inbox, queue
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable, WebhookVerificationFailed
from oscar_fulfillment.core.signatures import sign_hmac, verify_age, verify_hmac, verify_token
from oscar_fulfillment.models import InboundMessage, LaneHealth


@pytest.fixture(autouse=True)
def lanes(monkeypatch):
    monkeypatch.setattr(inbox.PUMP, "lanes", {})
    queue.forget()
    return inbox.PUMP.lanes


@pytest.mark.django_db
def test_bytes_and_headers_are_kept_as_they_came():
    body = bytes(range(256))
    message, created = inbox.receive("cdek", "e1", {"Content-Type": "application/json"}, body)
    assert created
    stored = InboundMessage.objects.get()
    assert stored.pk == message.pk
    assert bytes(stored.body) == body
    assert stored.headers == {"Content-Type": "application/json"}
    assert stored.status == "received"


@pytest.mark.django_db
def test_a_repetition_is_stored_once_and_gets_the_first_row(django_assert_max_num_queries):
    first, _ = inbox.receive("cdek", "e1", {}, b"first")
    with django_assert_max_num_queries(2):
        again, created = inbox.receive("cdek", "e1", {}, b"second")
    assert not created
    assert again.pk == first.pk
    assert bytes(again.body) == b"first"
    assert inbox.receive("tipsa", "e1", {}, b"")[1]


@pytest.mark.django_db
def test_ids_that_are_empty_long_or_hostile_are_replaced_by_a_hash():
    assert inbox.receive("cdek", "", {}, b"a")[1]
    assert not inbox.receive("cdek", "", {}, b"a")[1]
    assert inbox.receive("cdek", "", {}, b"b")[1]
    assert inbox.receive("cdek", "x" * 5000, {}, b"")[0].external_id.startswith("sha256:")
    assert inbox.receive("cdek", "a\x00b", {}, b"")[1]
    assert not inbox.receive("cdek", "a\x00b", {}, b"")[1]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("external_id", "kept"),
    [
        ("x" * inbox.MAX_ID, "x" * inbox.MAX_ID),
        ("x" * (inbox.MAX_ID + 1), inbox.fingerprint(b"x" * (inbox.MAX_ID + 1))),
        ("a\x00b", inbox.fingerprint(b"a\x00b")),
        ("\udcff" * (inbox.MAX_ID + 1), inbox.fingerprint(b"\xed\xb3\xbf" * (inbox.MAX_ID + 1))),
        ("", inbox.fingerprint(b"the body")),
    ],
    ids=["longest", "too long", "NUL", "no text", "none"],
)
def test_an_id_is_kept_as_long_as_every_database_takes_it(external_id, kept):
    assert inbox.receive("cdek", external_id, {}, b"the body")[0].external_id == kept
    assert InboundMessage.objects.get().external_id == kept


@pytest.mark.django_db
def test_what_is_returned_is_the_stored_row():
    message, _ = inbox.receive("cdek", "1", {}, b"")
    assert (message._state.adding, message._state.db) == (False, "default")
    assert message == InboundMessage.objects.get()


@pytest.mark.django_db
def test_secrets_in_headers_are_not_kept():
    message, _ = inbox.receive("cdek", "1", {"Authorization": "Bearer s3cret", "X-Note": "a\x00b"}, b"")
    assert InboundMessage.objects.get().headers == {"Authorization": "[removed]", "X-Note": "ab"}


@pytest.mark.django_db
def test_processing_notes_processed_and_ignored(lanes):
    seen = []

    @inbox.source("cdek")
    def process(message):
        seen.append(bytes(message.body))
        return inbox.IGNORED if message.external_id == "2" else None

    inbox.receive("cdek", "1", {}, b"one")
    inbox.receive("cdek", "2", {}, b"two")
    assert inbox.process() == {"processed": 1, "ignored": 1}
    assert seen == [b"one", b"two"]
    assert InboundMessage.objects.get(external_id="1").processed_at is not None
    assert inbox.process() == {}


@pytest.mark.django_db
def test_errors_are_retried_with_pauses_and_end_as_failed(lanes, settings):
    settings.OSCAR_FULFILLMENT = {"INBOX_BACKOFF": [10]}

    @inbox.source("cdek")
    def process(message):
        raise KeyError("status")

    inbox.receive("cdek", "1", {}, b"")
    assert inbox.process() == {"received": 1}
    assert inbox.process() == {}
    InboundMessage.objects.update(next_attempt_at=timezone.now())
    assert inbox.process() == {"failed": 1}
    message = InboundMessage.objects.get()
    assert "KeyError" in message.error
    assert list(inbox.failed()) == [message]


@pytest.mark.django_db
def test_rejected_fails_at_once_and_unavailable_waits(lanes):
    @inbox.source("cdek")
    def process(message):
        raise AdapterRejected("unknown order") if message.external_id == "1" else AdapterUnavailable("later")

    inbox.receive("cdek", "1", {}, b"")
    inbox.receive("cdek", "2", {}, b"")
    assert inbox.process() == {"failed": 1, "received": 1}


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["failed", "processed", "ignored"])
def test_replay_processes_once_more(lanes, status):
    inbox.register_source("cdek", lambda message: None)
    message, _ = inbox.receive("cdek", "1", {}, b"")
    assert not inbox.replay(message)
    InboundMessage.objects.update(status=status, attempts=7)
    assert inbox.replay(message)
    assert inbox.process() == {"processed": 1}


@pytest.mark.django_db
def test_a_dead_workers_message_is_taken_up_again(lanes):
    inbox.register_source("cdek", lambda message: None)
    inbox.receive("cdek", "1", {}, b"")
    InboundMessage.objects.update(status="processing", next_attempt_at=timezone.now() + timedelta(seconds=9))
    assert inbox.process() == {}
    InboundMessage.objects.update(next_attempt_at=timezone.now())
    assert inbox.process() == {"processed": 1}


@pytest.mark.django_db
def test_a_replay_begins_anew_and_ends_the_rest_of_its_source_only(lanes):
    inbox.register_source("cdek", lambda message: None)
    message, _ = inbox.receive("cdek", "1", {}, b"")
    inbox.process()
    InboundMessage.objects.update(attempts=7)
    for name in ("inbox:cdek", "inbox:tipsa", "outbox:cdek"):
        LaneHealth.objects.create(name=name, trips=3, paused_until=timezone.now() + timedelta(hours=1))
    assert inbox.replay(message) is True
    message.refresh_from_db()
    assert (message.status, message.attempts, message.lease, message.processed_at) == ("received", 0, "", None)
    assert set(LaneHealth.objects.values_list("name", flat=True)) == {"inbox:tipsa", "outbox:cdek"}


@pytest.mark.django_db
def test_a_replay_that_is_refused_leaves_the_source_resting(lanes):
    message, _ = inbox.receive("cdek", "1", {}, b"")
    LaneHealth.objects.create(name="inbox:cdek", trips=3, paused_until=timezone.now())
    assert inbox.replay(message) is False
    assert LaneHealth.objects.count() == 1


def test_the_decorator_leaves_the_processor_callable(lanes):
    def process(message):
        return inbox.IGNORED

    assert inbox.source("cdek")(process) is process
    assert lanes["cdek"].handler is process


BODY = b'{"id": 1}'


@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "sha512"])
def test_a_signature_under_any_of_the_secrets_counts(algorithm, encoding):
    signature = sign_hmac(BODY, "old", algorithm=algorithm, encoding=encoding)
    verify_hmac(BODY, signature, ["new", "old"], algorithm=algorithm, encoding=encoding)
    verify_hmac(BODY, "v1=" + signature, "old", algorithm=algorithm, encoding=encoding, prefix="v1=")


@pytest.mark.parametrize(
    ("body", "signature", "secrets"),
    [
        (BODY, None, ["s"]),
        (BODY, "", ["s"]),
        (BODY, "не подпись", ["s"]),
        (BODY, "\udcff", ["s"]),
        (BODY + b" ", sign_hmac(BODY, "s"), ["s"]),
        (BODY, sign_hmac(BODY, "other"), ["s"]),
        (BODY, sign_hmac(BODY, ""), []),
        (BODY, sign_hmac(BODY, ""), ""),
        (BODY, sign_hmac(BODY, ""), ["", None]),
    ],
)
def test_a_wrong_signature_or_no_secret_is_refused(body, signature, secrets):
    with pytest.raises(WebhookVerificationFailed):
        verify_hmac(body, signature, secrets)


def test_another_scheme_is_refused():
    with pytest.raises(WebhookVerificationFailed):
        verify_hmac(BODY, "sha1=" + sign_hmac(BODY, "s"), "s", prefix="sha256=")


def test_shared_tokens():
    verify_token("a", ["b", "a"])
    for given, secrets in ((None, ["a"]), ("", ["a"]), ("b", ["a"]), ("", [""]), ("a", [])):
        with pytest.raises(WebhookVerificationFailed):
            verify_token(given, secrets)


def test_old_or_odd_moments_are_refused():
    verify_age("1000", now=1200)
    verify_age(1300, now=1200)
    for moment in (None, "", "x", "nan", "inf", 899, 1501, "1e999"):
        with pytest.raises(WebhookVerificationFailed):
            verify_age(moment, now=1200)
