"""Orders as CSV."""

import csv
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_fulfillment.services import export, invoicing
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key
from tests.many import copies

from .test_order_list import URL, partner_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    client.force_login(factories.staff_user("*"))
    return client


def table(response):
    assert response.status_code == 200
    assert response.streaming
    assert response["Content-Type"].startswith("text/csv")
    assert "attachment" in response["Content-Disposition"]
    text = b"".join(response.streaming_content).decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:])))


@pytest.mark.feature("D17")
def test_the_file_holds_what_the_filters_find(staff, team):
    order = factories.released_order()
    key = make_key(number=12, series=3)
    invoicing.invoice_order(order=order, actor=team, access_key=key)
    from oscar_fulfillment.services import shipping

    shipping.dispatch_order(order=order, actor=team, carrier="correios", tracking_code="AA123456785BR")
    factories.placed_order()
    rows = table(staff.get(f"{URL}list/export/?queue=in-transit"))
    assert len(rows) == 1
    row = rows[0]
    assert row["Order number"] == order.number
    assert row["Payment status"] == "Approved"
    assert row["Shipping status"] == "Sent"
    assert (row["Total"], row["Currency"], row["Items"]) == ("20.00", "BRL", "2")
    assert (row["Tracking codes"], row["Invoice numbers"]) == ("AA123456785BR", "12/3")
    assert (row["Customer"], row["E-mail"]) == ("Ana Souza", "ana@example.com")
    assert len(table(staff.get(f"{URL}list/export/"))) == 2
    assert len(table(staff.get(URL, {"response_format": "csv", "order_number": ""}))) == 2


def test_only_the_chosen_orders(staff):
    first, second = factories.placed_order(), factories.placed_order()
    response = staff.post(URL, {"action": "download_selected_orders", "selected_order": [first.pk]})
    assert [row["Order number"] for row in table(response)] == [first.number]
    response = staff.post(URL, {"action": "download_selected_orders", "select_across": "1"})
    assert [row["Order number"] for row in table(response)] == [second.number, first.number]
    assert staff.post(URL, {"action": "download_selected_orders"}).status_code == 400


@pytest.mark.parametrize("name", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx"])
def test_no_cell_is_a_formula(name):
    assert export.safe_cell(name) == f"'{name}"
    assert export.safe_cell("Ana") == "Ana"


def test_a_hostile_name_reaches_the_file_as_text(staff):
    factories.placed_order(shipping_address=factories.address(first_name='=HYPERLINK("http://x")', last_name="Doe"))
    assert table(staff.get(f"{URL}list/export/"))[0]["Customer"] == '\'=HYPERLINK("http://x") Doe'


def test_statements_grow_with_the_chunks_not_with_the_orders(staff):
    made = copies(factories.placed_order(), 25)
    from oscar_fulfillment.selectors.orders import fulfillments_for_user

    base = [fulfillments_for_user(factories.staff_user())]
    with CaptureQueriesContext(connection) as queries:
        lines = "".join(export.stream_orders(base, language="en", chunk=10))
    assert lines.count("\n") == len(made) + 2
    assert len(queries) == 3 * 4


def test_the_file_speaks_the_readers_language(staff):
    factories.placed_order()
    response = staff.get(f"{URL}list/export/", headers={"accept-language": "en"})
    assert table(response)[0]["Shipping status"] == "Received"


def test_exporting_needs_its_permission(client, order):
    client.force_login(factories.staff_user("view_order"))
    assert client.get(f"{URL}list/export/").status_code == 403
    assert client.get(URL, {"response_format": "csv"}).status_code == 403
    posted = {"action": "download_selected_orders", "selected_order": order.pk}
    assert client.post(URL, posted).status_code == 403
    assert "Download as CSV" not in client.get(URL).content.decode().split("ff-filters")[0]


def test_bad_filters_are_refused(staff):
    response = staff.get(f"{URL}list/export/?payment=gold")
    assert response.status_code == 400
    assert "Payment status" in response.content.decode()


def test_partners_get_their_own_orders_only(client):
    own = factories.placed_order(lines=[(factories.product(partner="North"), 1)])
    foreign = factories.placed_order(lines=[(factories.product(partner="South"), 1)])
    partner_user(client, "North")
    assert [row["Order number"] for row in table(client.get(f"{URL}list/export/"))] == [own.number]
    posted = {"action": "download_selected_orders", "selected_order": [own.pk, foreign.pk]}
    assert client.post(URL, posted).status_code == 404
