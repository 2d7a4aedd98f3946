"""Signals, as a plugin uses them: all are sent, after the commit; one that fails neither undoes nor hides a change."""

from decimal import Decimal
from pathlib import Path

import pytest
from django.db import transaction

from oscar_fulfillment import signals
from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.exceptions import AdapterRejected, TransitionNotAllowed
from oscar_fulfillment.gateways.base import PaymentState
from oscar_fulfillment.models import OrderFulfillment, OutboundMessage, StatusChange
from oscar_fulfillment.services import (
    cancelling,
    door,
    holds,
    operations,
    payments,
    release,
    restoring,
    shipping,
    stock,
)
from oscar_fulfillment.test import factories
from tests.integration import payments as shop
from tests.plugin.receivers import AFTERWARDS, ALL, Plugin

pytestmark = pytest.mark.django_db


def whole_life(team):
    """Steps that between them send every signal about orders."""
    order = factories.delivered_order()
    shipping.return_order(order=order, actor=team, reason="Refused")
    other = factories.placed_order()
    holds.place_hold(order=other, actor=team, code="fraud")
    holds.release_hold(order=other, actor=team, hold=other.fulfillment.holds.get().pk)
    cancelling.cancel_order(order=other, actor=team, reason="No")
    return order, other


def test_every_signal_has_its_documentation_and_the_plugin_uses_each():
    source = Path(signals.__file__).read_text()
    for name in ALL:
        after = source.split(f"\n{name} = Signal()\n", 1)[1]
        assert after.startswith('"""'), f"{name} has no docstring under it"
    assert set(signals.BY_ACTION.values()) <= set(AFTERWARDS.values())


@pytest.mark.parametrize("broken", [False, True])
def test_each_signal_is_sent_once_after_the_commit_whatever_the_plugin_does(
    team, broken, django_capture_on_commit_callbacks, caplog
):
    with Plugin(broken) as plugin, Plugin() as sane, django_capture_on_commit_callbacks(execute=True):
        order, other = whole_life(team)
        assert plugin.heard == []
    per_order = [n for n in plugin.names if n not in ("status_changed", "message_died")]
    assert per_order == [
        "order_recorded", "payment_approved", "order_released", "order_invoiced", "order_dispatched",
        "order_delivered", "order_returned", "order_recorded", "hold_placed", "hold_released", "order_cancelled",
        "payment_cancelled",
    ]  # fmt: skip
    assert plugin.names.count("status_changed") == 7
    assert sane.names == plugin.names
    for name, sender, kwargs in plugin.heard:
        assert sender is OrderFulfillment
        assert kwargs["order"].pk == kwargs["fulfillment"].pk
        assert isinstance(kwargs["change"], StatusChange)
        assert kwargs["change"].pk
        assert kwargs["actor"].label == kwargs["change"].actor_label
        if name == "status_changed":
            assert kwargs["change"] in kwargs["changes"]
        if name == "order_dispatched":
            assert list(order.fulfillment.shipments.values_list("pk", flat=True)) == kwargs["shipments"]
    assert [f.shipping_status for f in OrderFulfillment.objects.order_by("pk")] == ["returned", "cancelled"]
    assert ("the plugin fails" in caplog.text) == broken


@pytest.mark.parametrize("broken", [False, True])
def test_what_the_money_does_is_told_to_plugins(team, broken, django_capture_on_commit_callbacks):
    with Plugin(broken) as plugin, django_capture_on_commit_callbacks(execute=True):
        order, payment, _provider = shop.held()
        operations.request_capture(order=order, payment=payment.pk, actor=team)
        outbox.drain(destination="payments:demo")
        operations.request_refund(order=order, payment=payment.pk, actor=team, amount=Decimal(5), reason="broken")
        outbox.drain(destination="payments:demo")
        other, attempt, provider = shop.begun(fresh=False)
        provider.change(attempt.reference, state=PaymentState.EXPIRED)
        shop.refresh(attempt)
        provider.pay(attempt.reference)
        shop.refresh(attempt)
        restoring.restore_order(order=other, actor=team, reason="paid late")
    found = {name: kwargs for name, _sender, kwargs in plugin.heard}
    assert {"payment_authorized", "payment_approved", "payment_refunded", "payment_cancelled"} <= set(found)
    assert {"late_payment", "order_restored"} <= set(found)
    assert found["payment_refunded"]["amount"] == Decimal(5)
    assert (found["late_payment"]["order"].pk, found["late_payment"]["amount"]) == (other.pk, Decimal(20))
    assert shop.statuses(other) == ("paid", "received")


@pytest.mark.django_db(transaction=True)
def test_a_broken_plugin_does_not_hide_the_result_from_the_caller(team):
    order = factories.placed_order()
    with Plugin(broken=True) as plugin:
        change = payments.approve_payment(order=order, actor=team)
    assert change.action == "approve_payment"
    assert plugin.names == ["payment_approved", "status_changed"]
    assert OrderFulfillment.objects.get(pk=order.pk).payment_status == "paid"


@pytest.mark.django_db(transaction=True)
def test_a_mistake_in_the_announcing_itself_does_not_hide_the_result_either(team, monkeypatch, caplog):
    """Also not from Oscar's own receivers of stock and order signals, nor a connection that dies by then."""

    def broken(*args, **kwargs):
        raise RuntimeError("the announcing fails")

    order = factories.released_order(currency="CHF")
    for module, name in ((door, "_send"), (door, "_tell_oscar"), (stock, "_tell_oscar")):
        monkeypatch.setattr(module, name, broken)
    change = shipping.dispatch_order(order=order, actor=team)
    assert (change.action, order.status) == ("dispatch", "Sent")
    assert caplog.text.count("failed after the commit") == 3


@pytest.mark.django_db(transaction=True)
def test_nothing_is_announced_that_was_rolled_back(team):
    order = factories.placed_order()
    with Plugin() as plugin, pytest.raises(ZeroDivisionError), transaction.atomic():
        payments.approve_payment(order=order, actor=team)
        raise ZeroDivisionError
    assert plugin.heard == []
    assert OrderFulfillment.objects.get(pk=order.pk).payment_status == "awaiting_payment"


def test_a_veto_refuses_with_its_message_and_changes_nothing(team):
    order = factories.paid_order()
    version = order.fulfillment.version
    with Plugin(forbidden=("release",)) as plugin:
        with pytest.raises(TransitionNotAllowed) as error:
            release.release_order(order=order, actor=team)
        assert plugin.asked == [(order.pk, (("shipping", "release"),))]
    assert [(r.code, r.message) for r in error.value.reasons] == [
        ("forbidden_by_plugin", "The plugin forbids to release.")
    ]
    assert OrderFulfillment.objects.get(pk=order.pk).version == version
    release.release_order(order=order, actor=team)


def test_a_veto_in_a_batch_stops_its_order_alone(team):
    mug = factories.product()
    orders = [factories.placed_order(lines=[(mug, 1)]) for _ in range(3)]
    unlucky = orders[1].pk

    def veto(sender, order, **kwargs):
        if order.pk == unlucky:
            plugin.forbidden = ("approve_payment",)

    with Plugin() as plugin:
        # Before the plugin's own receiver is asked again for the next order the first decides whom it stops.
        signals.validate_transition.disconnect(plugin.veto)
        signals.validate_transition.connect(veto)
        signals.validate_transition.connect(plugin.veto)
        try:
            steps = door.move_many([o.pk for o in orders], payments.APPROVE, actor=team, effect=payments.approve_effect)
        finally:
            signals.validate_transition.disconnect(veto)
    assert [[r.code for r in s.reasons] for s in steps][:2] == [[], ["forbidden_by_plugin"]]
    assert OrderFulfillment.objects.get(pk=orders[0].pk).payment_status == "paid"


def test_a_veto_that_breaks_lets_nothing_through(team):
    """Whoever asked to be asked is not passed over because of a mistake in the asking."""
    order = factories.placed_order()

    def broken(sender, **kwargs):
        raise RuntimeError("a mistake in the plugin")

    signals.validate_transition.connect(broken)
    try:
        with pytest.raises(RuntimeError):
            payments.approve_payment(order=order, actor=team)
    finally:
        signals.validate_transition.disconnect(broken)
    assert OrderFulfillment.objects.get(pk=order.pk).version == 1
    assert OutboundMessage.objects.filter(kind="FULFILLMENT_PAYMENT_APPROVED").count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_dead_message_is_announced_though_the_plugin_breaks():
    def reject(message):
        raise AdapterRejected("no such address")

    outbox.register_destination("nowhere", reject)
    try:
        outbox.enqueue([outbox.OutboxMessage("nowhere", "test", "1")])
        with Plugin(broken=True) as plugin:
            outbox.drain(destination="nowhere")
    finally:
        del outbox.PUMP.lanes["nowhere"]
    assert plugin.names == ["message_died"]
    assert OutboundMessage.objects.get(destination="nowhere").status == "dead"
