"""Rows as values: what they hold, what is never cut or lost, and what is left to the ORM."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model

from oscar_fulfillment.core import heads, outbox, rows
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.core.rows import Change, Row, insert
from oscar_fulfillment.models import OrderFulfillment, OutboundMessage, StatusChange
from oscar_fulfillment.test import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def orders():
    return [factories.placed_order() for _ in range(3)]


def event(order, **values):
    kind, _new = get_model("order", "PaymentEventType").objects.get_or_create(name="Test")
    model = get_model("order", "PaymentEvent")
    return Row(model, {"order_id": order.pk, "event_type_id": kind.pk, "amount": Decimal("1.20"), **values})


def status_row(order, new):
    model = get_model("order", "OrderStatusChange")
    return Row(model, {"order_id": order.pk, "old_status": order.status, "new_status": new})


def test_rows_that_are_equal_are_all_inserted(orders):
    insert([event(orders[0]), event(orders[0])])
    assert list(orders[0].payment_events.values_list("amount", flat=True)) == [Decimal("1.20")] * 2


def test_what_nobody_names_is_the_models_default(orders):
    insert([event(order, reference=f"“{order.number}” %s") for order in orders])
    for order in orders:
        stored = order.payment_events.get()
        assert (stored.reference, stored.shipping_event) == (f"“{order.number}” %s", None)
        assert abs((datetime.now(UTC) - stored.date_created).total_seconds()) < 60


@pytest.mark.postgres
@pytest.mark.parametrize("count", [1, 2])
def test_a_value_that_is_too_long_is_refused_and_not_cut(orders, count):
    with pytest.raises(DataError), transaction.atomic():
        insert([event(order, reference=f"{n}" * 200) for n, order in enumerate(orders[:count])])
    assert not get_model("order", "PaymentEvent").objects.exists()


@pytest.mark.postgres
def test_a_model_that_computes_a_column_from_an_instance_is_left_to_the_orm():
    assert rows.is_flat(connection, get_model("order", "PaymentEvent"))
    assert rows.is_flat(connection, StatusChange)
    assert not rows.is_flat(connection, get_model("catalogue", "ProductImage"))  # a file


@pytest.fixture(params=["one statement", "by table"])
def way(request, monkeypatch):
    """Both ways of writing, whatever the database."""
    if request.param == "by table":
        monkeypatch.setattr(rows, "is_flat", lambda connection, model: False)
    return request.param


def history(order, sequence=2):
    return StatusChange(
        fulfillment_id=order.pk, sequence=sequence, machine="payment", action="test", actor_kind="system",
        created_at=datetime.now(UTC), hash="h" * 64,
    )  # fmt: skip


def write(orders, version=1):
    updates = [(order.fulfillment, {"version": version}, {"version": 2}) for order in orders]
    changes = [Change(order, {"status": f"S{n % 2}"}) for n, order in enumerate(orders)]
    extra = [event(order) for order in orders] + [status_row(order, "S") for order in orders]
    messages = [OutboxMessage("test", "kind", str(order.pk)) for order in orders]
    return heads.write_steps(updates, [history(order) for order in orders], messages, extra, changes)


def test_what_belongs_to_a_step_is_written_with_it(orders, way):
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        assert write(orders)
    if way == "one statement" and connection.vendor == "postgresql":
        others = ("SAVEPOINT", "paymenteventtype", "queuesignal")
        sent = [q["sql"] for q in queries if not any(word in q["sql"] for word in others)]
        assert len(sent) == 1
        assert sent[0].startswith("WITH")
    Order = get_model("order", "Order")
    assert list(Order.objects.order_by("pk").values_list("status", flat=True)) == ["S0", "S1", "S0"]
    assert [order.status for order in orders] == ["S0", "S1", "S0"]
    assert set(get_model("order", "OrderStatusChange").objects.values_list("new_status", flat=True)) == {"S"}
    assert get_model("order", "PaymentEvent").objects.count() == 3
    assert OutboundMessage.objects.filter(destination="test").count() == 3


@pytest.mark.postgres
def test_whoever_was_too_late_has_written_nothing(orders):
    before = [order.status for order in orders]
    assert not write(orders[:1], version=7)
    assert [order.status for order in orders] == before
    assert OrderFulfillment.objects.get(pk=orders[0].pk).version == 1
    assert get_model("order", "Order").objects.get(pk=orders[0].pk).status == before[0]
    assert not StatusChange.objects.filter(sequence=2).exists()
    assert not OutboundMessage.objects.filter(destination="test").exists()
    assert not get_model("order", "PaymentEvent").objects.exists()
    assert not get_model("order", "OrderStatusChange").objects.exists()


def test_an_object_begins_with_its_first_row(orders, way):
    order = orders[0]
    OrderFulfillment.objects.filter(pk=order.pk).delete()
    fulfillment = order.fulfillment
    fulfillment._state.adding = True
    first = history(order, 1)
    with transaction.atomic():
        heads.write_first(fulfillment, first, [OutboxMessage("test", "kind", "first")])
    stored = OrderFulfillment.objects.get(pk=order.pk)
    for field in OrderFulfillment._meta.concrete_fields:
        assert getattr(stored, field.attname) == getattr(fulfillment, field.attname), field.attname
    assert stored.history.get().pk == first.pk
    assert not fulfillment._state.adding
    assert outbox.enqueue([OutboxMessage("test", "kind", "first")]) == 0
