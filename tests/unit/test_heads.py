"""Compare-and-set, the one statement of a step, and the read before it: the same on SQLite and PostgreSQL."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core import heads, outbox, reading
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.core.rows import Row, insert, plain
from oscar_fulfillment.models import OrderFulfillment, OutboundMessage, StatusChange
from oscar_fulfillment.services import door, payments
from oscar_fulfillment.test import factories

pytestmark = pytest.mark.django_db
MOMENT = datetime(2026, 2, 3, 4, 5, 6, 123457, tzinfo=timezone(timedelta(hours=-3)))


@pytest.fixture
def rows():
    mug = factories.product()
    for _ in range(3):
        factories.placed_order(lines=[(mug, 1)])
    return list(OrderFulfillment.objects.order_by("pk"))


def now(row, *names):
    return OrderFulfillment.objects.values_list(*names).get(pk=row.pk)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_still_equals_the_guard_is_written(rows, count):
    updates = [
        (row, {"version": 1, "payment_status": "awaiting_payment"}, {"version": 2 + n}) for n, row in enumerate(rows)
    ]
    assert heads.compare_and_set(OrderFulfillment, updates[:count]) == count
    assert [now(row, "version")[0] for row in rows] == [2, 3, 4][:count] + [1] * (3 - count)


@pytest.mark.parametrize(
    "guard", [{"version": 2}, {"version": 1, "payment_status": "paid"}, {"shipping_status": "released"}]
)
def test_what_somebody_else_changed_is_left_alone(rows, guard):
    good = (rows[0], {"version": 1}, {"problem": "x"})
    assert heads.compare_and_set(OrderFulfillment, [(rows[1], guard, {"problem": "x"})]) == 0
    assert heads.compare_and_set(OrderFulfillment, [good, (rows[1], guard, {"problem": "x"})]) == 1
    assert [now(row, "problem")[0] for row in rows] == ["x", "", ""]


def test_each_object_may_write_other_columns(rows):
    a, b, c = rows
    updates = [
        (a, {"version": 1}, {"has_backorder": True, "placed_at": MOMENT}),
        (b, {"version": 1, "shipping_status": "received"}, {"problem": "“é” 'q' %s", "hold_count": 3}),
        (c, {"version": 1}, {"payment_method": None}),
    ]
    assert heads.compare_and_set(OrderFulfillment, updates) == 3
    assert now(a, "has_backorder", "placed_at", "problem", "hold_count") == (True, MOMENT, "", 0)
    assert now(b, "has_backorder", "placed_at", "problem", "hold_count") == (False, b.placed_at, "“é” 'q' %s", 3)
    assert now(c, "payment_method", "problem") == (None, "")
    assert now(b, "payment_method")[0] == b.payment_method_id


def test_any_number_is_one_statement(rows, django_assert_num_queries):
    for count in (1, 2, 3):
        with django_assert_num_queries(1):
            heads.compare_and_set(OrderFulfillment, [(row, {"version": 1}, {"problem": ""}) for row in rows[:count]])


def test_data_is_what_the_database_will_give_back():
    assert plain({}) == {}
    data = {"a": Decimal("1.50"), "b": gettext_lazy("Sent"), 1: [True, None, 1.5, 10**20], "d": {"x": -0.0}}
    assert plain(data) == {"a": "1.50", "b": "Sent", "1": [True, None, "1.5", 10**20], "d": {"x": "-0.0"}}


def a_step(row, sequence=2, **fields):
    given = {
        "fulfillment_id": row.pk, "sequence": sequence, "machine": "payment", "action": "test", "actor_kind": "system",
        "actor_label": "“é” %s {}", "data": {"n": [1, {"x": None}], "text": "a\"b'c\\"}, "created_at": MOMENT, "hash": "h" * 64,
    }  # fmt: skip
    return StatusChange(**given | fields)


def test_a_step_is_written_as_a_whole(rows):
    updates = [(row, {"version": 1}, {"version": 2, "problem": "x"}) for row in rows]
    history = [a_step(row) for row in rows]
    messages = [OutboxMessage("test", "kind", f"k{row.pk}", {"deep": {"n": 1}}, 60, order_id=row.pk) for row in rows]
    with transaction.atomic():
        assert heads.write_steps(updates, history, messages) is True
    for row, change in zip(rows, history, strict=True):
        stored = StatusChange.objects.get(fulfillment=row, sequence=2)
        assert stored.pk == change.pk
        for field in StatusChange._meta.concrete_fields:
            assert getattr(stored, field.attname) == getattr(change, field.attname), field.attname
        assert not change._state.adding
        message = OutboundMessage.objects.get(key=f"k{row.pk}")
        assert (message.destination, message.kind, message.payload) == ("test", "kind", {"deep": {"n": 1}})
        assert (message.order_id, message.status, message.attempts, message.lease, message.error) == (
            row.pk,
            "pending",
            0,
            "",
            "",
        )
        assert message.sent_at is None
        assert 59 < (message.next_attempt_at - message.created_at).total_seconds() < 61
    assert [now(row, "version", "problem") for row in rows] == [(2, "x")] * 3


def test_when_one_was_faster_nothing_is_told_and_the_caller_rolls_back(rows):
    updates = [(rows[0], {"version": 1}, {"version": 2}), (rows[1], {"version": 7}, {"version": 8})]
    # The loser's history row is there already, as it is after a lost race: no unique constraint may hide that it lost.
    StatusChange._base_manager.bulk_create([a_step(rows[1])])
    with transaction.atomic():
        assert heads.write_steps(updates, [a_step(rows[0]), a_step(rows[1], 3)], []) is False
        transaction.set_rollback(True)


@pytest.mark.postgres
def test_a_lost_race_is_no_integrity_error(rows):
    StatusChange._base_manager.bulk_create([a_step(rows[0])])
    with transaction.atomic():
        assert heads.write_steps([(rows[0], {"version": 7}, {"version": 2})], [a_step(rows[0])], []) is False


def test_a_key_that_was_used_is_refused_by_the_database(rows):
    StatusChange._base_manager.bulk_create([a_step(rows[0], 9, idempotency_key="k")])
    with pytest.raises(IntegrityError), transaction.atomic():
        heads.write_steps([(rows[0], {"version": 1}, {"version": 2})], [a_step(rows[0], idempotency_key="k")], [])
    assert now(rows[0], "version") == (1,)


def test_a_message_that_was_written_before_is_left_out(rows, caplog):
    caplog.set_level("INFO")
    message = OutboxMessage("test", "kind", "k", {"n": 1})
    outbox.enqueue([message])
    with transaction.atomic():
        heads.write_steps(
            [(rows[0], {"version": 1}, {"version": 2})],
            [a_step(rows[0])],
            [OutboxMessage("test", "kind", "k", {"n": 2}), OutboxMessage("test", "kind", "other")],
        )
    assert list(OutboundMessage.objects.filter(destination="test").order_by("pk").values_list("key", "payload")) == [
        ("k", {"n": 1}), ("other", {}),
    ]  # fmt: skip
    assert "1 of 2 messages had been enqueued before" in caplog.text


def test_the_read_is_the_orms(rows):
    related = ("order", "payment_method")
    OrderFulfillment.objects.filter(pk=rows[1].pk).update(payment_method=None)
    expected = list(OrderFulfillment.objects.select_related(*related).order_by("pk"))
    for lock in (False, True):
        with (
            transaction.atomic(),
            CaptureQueriesContext(
                connection,
            ) as queries,
        ):
            found = reading.read(OrderFulfillment, related, [rows[2].pk, rows[0].pk, rows[1].pk, 10**6], lock=lock)
            for mine, theirs in zip(found, expected, strict=True):
                for name in ("", *related):
                    a, b = (getattr(x, name) if name else x for x in (mine, theirs))
                    assert (a is None) == (b is None)
                    if a is not None:
                        values = [[getattr(x, f.attname) for f in x._meta.concrete_fields] for x in (a, b)]
                        assert values[0] == values[1]
                        assert (a._state.adding, a._state.db) == (False, "default")
        # Under lock PostgreSQL is asked twice: it waits first and reads then, so that what stands beside is not older.
        assert len(queries) == (2 if lock and connection.vendor == "postgresql" else 1)
    assert reading.read(OrderFulfillment, related, [], lock=False) == []


def test_rows_without_a_key_to_know_are_inserted_in_one_statement(rows, django_assert_num_queries):
    from oscar.core.loading import get_model

    Event, Kind = get_model("order", "PaymentEvent"), get_model("order", "PaymentEventType")
    kind = Kind.objects.create(name="Test")
    with django_assert_num_queries(1):
        insert(
            [
                Row(Event, {"order_id": r.pk, "event_type_id": kind.pk, "amount": Decimal("1.20"), "reference": "“é”"})
                for r in rows
            ]
        )
    insert([])
    assert set(Event.objects.values_list("amount", "reference")) == {(Decimal("1.20"), "“é”")}
    assert Event.objects.count() == 3
    assert Event.objects.filter(date_created__isnull=False).count() == 3


def statements(count):
    orders = [factories.placed_order() for _ in range(count)]
    with CaptureQueriesContext(connection) as queries:
        door.move_many([o.pk for o in orders], payments.APPROVE, actor=factories.TEAM, effect=payments.approve_effect)
    return [q["sql"] for q in queries if "SAVEPOINT" not in q["sql"] and "queuesignal" not in q["sql"]]


def test_a_step_takes_as_many_statements_for_many_as_for_one():
    statements(1)  # the event type is looked up once
    one, many = statements(1), statements(7)
    limit = 5 if connection.vendor == "postgresql" else 8
    assert len(one) <= limit
    assert len(many) <= limit
