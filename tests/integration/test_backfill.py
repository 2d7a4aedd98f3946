"""Orders of the time before the app get their rows, in batches that can be interrupted."""

import io

import pytest
from django.core.management import CommandError, call_command

from oscar_fulfillment.core import history
from oscar_fulfillment.models import OrderFulfillment, OutboundMessage, Shipment, StatusChange
from oscar_fulfillment.services import backfill, shipping
from oscar_fulfillment.test import factories

pytestmark = pytest.mark.django_db


def old_order(status, currency="CHF", **options):
    """An order as a stock Oscar store leaves it."""
    order = factories.placed_order(currency=currency, **options)
    type(order).objects.filter(pk=order.pk).update(status=status)
    OrderFulfillment.objects.filter(pk=order.pk).delete()
    OutboundMessage.objects.all().delete()
    return type(order).objects.get(pk=order.pk)


def run(*arguments):
    out = io.StringIO()
    call_command("fulfillment_backfill", *arguments, stdout=out)
    return out.getvalue()


def test_each_status_becomes_its_pair_and_nothing_is_mailed():
    orders = {status: old_order(status) for status in ("Received", "In process", "Sent", "Completed", "Cancelled")}
    run("--batch", "2")
    found = {
        status: (row.payment_status, row.shipping_status)
        for status, order in orders.items()
        for row in OrderFulfillment.objects.filter(pk=order.pk)
    }
    assert found == {
        "Received": ("awaiting_payment", "received"),
        "In process": ("paid", "released"),
        "Sent": ("paid", "dispatched"),
        "Completed": ("paid", "delivered"),
        "Cancelled": ("cancelled", "cancelled"),
    }
    assert not OutboundMessage.objects.exists()
    assert list(history.verify(OrderFulfillment, StatusChange)) == []
    shipping.deliver_order(order=orders["Sent"], actor=factories.TEAM)
    assert orders["Sent"].fulfillment.shipping_status == "delivered"


def test_an_interrupted_run_goes_on_where_it_was():
    for _n in range(5):
        old_order("Received")
    steps = backfill.backfill(backfill.default_mapping(), batch=2)
    assert next(steps) == 2
    steps.close()
    assert OrderFulfillment.objects.count() == 2
    assert "3/3" in run("--batch", "2")
    assert OrderFulfillment.objects.count() == 5
    assert "0" in run()


def test_money_in_the_ledger_counts():
    from oscar.core.loading import get_model

    order = old_order("Received")
    kind = get_model("payment", "SourceType").objects.create(name="Card")
    order.sources.create(source_type=kind, amount_allocated=order.total_incl_tax, amount_debited=order.total_incl_tax)
    run()
    assert OrderFulfillment.objects.get(pk=order.pk).payment_status == "paid"


def test_an_unknown_status_stops_before_anything_is_written():
    old_order("Shipped")
    old_order("Received")
    with pytest.raises(CommandError, match="Shipped"):
        run()
    assert not OrderFulfillment.objects.exists()
    run("--map", "Shipped=paid/dispatched")
    assert Shipment.objects.get().status == "dispatched"


@pytest.mark.parametrize("given", ["Shipped", "Shipped=paid", "Shipped=/dispatched", "Shipped=paid/nowhere"])
def test_a_wrong_map_is_refused(given):
    old_order("Shipped")
    with pytest.raises(CommandError):
        run("--map", given)
    assert not OrderFulfillment.objects.exists()


def test_a_dry_run_only_counts():
    old_order("Received")
    assert "1" in run("--dry-run")
    assert not OrderFulfillment.objects.exists()


def test_the_number_of_statements_does_not_grow_with_the_batch(django_assert_max_num_queries):
    for _n in range(12):
        old_order("Sent")
    with django_assert_max_num_queries(20):
        run("--batch", "100")
    assert OrderFulfillment.objects.count() == 12


@pytest.mark.feature("Z4")
def test_the_history_command_says_whether_all_is_whole():
    factories.paid_order()
    out = io.StringIO()
    call_command("fulfillment_verify_history", stdout=out)
    assert "whole" in out.getvalue()
    OrderFulfillment.objects.update(history_hash="0" * 64)
    with pytest.raises(CommandError):
        call_command("fulfillment_verify_history", stderr=io.StringIO())
