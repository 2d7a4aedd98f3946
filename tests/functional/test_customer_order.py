"""The order's pages as its customer sees them: in the account and behind a guest's signed link."""

import re

import pytest
from oscar.core.loading import get_model

from oscar_fulfillment.models import OrderFulfillment, Parcel, Shipment
from oscar_fulfillment.selectors.customer import order_journey, order_status
from oscar_fulfillment.services import (
    cancelling,
    holds,
    invoicing,
    notes,
    parcels,
    payments,
    release,
    shipping,
    tracking,
)
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key
from tests.integration.parcels import fake_carriers, on_the_way, told, two_boxes

pytestmark = pytest.mark.django_db

CODE = "AA123456785BR"
LINK = f"https://rastreamento.correios.com.br/app/index.php?objetos={CODE}"
HOSTILE = '<script>alert("x")</script>'


@pytest.fixture
def customer():
    return factories.staff_user(first_name="Ana")


def fresh(order):
    return get_model("order", "Order").objects.get(pk=order.pk)


def read(client, order, language="en"):
    """The page of the order, by whichever way its customer comes."""
    client.cookies["django_language"] = language
    if order.user_id:
        client.force_login(order.user)
        answer = client.get(f"/accounts/orders/{order.number}/")
    else:
        # Oscar asks guests for the address they ordered with, once per session.
        link = f"{order.number}/{order.verification_hash()}/"
        client.post(f"/accounts/order-status-form/{link}", {"email": order.guest_email})
        answer = client.get(f"/accounts/order-status/{link}")
    assert answer.status_code == 200
    return answer.content.decode()


def words(order):
    journey = order_journey(fresh(order))
    return str(journey.status_label), str(journey.payment_label)


def timeline(page):
    return re.findall(r'of-timeline__label">(.*?)<', page)


@pytest.mark.feature("D3")
@pytest.mark.parametrize("currency", ["BRL", "CHF"])
def test_the_statuses_are_in_the_customers_words(currency, team):
    paid = {"BRL": "Approved", "CHF": "Paid"}[currency]
    order = factories.placed_order(currency=currency)
    assert words(order) == ("Received", "Awaiting payment")
    payments.approve_payment(order=order, actor=team)
    assert words(order) == ("Received", paid)
    release.release_order(order=order, actor=team)
    assert words(order) == ("In process", paid)
    if currency == "BRL":
        invoicing.invoice_order(order=order, actor=team, kind="none")
        assert words(order) == ("In process", paid)
    shipping.dispatch_order(order=order, actor=team)
    assert words(order) == ("Sent", paid)
    shipping.deliver_order(order=order, actor=team)
    assert words(order) == ("Completed", paid)
    shipping.return_order(order=order, actor=team, reason="Broken")
    assert words(order) == ("Returned", paid)
    assert words(factories.cancelled_order(currency=currency)) == ("Cancelled", "Cancelled")


@pytest.mark.feature("D3")
@pytest.mark.parametrize("account", [True, False], ids=["account", "guest"])
def test_the_timeline_tells_what_happened_in_order(client, account, customer):
    order = factories.delivered_order(carrier="correios", tracking_code=CODE, user=customer if account else None)
    page = read(client, order)
    assert timeline(page) == [
        "Order received", "Payment received", "Order in process", "Invoice issued", "Sent", "Delivered",
    ]  # fmt: skip
    assert f'<a href="{LINK}" rel="noopener"' in page
    assert page.count('<ol class="of-timeline">') == 1
    assert page.index("Invoice issued") < page.index(CODE) < page.index("of-contents")


@pytest.mark.feature("D3")
def test_each_parcel_shows_its_code_and_contents(client, team):
    order = factories.invoiced_order(lines=[(factories.product("Cup", stock=9), 3)])
    line = order.lines.get()
    shipping.dispatch_order(order=order, actor=team, carrier="correios", tracking_code=CODE, quantities={line.pk: 1})
    page = read(client, order)
    assert "Sent in part" in page
    shipping.dispatch_order(order=order, actor=team, carrier="other", tracking_code="X-2")
    page = read(client, order)
    assert timeline(page)[-2:] == ["Sent", "Sent"]
    assert page.index(LINK) < page.index("X-2")
    assert "Other carrier" not in page
    assert "1 &times; Cup" in page
    assert "2 &times; Cup" in page


@pytest.mark.feature("Z6")
def test_several_parcels_of_one_shipment_each_say_where_they_are(client, team):
    with fake_carriers():
        order = two_boxes("FK1", "FK2", "FK3", lines=[(factories.product("Cup", stock=9), 3)])
        first, second, third = Parcel.objects.order_by("number")
        tracking.record_events(
            [
                (first.pk, [told("out_for_delivery", -30, text="Secret remark", place="Gate 7")]),
                (second.pk, [told("delivered", -60)]),
                (third.pk, [told("unknown", -60, code="X9-CODE", text="No idea")]),
            ]
        )
        page = read(client, order)
    for number, code in enumerate(("FK1", "FK2", "FK3"), 1):
        assert f"Parcel {number}" in page
        assert f"https://fake.example/follow/{code}" in page
    assert "Out for delivery: <time" in page
    assert page.count("3 &times; Cup") == 1  # told once: nobody counted what is in which box
    assert "<ul></ul>" not in page
    # The carrier's own words are for the shop, and so is what nobody understands.
    for inner in ("Secret remark", "Gate 7", "Unknown code", "No idea", "X9-CODE"):
        assert inner not in page


def test_what_a_carrier_only_mentions_is_not_told(client, team):
    with fake_carriers():
        order = on_the_way("FK1")
        tracking.record_events([(Parcel.objects.get().pk, [told("info", -30, text="Label printed")])])
        page = read(client, order)
    assert "Information" not in page
    assert "Label printed" not in page


def test_a_corrected_tracking_code_replaces_the_wrong_one(client, team):
    order = factories.dispatched_order(carrier="other", tracking_code="WRONG-1")
    parcels.change_tracking(
        order=order, actor=team, shipment=Shipment.objects.get().pk, carrier="correios", tracking_code=CODE
    )
    page = read(client, order)
    assert LINK in page
    assert "WRONG-1" not in page


@pytest.mark.feature("A9")
def test_the_fiscal_document_is_shown_while_it_stands(client, team):
    order = factories.released_order()
    key = make_key(number=77, series=3)
    invoicing.invoice_order(order=order, actor=team, access_key=key)
    page = read(client, order)
    assert key in page
    assert "Number: 77" in page
    invoicing.cancel_invoice(order=order, actor=team, reason="Wrong key")
    page = read(client, order)
    assert key not in page
    assert "Invoice issued" not in page
    assert "Wrong key" not in page
    invoicing.invoice_order(order=order, actor=team, kind="none")
    assert "Invoice issued" not in read(client, order)


@pytest.mark.feature("D3")
def test_nothing_internal_is_told(client, customer):
    order = factories.placed_order(user=customer)
    clerk = factories.Actor.from_user(factories.staff_user(first_name="Clerkname"))
    payments.approve_payment(order=order, actor=clerk, reason="Internal-reason")
    notes.add_note(order=order, actor=clerk, text="Internal-note")
    holds.place_hold(order=order, actor=clerk, code="fraud", note="Internal-hold")
    holds.release_hold(order=order, actor=clerk, hold=order.fulfillment.holds.get().pk, note="Internal-release")
    notes.add_note(order=order, actor=clerk, text="We pack it today", visible_to_customer=True)
    cancelling.cancel_order(order=order, actor=clerk, reason="Internal-cancel")
    OrderFulfillment.objects.update(problem="refund_due")
    page = read(client, order)
    assert "Internal-" not in page
    assert "Clerkname" not in page
    assert "Risk of fraud" not in page
    assert "refund_due" not in page
    assert "We pack it today" in page
    assert timeline(page) == ["Order received", "Payment received", "Message from the shop", "Order cancelled"]


def test_the_reason_of_a_cancelling_is_told_when_it_is_written_for_the_customer(client, order, team):
    cancelling.cancel_order(order=order, actor=team, reason="Sold out, sorry", tell_reason=True)
    assert "Sold out, sorry" in read(client, order)


def test_a_note_that_staff_removed_is_gone_from_the_timeline(client, order, team):
    notes.add_note(order=order, actor=team, text="Wrong order, sorry", visible_to_customer=True)
    assert "Wrong order" in read(client, order)
    order.notes.all().delete()
    page = read(client, order)
    assert "Wrong order" not in page
    assert "Message from the shop" not in page


@pytest.mark.feature("D3")
def test_how_to_pay_is_shown_while_the_payment_is_awaited(client, team):
    method = factories.manual_method(instructions=f"IBAN CH93 0076 {HOSTILE}\nhttps://bank.example/")
    order = factories.placed_order(method=method)
    page = read(client, order)
    assert "IBAN CH93 0076" in page
    assert HOSTILE not in page
    assert '<a href="https://bank.example/"' in page
    payments.approve_payment(order=order, actor=team)
    assert "IBAN" not in read(client, order)
    cancelled = factories.cancelled_order(method=method)
    assert "IBAN" not in read(client, cancelled)


def test_hostile_names_titles_and_notes_are_escaped(client, team):
    order = factories.placed_order(
        lines=[(factories.product(HOSTILE), 1)],
        shipping_address=factories.address(first_name=HOSTILE, notes=HOSTILE),
    )
    notes.add_note(order=order, actor=team, text=HOSTILE, visible_to_customer=True)
    page = read(client, order)
    assert HOSTILE not in page
    assert page.count("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;") >= 4


def test_a_link_that_is_none_is_not_shown(client):
    order = factories.dispatched_order(carrier="other", tracking_code="X-1")
    Parcel.objects.update(tracking_url="javascript:alert(1)")
    page = read(client, order)
    assert "javascript:alert" not in page
    assert "X-1" in page


def test_the_page_speaks_the_visitors_language(client):
    order = factories.placed_order()
    assert f"de {order.date_placed:%Y}" in read(client, order, "pt")
    assert "R$\xa020,00" in read(client, order, "pt")
    assert "R$20.00" in read(client, order, "en-gb")


def test_the_guests_link_is_signed_and_travels_nowhere(client, customer):
    order, other = factories.placed_order(), factories.placed_order()
    page = read(client, order)
    assert '<meta name="referrer" content="same-origin">' in page
    assert '<meta name="robots" content="noindex">' in page
    assert client.get(f"/accounts/order-status/{order.number}/{other.verification_hash()}/").status_code == 302
    mine = factories.placed_order(user=customer)
    assert client.get(f"/accounts/order-status/{mine.number}/{mine.verification_hash()}/").status_code == 302


def test_an_order_of_somebody_else_is_not_found(client, customer):
    order = factories.placed_order(user=customer)
    client.force_login(factories.staff_user())
    assert client.get(f"/accounts/orders/{order.number}/").status_code == 404


@pytest.mark.feature("D3")
def test_the_list_shows_both_statuses_without_a_query_per_order(client, customer, django_assert_max_num_queries):
    item = factories.product(stock=100)

    def buy():
        return factories.placed_order(user=customer, lines=[(item, 2)])

    first = buy()
    client.force_login(customer)
    client.get("/accounts/orders/")
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as one:
        client.get("/accounts/orders/")
    for _order in range(6):
        buy()
    payments.approve_payment(order=first, actor=factories.TEAM)
    with django_assert_max_num_queries(len(one)):
        page = client.get("/accounts/orders/").content.decode()
    assert page.count("Awaiting payment") == 6
    assert page.count("Approved") == 1
    assert page.count("2 items") == 7


def test_the_pages_work_for_orders_from_before(client, customer):
    order = factories.placed_order(user=customer)
    from django.db import connection

    with connection.cursor() as cursor:
        for table in ("statuschange", "orderfulfillment"):
            if connection.vendor == "postgresql":
                cursor.execute("SET session_replication_role = replica")
            cursor.execute(f"DELETE FROM oscar_fulfillment_{table}")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = DEFAULT")
    page = read(client, fresh(order))
    assert "of-timeline" not in page
    assert "Received" in page
    assert "Received" in client.get("/accounts/orders/").content.decode()


def test_reordering_still_works(client, customer):
    order = factories.placed_order(user=customer)
    page = read(client, order)
    line = order.lines.get()
    assert f'action="/accounts/orders/{order.number}/{line.pk}' in page
    answer = client.post(f"/accounts/orders/{order.number}/", {"order_id": order.pk, "action": "reorder"})
    assert answer.status_code == 302
    assert answer["Location"] == "/basket/"


@pytest.mark.feature("D3")
def test_a_journey_costs_few_queries(django_assert_max_num_queries, team):
    order = factories.delivered_order(carrier="correios", tracking_code=CODE)
    notes.add_note(order=order, actor=team, text="Hi", visible_to_customer=True)
    again = fresh(order)
    with django_assert_max_num_queries(9):
        journey = order_journey(again)
        assert order_journey(again) is journey
    waiting = fresh(factories.released_order())
    with django_assert_max_num_queries(6):
        assert order_journey(waiting).parcels == []
    with django_assert_max_num_queries(0):
        assert order_status(again).status == "completed"


@pytest.mark.parametrize("told", [True, False])
def test_the_clerk_says_whether_the_customer_reads_why_an_order_is_cancelled(client, told):
    order = factories.placed_order()
    client.force_login(factories.staff_user("*"))
    url = f"/dashboard/orders/{order.number}/step/cancel/"
    form = client.get(url).context["form"]
    typed = {name: form[name].value() for name in ("version", "key")} | {"reason": "Sold out", "notify": "no"}
    answer = client.post(url, typed | ({"tell_reason": "on"} if told else {}))
    assert answer.status_code in (204, 302), answer.content.decode()
    client.logout()
    assert ("Sold out" in read(client, order)) == told
