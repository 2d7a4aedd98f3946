"""The pages of missing goods over HTTP: what is listed, ordered, received, released; who may; bad input."""

import csv
import io
import re
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from oscar_fulfillment.core import outbox
from oscar_fulfillment.models import (
    BulkJob,
    GoodsReceipt,
    OrderFulfillment,
    OutboundMessage,
    Shipment,
    SupplierOrder,
)
from oscar_fulfillment.orders_dashboard.supply_urls import supply_urls
from oscar_fulfillment.services import holds, supply
from oscar_fulfillment.test import factories
from tests.integration.supply import TEAM, buy, needs, paid, receive, record_of, set_stock, waiting

from .test_order_list import partner_user

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D9", "Z6")]

MISSING = "/dashboard/orders/supply/missing/"
RELEASABLE = "/dashboard/orders/supply/releasable/"
SUPPLIES = "/dashboard/orders/supply/orders/"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def rita():
    return factories.staff_user("*", first_name="Rita", last_name="Lima")


@pytest.fixture
def staff(client, rita):
    client.force_login(rita)
    return client


@pytest.fixture
def mug():
    return factories.product("Mug", sku="MUG", partner="Potter")


def text(response):
    return re.sub(r"\s+", " ", response.content.decode())


def messages(response):
    return [str(message) for message in response.context["messages"]]


def order_url(product):
    return f"{MISSING}{record_of(product).partner.pk}/"


def filled(client, url, **typed):
    """What a browser would send: the form's present values, with what was typed."""
    form = client.get(url).context["form"]
    data = {}
    for field in form:
        value = field.value()
        if value is not None and value is not False:
            data[field.html_name] = "on" if value is True else value
    return {name: value for name, value in {**data, **typed}.items() if value is not None}


def skus(response):
    return [row[1] for row in csv.reader(io.StringIO(response.content.decode("utf-8-sig")))]


def field_of(product):
    return f"line_{record_of(product).pk}"


# ---- Who may ----


def test_only_staff_with_the_permission_see_the_pages(mug):
    waiting(mug, 3)
    buy(mug, 1)
    partner = partner_user(Client(), "Potter")
    ordering, releasing = factories.staff_user("order_missing_goods"), factories.staff_user("release_order")
    without = factories.staff_user("view_order", "dispatch_order")
    shared = {"order-missing", "order-missing-csv", "order-releasable"}
    numbers = {"supplier": record_of(mug).partner.pk, "pk": SupplierOrder.objects.get().pk}
    for pattern in supply_urls():
        kwargs = {name: numbers[name] for name in pattern.pattern.converters}
        url = reverse(f"dashboard:{pattern.name}", kwargs=kwargs)
        for user, may in ((ordering, True), (releasing, pattern.name in shared), (without, False), (partner, False)):
            client = Client()
            client.force_login(user)
            status = client.get(url).status_code
            assert status in ((200, 405) if may else (302, 403)), (url, user, status)
            if not may:
                assert client.post(url).status_code in (302, 403), url
        assert Client().get(url).status_code == 302, url
    client = Client()
    client.force_login(ordering)
    assert client.post(RELEASABLE, {"state": "full", "key": "k"}).status_code == 403
    assert not BulkJob.objects.exists()


def test_the_navigation_leads_there_for_those_who_may(staff):
    assert MISSING in text(staff.get("/dashboard/orders/"))
    other = Client()
    other.force_login(factories.staff_user("view_orderfulfillment", "view_order"))
    assert MISSING not in text(other.get("/dashboard/orders/"))


# ---- To order ----


def test_what_is_missing_is_listed_by_supplier(staff, mug):
    order = waiting(mug, 5, has=2)
    page = text(staff.get(MISSING))
    assert "Potter" in page
    assert f'href="/dashboard/orders/{order.number}/"' in page
    assert order_url(mug) in page
    (group,) = staff.get(MISSING).context["needs"]
    assert [one.missing for one in group["shown"]] == [3]
    buy(mug, 3)
    assert "All on order" in text(staff.get(MISSING))


def test_empty_pages_say_what_will_be_there(staff, mug):
    assert "Nothing is missing" in text(staff.get(MISSING))
    assert "Nothing is on order" in text(staff.get(SUPPLIES))
    assert "No order is closed yet" in text(staff.get(f"{SUPPLIES}?state=closed"))
    assert "No waiting order can be released now" in text(staff.get(RELEASABLE))
    assert "Nothing is missing of Potter" in text(staff.get(order_url(mug)))


def test_a_supplier_with_many_products_is_cut_on_the_overview_and_whole_in_the_file(staff):
    for number in range(23):
        one = factories.product(f"Cup {number}", sku=f"CUP-{number}", partner="Potter")
        paid((one, 1))
        set_stock(one, 0)
    page = text(staff.get(MISSING))
    assert "3 more products are in the form and in the file." in page
    rows = staff.get(f"{MISSING}export/").content.decode().splitlines()
    assert len(rows) == 24
    assert len(staff.get(order_url(one)).context["rows"]) == 23


def test_the_file_of_one_supplier_and_of_all(staff, mug):
    plate = factories.product("Plate", sku="=PLATE", partner="Other")
    waiting(mug, 5)
    waiting(plate, 2)
    response = staff.get(f"{MISSING}export/")
    assert response.headers["Content-Disposition"].startswith('attachment; filename="missing-')
    assert response.content.startswith(b"\xef\xbb\xbf")
    assert skus(response) == ["SKU", "'=PLATE", "MUG"]
    partner = record_of(mug).partner
    response = staff.get(f"{MISSING}export/?supplier={partner.pk}")
    assert f"missing-{partner.code}-" in response.headers["Content-Disposition"]
    assert skus(response) == ["SKU", "MUG"]
    for wrong in ("999999", "x", "-1", "9" * 40):
        assert staff.get(f"{MISSING}export/?supplier={wrong}").status_code == 404


def test_ordering_mails_the_supplier_and_shows_the_order(staff, rita, mug, settings):
    code = record_of(mug).partner.code
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "SUPPLIER_EMAILS": {code: "potter@example.com"}}
    waiting(mug, 5, has=1)
    data = filled(staff, order_url(mug))
    assert (data[field_of(mug)], data["email"], data["send_mail"]) == (4, "potter@example.com", "on")
    day = timezone.localdate() + timedelta(days=4)
    response = staff.post(
        order_url(mug), {**data, field_of(mug): "6", "note": "Blue", "expected_on": day.isoformat()}, follow=True
    )
    order = SupplierOrder.objects.get()
    assert messages(response) == [f"Order {order.number} is noted, and its mail to potter@example.com is on its way."]
    assert (order.lines.get().quantity, order.expected_on, order.ordered_by) == (6, day, rita)
    assert "Waits to be sent" in text(response)
    outbox.drain()
    assert mail.outbox[-1].to == ["potter@example.com"]
    page = text(staff.get(f"{SUPPLIES}{order.pk}/"))
    assert re.search(r"potter@example.com <span[^>]*success[^>]*>Sent</span>", page)
    assert order.number in text(staff.get(SUPPLIES))


def test_an_order_without_a_mail_needs_no_address(staff, mug):
    waiting(mug, 5)
    data = filled(staff, order_url(mug))
    assert "send_mail" not in data  # there is no address to offer
    response = staff.post(order_url(mug), data, follow=True)
    assert messages(response) == [f"Order {SupplierOrder.objects.get().number} is noted. No mail was asked for."]
    assert not OutboundMessage.objects.filter(kind="FULFILLMENT_SUPPLIER_ORDER").exists()


def test_a_double_click_on_order_orders_once(staff, mug):
    waiting(mug, 5)
    data = filled(staff, order_url(mug))
    first, second = staff.post(order_url(mug), data), staff.post(order_url(mug), data)
    assert first.url == second.url == f"{SUPPLIES}{SupplierOrder.objects.get().pk}/"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"LINE": "-1"}, "greater than or equal to 0"),
        ({"LINE": "two"}, "Enter a whole number"),
        ({"LINE": "9" * 30}, "less than or equal to 1000000"),
        ({"LINE": "0"}, "Choose at least one unit"),
        ({"LINE": ""}, "Choose at least one unit"),
        ({"send_mail": "on", "email": ""}, "e-mail address"),
        ({"send_mail": "on", "email": HOSTILE}, "e-mail address"),
        ({"expected_on": "2020-01-01"}, "This day is over"),
        ({"expected_on": "tomorrow"}, "Enter a valid date"),
        ({"note": "x" * 4001}, "At most 4000 characters"),
        ({"note": "a\x00b"}, ""),
        ({"reference": "x" * 65}, "at most 64 characters"),
        ({"key": ""}, ""),
        ({"key": "x" * 65}, ""),
        ({"seen": "x"}, ""),
        ({"seen": "-4"}, ""),
    ],
)
def test_bad_input_orders_nothing_and_loses_nothing(staff, mug, typed, words):
    waiting(mug, 5)
    typed = {field_of(mug) if name == "LINE" else name: value for name, value in typed.items()}
    data = filled(staff, order_url(mug), **{"reference": "PO-7", **typed})
    response = staff.post(order_url(mug), data)
    assert response.status_code == 422
    page = text(response)
    assert words in page
    assert HOSTILE not in page
    if "reference" not in typed:
        assert 'value="PO-7"' in page
    assert not SupplierOrder.objects.exists()


def test_who_was_too_late_sees_the_figures_anew_and_keeps_what_was_typed(staff, mug):
    waiting(mug, 5)
    data = filled(staff, order_url(mug), note="Blue ones", reference="PO-7")
    other = buy(mug, 5)
    response = staff.post(order_url(mug), data)
    assert response.status_code == 409
    page = text(response)
    assert f"has ordered from this supplier meanwhile ({other.number})" in page
    assert "Blue ones" in page
    assert 'value="PO-7"' in page
    assert response.context["form"][field_of(mug)].value() == 0
    assert SupplierOrder.objects.count() == 1
    again = filled(staff, order_url(mug), **{field_of(mug): "1"})
    assert staff.post(order_url(mug), again).status_code == 302


def test_what_was_typed_is_ordered_although_it_is_not_missing_any_more(staff, mug):
    waiting(mug, 5)
    data = filled(staff, order_url(mug))
    set_stock(mug, 50)
    assert staff.post(order_url(mug), data).status_code == 302
    assert SupplierOrder.objects.get().lines.get().quantity == 5
    foreign = factories.product("Plate", partner="Other")
    paid((foreign, 1))
    response = staff.post(order_url(mug), {**data, "key": "new", field_of(foreign): "3", "seen": "99999"})
    assert response.status_code == 302
    assert SupplierOrder.objects.first().lines.count() == 1  # another supplier's product is no field of this form


def test_suppliers_and_orders_that_do_not_exist(staff):
    for url in (f"{MISSING}999/", f"{MISSING}{'9' * 30}/", f"{SUPPLIES}999/", f"{SUPPLIES}{'9' * 30}/"):
        assert staff.get(url).status_code == 404
    for url in (f"{SUPPLIES}999/receive/", f"{SUPPLIES}999/cancel/"):
        assert staff.post(url).status_code == 404
    assert staff.get(f"{SUPPLIES}999/export/").status_code == 404


# ---- Receiving ----


def test_goods_that_came_lead_to_the_orders_that_waited(staff, mug):
    set_stock(mug, 20)
    old = waiting(mug, 4, age=3)
    bought = buy(mug, 4)
    url = f"{SUPPLIES}{bought.pk}/"
    data = filled(staff, url)
    assert data["add_to_stock"] == "on"
    response = staff.post(f"{url}receive/", data, follow=True)
    assert messages(response) == ["4 units received.", "1 waiting order can be released now."]
    assert response.request["PATH_INFO"] == RELEASABLE
    assert old.number in text(response)
    page = text(staff.get(url))
    assert "All here" in page
    assert "counted into the stock" in page
    assert "These goods came" not in page
    assert bought.number in text(staff.get(f"{SUPPLIES}?state=closed"))


def test_a_part_that_came_and_the_double_click(staff, mug):
    bought = buy(mug, 10)
    set_stock(mug, 0)
    url = f"{SUPPLIES}{bought.pk}/"
    line = f"line_{bought.lines.get().pk}"
    data = filled(staff, url, **{line: "6"})
    first, second = staff.post(f"{url}receive/", data), staff.post(f"{url}receive/", data)
    assert first.url == second.url == url
    assert (GoodsReceipt.objects.count(), record_of(mug).num_in_stock) == (1, 6)
    page = text(staff.get(url))
    assert "Rest given up" not in page
    assert filled(staff, url)[line] == 4


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("-1", "greater than or equal to 0"),
        ("11", "less than or equal to 10"),
        ("many", "Enter a whole number"),
        ("0", "Nothing was counted"),
        ("", "Nothing was counted"),
    ],
)
def test_wrong_counts_are_refused_at_their_field(staff, mug, typed, words):
    bought = buy(mug, 10)
    set_stock(mug, 1)
    url = f"{SUPPLIES}{bought.pk}/"
    response = staff.post(f"{url}receive/", filled(staff, url, **{f"line_{bought.lines.get().pk}": typed}))
    assert response.status_code == 422
    assert words in text(response)
    assert record_of(mug).num_in_stock == 1
    assert not GoodsReceipt.objects.exists()


def test_more_than_is_still_to_come_is_refused(staff, mug):
    bought = buy(mug, 10)
    receive(bought, 8)
    url = f"{SUPPLIES}{bought.pk}/"
    response = staff.post(f"{url}receive/", filled(staff, url, **{f"line_{bought.lines.get().pk}": "3"}))
    assert response.status_code == 422
    assert "Choose between 0 and 2." in text(response)


def test_giving_up_the_rest(staff, mug):
    waiting(mug, 5)
    bought = buy(mug, 5)
    receive(bought, 2)
    response = staff.post(f"{SUPPLIES}{bought.pk}/cancel/", follow=True)
    assert messages(response) == ["The order is closed. What did not come is missing again."]
    assert "Rest given up" in text(response)
    assert needs()["MUG"][:2] == (3, 0)
    url = f"{SUPPLIES}{bought.pk}/"
    data = {"key": "late", f"line_{bought.lines.get().pk}": "1"}
    response = staff.post(f"{url}receive/", data)
    assert response.status_code == 409
    assert "This order was cancelled." in text(response)
    done = buy(mug, 1)
    receive(done, 1)
    assert staff.post(f"{SUPPLIES}{done.pk}/cancel/").status_code == 409


def test_a_mail_that_failed_is_shown_with_the_way_to_its_message(staff, mug):
    bought = buy(mug, 1, send_mail=True, email="potter@example.com")
    OutboundMessage.objects.filter(kind="FULFILLMENT_SUPPLIER_ORDER").update(status="dead", error="x")
    message = supply.find_mail(bought)
    page = text(staff.get(f"{SUPPLIES}{bought.pk}/"))
    assert "Not sent" in page
    assert reverse("dashboard:message-detail", kwargs={"way": "out", "pk": message.pk}) in page


def test_late_orders_and_deleted_suppliers_are_shown_as_such(staff, mug):
    bought = buy(mug, 1)
    SupplierOrder.objects.update(expected_on=timezone.localdate() - timedelta(days=1))
    assert "Late" in text(staff.get(SUPPLIES))
    record_of(mug).partner.delete()
    page = text(staff.get(f"{SUPPLIES}{bought.pk}/"))
    assert "Late" in page
    assert "Potter" in page
    response = staff.get(f"{SUPPLIES}{bought.pk}/export/")
    assert response.content.decode("utf-8-sig").splitlines()[1] == "MUG,Mug,1"


# ---- Releasing ----


def test_the_oldest_orders_are_released_and_each_has_its_result(staff, mug):
    plate = factories.product("Plate")
    young, old = waiting(mug, 3, age=1), waiting(mug, 4, age=9)
    waiting(plate, 2)
    set_stock(mug, 7)
    response = staff.get(RELEASABLE)
    assert [order.number for _one, order in response.context["rows"]] == [old.number, young.number]
    assert "4 of 4 units" in text(response)
    data = {"state": "full", "key": response.context["key"], "selected_order": [young.pk, old.pk]}
    first, second = staff.post(RELEASABLE, data), staff.post(RELEASABLE, data)
    job = BulkJob.objects.get()
    assert first.url == second.url == reverse("dashboard:order-bulk-job", kwargs={"pk": job.pk})
    assert (job.action, job.done_count, job.refused_count) == ("release", 2, 0)
    assert [item.number for item in job.items.all()] == [old.number, young.number]
    assert not OrderFulfillment.objects.filter(pk__in=[old.pk, young.pk], has_backorder=True).exists()
    assert "No waiting order can be released now" in text(staff.get(RELEASABLE))


def test_age_decides_and_what_is_there_can_be_released_in_part(staff, mug):
    young, old = waiting(mug, 3, age=1), waiting(mug, 4, age=9)
    set_stock(mug, 5)
    full = staff.get(RELEASABLE)
    assert [order.number for _one, order in full.context["rows"]] == [old.number]
    part = staff.get(f"{RELEASABLE}?state=part")
    assert [(order.number, one.available, one.asked) for one, order in part.context["rows"]] == [(young.number, 1, 3)]
    staff.post(RELEASABLE, {"state": "full", "key": "a", "selected_order": [old.pk]})
    staff.post(RELEASABLE, {"state": "part", "key": "b", "selected_order": [young.pk]})
    assert [job.done_count for job in BulkJob.objects.all()] == [1, 1]
    last = Shipment.objects.filter(fulfillment=young.pk).order_by("-number").first()
    assert [line.quantity for line in last.lines.all()] == [1]
    young.fulfillment.refresh_from_db()
    assert young.fulfillment.has_backorder


def test_an_order_that_became_short_or_held_since_is_refused_with_its_reason(staff, mug):
    one, other = waiting(mug, 3, age=5), waiting(mug, 4, age=1)
    set_stock(mug, 7)
    data = {"state": "full", "key": "a", "selected_order": [one.pk, other.pk]}
    set_stock(mug, 3)
    holds.place_hold(order=one, actor=TEAM, code="other")
    response = staff.post(RELEASABLE, data, follow=True)
    job = BulkJob.objects.get()
    assert (job.done_count, job.refused_count) == (0, 2)
    page = text(response)
    assert "The order is on hold." in page
    assert "Not enough in stock" in page


def test_all_of_the_list_are_released_across_pages(staff, mug, monkeypatch):
    monkeypatch.setattr("oscar_fulfillment.orders_dashboard.money_pages.ROWS", 2)
    orders = [waiting(mug, 1, age=age) for age in range(3)]
    set_stock(mug, 3)
    staff.post(RELEASABLE, {"state": "full", "key": "a", "select_across": "1"})
    assert BulkJob.objects.get().done_count == len(orders)


@pytest.mark.parametrize(
    "data",
    [
        {"state": "full", "key": "k"},
        {"state": "full", "key": "k", "selected_order": ["x", "9" * 40]},
        {"state": "full", "key": "k", "selected_order": ["999999"]},
        {"state": "everything", "key": "k", "selected_order": ["1"]},
        {"key": "k", "selected_order": ["1"]},
        {"state": "full", "key": "", "selected_order": ["ORDER"]},
        {"state": "full", "key": "x" * 65, "selected_order": ["ORDER"]},
    ],
)
def test_damaged_forms_release_nothing(staff, mug, data):
    order = waiting(mug, 3)
    set_stock(mug, 3)
    data = {name: [order.pk] if value == ["ORDER"] else value for name, value in data.items()}
    response = staff.post(RELEASABLE, data)
    assert response.status_code == 400
    assert 'role="alert"' in text(response)
    order.fulfillment.refresh_from_db()
    assert order.fulfillment.has_backorder


def test_hostile_names_are_text(staff):
    evil = factories.product(HOSTILE, sku=HOSTILE[:20], partner=HOSTILE)
    waiting(evil, 3)
    bought = buy(evil, 2, note=HOSTILE, reference=HOSTILE)
    for url in (MISSING, order_url(evil), SUPPLIES, f"{SUPPLIES}{bought.pk}/"):
        page = text(staff.get(url))
        assert HOSTILE not in page, url
        assert "&lt;script&gt;" in page, url


def test_pages_cost_a_fixed_number_of_queries(staff, mug):
    def count(url):
        with CaptureQueriesContext(connection) as captured:
            assert staff.get(url).status_code == 200
        return len(captured)

    waiting(mug, 3)
    set_stock(mug, 1)
    buy(mug, 1)
    pages = (MISSING, RELEASABLE, SUPPLIES, order_url(mug))
    for url in pages:
        staff.get(url)
    before = [count(url) for url in pages]
    for age in range(6):
        waiting(factories.product(f"P{age}", partner=f"Partner {age % 3}"), 2, age=age)
        waiting(mug, 1, age=20 + age)
        buy(mug, 1)
    set_stock(mug, 3)
    assert [count(url) for url in pages] == before
