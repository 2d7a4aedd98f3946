"""A step without a lock is one read and one statement that is its own transaction; whatever else writes joins it."""

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model

from oscar_fulfillment import signals
from oscar_fulfillment.core.commit import sole_statement
from oscar_fulfillment.core.exceptions import FulfillmentError, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.models import OrderFulfillment, PaymentMethod
from oscar_fulfillment.selectors.order_step import find_order_for_step
from oscar_fulfillment.services import door, notes, payments
from oscar_fulfillment.test import factories
from tests.functional.steps import step_url

pytestmark = pytest.mark.django_db(transaction=True)
IDLE, OPEN = 0, 2


def state():
    return connection.connection.info.transaction_status


def run(sql="SELECT 1"):
    with connection.cursor() as cursor:
        cursor.execute(sql)


def sent(queries):
    """Statements beside the workers' wake-up and the look, every few seconds, at who listens; the captured BEGIN and
    COMMIT are Django's words, not the driver's."""
    beside = ("queuesignal", "django_q", "webhookendpoint")
    return [
        q["sql"] for q in queries if q["sql"] not in ("BEGIN", "COMMIT") and not any(w in q["sql"] for w in beside)
    ]  # fmt: skip


@pytest.mark.postgres
def test_the_first_statement_may_be_the_transaction():
    connection.ensure_connection()
    with transaction.atomic():
        with sole_statement(connection):
            run()
        assert state() == IDLE
        assert connection.connection.autocommit is False
        run()
        assert state() == OPEN
        with sole_statement(connection):
            run()
        assert state() == OPEN
    with transaction.atomic(), transaction.atomic(), sole_statement(connection):
        run()
        assert state() == OPEN
    with sole_statement(connection):
        run()
    assert state() == IDLE


@pytest.mark.postgres
def test_after_an_error_the_connection_is_as_before():
    connection.ensure_connection()
    with pytest.raises(Exception, match="division by zero"), transaction.atomic(), sole_statement(connection):
        run("SELECT 1 / 0")
    assert (state(), connection.connection.autocommit) == (IDLE, True)
    run()


@pytest.mark.postgres
def test_a_step_is_a_read_and_a_write(team):
    payments.approve_payment(order=factories.placed_order(), actor=team)  # looks the event type up
    team_user = factories.staff_user()
    for held in (False, True):
        order = find_order_for_step(team_user, factories.placed_order().number)
        version = order.fulfillment.version if held else None
        with CaptureQueriesContext(connection) as queries:
            payments.approve_payment(order=order, actor=team, expected_version=version)
        assert len(sent(queries)) == (1 if held else 2)
        assert order.fulfillment.payment_status == "paid"
        assert order.payment_events.count() == 1


def test_the_row_in_hand_does_not_hide_that_somebody_was_faster(team):
    order = factories.placed_order()
    mine = get_model("order", "Order").objects.get(pk=order.pk)
    seen = mine.fulfillment.version
    payments.approve_payment(order=order, actor=team)
    with pytest.raises(StaleVersion):
        payments.approve_payment(order=mine, actor=team, expected_version=seen)
    assert mine.fulfillment.payment_status == "awaiting_payment"
    assert order.payment_events.count() == 1


def test_a_note_in_between_makes_nothing_stale(team):
    order = factories.placed_order()
    mine = get_model("order", "Order").objects.get(pk=order.pk)
    seen = mine.fulfillment.version
    notes.add_note(order=order, actor=team, text="hello")
    payments.approve_payment(order=mine, actor=team, expected_version=seen)
    assert OrderFulfillment.objects.get(pk=order.pk).version == seen + 2


def test_what_an_effect_writes_itself_is_undone_with_the_step(team):
    order = factories.placed_order()

    def effect(steps):
        payments.approve_effect(steps)
        PaymentMethod.objects.create(code="written", name="By an effect", kind="manual")
        OrderFulfillment.objects.filter(pk=order.pk).update(version=40)  # somebody was faster
        raise_ = steps[0].context.get("raise")
        if raise_:
            raise raise_

    with pytest.raises(FulfillmentError):
        door.move(order, payments.APPROVE, actor=team, effect=effect)
    with pytest.raises(ZeroDivisionError):
        door.move(order, payments.APPROVE, actor=team, effect=effect, context={"raise": ZeroDivisionError()})
    assert not PaymentMethod.objects.filter(code="written").exists()
    assert not order.payment_events.exists()
    assert OrderFulfillment.objects.get(pk=order.pk).version == 1


def test_what_a_veto_writes_is_undone_with_it_and_kept_with_the_step(team):
    order = factories.placed_order()
    says_no = True

    def veto(step, **kwargs):
        PaymentMethod.objects.create(code="seen", name="By a receiver", kind="manual")
        if says_no:
            raise ValidationError("no")

    signals.validate_transition.connect(veto)
    try:
        with pytest.raises(TransitionNotAllowed):
            payments.approve_payment(order=order, actor=team)
        assert not PaymentMethod.objects.filter(code="seen").exists()
        says_no = False
        payments.approve_payment(order=order, actor=team)
    finally:
        signals.validate_transition.disconnect(veto)
    assert PaymentMethod.objects.filter(code="seen").exists()
    assert order.payment_events.count() == 1


def test_a_used_key_gives_the_first_result_and_no_second_effect(team):
    order = factories.placed_order()
    first = payments.approve_payment(order=order, actor=team, key="k" * 10)
    again = payments.approve_payment(order=order, actor=team, key="k" * 10)
    assert again.pk == first.pk
    assert order.payment_events.count() == 1


def test_signals_come_after_the_write(team):
    order, told = factories.placed_order(), []

    def listen(fulfillment, **kwargs):
        told.append((connection.in_atomic_block, OrderFulfillment.objects.get(pk=fulfillment.pk).payment_status))

    signals.payment_approved.connect(listen)
    try:
        payments.approve_payment(order=order, actor=team)
    finally:
        signals.payment_approved.disconnect(listen)
    assert told == [(False, "paid")]


@pytest.mark.postgres
def test_a_step_by_post_is_four_statements(client, team):
    payments.approve_payment(order=factories.placed_order(), actor=team)
    order = factories.placed_order()
    client.force_login(factories.staff_user(is_superuser=True))
    data = {"version": order.fulfillment.version, "key": "k" * 10}
    with CaptureQueriesContext(connection) as queries:
        answer = client.post(step_url(order, "approve_payment"), data)
    assert answer.status_code == 302
    assert len(sent(queries)) == 4, sent(queries)
    assert OrderFulfillment.objects.get(pk=order.pk).payment_status == "paid"
