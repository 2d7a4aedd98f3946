"""The order list over HTTP: queues, filters, pages, who sees what."""

import re
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_fulfillment.models import OrderFulfillment, StatusChange
from oscar_fulfillment.selectors import queues
from oscar_fulfillment.services import holds
from oscar_fulfillment.test import factories
from tests.many import copies

pytestmark = pytest.mark.django_db

URL = "/dashboard/orders/"


@pytest.fixture
def staff(client):
    user = factories.staff_user("*")
    client.force_login(user)
    return client


def numbers(response):
    return re.findall(r'<th scope="row"><a href="[^"]+">([^<]+)</a>', response.content.decode())


def tab_counts(response):
    return {tab["name"]: tab["count"] for tab in response.context["tabs"]}


@pytest.mark.feature("A1")
def test_the_list_shows_every_order_with_its_two_statuses(staff):
    first = factories.placed_order()
    second = factories.released_order(currency="CHF")
    response = staff.get(URL)
    assert response.status_code == 200
    assert numbers(response) == [second.number, first.number]
    html = response.content.decode()
    assert re.search(r"ff-tone-warning\">Awaiting payment<", html)
    assert re.search(r"ff-tone-success\">Paid<", html)
    assert "In process" in html
    assert "R$20.00" in html
    assert "CHF" in html
    assert "<caption>All: 2 orders</caption>" in html


@pytest.mark.feature("A1")
def test_queues_hold_what_waits_for_their_step(staff, team):
    new = factories.placed_order()
    card = factories.placed_order(method=factories.gateway_method())
    paid = factories.paid_order()
    held = factories.paid_order()
    holds.place_hold(order=held, actor=team, code="address")
    brazil = factories.released_order()
    swiss = factories.released_order(currency="CHF")
    invoiced = factories.invoiced_order()
    sent = factories.dispatched_order()
    arrived = factories.delivered_order()
    broken = factories.cancelled_order()
    OrderFulfillment.objects.filter(pk=broken.pk).update(problem="refund_due")
    expected = {
        "new": [held, paid, card, new],
        "awaiting-payment": [card, new],
        "to-approve": [new],
        "on-hold": [held],
        "to-release": [paid],
        "to-invoice": [brazil],
        "to-dispatch": [invoiced, swiss],
        "in-transit": [sent],
        "delivered": [arrived],
        "problems": [broken],
    }
    for queue, orders in expected.items():
        response = staff.get(URL, {"queue": queue})
        assert numbers(response) == [order.number for order in orders], queue
        assert tab_counts(response)[queue] == str(len(orders))
        assert 'aria-current="page"' in response.content.decode()


@pytest.mark.feature("D2")
def test_new_orders_are_seen_whether_or_not_their_mail_arrived(staff):
    order = factories.placed_order()
    order.outbound_messages.all().delete()
    assert numbers(staff.get(URL, {"queue": "new"})) == [order.number]


def test_an_empty_queue_says_what_would_be_there(staff):
    response = staff.get(URL, {"queue": "to-release"})
    assert "Nothing to release. Paid orders without a hold wait here." in response.content.decode()


def test_a_step_of_the_shops_own_flow_has_its_queue_and_filter(staff):
    order = factories.released_order(currency="CHF", fulfillment={"flow": "PLUGIN"})
    assert numbers(staff.get(URL, {"queue": "step-pack"})) == [order.number]
    assert numbers(staff.get(URL, {"queue": "to-dispatch"})) == []
    OrderFulfillment.objects.filter(pk=order.pk).update(shipping_status="packed")
    assert numbers(staff.get(URL, {"queue": "to-dispatch"})) == [order.number]
    assert numbers(staff.get(URL, {"shipping": "packed"})) == [order.number]


@pytest.mark.feature("A1")
def test_filters_combine_and_show_as_chips_that_can_be_removed(staff):
    card = factories.gateway_method()
    factories.paid_order()
    wanted = factories.paid_order(method=card, currency="CHF")
    other = factories.placed_order(method=card, currency="CHF")
    query = {"payment": ["paid", "authorized"], "method": "card", "currency": "chf", "date_from": "2020-01-01"}
    response = staff.get(URL, query)
    assert numbers(response) == [wanted.number]
    chips = {chip["label"]: chip["without"] for chip in response.context["chips"]}
    assert list(chips) == [
        "Payment status: Approved / Paid", "Payment status: Authorized", "Payment method: Card",
        "Currency: CHF", "Placed after 2020-01-01",
    ]  # fmt: skip
    rest = chips["Payment status: Authorized"]
    assert "payment=paid" in rest
    assert "authorized" not in rest
    assert numbers(staff.get(f"{URL}?method=card&flow=STANDARD")) == [other.number, wanted.number]
    assert numbers(staff.get(f"{URL}?flow=BRAZIL&payment=paid&shipping=received&hold=0")) != []
    assert numbers(staff.get(f"{URL}?flow=BRAZIL&payment=paid&shipping=received&hold=1")) == []
    assert numbers(staff.get(f"{URL}?backorder=1")) == []


def test_dates_mean_days_of_the_shops_time_zone(staff):
    order = factories.placed_order()
    # 23:30 on the 5th in São Paulo is the 6th in UTC.
    late = datetime(2026, 3, 6, 2, 30, tzinfo=UTC)
    OrderFulfillment.objects.filter(pk=order.pk).update(placed_at=late)
    assert numbers(staff.get(URL, {"date_from": "2026-03-05", "date_to": "2026-03-05"})) == [order.number]
    assert numbers(staff.get(URL, {"date_from": "2026-03-06"})) == []


@pytest.mark.parametrize("sort", ["", "oldest"])
@pytest.mark.parametrize("query", ["", "queue=new", "payment=awaiting_payment&payment=paid&method=deposit", "q=ana"])
def test_pages_go_through_the_whole_list_and_back(staff, settings, query, sort):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "PAGE_SIZE": 7}
    made = copies(factories.placed_order(), 19)
    # Three at the very same moment.
    OrderFulfillment.objects.filter(pk__in=[o.pk for o in made[5:8]]).update(placed_at=made[5].date_placed)
    expected = list(
        OrderFulfillment.objects.order_by(*(["placed_at", "pk"] if sort else ["-placed_at", "-pk"])).values_list(
            "number", flat=True
        )
    )
    response = staff.get(f"{URL}?{query}&sort={sort}")
    forward, last = [numbers(response)], response.context["last_url"]
    assert response.context["previous_url"] == ""
    while response.context["next_url"]:
        response = staff.get(URL + response.context["next_url"])
        forward.append(numbers(response))
    assert [number for page in forward for number in page] == expected
    assert [len(page) for page in forward] == [7, 7, 6]
    back = []
    while response.context["previous_url"]:
        response = staff.get(URL + response.context["previous_url"])
        back = numbers(response) + back
        assert response.context["next_url"]
    assert back == expected[:14]
    response = staff.get(URL + last)
    assert numbers(response) == expected[-7:]
    assert numbers(staff.get(URL + response.context["first_url"])) == expected[:7]


def test_a_page_keeps_its_place_when_orders_come_in(staff, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "PAGE_SIZE": 5}
    copies(factories.placed_order(), 12)
    second = staff.get(URL).context["next_url"]
    before = numbers(staff.get(URL + second))
    factories.placed_order()
    assert numbers(staff.get(URL + second)) == before


def test_counts_stop_at_the_cap(staff, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "CAPPED_COUNT": 10}
    copies(factories.placed_order(), 12)
    response = staff.get(URL)
    assert tab_counts(response)["all"] == "10+"
    assert "More than 10 orders" in response.content.decode()


def test_a_queue_beyond_the_cap_is_counted_again_after_a_while(staff, settings, monkeypatch):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "CAPPED_COUNT": 10}
    now = 1000.0
    monkeypatch.setattr(queues, "monotonic", lambda: now)
    copies(factories.placed_order(), 12)
    assert tab_counts(staff.get(URL))["new"] == "10+"
    few = OrderFulfillment.objects.filter(number__gte="C00005").values_list("pk", flat=True)
    OrderFulfillment.objects.filter(pk__in=list(few)).update(shipping_status="cancelled", payment_status="cancelled")
    with CaptureQueriesContext(connection) as queries:
        counts = tab_counts(staff.get(URL))
    assert (counts["new"], counts["all"]) == ("10+", "10+")
    assert len([q for q in queries if "COUNT(*) AS orders" in q["sql"]]) == 1
    now += queues.STILL_MORE + 1
    counts = tab_counts(staff.get(URL))
    assert counts["all"] == "10+"
    assert int(counts["new"]) <= 6


def test_rows_escape_what_customers_typed(staff):
    factories.placed_order(
        number="<b>&1", shipping_address=factories.address(first_name="<i>", last_name="\"x'&"), email="a&b@x.org"
    )
    html = staff.get(URL).content.decode()
    assert "&lt;b&gt;&amp;1</a>" in html
    assert "&lt;i&gt; &quot;x&#x27;&amp;<small>a&amp;b@x.org</small>" in html
    assert "<b>" not in html.split("<tbody>")[1].split("</tbody>")[0]


def test_rows_escape_odd_separators(staff):
    factories.placed_order(shipping_address=factories.address(first_name="<i>\x1f", last_name="&"))
    assert "<td>&lt;i&gt;\x1f &amp;<small>" in staff.get(URL).content.decode()


@pytest.mark.parametrize("key", ["payment", "shipping", "date_from", "name"])
def test_the_kept_filter_form_shows_what_was_asked_for(staff, key):
    value = {"payment": "paid", "shipping": "received", "date_from": "2026-01-02", "name": "Zoë"}[key]
    plain = staff.get(URL).content.decode()
    asked = staff.get(URL, {key: value}).content.decode()
    again = staff.get(URL).content.decode()
    shown = {"date_from": 'value="2026-01-02"', "name": 'name="name" value="Zoë"'}.get(key, f'value="{value}" checked')
    assert shown in asked
    assert shown not in plain
    assert shown not in again


@pytest.mark.parametrize(
    "path",
    ["", "?queue=to-dispatch", "?payment=paid&payment=awaiting_payment&shipping=received", "?q=ana&queue=new",
     "?method=deposit", "?last=1"],
)  # fmt: skip
def test_the_page_reads_eight_times_at_most_whatever_the_rows(client, path):
    user = factories.staff_user("*")
    client.force_login(user)
    order = factories.placed_order()
    counts = []
    for more in (0, 60):
        if more:
            copies(order, more)
        client.get(URL + path)
        with CaptureQueriesContext(connection) as queries:
            response = client.get(URL + path)
        assert response.status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1], "\n".join(q["sql"][:150] for q in queries)
    assert counts[1] <= 8, "\n".join(q["sql"][:150] for q in queries)


@pytest.mark.parametrize(
    "query",
    [
        "queue=nonsense", "payment=gold", "shipping=lost", "method=shells", "flow=MOON", "hold=7", "sort=random",
        "currency=%27--", "date_from=yesterday", "date_from=0001-01-01", "date_to=9999-12-31",
        "date_from=2026-02-01&date_to=2026-01-01", "after=abc", "after=-99999999999999999-1", "before=1-",
        "after=1-1&before=2-2", "q=%00", "q=" + "x" * 300, "payment_method=shells", "last=2",
    ],
)  # fmt: skip
def test_an_address_that_means_nothing_is_refused_in_words(staff, order, query):
    response = staff.get(f"{URL}?{query}")
    assert response.status_code == 400
    html = response.content.decode()
    assert 'class="alert alert-danger" role="alert"' in html
    assert numbers(response) == []


def test_who_may_not_see_orders_is_refused(client, order):
    assert client.get(URL).status_code == 302
    user = factories.staff_user("release_order")
    client.force_login(user)
    assert client.get(URL).status_code == 403
    for name in ("order-export", "order-views", "order-bulk-jobs"):
        assert client.get(reverse(f"dashboard:{name}")).status_code == 403, name


def partner_user(client, partner_name):
    from django.contrib.auth.models import Permission

    user = factories.staff_user()
    user.is_staff = False
    user.save()
    user.user_permissions.add(
        Permission.objects.get(codename="dashboard_access", content_type__app_label="partner"),
        *Permission.objects.filter(content_type__app_label="oscar_fulfillment"),
    )
    get_model("partner", "Partner").objects.get(name=partner_name).users.add(user)
    client.force_login(user)
    return user


@pytest.mark.feature("A1")
def test_a_partners_people_see_orders_with_a_line_of_theirs_only(client):
    own = factories.placed_order(lines=[(factories.product(partner="North"), 1)])
    shared = factories.placed_order(
        lines=[(factories.product(partner="North"), 1), (factories.product(partner="South"), 1)]
    )
    foreign = factories.placed_order(lines=[(factories.product(partner="South"), 1)])
    partner_user(client, "North")
    response = client.get(URL)
    assert numbers(response) == [shared.number, own.number]
    assert tab_counts(response)["new"] == "2"
    assert numbers(client.get(URL, {"q": foreign.number})) == []
    history = StatusChange.objects.count()
    response = client.post(URL, {"action": "release", "selected_order": [own.pk, foreign.pk], "key": "k"})
    assert response.status_code == 404
    assert "not yours to see" in response.content.decode()
    assert StatusChange.objects.count() == history


# Oscar's own list


@pytest.mark.parametrize(
    ("params", "chip"),
    [
        ({"order_number": "abcd1234"}, 'Order number starts with "abcd1234"'),
        ({"name": "Bob Smith"}, 'Customer name matches "Bob Smith"'),
        ({"product_title": "The Art of War"}, 'Product name matches "The Art of War"'),
        ({"upc": "abcd1234"}, 'Includes an item with UPC "abcd1234"'),
        ({"partner_sku": "abcd1234"}, 'Includes an item with partner SKU "abcd1234"'),
        ({"date_from": "2015-01-01"}, "Placed after 2015-01-01"),
        ({"date_to": "2015-01-01"}, "Placed before 2015-01-02"),
        ({"date_from": "2014-01-02", "date_to": "2015-03-04"}, "Placed between 2014-01-02 and 2015-03-04"),
        ({"voucher": "abcd1234"}, 'Used voucher code "abcd1234"'),
        ({"payment_method": "visa"}, "Paid using Visa"),
        ({"status": "Received"}, "Order status is Received"),
    ],
)
def test_oscars_filters_work_and_read_as_in_oscar(staff, params, chip):
    get_model("payment", "SourceType").objects.create(name="Visa", code="visa")
    response = staff.get(URL, {"order_number": "", **params})
    assert response.status_code == 200
    assert [c["label"] for c in response.context["chips"]] == [chip]


def test_oscars_filters_find(staff):
    item = factories.product(title="Teapot", sku="TEA-1")
    order = factories.placed_order(lines=[(item, 1)])
    factories.placed_order()
    assert numbers(staff.get(URL, {"product_title": "teap"})) == [order.number]
    assert numbers(staff.get(URL, {"upc": item.upc})) == [order.number]
    assert numbers(staff.get(URL, {"partner_sku": "TEA-1"})) == [order.number]
    assert len(numbers(staff.get(URL, {"status": "Received"}))) == 2


def test_an_exact_order_number_opens_the_order_as_in_oscar(staff, order):
    for key in ("order_number", "q"):
        response = staff.get(URL, {key: order.number})
        assert response.status_code == 302
        assert response.url == reverse("dashboard:order-detail", kwargs={"number": order.number})
