"""Rows that one worker at a time may take: inserted once, claimed, settled, given back, given up."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from oscar_fulfillment.core import leases
from oscar_fulfillment.core.leases import Outcome
from oscar_fulfillment.core.outbox import PUMP
from oscar_fulfillment.models import OutboundMessage

pytestmark = pytest.mark.django_db

WORDS = PUMP.words
WIDTH = len([field for field in OutboundMessage._meta.concrete_fields if not field.primary_key])


def rows(*keys):
    return [OutboundMessage(destination="shop", kind="k", key=key) for key in keys]


def put(*keys):
    leases.insert_new(rows(*keys), returning=["id"])


def claim(limit=10, lease=60.0, **options):
    return leases.claim(OutboundMessage, WORDS, "shop", limit, lease, **options)


def late():
    OutboundMessage.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))


def test_what_is_inserted_is_told_column_by_column_and_what_was_there_is_not():
    put("1")
    new = leases.insert_new(rows("1", "2", "3"), returning=["key", "attempts"])
    assert new == [("2", 0), ("3", 0)]
    assert OutboundMessage.objects.count() == 3


def test_nothing_to_insert_asks_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert leases.insert_new([], returning=["id"]) == []


@pytest.mark.parametrize(("most", "statements"), [(WIDTH - 1, 4), (WIDTH, 4), (2 * WIDTH, 2), (4 * WIDTH, 1)])
def test_an_insert_takes_as_few_statements_as_the_database_takes_parameters(
    most, statements, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(type(connection.features), "max_query_params", most)
    with django_assert_num_queries(statements):
        assert len(leases.insert_new(rows("1", "2", "3", "4"), returning=["id"])) == 4


def test_lanes_with_work_are_those_with_something_due():
    put("1")
    assert leases.lanes_with_work(OutboundMessage, WORDS, ["mail", "shop", "other"]) == ["shop"]
    OutboundMessage.objects.update(next_attempt_at=timezone.now() + timedelta(seconds=60))
    assert leases.lanes_with_work(OutboundMessage, WORDS, ["mail", "shop"]) == []
    assert leases.lanes_with_work(OutboundMessage, WORDS, []) == []


def test_a_claim_holds_for_its_lease_and_carries_one_token():
    put("1", "2", "3")
    before = timezone.now()
    first = claim(2)
    assert [row.key for row in first] == ["1", "2"]
    assert len({row.lease for row in first}) == 1
    assert first[0].lease
    for row in OutboundMessage.objects.exclude(key="3"):
        assert (row.status, row.attempts, row.lease) == ("sending", 1, first[0].lease)
        assert timedelta(seconds=59) < row.next_attempt_at - before < timedelta(seconds=70)
    second = claim()
    assert [row.key for row in second] == ["3"]
    assert second[0].lease != first[0].lease
    assert claim() == []


def test_only_who_may_takes_over_what_a_dead_worker_held():
    put("1")
    claim()
    late()
    assert claim(take_over=False) == []
    assert [row.attempts for row in claim()] == [2]


def test_settled_rows_keep_no_lease_and_each_its_own_outcome():
    put("1", "2", "3")
    held = claim()
    pks = {row.key: row.pk for row in held}
    before = timezone.now()
    leases.settle(
        OutboundMessage,
        WORDS,
        held[0].lease,
        [Outcome(pks["1"], "sent"), Outcome(pks["2"], "pending", "busy", 100.0), Outcome(pks["3"], "dead", "no")],
    )
    one, two, three = OutboundMessage.objects.order_by("key")
    assert (one.status, one.error, one.lease) == ("sent", "", "")
    assert one.sent_at >= before
    assert (two.status, two.error, two.lease, two.sent_at) == ("pending", "busy", "", None)
    assert timedelta(seconds=99) < two.next_attempt_at - before < timedelta(seconds=110)
    assert (three.status, three.error, three.lease) == ("dead", "no", "")


def test_what_nobody_began_is_due_at_once_and_lost_no_try():
    put("1", "2")
    held = claim()
    leases.give_back(OutboundMessage, WORDS, held[0].lease, [held[1].pk])
    leases.give_back(OutboundMessage, WORDS, "another worker", [held[0].pk])
    one, two = OutboundMessage.objects.order_by("key")
    assert (one.status, one.attempts, one.lease) == ("sending", 1, held[0].lease)
    assert (two.status, two.attempts, two.lease) == ("pending", 0, "")
    assert [row.key for row in claim()] == ["2"]


def test_giving_nothing_back_asks_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        leases.give_back(OutboundMessage, WORDS, "token", [])


def test_what_died_on_the_way_is_given_up_with_its_reason():
    put("1", "2")
    claim(1)
    assert leases.give_up_expired(OutboundMessage, WORDS, "shop") == 0, "its worker may still live"
    late()
    assert leases.give_up_expired(OutboundMessage, WORDS, "mail") == 0, "another lane's"
    assert leases.give_up_expired(OutboundMessage, WORDS, "shop") == 1
    one, two = OutboundMessage.objects.order_by("key")
    assert (one.status, one.lease, one.error) == ("unknown", "", "the worker died while sending")
    assert two.status == "pending"
