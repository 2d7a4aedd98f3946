"""The dashboard's front page shows the work that waits, whatever became of the mails."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model

from oscar_fulfillment.models import OutboundMessage
from oscar_fulfillment.test import factories

pytestmark = pytest.mark.django_db


def queues(client, user):
    client.force_login(user)
    page = client.get("/dashboard/").content.decode()
    return dict(re.findall(r'\?queue=([\w-]+)"[^>]*><strong>([\d,+]+)</strong>', page))


@pytest.mark.feature("D2")
def test_new_orders_are_seen_though_their_mails_were_lost(client):
    factories.placed_order()
    factories.placed_order(method=factories.gateway_method())
    factories.invoiced_order()
    OutboundMessage.objects.all().delete()
    found = queues(client, factories.staff_user("*"))
    assert {name: found[name] for name in ("new", "awaiting-payment", "to-approve", "to-dispatch", "problems")} == {
        "new": "2", "awaiting-payment": "2", "to-approve": "1", "to-dispatch": "1", "problems": "0",
    }  # fmt: skip
    assert client.get("/dashboard/orders/?queue=new").status_code == 200


def test_a_partners_people_count_their_own_orders(client):
    mine = factories.placed_order(lines=[(factories.product(partner="Potter"), 1)])
    factories.placed_order()
    user = factories.staff_user()
    user.is_staff = False
    user.save()
    user.user_permissions.add(get_model("auth", "Permission").objects.get(codename="dashboard_access"))
    mine.lines.get().partner.users.add(user)
    assert queues(client, user)["new"] == "1"


def test_the_panel_costs_the_same_for_any_number_of_orders(client):
    staff = factories.staff_user("*")
    item = factories.product(stock=100)
    factories.placed_order(lines=[(item, 1)])
    queues(client, staff)
    with CaptureQueriesContext(connection) as one:
        queues(client, staff)
    for _number in range(5):
        factories.placed_order(lines=[(item, 1)])
    with CaptureQueriesContext(connection) as many:
        assert queues(client, staff)["new"] == "6"
    assert len(many) == len(one)
