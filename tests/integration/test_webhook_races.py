"""Several people at one webhook, and workers beside them, on PostgreSQL."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.public_http import Reply
from oscar_fulfillment.models import FollowUp, OutboundMessage, WebhookAttempt, WebhookEndpoint
from oscar_fulfillment.services import payments, webhook_delivery, webhook_events, webhooks
from oscar_fulfillment.test import factories

from .webhooks import make, rows

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.feature("Z15")]

PEOPLE = 6
REFUSALS = (webhooks.WebhookChanged, webhooks.WebhookOff, InvalidInput, WebhookEndpoint.DoesNotExist)


@pytest.fixture
def together():
    """Run one callable per person at once; what each returned, None for each that was refused."""
    barrier = threading.Barrier(PEOPLE)

    def one(call, number):
        try:
            barrier.wait(30)
            return call(number)
        except REFUSALS:
            return None
        finally:
            connections.close_all()

    def run(call):
        with ThreadPoolExecutor(PEOPLE) as pool:
            return list(pool.map(lambda number: one(call, number), range(PEOPLE)))

    return run


def actor(number):
    return Actor.system(f"person {number}")


def test_of_all_who_saw_the_same_state_one_saves(together):
    endpoint = make()
    for turn in range(10):
        seen = WebhookEndpoint.objects.get().version

        def change(number, seen=seen, turn=turn):
            values = {"description": f"{turn}-{number}"}
            return webhooks.save_webhook(actor=actor(number), endpoint=endpoint, values=values, seen=seen)

        done = [found for found in together(change) if found]
        assert len(done) == 1
        endpoint.refresh_from_db()
        assert (endpoint.version, endpoint.description) == (seen + 1, done[0].description)


def test_rotations_at_once_lose_no_key(together):
    endpoint = make()
    first = endpoint.keys[0]["salt"]
    assert all(together(lambda number: webhooks.rotate_key(endpoint=endpoint, actor=actor(number))))
    endpoint.refresh_from_db()
    salts = [key["salt"] for key in endpoint.keys]
    assert len(set(salts)) == len(salts) == 5
    assert first not in salts or salts[-1] == first
    assert endpoint.version == 1 + PEOPLE


def test_the_same_address_is_made_once_and_never_one_too_many(together, monkeypatch):
    assert len([found for found in together(lambda number: make(actor=actor(number))) if found]) == 1
    monkeypatch.setattr(webhooks, "MOST", 3)
    made = together(lambda number: make(f"https://erp{number}.example/", actor=actor(number)))
    assert len([found for found in made if found]) == 2
    assert WebhookEndpoint.objects.count() == 3


def test_it_is_switched_off_once_and_one_is_told(together):
    endpoint = make()
    for number in range(20):
        OutboundMessage.objects.create(destination=endpoint.lane, kind="x", key=str(number))
    done = together(lambda number: webhook_delivery.switch_off(endpoint, WebhookEndpoint.GONE))
    assert sorted(done) == [False] * (PEOPLE - 1) + [True]
    assert FollowUp.objects.count() == 1
    assert set(rows(endpoint).values_list("status", flat=True)) == {"dead"}


def test_what_is_sent_again_by_all_is_sent_once(together, monkeypatch):
    sent = []

    def post(url, body, headers, **options):
        sent.append(headers["webhook-id"])
        return Reply(status=200)

    monkeypatch.setattr(webhook_delivery.public_http, "post", post)
    endpoint = make()
    for number in range(30):
        OutboundMessage.objects.create(destination=endpoint.lane, kind="x", key=f"msg_{number}", status="dead")
    one = rows(endpoint).first()
    counts = together(lambda number: webhooks.replay_failed(endpoint=endpoint, since=one.created_at))
    assert sum(counts) == 30
    # Workers, and people who ask again while it goes out.
    together(lambda number: outbox.drain(destination=endpoint.lane) if number % 2 else webhooks.replay(
        endpoint=endpoint, message=one))  # fmt: skip
    outbox.drain(destination=endpoint.lane)
    assert set(sent) == {f"msg_{number}" for number in range(30)}
    assert set(rows(endpoint).values_list("status", flat=True)) == {"sent"}
    assert WebhookAttempt.objects.count() == len(sent)
    assert len(sent) - sent.count(one.key) == 29, "nothing but the one that was asked for goes twice"


def test_steps_while_it_is_switched_on_and_off_are_told_whole_or_not_at_all(together, team, monkeypatch):
    monkeypatch.setattr(webhook_events, "FRESH", -1)
    endpoint = make(all_events=False, events=["payment.approved"])
    orders = [factories.placed_order() for _ in range(PEOPLE * 3)]

    def work(number):
        if number == 0:
            for turn in range(10):
                webhooks.set_active(endpoint=endpoint, active=bool(turn % 2), actor=team)
        else:
            for order in orders[number * 3 : number * 3 + 3]:
                payments.approve_payment(order=order, actor=team)
        return True

    assert all(together(work))
    found = list(rows(endpoint).values_list("order_id", flat=True))
    assert len(found) == len(set(found))
    assert set(rows(endpoint).values_list("status", flat=True)) <= {"pending", "dead"}
    assert {order.pk for order in orders[:3]}.isdisjoint(found)
