"""The history proves itself: whatever is changed, removed, added or written past it is found."""

import pytest
from django.db import connection

from oscar_fulfillment.core import history
from oscar_fulfillment.models import OrderFulfillment, StatusChange
from oscar_fulfillment.services import notes
from oscar_fulfillment.test import factories

pytestmark = pytest.mark.django_db
HISTORY, HEAD = "oscar_fulfillment_statuschange", "oscar_fulfillment_orderfulfillment"


@pytest.fixture
def order(db):
    return factories.released_order()  # place, approve_payment, release


def forge(sql, *params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        assert cursor.rowcount == 1


def flaws():
    found = list(history.verify(OrderFulfillment, StatusChange))
    return [(flaw.subject_pk, flaw.sequence, str(flaw.problem)) for flaw in found]


def test_an_honest_history_has_no_flaw(order, team):
    factories.delivered_order(currency="CHF")
    factories.cancelled_order()
    notes.add_note(order=order, actor=team, text="Olá “é” 🎁\nzwei")
    assert flaws() == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("machine", "order"), ("action", "forged"), ("from_status", "forged"), ("to_status", "forged"),
        ("actor_kind", "user"), ("actor_label", "Somebody"), ("reason", "forged"), ("data", '{"amount": "1"}'),
        ("idempotency_key", "forged"), ("created_at", "2020-01-01 00:00:00+00:00"), ("hash", "0" * 64),
    ],
)  # fmt: skip
def test_no_column_of_a_row_can_be_changed_unnoticed(order, column, value):
    if connection.vendor == "sqlite":
        value = value.replace("+00:00", "")
    forge(f"UPDATE {HISTORY} SET {column} = %s WHERE sequence = 2", value)
    assert flaws() == [(order.pk, 2, "the row was changed")]


def test_a_user_who_is_deleted_leaves_the_history_whole():
    user = factories.staff_user(first_name="Ana")
    order = factories.placed_order()
    notes.add_note(order=order, actor=factories.Actor.from_user(user), text="Hi")
    user.delete()
    row = order.fulfillment.history.get(machine="note")
    assert (row.actor, row.actor_label) == (None, "Ana")
    assert flaws() == []


@pytest.mark.parametrize(
    ("sequence", "flaw"), [(1, (1, "a row is missing")), (2, (2, "a row is missing")), (3, (3, "rows at the end are missing"))]
)  # fmt: skip
def test_a_row_that_is_gone_is_missed(order, sequence, flaw):
    forge(f"DELETE FROM {HISTORY} WHERE sequence = %s", sequence)
    assert flaws() == [(order.pk, *flaw)]


def test_a_chain_cut_short_together_with_the_version_is_noticed(order):
    forge(f"DELETE FROM {HISTORY} WHERE sequence = 3")
    forge(f"UPDATE {HEAD} SET version = 2")
    assert flaws() == [(order.pk, 2, "the head does not match the last row")]


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("shipping_status", "delivered", "the status is not where the history leads: shipping"),
        ("payment_status", "refunded", "the status is not where the history leads: payment"),
        ("version", 9, "rows at the end are missing"),
        ("history_hash", "0" * 64, "the head does not match the last row"),
    ],
)
def test_whoever_writes_past_the_history_is_noticed(order, column, value, problem):
    forge(f"UPDATE {HEAD} SET {column} = %s", value)
    assert flaws() == [(order.pk, 9 if column == "version" else 3, problem)]


def test_a_status_that_jumps_is_noticed_though_the_hashes_agree(order):
    """Somebody who can compute hashes still has to tell a possible story."""
    rows = list(order.fulfillment.history.order_by("sequence"))
    forged = StatusChange(
        fulfillment_id=order.pk, sequence=4, machine="shipping", action="deliver", from_status="dispatched",
        to_status="delivered", actor_kind="system", actor_label="x", created_at=rows[-1].created_at,
    )  # fmt: skip
    forged.hash = forged.compute_hash(rows[-1].hash)
    StatusChange._base_manager.bulk_create([forged])
    forge(f"UPDATE {HEAD} SET version = 4, history_hash = %s, shipping_status = 'delivered'", forged.hash)
    assert flaws() == [(order.pk, 4, "the status jumps: shipping")]


def test_every_flawed_order_is_found_whatever_the_size_of_a_page(team):
    orders = [factories.placed_order() for _ in range(5)]
    for order in orders[1:4]:
        forge(f"UPDATE {HISTORY} SET reason = 'forged' WHERE fulfillment_id = %s", order.pk)
    for chunk in (1, 2, 3, 100):
        found = history.verify(OrderFulfillment, StatusChange, chunk=chunk)
        assert [flaw.subject_pk for flaw in found] == [order.pk for order in orders[1:4]]


def test_rows_are_never_written_by_hand(order):
    row = order.fulfillment.history.first()
    for write in (
        row.save,
        row.delete,
        StatusChange.objects.all().delete,
        lambda: StatusChange.objects.update(reason=""),
    ):
        with pytest.raises(TypeError):
            write()
    assert str(row) == "3. release"


def test_two_orders_cannot_swap_their_rows(team):
    first, second = factories.placed_order(), factories.placed_order()
    row = first.fulfillment.history.get()
    row.fulfillment_id = second.pk
    assert row.compute_hash("") != row.hash
