"""What managers do with webhooks: make, change, switch, delete, send again; and the log that does not grow for ever."""

from datetime import timedelta

import pytest
from django.utils import timezone

from oscar_fulfillment import tasks
from oscar_fulfillment.core import queue
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.models import FollowUp, LaneHealth, OutboundMessage, WebhookAttempt, WebhookEndpoint
from oscar_fulfillment.selectors import messages as message_reads
from oscar_fulfillment.services import webhook_delivery, webhook_events, webhooks
from oscar_fulfillment.test import factories

from .webhooks import HERE, connect, events, listening, make, rows, send

pytestmark = [pytest.mark.django_db, pytest.mark.feature("Z15")]

MARTA = Actor.system("Marta")


def errors(**values):
    with pytest.raises(InvalidInput) as refused:
        make(**values)
    return {field: " ".join(str(each) for each in found) for field, found in refused.value.errors.items()}


def test_a_new_one_is_told_everything_from_now_on(team):
    before = factories.placed_order()
    endpoint = make(description="  Warehouse ")
    assert (str(endpoint), endpoint.host, endpoint.is_active, endpoint.all_events) == (
        "Warehouse", "erp.example", True, True,
    )  # fmt: skip
    assert (endpoint.created_by_label, endpoint.version, len(endpoint.keys)) == ("tests", 1, 1)
    assert endpoint.includes_customer is False
    assert events(endpoint) == []
    factories.payments.approve_payment(order=before, actor=team)
    assert events(endpoint) == ["payment.approved", "order.status_changed"]


def test_who_made_it_is_kept():
    user = factories.staff_user(first_name="Marta", last_name="Nogueira")
    endpoint = make(actor=Actor.from_user(user))
    assert (endpoint.created_by, endpoint.created_by_label) == (user, "Marta Nogueira")
    user.delete()
    endpoint.refresh_from_db()
    assert (endpoint.created_by, endpoint.created_by_label) == (None, "Marta Nogueira")


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"url": ""}, "url", "not the address"),
        ({"url": "http://erp.example/"}, "url", "https://"),
        ({"url": "https://127.0.0.1/"}, "url", "Only public"),
        ({"url": "https://localhost/"}, "url", "Only public"),
        ({"url": "https://a:b@erp.example/"}, "url", "password"),
        ({"url": "https://erp.example:22/"}, "url", "port"),
        ({"url": "https://2130706433/"}, "url", "name of a host"),
        ({"description": "a" * 101}, "description", "At most 100"),
        ({"description": "a\x00"}, "description", "cannot be stored"),
        ({"all_events": False}, "events", "at least one"),
        ({"all_events": False, "events": []}, "events", "at least one"),
        ({"all_events": False, "events": ["order.exploded"]}, "events", "no such event"),
        ({"all_events": False, "events": ["ping"]}, "events", "no such event"),
    ],
)
def test_what_is_refused_is_refused_with_its_reason(values, field, words):
    assert words in errors(**values)[field]
    assert not WebhookEndpoint.objects.exists()


def test_the_same_address_twice_is_refused():
    make()
    assert "already" in errors()["url"]
    other = make("https://erp.example/other")
    with pytest.raises(InvalidInput):
        webhooks.save_webhook(actor=MARTA, endpoint=other, values={"url": "https://erp.example/hook"})
    other.refresh_from_db()
    assert (other.url, other.version) == ("https://erp.example/other", 1)


def test_there_is_an_end_to_them(monkeypatch):
    monkeypatch.setattr(webhooks, "MOST", 2)
    make("https://one.example/")
    make("https://two.example/")
    assert "2 webhooks" in errors(url="https://three.example/")["__all__"]


def test_a_change_counts_at_once_and_keeps_the_key():
    endpoint = make()
    values = {"all_events": False, "events": ["payment.approved", "order.recorded", "payment.approved"]}
    changed = webhooks.save_webhook(actor=MARTA, endpoint=endpoint, values=values, seen=1)
    assert changed.events == ["order.recorded", "payment.approved"], "each once, in the order of the table"
    assert (changed.keys, changed.version, changed.changed_by_label) == (endpoint.keys, 2, "Marta")
    factories.released_order()
    assert events(endpoint) == ["order.recorded", "payment.approved"]


def test_a_new_address_begins_without_the_faults_of_the_old_one():
    endpoint = make()
    WebhookEndpoint.objects.update(failing_since=timezone.now(), deaths=2)
    LaneHealth.objects.create(name=f"outbox:{endpoint.lane}", paused_until=timezone.now() + timedelta(days=1))
    same = webhooks.save_webhook(actor=MARTA, endpoint=endpoint, values={"url": endpoint.url, "description": "x"})
    assert (same.deaths, LaneHealth.objects.count()) == (2, 1)
    moved = webhooks.save_webhook(actor=MARTA, endpoint=endpoint, values={"url": "https://new.example/"})
    assert (moved.deaths, moved.failing_since, LaneHealth.objects.count()) == (0, None, 0)


def test_the_second_of_two_is_told():
    endpoint = make()
    webhooks.save_webhook(actor=MARTA, endpoint=endpoint, values={"description": "first"}, seen=1)
    for late in (
        lambda: webhooks.save_webhook(actor=MARTA, endpoint=endpoint, values={"description": "second"}, seen=1),
        lambda: webhooks.rotate_key(endpoint=endpoint, actor=MARTA, seen=1),
        lambda: webhooks.set_active(endpoint=endpoint, active=False, actor=MARTA, seen=1),
        lambda: webhooks.delete_webhook(endpoint=endpoint, actor=MARTA, seen=1),
    ):
        with pytest.raises(webhooks.WebhookChanged) as error:
            late()
        assert error.value.endpoint.description == "first"
    endpoint.refresh_from_db()
    assert (endpoint.description, endpoint.version, len(endpoint.keys), endpoint.is_active) == ("first", 2, 1, True)


def test_one_that_is_gone_cannot_be_changed():
    endpoint = make()
    webhooks.delete_webhook(endpoint=WebhookEndpoint.objects.get(), actor=MARTA)
    with pytest.raises(WebhookEndpoint.DoesNotExist):
        webhooks.save_webhook(actor=MARTA, endpoint=endpoint, values={"description": "x"})


def test_off_gives_up_what_waits_and_on_begins_anew(settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "WEBHOOKS_OUT": HERE}
    with listening() as receiver:
        endpoint = connect(receiver)
        factories.placed_order()
        off = webhooks.set_active(endpoint=endpoint, active=False, actor=MARTA)
        assert (off.is_active, off.disabled_reason, off.changed_by_label) == (False, "by_hand", "Marta")
        assert rows(endpoint).get().status == "dead"
        assert not FollowUp.objects.exists(), "who did it knows it"
        factories.placed_order()
        assert rows(endpoint).count() == 1
        again = webhooks.set_active(endpoint=off, active=False, actor=MARTA)
        assert again.version == off.version
        with pytest.raises(webhooks.WebhookOff):
            webhooks.replay(endpoint=endpoint, message=rows(endpoint).get())
        on = webhooks.set_active(endpoint=off, active=True, actor=MARTA)
        assert (on.is_active, on.disabled_reason, on.disabled_at, on.deaths) == (True, "", None, 0)
        assert webhooks.replay_failed(endpoint=on, since=timezone.now() - timedelta(days=1)) == 1
        assert send(endpoint) == {"sent": 1}


def test_switching_on_closes_the_follow_up_and_ends_the_rest():
    endpoint, other = make(), make("https://other.example/")
    webhook_delivery.switch_off(endpoint, WebhookEndpoint.GAVE_UP)
    webhook_delivery.switch_off(other, WebhookEndpoint.GONE)
    LaneHealth.objects.create(name=f"outbox:{endpoint.lane}", trips=9, paused_until=timezone.now() + timedelta(days=1))
    webhooks.set_active(endpoint=endpoint, active=True, actor=MARTA)
    assert FollowUp.objects.get(closed_at=None).data["webhook"] == str(other.pk)
    assert FollowUp.objects.exclude(closed_at=None).get().closed_by_label == "Marta"
    assert not LaneHealth.objects.exists()
    assert not webhook_delivery.switch_off(other, WebhookEndpoint.GONE), "once is enough"
    assert FollowUp.objects.count() == 2


def test_follow_ups_of_number_1_are_not_those_of_number_10():
    key = webhook_delivery.followup_key
    assert not key(WebhookEndpoint(pk=10)).startswith(key(WebhookEndpoint(pk=1)))


def test_deleting_ends_everything():
    endpoint = make()
    lost = endpoint.pk
    factories.placed_order()
    LaneHealth.objects.create(name=f"outbox:{endpoint.lane}", paused_until=timezone.now())
    webhook_delivery.switch_off(endpoint, WebhookEndpoint.GONE)
    webhooks.delete_webhook(endpoint=endpoint, actor=MARTA)
    assert not WebhookEndpoint.objects.exists()
    assert not FollowUp.objects.filter(closed_at=None).exists()
    assert not LaneHealth.objects.exists()
    factories.placed_order()
    assert list(rows(WebhookEndpoint(pk=lost)).values_list("status", flat=True)) == ["dead"]
    assert tasks.tidy_webhooks() == 1


# ---- Sending again ----


def ended(endpoint, status="dead", age=0, kind="order.recorded", **values):
    number = OutboundMessage.objects.count()
    return OutboundMessage.objects.create(
        destination=endpoint.lane, kind=kind, key=f"msg_{number}", status=status, attempts=10, error="x",
        payload={"body": "{}"}, created_at=timezone.now() - timedelta(days=age), **values,
    )  # fmt: skip


@pytest.mark.parametrize(("status", "done"), [("dead", True), ("unknown", True), ("sent", True), ("pending", False),
                                              ("sending", False)])  # fmt: skip
def test_one_message_goes_again_unless_it_is_on_its_way(status, done):
    endpoint = make()
    message = ended(endpoint, status, sent_at=timezone.now())
    assert webhooks.replay(endpoint=endpoint, message=message) is done
    message.refresh_from_db()
    if done:
        assert (message.status, message.attempts, message.error, message.sent_at) == ("pending", 0, "", None)
        assert message.next_attempt_at <= timezone.now()
        assert message.payload == {"body": "{}"}


def test_all_that_was_given_up_since_a_moment_goes_again():
    endpoint, other = make(), make("https://other.example/")
    old, young = ended(endpoint, age=3), ended(endpoint, age=1)
    sent, ping, foreign = ended(endpoint, "sent"), ended(endpoint, kind="ping"), ended(other)
    LaneHealth.objects.create(name=f"outbox:{endpoint.lane}", paused_until=timezone.now() + timedelta(days=1))
    assert webhooks.replay_failed(endpoint=endpoint, since=timezone.now() - timedelta(days=2)) == 1
    found = {message.pk: message.status for message in OutboundMessage.objects.all()}
    assert found == {
        old.pk: "dead", young.pk: "pending", sent.pk: "sent", ping.pk: "dead", foreign.pk: "dead",
    }  # fmt: skip
    assert not LaneHealth.objects.exists()
    assert webhooks.replay_failed(endpoint=endpoint, since=timezone.now() - timedelta(days=2)) == 0


def test_a_foreign_message_is_not_sent_again():
    endpoint, other = make(), make("https://other.example/")
    message = ended(other)
    assert webhooks.replay(endpoint=endpoint, message=message) is False
    message.refresh_from_db()
    assert message.status == "dead"


@pytest.mark.django_db(transaction=True)
def test_the_workers_are_woken(monkeypatch):
    asked = []
    monkeypatch.setattr(queue, "wake", asked.append)
    endpoint = make()
    message = ended(endpoint)
    webhooks.replay(endpoint=endpoint, message=message)
    assert asked == ["oscar_fulfillment.tasks.drain_outbox"]


# ---- The log ----


def test_the_log_is_tidied_and_what_waits_stays(settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "WEBHOOKS_OUT": {"keep_days": 10}}
    endpoint = make()
    old = [ended(endpoint, status, age=11) for status in ("sent", "dead", "unknown")]
    WebhookAttempt.objects.create(message=old[0], at=timezone.now(), milliseconds=1, status=200)
    kept = [ended(endpoint, "pending", age=11), ended(endpoint, "sending", age=11), ended(endpoint, "sent", age=9)]
    mail = OutboundMessage.objects.create(destination="mail", kind="x", key="1", status="sent",
                                          created_at=timezone.now() - timedelta(days=99))  # fmt: skip
    assert tasks.tidy_webhooks() == 3
    assert set(OutboundMessage.objects.values_list("pk", flat=True)) == {mail.pk, *(message.pk for message in kept)}
    assert not WebhookAttempt.objects.exists()


def test_the_log_of_what_is_gone_goes_too_by_chunks(monkeypatch):
    monkeypatch.setattr(webhooks, "CHUNK", 2)
    endpoint = make()
    for status in ("sent", "dead", "pending", "sent", "sent", "sending"):
        ended(endpoint, status)
    WebhookEndpoint.objects.all().delete()
    webhook_events.subscribers.forget()
    assert webhooks.tidy() == 5
    assert OutboundMessage.objects.get().status == "sending"


def test_the_page_of_messages_leaves_webhooks_to_their_own():
    endpoint = make()
    ended(endpoint)
    LaneHealth.objects.create(name=f"outbox:{endpoint.lane}", paused_until=timezone.now())
    assert message_reads.lanes("out") == []
    assert not message_reads.waiting("out").exists()
    assert message_reads.resting() == []
