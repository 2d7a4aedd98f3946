"""The clocks of the order list: how long money is held, when an unpaid order is cancelled by itself."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oscar_fulfillment.models import PaymentTerms, ProviderPayment
from oscar_fulfillment.services import cancelling, payments
from oscar_fulfillment.test import factories

from ..integration.payments import held, hold_method

pytestmark = pytest.mark.django_db
URL = "/dashboard/orders/"


@pytest.fixture
def staff(client):
    client.force_login(factories.staff_user("*"))
    return client


def clocks(response):
    """(is red, what it says) of each row, top down; None for a row without a clock."""
    found = []
    for row in response.content.decode().split("<tbody>")[1].split("</tr>")[:-1]:
        clock = re.search(
            r'<span class="ff-clock( ff-clock--soon)?" title="([^"]+)">.*?<time [^>]+>([^<]+)</time>', row
        )
        found.append((bool(clock[1]), clock[3], re.sub(r" [0-9/]+ .*", "", clock[2])) if clock else None)
    return found


def in_time(**time):
    return timezone.now() + timedelta(minutes=1, **time)


@pytest.mark.feature("E5")
def test_a_held_order_counts_down(staff):
    held()
    ProviderPayment.objects.update(hold_expires_at=in_time(days=5, hours=3))
    assert clocks(staff.get(URL)) == [(False, "5 days 3 hours", "held until")]
    ProviderPayment.objects.update(hold_expires_at=in_time(hours=40))
    assert clocks(staff.get(URL))[0][:2] == (True, "1 day 16 hours")
    ProviderPayment.objects.update(hold_expires_at=timezone.now())
    assert clocks(staff.get(URL))[0][:2] == (True, "over")


def test_the_methods_warning_counts(staff):
    held(method=hold_method("short", hold_warning_hours=2))
    ProviderPayment.objects.update(hold_expires_at=in_time(hours=40))
    assert clocks(staff.get(URL))[0][0] is False


@pytest.mark.feature("E8")
def test_an_unpaid_order_counts_down_to_its_cancellation(staff):
    method = factories.manual_method("invoice", reservation_days=3)
    order = factories.placed_order(method=method)
    PaymentTerms.objects.update(cancel_at=in_time(days=2))
    assert clocks(staff.get(URL)) == [(False, "2 days", "cancelled by itself on")]
    payments.approve_payment(order=order, actor=factories.TEAM)
    assert clocks(staff.get(URL)) == [None]
    other = factories.placed_order(method=method)
    cancelling.cancel_order(order=other, actor=factories.TEAM, reason="x")
    factories.placed_order()
    assert clocks(staff.get(URL)) == [None, None, None]


def test_the_clocks_cost_one_statement_at_most(staff):
    method = factories.manual_method("invoice", reservation_days=3)
    counts = []
    for make in (lambda: factories.placed_order(method=method), held, held):
        make()
        ProviderPayment.objects.update(external_id="")  # the provider in memory counts from one again
        staff.get(URL)
        with CaptureQueriesContext(connection) as queries:
            response = staff.get(URL)
        counts.append(len(queries))
    assert counts == [counts[0], counts[0] + 1, counts[0] + 1]
    assert len([clock for clock in clocks(response) if clock]) == 3
