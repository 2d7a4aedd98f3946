"""One action on many orders, each with its own result."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ
from oscar.core.loading import get_model

from oscar_fulfillment import tasks
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import (
    BulkJob,
    BulkJobItem,
    Invoice,
    OrderFulfillment,
    OutboundMessage,
    Parcel,
    StatusChange,
)
from oscar_fulfillment.services import bulk, payments
from oscar_fulfillment.signals import validate_transition
from oscar_fulfillment.test import factories
from tests import pdf
from tests.many import paid_copies

from .test_order_list import URL, numbers, partner_user

pytestmark = [pytest.mark.django_db, pytest.mark.feature("Z8")]


@pytest.fixture
def person(db):
    return factories.staff_user("*", first_name="Rita", last_name="Lima")


@pytest.fixture
def staff(client, person):
    client.force_login(person)
    return client


def act(client, action, orders, *, path=URL, **more):
    chosen = [order.pk for order in orders]
    return client.post(path, {"action": action, "selected_order": chosen, "key": f"form-{action}", **more})


def shipping(orders):
    found = dict(OrderFulfillment.objects.filter(pk__in=[o.pk for o in orders]).values_list("pk", "shipping_status"))
    return [found[order.pk] for order in orders]


def result(job):
    return {item.number: (item.status, [r["code"] for r in item.reasons]) for item in job.items.all()}


def test_every_order_is_done_or_refused_with_its_reason(staff, person):
    paid, unpaid, sent = factories.paid_order(), factories.placed_order(), factories.dispatched_order()
    response = act(staff, "release", [paid, unpaid, sent])
    job = BulkJob.objects.get()
    assert response.status_code == 302
    assert response.url == f"{URL}list/bulk/{job.pk}/"
    assert shipping([paid, unpaid, sent]) == ["released", "received", "dispatched"]
    assert result(job) == {
        paid.number: ("done", []),
        unpaid.number: ("refused", ["not_paid"]),
        sent.number: ("refused", ["wrong_state"]),
    }
    assert (job.status, job.done_count, job.refused_count, job.total) == ("done", 1, 2, 3)
    html = staff.get(response.url).content.decode()
    assert "1 order done." in html
    assert "2 orders refused." in html
    assert "The payment is not approved yet." in html
    assert f'href="{URL}{unpaid.number}/">Approve the payment</a>' in html
    assert "Retry the 2 refused orders" in html
    change = StatusChange.objects.get(fulfillment=paid.pk, action="release")
    assert (change.actor, change.actor_label) == (person, "Rita Lima")


def test_only_what_was_refused_is_tried_again(staff, team):
    paid, unpaid = factories.paid_order(), factories.placed_order()
    job = BulkJob.objects.get(pk=act(staff, "release", [paid, unpaid]).url.rstrip("/").split("/")[-1])
    payments.approve_payment(order=unpaid, actor=team)
    response = staff.post(f"{URL}list/bulk/{job.pk}/retry/", {"key": "again"})
    again = BulkJob.objects.exclude(pk=job.pk).get()
    assert response.url.endswith(f"/{again.pk}/")
    assert result(again) == {unpaid.number: ("done", [])}
    assert shipping([paid, unpaid]) == ["released", "released"]
    assert staff.post(f"{URL}list/bulk/{again.pk}/retry/", {"key": "third"}).status_code == 400


@pytest.mark.feature("D12")
def test_many_orders_are_sent_at_once_without_a_question_and_mailed_by_themselves(staff):
    orders = [factories.released_order(currency="CHF") for _ in range(3)]
    OutboundMessage.objects.all().delete()
    response = act(staff, "dispatch", orders, carrier="other")
    assert shipping(orders) == ["dispatched"] * 3
    kinds = OutboundMessage.objects.values_list("kind", "order_id")
    assert sorted(kinds) == sorted(("FULFILLMENT_ORDER_DISPATCHED", order.pk) for order in orders)
    assert set(Parcel.objects.values_list("carrier", "tracking_code")) == {("other", "")}
    assert "3 orders done." in staff.get(response.url).content.decode()


def test_invoice_as_none_dispatch_and_deliver(staff):
    orders = [factories.released_order(), factories.released_order()]
    act(staff, "invoice", orders)
    assert set(Invoice.objects.values_list("kind", flat=True)) == {"none"}
    assert shipping(orders) == ["invoiced", "invoiced"]
    act(staff, "dispatch", orders)
    act(staff, "deliver", orders)
    assert shipping(orders) == ["delivered", "delivered"]


@pytest.mark.feature("Z13")
@pytest.mark.parametrize(
    ("action", "document", "name"),
    [
        ("print", "slip", "packing-slips"),
        ("print_picking", "picking", "picking-list"),
        ("print_labels", "label", "labels"),
    ],
)
def test_papers_of_many_orders_open_as_one_pdf_and_printing_is_noted(staff, action, document, name):
    waiting, cancelled = factories.released_order(currency="CHF"), factories.cancelled_order()
    orders = [factories.paid_order(), waiting]
    response = act(staff, action, orders)
    job = BulkJob.objects.get()
    assert response.url == f"{URL}list/bulk/{job.pk}/document.pdf"
    content = staff.get(response.url)
    assert content["Content-Type"] == "application/pdf"
    assert content["Content-Disposition"] == f'inline; filename="{name}-{job.pk}.pdf"'
    words = pdf.words(content.content)
    assert all(order.number in words for order in orders)
    noted = StatusChange.objects.filter(action="print", data__document=document)
    assert {row.fulfillment_id: row.data.get("shipments") for row in noted} == {
        orders[0].pk: None, waiting.pk: [waiting.fulfillment.shipments.get().pk],
    }  # fmt: skip
    act(staff, action, [cancelled, waiting], key="again")
    assert result(BulkJob.objects.first()) == {
        cancelled.number: ("refused", ["cancelled"]), waiting.number: ("done", []),
    }  # fmt: skip


def test_what_has_left_is_not_picked_again(staff):
    waiting, sent = factories.released_order(), factories.dispatched_order()
    response = act(staff, "print_picking", [waiting, sent])
    job = BulkJob.objects.get()
    assert result(job) == {waiting.number: ("done", []), sent.number: ("refused", ["nothing_waits"])}
    page = staff.get(response.url).content.decode()
    assert f'href="{URL}list/bulk/{job.pk}/document.pdf"' in page
    assert "Nothing of this order waits to be packed." in page
    assert sent.number not in pdf.words(staff.get(f"{URL}list/bulk/{job.pk}/document.pdf").content)


def test_papers_of_very_many_orders_come_in_parts(staff, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "DOCUMENT_ORDERS": 2}
    orders = [factories.released_order() for _ in range(5)]
    response = act(staff, "print", orders)
    job = BulkJob.objects.get()
    assert response.url == f"{URL}list/bulk/{job.pk}/"
    page = staff.get(response.url).content.decode()
    url = f"{URL}list/bulk/{job.pk}/document.pdf"
    for part, (first, last) in enumerate([(1, 2), (3, 4), (5, 5)], 1):
        assert f'href="{url}?part={part}"' in page
        assert f"PDF of orders {first} to {last}" in page
    printed = [[words[:6] for words in pdf.pages(staff.get(f"{url}?part={n}").content)] for n in (1, 2, 3)]
    assert [len(pages) for pages in printed] == [2, 2, 1]
    assert all(order.number in pdf.words(staff.get(f"{url}?part=3").content) for order in orders[4:])
    for wrong in ("0", "4", "-1", "x", "٣", "9" * 30, ""):
        assert staff.get(url, {"part": wrong}).status_code == 404
    act(staff, "print_picking", orders)
    url = f"{URL}list/bulk/{BulkJob.objects.first().pk}/document.pdf"
    assert "Picking list, part 2 of 3" in pdf.words(staff.get(f"{url}?part=2").content)


@pytest.mark.parametrize("action", ["print", "print_picking", "print_labels"])
def test_papers_read_the_same_statements_for_any_number(staff, action):
    counts = []
    for size in (1, 4):
        job = bulk.submit(
            action=action,
            orders=bulk.selected(OrderFulfillment.objects, [factories.released_order().pk for _ in range(size)]),
            user=factories.staff_user("*"), key=f"p{size}",
        )  # fmt: skip
        with CaptureQueriesContext(connection) as queries:
            assert staff.get(f"{URL}list/bulk/{job.pk}/document.pdf").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] < 16


def test_papers_that_cannot_be_made_lead_back_with_the_reason(staff, settings):
    act(staff, "print", [factories.released_order()])
    job = BulkJob.objects.get()
    broken = {
        "default": {"BACKEND": "oscar_fulfillment.documents.typst_engine.TypstEngine", "OPTIONS": {"font": ["X"]}}
    }
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "DOCUMENTS": broken}
    page = staff.get(f"{URL}list/bulk/{job.pk}/document.pdf", follow=True)
    assert page.redirect_chain == [(f"{URL}list/bulk/{job.pk}/", 302)]
    assert "The document cannot be made" in page.content.decode()


def test_a_job_that_prints_nothing_has_no_pdf(staff):
    act(staff, "release", [factories.paid_order()])
    assert staff.get(f"{URL}list/bulk/{BulkJob.objects.get().pk}/document.pdf").status_code == 404


def test_the_same_form_twice_is_one_job(staff):
    order = factories.paid_order()
    first, second = act(staff, "release", [order]), act(staff, "release", [order])
    assert first.url == second.url
    assert BulkJob.objects.count() == 1
    assert StatusChange.objects.filter(action="release").count() == 1
    assert act(staff, "deliver", [order], key="form-release").status_code == 400


def test_a_list_that_was_gone_back_to_is_no_repetition(staff):
    """The browser's "Back" brings the old key with other ticks: what was not asked for before must not look done."""
    one, two = factories.invoiced_order(), factories.invoiced_order()
    first = act(staff, "dispatch", [one, two], carrier="correios")
    assert act(staff, "dispatch", [one], carrier="correios").url == first.url, "what was done has left the list"
    three = factories.invoiced_order()
    for orders, carrier in (([three], "correios"), ([one, three], "correios"), ([one, two], "other")):
        response = act(staff, "dispatch", orders, carrier=carrier)
        assert response.status_code == 400
        assert "This form was already used for another step. Load the list again." in response.content.decode()
    assert shipping([one, two, three]) == ["dispatched", "dispatched", "invoiced"]
    assert BulkJob.objects.count() == 1


def test_all_of_a_filter_asks_first_and_then_takes_every_page(staff, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "PAGE_SIZE": 2}
    paid = [factories.paid_order() for _ in range(5)]
    other = factories.placed_order()
    path = f"{URL}?queue=to-release"
    posted = {"action": "print", "select_across": "1", "key": "across"}
    response = staff.post(path, posted)
    assert response.status_code == 200
    assert "“Print packing slips” for 5 orders?" in response.content.decode()
    assert not BulkJob.objects.exists()
    staff.post(path, {**posted, "confirmed": "1"})
    assert set(result(BulkJob.objects.get())) == {order.number for order in paid}
    assert not other.fulfillment.history.filter(action="print").exists()


def test_above_the_limit_the_work_goes_on_in_the_background(staff, settings, monkeypatch):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "BULK_INLINE_LIMIT": 5}
    monkeypatch.setattr(bulk, "CHUNK", 4)
    orders = paid_copies(10)
    response = act(staff, "release", orders)
    job = BulkJob.objects.get()
    assert (job.status, job.settled_count) == ("waiting", 0)
    assert OrmQ.objects.count() == 1
    page = staff.get(response.url).content.decode()
    assert '<progress id="id_progress" max="100" value="0">' in page
    assert '<noscript><meta http-equiv="refresh"' in page
    assert staff.get(f"{response.url}progress/").json() == {
        "percent": 0, "text": "0 of 10 orders", "finished": False,
    }  # fmt: skip
    assert bulk._run_chunk(job.pk)
    assert staff.get(f"{response.url}progress/").json()["percent"] == 40
    tasks.run_bulk_job(job.pk)
    tasks.run_bulk_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.done_count, job.refused_count) == ("done", 10, 0)
    assert StatusChange.objects.filter(action="release").count() == 10
    assert "10 orders done." in staff.get(response.url).content.decode()


def test_a_killed_worker_loses_and_repeats_nothing(staff, settings, monkeypatch):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "BULK_INLINE_LIMIT": 5, "BULK_STALE": -1}
    monkeypatch.setattr(bulk, "CHUNK", 4)
    act(staff, "release", paid_copies(10))
    job = BulkJob.objects.get()
    real, calls = bulk._mark, []

    def killed(items):
        real(items)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt  # after the orders were moved, before the commit

    monkeypatch.setattr(bulk, "_mark", killed)
    bulk._run_chunk(job.pk)
    with pytest.raises(KeyboardInterrupt):
        bulk._run_chunk(job.pk)
    monkeypatch.setattr(bulk, "_mark", real)
    OrmQ.objects.all().delete()
    assert bulk.resume_stale() == 1
    assert OrmQ.objects.count() == 1
    tasks.run_bulk_job(job.pk)
    job.refresh_from_db()
    assert (job.done_count, job.refused_count, job.status) == (10, 0, "done")
    assert StatusChange.objects.filter(action="release").count() == 10
    assert bulk.resume_stale() == 0


def test_a_job_stops_at_its_budget_and_asks_for_more_time(staff, settings, monkeypatch):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "BULK_INLINE_LIMIT": 5}
    monkeypatch.setattr(bulk, "CHUNK", 4)
    act(staff, "release", paid_copies(10))
    job = BulkJob.objects.get()
    OrmQ.objects.all().delete()
    bulk.run_job(job.pk, budget=-1)
    job.refresh_from_db()
    assert (job.status, job.done_count) == ("running", 4)
    assert OrmQ.objects.count() == 1


def test_statements_do_not_grow_with_the_orders(person, monkeypatch):
    counts = []
    for size in (5, 60):
        orders = bulk.selected(OrderFulfillment.objects, [o.pk for o in paid_copies(size)])
        job = BulkJob.objects.create(action="print", params={}, actor=person, total=size, key=f"k{size}")
        BulkJobItem.objects.bulk_create(BulkJobItem(job=job, fulfillment_id=pk, number=n) for pk, n in orders)
        with CaptureQueriesContext(connection) as queries:
            assert not bulk._run_chunk(job.pk)
        counts.append(len(queries))
        OrderFulfillment.objects.filter(number__startswith="C").delete()
        get_model("order", "Order").objects.filter(number__startswith="C").delete()
    assert counts[0] == counts[1]


def test_an_order_that_breaks_does_not_take_the_others_with_it(staff):
    good, bad = factories.paid_order(), factories.paid_order()

    def receiver(order, **kwargs):
        if order.pk == bad.pk:
            raise RuntimeError("a plugin's mistake")

    validate_transition.connect(receiver)
    try:
        act(staff, "release", [good, bad])
    finally:
        validate_transition.disconnect(receiver)
    assert result(BulkJob.objects.get()) == {good.number: ("done", []), bad.number: ("refused", ["error"])}
    assert shipping([good, bad]) == ["released", "received"]


def test_a_permission_that_was_taken_away_stops_the_job(person):
    order = factories.paid_order()
    job = BulkJob.objects.create(action="release", params={}, actor=person, total=1, key="k")
    BulkJobItem.objects.create(job=job, fulfillment=order.fulfillment, number=order.number)
    person.user_permissions.clear()
    bulk.run_job(job.pk)
    assert result(job) == {order.number: ("refused", ["no_permission"])}


def test_an_order_that_is_gone_is_refused(person):
    job = BulkJob.objects.create(action="release", params={}, actor=person, total=1, key="k")
    BulkJobItem.objects.create(job=job, fulfillment=None, number="X1")
    bulk.run_job(job.pk)
    assert result(job) == {"X1": ("refused", ["gone"])}


def untouched(client, status, data, path=URL):
    before = (StatusChange.objects.count(), BulkJob.objects.count(), OutboundMessage.objects.count())
    response = client.post(path, data)
    assert response.status_code == status
    assert (StatusChange.objects.count(), BulkJob.objects.count(), OutboundMessage.objects.count()) == before
    return response.content.decode()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"action": "explode"}, 400),
        ({"action": "import_codes"}, 400),
        ({"action": ""}, 400),
        ({"action": "dispatch", "carrier": "pigeon"}, 400),
        ({"selected_order": []}, 400),
        ({"selected_order": ["abc"]}, 404),
        ({"selected_order": ["-1"]}, 404),
        ({"selected_order": ["9" * 18]}, 404),
        ({"selected_order": ["9" * 400]}, 404),
        ({"selected_order": ["٣"]}, 404),
        ({"key": ""}, 400),
        ({"key": "k" * 65}, 400),
    ],
)
def test_a_form_that_means_nothing_is_refused_in_words(staff, change, status):
    order = factories.paid_order()
    html = untouched(staff, status, {"action": "release", "selected_order": [order.pk], "key": "k", **change})
    assert 'class="alert alert-danger" role="alert"' in html
    assert numbers(staff.get(URL)) == [order.number]


def test_a_field_of_ten_megabytes_is_refused(staff, order):
    untouched(staff, 400, {"action": "release", "selected_order": [order.pk], "key": "x" * 10_000_000})


def test_too_many_orders_are_refused_before_anything_is_done(staff, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "BULK_LIMIT": 2}
    orders = [factories.paid_order() for _ in range(3)]
    posted = {"action": "release", "key": "k", "selected_order": [o.pk for o in orders]}
    assert "At most 2 orders at once." in untouched(staff, 400, posted)
    across = {"action": "release", "key": "k", "select_across": "1", "confirmed": "1"}
    assert "At most 2 orders at once." in untouched(staff, 400, across)


@pytest.mark.parametrize("action", [*bulk.OFFERED])
def test_each_action_needs_its_permission(client, action):
    order = factories.paid_order()
    client.force_login(factories.staff_user("view_order"))
    untouched(client, 403, {"action": action, "selected_order": [order.pk], "key": "k"})
    assert f'value="{action}"' not in client.get(URL).content.decode()


def test_a_wrong_csrf_token_is_refused(person):
    order = factories.paid_order()
    client = Client(enforce_csrf_checks=True)
    client.force_login(person)
    untouched(client, 403, {"action": "release", "selected_order": [order.pk], "key": "k"})


def test_partners_see_their_own_jobs_only(client, person):
    order = factories.placed_order(lines=[(factories.product(partner="North"), 1)])
    job = bulk.submit(action="print", orders=[(order.pk, order.number)], user=person, key="k")
    partner_user(client, "North")
    for path in ("", "progress/", "document.pdf"):
        assert client.get(f"{URL}list/bulk/{job.pk}/{path}").status_code == 404
    assert client.post(f"{URL}list/bulk/{job.pk}/retry/", {"key": "z"}).status_code == 404
    assert act(client, "print", [order]).status_code == 302


def test_a_partner_who_lost_the_sight_of_an_order_neither_retries_nor_prints_it(client):
    unpaid = factories.placed_order(lines=[(factories.product(partner="North"), 1)])
    printed = factories.paid_order(lines=[(factories.product(partner="North"), 1)])
    partner_user(client, "North")
    act(client, "release", [unpaid])
    act(client, "print", [printed])
    refused, slips = BulkJob.objects.get(action="release"), BulkJob.objects.get(action="print")
    assert refused.refused_count == 1
    assert printed.number in pdf.words(client.get(f"{URL}list/bulk/{slips.pk}/document.pdf").content)
    payments.approve_payment(order=unpaid, actor=Actor.system("test"))
    get_model("partner", "Partner").objects.get(name="North").users.clear()
    response = client.post(f"{URL}list/bulk/{refused.pk}/retry/", {"key": "z"})
    assert response.status_code in (400, 403)
    assert shipping([unpaid]) == ["received"]
    response = client.get(f"{URL}list/bulk/{slips.pk}/document.pdf")
    assert response.status_code == 403 or response["Content-Type"] != "application/pdf"


def test_oscars_own_form_goes_through_our_steps(staff):
    paid, unpaid = factories.paid_order(currency="CHF"), factories.placed_order(currency="CHF")
    response = staff.post(
        URL, {"action": "change_order_statuses", "new_status": "In process", "selected_order": [paid.pk, unpaid.pk]}
    )
    assert response.status_code == 302
    assert shipping([paid, unpaid]) == ["released", "received"]
    response = staff.post(
        URL, {"action": "change_order_statuses", "new_status": "Cancelled", "selected_order": [unpaid.pk]}
    )
    assert response.status_code == 302
    assert shipping([unpaid]) == ["cancelled"]
    clerk = factories.staff_user("view_order")
    staff.force_login(clerk)
    posted = {"action": "change_order_statuses", "selected_order": [paid.pk]}
    for status in ("Sent", "Cancelled", "Whatever"):
        untouched(staff, 403, {**posted, "new_status": status})


def test_the_actor_of_a_job_is_the_person(person):
    assert Actor.from_user(person).label == "Rita Lima"
