"""Webhooks on their way: signed as the library of Standard Webhooks has it, tried again, never lost, ended in time."""

import json
import logging
from datetime import timedelta

import pytest
from django.utils import timezone
from standardwebhooks import Webhook

from oscar_fulfillment.conf import DEFAULTS
from oscar_fulfillment.core import circuit, outbox, pump
from oscar_fulfillment.core.public_http import Reply
from oscar_fulfillment.models import FollowUp, LaneHealth, OutboundMessage, WebhookAttempt, WebhookEndpoint
from oscar_fulfillment.services import webhook_delivery, webhook_keys, webhooks
from oscar_fulfillment.test import factories

from .webhooks import HERE, bodies, connect, events, listening, make, rows, send

pytestmark = [pytest.mark.django_db, pytest.mark.feature("Z15")]


@pytest.fixture(autouse=True)
def allowed(settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "WEBHOOKS_OUT": HERE}


@pytest.fixture
def receiver():
    with listening() as found:
        yield found


@pytest.fixture
def answers(monkeypatch):
    """What the other side answers, one after the other; the last one goes on. Returns what it was sent."""
    script, sent = [], []

    def post(url, body, headers, *, rules, timeout):
        sent.append((url, body, headers))
        reply = script.pop(0) if len(script) > 1 else script[0]
        return reply if isinstance(reply, Reply) else Reply(status=reply, seconds=0.01)

    monkeypatch.setattr(webhook_delivery.public_http, "post", post)
    script_and_sent = type("Answers", (), {"script": script, "sent": sent})
    return script_and_sent


def due(endpoint):
    """Everything is due now, and nothing rests."""
    LaneHealth.objects.all().delete()
    rows(endpoint, status="pending").update(next_attempt_at=timezone.now())


def told(endpoint):
    """One event that waits to be told."""
    factories.placed_order()
    return rows(endpoint).last()


def test_what_arrives_is_verified_by_the_library(receiver):
    endpoint = connect(receiver)
    order = factories.paid_order()
    assert send(endpoint) == {"sent": 3}
    _method, path, headers, body = receiver.calls[1]
    headers = {name.lower(): value for name, value in headers.items()}
    assert path == "/hook"
    found = Webhook(webhook_keys.secret(endpoint.keys[0])).verify(body, headers)
    assert found["type"] == "payment.approved"
    assert found["data"]["order"]["number"] == order.number
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("django-oscar-fulfillment/")
    assert headers["webhook-id"] == rows(endpoint, kind="payment.approved").get().key
    assert abs(int(headers["webhook-timestamp"]) - timezone.now().timestamp()) < 30
    assert [message["verdict"] for message in receiver.messages] == ["verified"] * 3


def test_every_try_says_the_same_under_the_same_id_with_its_own_moment(receiver, monkeypatch):
    endpoint = connect(receiver)
    message = told(endpoint)
    receiver.answer_with("500")
    assert send(endpoint) == {"pending": 1}
    # The order moves on: what was said once is said again, not something newer.
    factories.payments.approve_payment(order=message.order, actor=factories.TEAM)
    receiver.answer_with("204")
    later = timezone.now() + timedelta(seconds=90)
    monkeypatch.setattr(webhook_delivery.timezone, "now", lambda: later)
    OutboundMessage.objects.filter(pk=message.pk).update(next_attempt_at=message.created_at)
    send(endpoint)
    first, *_others = receiver.calls
    again = next(call for call in receiver.calls[1:] if call[2]["Webhook-Id"] == first[2]["Webhook-Id"])
    assert again[3] == first[3]
    assert int(again[2]["Webhook-Timestamp"]) - int(first[2]["Webhook-Timestamp"]) in range(80, 100)
    assert again[2]["Webhook-Signature"] != first[2]["Webhook-Signature"]


def test_the_buyers_data_is_not_sent_once_it_is_not_wanted_any_more(answers, team):
    answers.script[:] = [500, 500, 200]
    endpoint = make(includes_customer=True)
    message = told(endpoint)
    send(endpoint)
    webhooks.save_webhook(actor=team, endpoint=endpoint, values={"includes_customer": False})
    for _time in range(2):
        due(endpoint)
        send(endpoint)
    first, second, third = (body.decode() for _url, body, _headers in answers.sent)
    assert "ana@example.com" in first
    assert "ana@example.com" not in second
    assert third == second
    webhooks.save_webhook(actor=team, endpoint=endpoint, values={"includes_customer": True})
    webhooks.replay(endpoint=endpoint, message=message)
    send(endpoint)
    assert answers.sent[-1][1].decode() == second, "what was said without it is said without it again"


def test_each_try_is_in_the_log(receiver):
    endpoint = connect(receiver)
    message = told(endpoint)
    receiver.answer_with("500")
    send(endpoint)
    due(endpoint)
    receiver.answer_with("204")
    send(endpoint)
    second, first = WebhookAttempt.objects.filter(message=message)
    assert (first.status, first.error, first.is_ok) == (500, "", False)
    assert "Something broke (500)" in first.response
    assert (second.status, second.is_ok, second.response) == (204, True, "")
    assert first.milliseconds >= 0
    message.refresh_from_db()
    assert (message.status, message.attempts) == ("sent", 2)
    assert message.sent_at is not None


@pytest.mark.parametrize("status", [100, 199, 300, 301, 304, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504])
def test_whatever_is_not_success_is_tried_again(answers, status):
    answers.script[:] = [status]
    endpoint = make()
    told(endpoint)
    assert send(endpoint) == {"pending": 1}
    assert WebhookAttempt.objects.get().status == status
    assert WebhookEndpoint.objects.get().failing_since is not None


@pytest.mark.parametrize("error", ["unreachable", "insecure", "too_slow", "broken", "inside", "unknown_host"])
def test_so_is_what_was_not_answered(answers, error):
    answers.script[:] = [Reply(error=error, detail="why")]
    endpoint = make()
    message = told(endpoint)
    assert send(endpoint) == {"pending": 1}
    attempt = WebhookAttempt.objects.get()
    assert (attempt.status, attempt.error, attempt.detail) == (None, error, "why")
    message.refresh_from_db()
    assert error in message.error


def test_the_schedule_is_that_of_standard_webhooks_and_then_the_message_is_given_up(answers, monkeypatch):
    monkeypatch.setattr(pump.random, "uniform", lambda low, high: 1.0)
    answers.script[:] = [500]
    endpoint = make()
    message = told(endpoint)
    waits = []
    for _try in range(10):
        due(endpoint)
        before = timezone.now()
        outcome = send(endpoint)
        message.refresh_from_db()
        waits.append((message.next_attempt_at - before).total_seconds())
    assert outcome == {"dead": 1}
    assert waits[:-1] == pytest.approx([5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400], abs=4)
    assert WebhookAttempt.objects.count() == 10
    assert len({(body, headers["webhook-id"]) for _url, body, headers in answers.sent}) == 1
    assert DEFAULTS["WEBHOOKS_OUT"]["schedule"][-1] == 86400


@pytest.mark.parametrize(("status", "counts"), [(429, True), (502, True), (503, True), (504, True), (500, False)])
def test_retry_after_of_those_who_are_overloaded_counts(answers, status, counts):
    answers.script[:] = [Reply(status=status, retry_after=7200)]
    endpoint = make()
    told(endpoint)
    told(endpoint)
    before = timezone.now()
    send(endpoint)
    first = rows(endpoint).first()
    assert (first.next_attempt_at - before >= timedelta(seconds=7200)) == counts
    assert len(answers.sent) == (1 if counts else 2), "the others wait, too"


def test_one_that_is_dead_delays_no_other(monkeypatch):
    dead, alive = make("https://dead.example/"), make("https://alive.example/")
    asked = []

    def post(url, *args, **options):
        asked.append(url)
        return Reply(error="unreachable") if "dead" in url else Reply(status=200)

    monkeypatch.setattr(webhook_delivery.public_http, "post", post)
    for _time in range(5):
        factories.placed_order()
    outbox.drain()
    assert rows(alive).filter(status="sent").count() == 5
    assert rows(dead).filter(status="pending").count() == 5
    assert list(circuit.states()) == [f"outbox:{dead.lane}"]
    assert asked.count("https://dead.example/") == 3, "then it rests"


def test_410_switches_it_off_and_somebody_is_told(receiver):
    endpoint = connect(receiver, description="Warehouse")
    for _time in range(3):
        told(endpoint)
    receiver.answer_with("410")
    assert send(endpoint) == {"dead": 3}
    assert len(receiver.messages) == 1, "nothing more is sent"
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.disabled_reason) == (False, "gone")
    assert endpoint.disabled_at is not None
    followup = FollowUp.objects.get()
    assert (followup.kind, followup.data["what"], followup.fulfillment) == ("webhook_off", "gone", None)
    factories.placed_order()
    assert rows(endpoint).count() == 3, "and nothing more is written"


def test_after_several_deaths_in_a_row_it_is_switched_off(answers):
    answers.script[:] = [500]
    endpoint = make()
    for _time in range(4):
        told(endpoint)
    rows(endpoint).update(attempts=9)
    rows(endpoint).filter(pk=rows(endpoint).last().pk).update(next_attempt_at=timezone.now() + timedelta(hours=1))
    for number in (1, 2):
        first = rows(endpoint, status="pending").first()
        rows(endpoint, status="pending").exclude(pk=first.pk).update(
            next_attempt_at=timezone.now() + timedelta(hours=1)
        )
        first.next_attempt_at = timezone.now()
        first.save()
        LaneHealth.objects.all().delete()
        assert send(endpoint) == {"dead": 1}
        endpoint.refresh_from_db()
        assert (endpoint.deaths, endpoint.is_active) == (number, True)
    due(endpoint)
    send(endpoint)
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.disabled_reason) == (False, "gave_up")
    assert set(rows(endpoint).values_list("status", flat=True)) == {"dead"}
    assert FollowUp.objects.get().data["what"] == "gave_up"


def test_a_success_in_between_forgives(answers):
    answers.script[:] = [500, 500, 200]
    endpoint = make()
    for _time in range(3):
        told(endpoint)
    rows(endpoint).update(attempts=9)
    send(endpoint)
    endpoint.refresh_from_db()
    assert (endpoint.deaths, endpoint.failing_since, endpoint.is_active) == (0, None, True)
    assert not FollowUp.objects.exists()


def test_what_was_written_for_one_that_is_off_or_gone_ends(answers, team):
    answers.script[:] = [200]
    endpoint = make()
    message = told(endpoint)
    WebhookEndpoint.objects.update(is_active=False)
    assert send(endpoint) == {"dead": 1}
    assert answers.sent == []
    message.refresh_from_db()
    assert "switched off" in message.error
    rows(endpoint).update(status="pending", next_attempt_at=timezone.now())
    with pytest.raises(pump.AdapterRejected):
        WebhookEndpoint.objects.all().delete()
        webhook_delivery.deliver(message)


def test_whoever_lost_the_message_does_not_send_it(answers):
    """Another worker has taken it over: it made the body, and it sends."""
    answers.script[:] = [200]
    endpoint = make()
    message = told(endpoint)
    message.lease = "mine"
    with pytest.raises(pump.AdapterUnavailable):
        webhook_delivery.deliver(message)
    assert answers.sent == []


def test_a_key_that_cannot_be_made_stops_it_and_is_told(answers, settings):
    answers.script[:] = [200]
    endpoint = make()
    told(endpoint)
    settings.SECRET_KEY = "another"
    assert send(endpoint) == {"pending": 1}
    assert answers.sent == []
    assert WebhookAttempt.objects.get().error == "key_lost"
    webhooks.rotate_key(endpoint=endpoint, actor=factories.TEAM)
    due(endpoint)
    assert send(endpoint) == {"sent": 1}


def test_a_rotation_in_the_middle_loses_nothing(receiver, team):
    endpoint = connect(receiver)
    old = webhook_keys.secret(endpoint.keys[0])
    told(endpoint)
    endpoint = webhooks.rotate_key(endpoint=endpoint, actor=team)
    send(endpoint)
    assert receiver.messages[-1]["verdict"] == "verified", "the receiver has only the old key"
    receiver.configure_keys(webhook_keys.secret(endpoint.keys[0]))
    told(endpoint)
    send(endpoint)
    assert receiver.messages[-1]["verdict"] == "verified"
    endpoint = webhooks.rotate_key(endpoint=endpoint, actor=team, at_once=True)
    receiver.configure_keys(old)
    told(endpoint)
    send(endpoint)
    assert receiver.messages[-1]["verdict"] == "signed by nobody we know"


def test_a_ping_is_sent_at_once_and_is_in_the_log(receiver):
    endpoint = connect(receiver)
    message = webhook_delivery.ping(endpoint)
    assert (message.kind, message.status) == ("ping", "sent")
    assert bodies(receiver)[0]["type"] == "ping"
    assert WebhookAttempt.objects.get().message_id == message.pk
    receiver.answer_with("500")
    failed = webhook_delivery.ping(endpoint)
    assert (failed.status, failed.error) == ("dead", "answered 500")
    endpoint.refresh_from_db()
    assert (endpoint.failing_since, endpoint.deaths, endpoint.is_active) == (None, 0, True)
    assert outbox.drain() == {}, "a test is never tried again"
    receiver.answer_with("410")
    webhook_delivery.ping(endpoint)
    endpoint.refresh_from_db()
    assert endpoint.is_active, "a test switches nothing off"


def test_neither_keys_nor_bodies_are_in_the_logs(receiver, caplog):
    caplog.set_level(logging.DEBUG)
    endpoint = connect(receiver, includes_customer=True)
    secrets = [webhook_keys.secret(endpoint.keys[0])]
    told(endpoint)
    receiver.answer_with("500")
    send(endpoint)
    endpoint = webhooks.rotate_key(endpoint=endpoint, actor=factories.TEAM)
    secrets.append(webhook_keys.secret(endpoint.keys[0]))
    receiver.answer_with("410")
    due(endpoint)
    send(endpoint)
    text = caplog.text + repr(endpoint) + str(endpoint) + json.dumps(endpoint.keys)
    assert "answered 500" in text
    for secret in secrets:
        assert secret not in text
        assert secret.removeprefix("whsec_") not in text
    assert "v1," not in caplog.text
    assert "ana@example.com" not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("oscar_fulfillment.webhooks")
    )


def test_the_dump_of_the_database_holds_no_key(settings):
    from io import StringIO

    from django.core.management import call_command

    endpoint = make()
    out = StringIO()
    call_command("dumpdata", "oscar_fulfillment.webhookendpoint", stdout=out)
    assert endpoint.keys[0]["salt"] in out.getvalue()
    assert webhook_keys.secret(endpoint.keys[0]).removeprefix("whsec_") not in out.getvalue()


def test_the_workers_find_a_new_webhook_by_themselves(receiver):
    endpoint = connect(receiver)
    told(endpoint)
    assert outbox.PUMP.orphans() == []
    assert outbox.PUMP.due()
    outbox.drain()
    assert events(endpoint) == ["order.recorded"]
    assert rows(endpoint).get().status == "sent"
