"""The pages of imported tracking codes over HTTP: the file, its columns, the verdicts, applying, who may."""

import csv
import io
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from oscar_fulfillment.models import BulkJob, ImportDraft, Parcel, TrackingImport
from oscar_fulfillment.orders_dashboard import import_views
from oscar_fulfillment.orders_dashboard.import_urls import import_urls
from oscar_fulfillment.services import holds, tracking_imports
from oscar_fulfillment.test import factories
from tests.integration.imports import CODES, csv_of, file3, record3, status, take, take_ocoren
from tests.integration.test_tracking_imports import sent

from .test_order_list import partner_user

pytestmark = [pytest.mark.django_db, pytest.mark.feature("A12", "E4")]

IMPORTS = "/dashboard/orders/parcels/imports/"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def staff(client):
    client.force_login(factories.staff_user("*", first_name="Wanda", last_name="Ferraz"))
    return client


def text(response):
    return re.sub(r"\s+", " ", response.content.decode())


def upload(client, content, name="codes.csv", **given):
    data = {"file": SimpleUploadedFile(name, content), "carrier": "correios", "replaces": "1", "notify": "1", **given}
    return client.post(f"{IMPORTS}upload/", data, follow=True)


def confirmed(client, response, **typed):
    """The columns as they are offered, confirmed."""
    given = {f"role-{column['index']}": column["role"] for column in response.context["columns"]}
    layout = response.context["layout"]
    data = {**given, "order": layout.order, "import": "1", **typed}
    return client.post(response.request["PATH_INFO"], data, follow=True)


def test_only_staff_who_may_dispatch_see_the_pages():
    factories.product(partner="Atelier")
    source = take(csv_of(("1", "x")))
    allowed, without = factories.staff_user("dispatch_order"), factories.staff_user("view_order", "release_order")
    partner = partner_user(Client(), "Atelier")
    for pattern in import_urls():
        url = reverse(f"dashboard:{pattern.name}", kwargs={"pk": source.pk} if pattern.pattern.converters else {})
        for user in (without, partner, None):
            client = Client()
            if user:
                client.force_login(user)
            for method in (client.get, client.post):
                assert method(url).status_code in (302, 403), (url, user)
        client = Client()
        client.force_login(allowed)
        assert client.get(url).status_code in (200, 404, 405), url
    assert not BulkJob.objects.exists()


def test_a_draft_is_seen_by_who_uploaded_it(staff):
    response = upload(staff, csv_of(("1", CODES[0])))
    other = Client()
    other.force_login(factories.staff_user("*"))
    assert other.get(response.request["PATH_INFO"]).status_code == 404


def test_codes_from_the_upload_to_the_sent_orders(staff):
    one, two = factories.invoiced_order(), factories.invoiced_order()
    assert "No file was imported yet" in text(staff.get(IMPORTS))
    response = upload(staff, csv_of((one.number, CODES[0]), (two.number, CODES[1]), ("999", CODES[2])))
    assert "What is in which column?" in text(response)
    response = confirmed(staff, response)
    page = text(response)
    assert "Apply the 2 rows that do something" in page
    assert "There is no order 999." in page
    assert "Sends the order" in page
    assert not ImportDraft.objects.exists()
    assert status(one) == "invoiced"
    done = staff.post(f"{response.request['PATH_INFO']}apply/", {"key": response.context["key"]}, follow=True)
    assert done.context["results"] == ["2 orders done."]
    assert (status(one), status(two)) == ("dispatched", "dispatched")
    assert [row["outcome"] for row in done.context["rows"]] == ["Done", "Done", ""]
    assert "Applied" in text(staff.get(IMPORTS))


def test_an_ocoren_file_is_read_at_once(staff):
    order = sent()
    content = file3(record3("40935", "01", "02022026"), record3("999", "01", "02022026")).encode("latin-1")
    response = upload(staff, content, "OCO.TXT", carrier="")
    page = text(response)
    assert "OCOREN" in page
    assert "Entrega realizada" in page
    assert "No order has the invoice 999/1." in page
    staff.post(f"{response.request['PATH_INFO']}apply/", {"key": "k"})
    assert status(order) == "delivered"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The submitted file is empty"),
        (b" \n ", "The file is empty"),
        (b"%PDF-1.4", "Ask for the data as a text file"),
        (b"PK\x03\x04", "zip or Excel"),
        (b"hello\n", "at least an order number and a tracking code"),
        (file3().encode(), "no occurrence"),
        (b'Order,Tracking\n1,"AA', "quotation marks"),
    ],
)
def test_bad_files_are_refused_in_words(staff, content, words):
    response = upload(staff, content)
    assert response.status_code == 400
    assert words in text(response)
    assert not TrackingImport.objects.exists()
    assert not ImportDraft.objects.exists()


def test_no_file_a_large_file_and_answers_that_were_not_offered(staff, settings):
    assert staff.post(f"{IMPORTS}upload/", {"replaces": "1", "notify": "1"}).status_code == 400
    assert upload(staff, csv_of(("1", "x")), carrier="pombo").status_code == 400
    assert upload(staff, csv_of(("1", "x")), notify="maybe").status_code == 400
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "STATEMENT_MAX_BYTES": 1_000_000}
    assert "larger than 1 MB" in text(upload(staff, b"x" * 1_000_001))


def test_columns_are_corrected_remembered_and_given_up(staff):
    order = factories.invoiced_order()
    content = csv_of((CODES[0], order.number), heading="Nosso;Deles")
    response = upload(staff, content)
    assert "Say which column holds the order number" in text(response)
    url = response.request["PATH_INFO"]
    wrong = staff.post(url, {"role-0": "code", "role-1": "password", "order": "dmy", "import": "1"})
    assert wrong.status_code == 400
    shown = staff.post(url, {"role-0": "code", "role-1": "order", "order": "dmy", "preview": "1"})
    assert [row.order for row in shown.context["found"]] == [order.number]
    assert not TrackingImport.objects.exists()
    staff.post(url, {"role-0": "code", "role-1": "order", "order": "dmy", "import": "1"})
    assert TrackingImport.objects.get().counts == {"dispatch": 1}
    again = upload(staff, content)
    assert "as you confirmed them" in text(again)
    response = staff.post(again.request["PATH_INFO"], {"cancel": "1"}, follow=True)
    assert "The file was not imported." in text(response)
    assert not ImportDraft.objects.exists()


def test_the_answers_of_the_form_count(staff):
    order = factories.dispatched_order(carrier="correios", tracking_code=CODES[0])
    response = upload(staff, csv_of((order.number, CODES[1])), replaces="0", notify="0")
    confirmed(staff, response)
    source = TrackingImport.objects.get()
    assert (source.carrier, source.replaces, source.notify, source.counts) == ("correios", False, False, {"add": 1})


def test_verdicts_are_counted_filtered_and_paged(staff, monkeypatch):
    monkeypatch.setattr(import_views, "ROWS", 5)
    order = factories.invoiced_order()
    source = take(csv_of((order.number, CODES[0]), *((f"N{n}", "x") for n in range(12))))
    url = f"{IMPORTS}{source.pk}/"
    page = staff.get(url)
    assert [(tab["name"], tab["count"]) for tab in page.context["tabs"]] == [
        ("all", 13),
        ("dispatch", 1),
        ("unknown", 12),
    ]
    assert page.context["page_obj"].paginator.num_pages == 3
    assert len(staff.get(f"{url}?state=dispatch").context["rows"]) == 1
    assert len(staff.get(f"{url}?state=unknown&page=3").context["rows"]) == 2
    assert "state=unknown" in text(staff.get(f"{url}?state=unknown"))
    assert len(staff.get(f"{url}?state=nonsense&page=nonsense").context["rows"]) == 5


def test_the_refused_rows_as_a_file_that_can_be_imported_again(staff):
    order, held = factories.invoiced_order(), factories.invoiced_order()
    source = take(csv_of((order.number, CODES[0]), ("=1+1", "@x"), (held.number, CODES[1]), (order.number, "AA1")))
    holds.place_hold(order=held, actor=factories.TEAM, code="other")
    staff.post(f"{IMPORTS}{source.pk}/apply/", {"key": "k"})
    response = staff.get(f"{IMPORTS}{source.pk}/refused/")
    content = b"".join(response.streaming_content)
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert [row[:2] for row in rows] == [
        ["Order number", "Tracking code"], ["'=1+1", "'@x"], [held.number, CODES[1]], [order.number, "AA1"],
    ]  # fmt: skip
    assert rows[2][4] == "Failed"
    assert "on hold" in rows[2][5]
    again = take(content)
    assert [row.number for row in again.rows.all()] == ["=1+1", held.number, order.number]


def test_the_failed_are_tried_again_alone(staff):
    one, two = factories.invoiced_order(), factories.invoiced_order()
    source = take(csv_of((one.number, CODES[0]), (two.number, CODES[1])))
    holds.place_hold(order=two, actor=factories.TEAM, code="other")
    url = f"{IMPORTS}{source.pk}/"
    response = staff.post(f"{url}apply/", {"key": "a"}, follow=True)
    assert "Try the failed row again" in text(response)
    assert "The order is on hold." in text(staff.get(f"{url}?state=failed"))
    holds.release_hold(order=two, actor=factories.TEAM, hold=two.fulfillment.holds.get().pk)
    staff.post(f"{url}apply/", {"key": "b"})
    assert BulkJob.objects.first().total == 1
    assert status(two) == "dispatched"
    late = staff.post(f"{url}apply/", {"key": "c"})
    assert late.status_code == 400
    assert "Nothing of this file is left to be done." in text(late)
    assert staff.post(f"{url}apply/", {"key": "b"}).status_code == 302  # the double click


def test_damaged_keys_and_imports_that_are_not_there(staff):
    source = take(csv_of((factories.invoiced_order().number, CODES[0])))
    for key in ("", "x" * 65):
        assert staff.post(f"{IMPORTS}{source.pk}/apply/", {"key": key}).status_code == 400
    for pk in ("999999", "9" * 30):
        assert staff.get(f"{IMPORTS}{pk}/").status_code == 404
        assert staff.post(f"{IMPORTS}{pk}/apply/").status_code == 404
        assert staff.get(f"{IMPORTS}files/{pk}/").status_code == 404
        assert staff.get(f"{IMPORTS}{pk}/refused/").status_code == 404
    assert not Parcel.objects.exists()


def test_a_file_that_is_being_read_shows_how_far_it_is(staff, monkeypatch):
    monkeypatch.setattr("oscar_fulfillment.core.queue.run_later", lambda *args, **kwargs: None)
    source = take(csv_of(*((f"N{n}", "x") for n in range(1000))))
    url = f"{IMPORTS}{source.pk}/"
    page = text(staff.get(url))
    assert "Being read" in page
    assert "Apply the" not in page
    assert staff.get(f"{url}refused/").status_code == 404
    assert staff.post(f"{url}apply/", {"key": "k"}).status_code == 400
    tracking_imports.read_import(source.pk, budget=-1)
    assert staff.get(f"{url}progress/").json() == {"percent": 49, "text": "500 rows read", "finished": False}
    tracking_imports.read_import(source.pk)
    assert staff.get(f"{url}progress/").json()["finished"] is True
    assert "No row of this file does anything." in text(staff.get(url))


def test_a_file_that_could_not_be_read_says_why(staff):
    source = TrackingImport.objects.create(
        kind="codes", status="failed", problem="Line 7 is damaged.", file_name="x.csv"
    )
    page = text(staff.get(f"{IMPORTS}{source.pk}/"))
    assert "Line 7 is damaged." in page
    assert "Nothing was changed." in page
    assert "Not readable" in text(staff.get(IMPORTS))


def test_hostile_cells_are_text(staff):
    content = csv_of((HOSTILE, HOSTILE, HOSTILE), heading=f"Pedido;Rastreio;Transportadora;{HOSTILE}")
    response = upload(staff, content, f"{HOSTILE}.csv")
    assert HOSTILE not in text(response)
    response = confirmed(staff, response)
    assert HOSTILE not in text(response)
    assert "&lt;script&gt;" in text(response)
    occurrences = take_ocoren(record3("40935", "46", "02022026", text=HOSTILE))
    sent()
    assert HOSTILE not in text(staff.get(f"{IMPORTS}{occurrences.pk}/"))


def test_a_page_costs_a_fixed_number_of_queries(staff):
    def count(source):
        with CaptureQueriesContext(connection) as captured:
            assert staff.get(f"{IMPORTS}{source.pk}/").status_code == 200
        return len(captured)

    one = take(csv_of((factories.invoiced_order().number, CODES[0])))
    many = take(csv_of(*((factories.invoiced_order().number, f"X{n}") for n in range(12))), carrier="other")
    staff.get(f"{IMPORTS}{one.pk}/")
    assert count(one) == count(many)
