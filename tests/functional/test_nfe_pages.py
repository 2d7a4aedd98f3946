"""The pages of fiscal notes over HTTP: dropping, verdicts, applying, choosing, downloading, who may."""

import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from oscar_fulfillment.core import queue
from oscar_fulfillment.models import Invoice, NfeFile, StatusChange
from oscar_fulfillment.orders_dashboard.nfe_urls import nfe_urls
from oscar_fulfillment.services import nfe_applying, nfe_work
from oscar_fulfillment.test import factories, nfe
from oscar_fulfillment.test.fiscal import make_cpf
from tests.integration.nfe import ERP, apply, released, take
from tests.integration.nfe import shipping as status_of
from tests.settings import OSCAR_FULFILLMENT

from .test_order_list import partner_user

pytestmark = [pytest.mark.django_db, pytest.mark.feature("A9", "A10", "Z5")]

NOTES = "/dashboard/orders/fiscal/notes/"
HOSTILE = '"><script>alert(1)</script>\u202e.xml'


@pytest.fixture
def staff(client):
    client.force_login(factories.staff_user("invoice_order", "view_order", first_name="Rita", last_name="Lima"))
    return client


def upload(client, *contents, names=None, **said):
    files = [SimpleUploadedFile(names[n] if names else f"{n}.xml", content) for n, content in enumerate(contents)]
    return client.post(f"{NOTES}upload/", {"files": files}, follow=said.pop("follow", True), **said)


def text(response):
    return re.sub(r"\s+", " ", response.content.decode())


def messages(response):
    return [str(message) for message in response.context["messages"]]


# ---- Who may ----


def every_url(pk):
    given = {"pk": pk, "batch": "a" * 32}
    return [
        reverse(f"dashboard:{p.name}", kwargs={n: v for n, v in given.items() if f":{n}>" in str(p.pattern)})
        for p in nfe_urls()
    ]


def test_only_staff_with_the_permission_see_any_of_the_pages():
    order = released(lines=[(factories.product(partner="Atelier"), 2)])
    (file,) = take(nfe.make_note(order=order))
    allowed = factories.staff_user("invoice_order")
    without = factories.staff_user("view_order", "release_order", "view_orderfulfillment")
    partner = partner_user(Client(), "Atelier")
    for url in every_url(file.pk):
        for user in (without, partner, None):
            client = Client()
            if user:
                client.force_login(user)
            for method in (client.get, client.post):
                response = method(url)
                assert response.status_code in (302, 403), (url, user)
                assert response.status_code == 403 or "login" in response.url, (url, user)
    file.refresh_from_db()
    assert (file.status, status_of(order)) == ("checked", "released")
    client = Client()
    client.force_login(allowed)
    for url in every_url(file.pk):
        assert client.get(url).status_code in (200, 404, 405), url


def test_the_menu_leads_there(staff):
    page = text(staff.get(NOTES))
    assert "Fiscal notes" in page
    assert "XML files or zips" in page


def test_every_form_needs_its_token():
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.staff_user("invoice_order"))
    (file,) = take(nfe.make_note(total="5.00"))
    for url in every_url(file.pk):
        assert client.post(url).status_code in (403, 405), url
    assert client.post(f"{NOTES}upload/", {"files": SimpleUploadedFile("a.xml", b"<x/>")}).status_code == 403
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', text(client.get(NOTES)))[1]
    given = {"files": SimpleUploadedFile("a.xml", b"<x/>"), "csrfmiddlewaretoken": token}
    assert client.post(f"{NOTES}upload/", given).status_code == 302


# ---- From the drop to the orders ----


def test_files_are_dropped_judged_and_applied_together(staff):
    orders = [released() for _number in range(3)]
    response = upload(
        staff, nfe.make_note(order=orders[0]), nfe.make_note(order=orders[1]),
        nfe.make_note(order=orders[2], total="18.00"), nfe.make_note(total="55.00"), b"%PDF-1.7",
    )  # fmt: skip
    page = text(response)
    assert re.search("/batch/[0-9a-f]{32}/$", response.request["PATH_INFO"])
    for words in ("Good: 2", "Differs: 1", "Which order?: 1", "1 file cannot be used.", "This is a PDF",
                  "The note is over R$ 18.00, but what the order lacks is R$ 20.00.", "No order was found for this note.",
                  "Apply all 2 good ones"):  # fmt: skip
        assert words in page, words
    batch = response.request["PATH_INFO"].split("/")[-2]
    response = staff.post(f"{NOTES}apply/", {"all": "1", "batch": batch}, follow=True)
    assert "2 files are filed." in text(response)
    assert [status_of(order) for order in orders] == ["invoiced", "invoiced", "released"]
    change = StatusChange.objects.filter(action="invoice").first()
    assert (change.actor_label, change.actor_kind) == ("Rita Lima", "user")


def test_only_the_chosen_ones_are_applied(staff):
    orders = [released() for _number in range(2)]
    files = take(*(nfe.make_note(order=order) for order in orders))
    response = staff.post(f"{NOTES}apply/", {"file": [str(files[1].pk), "x", "9" * 30, "-1"]}, follow=True)
    assert response.status_code == 200
    assert [status_of(order) for order in orders] == ["released", "invoiced"]
    response = staff.post(f"{NOTES}apply/", {"next": NOTES}, follow=True)
    assert messages(response) == ["None of these files can be applied. Choose some that are good."]
    assert response.request["PATH_INFO"] == NOTES


def test_the_same_files_again_are_told_to_be_here(staff):
    content = nfe.make_note(order=released())
    upload(staff, content)
    response = upload(staff, content)
    assert messages(response) == ["1 file was here already."]
    assert NfeFile.objects.count() == 1


def test_what_stood_in_the_way_is_shown_and_retried(staff, monkeypatch):
    order = released()
    (file,) = take(nfe.make_note(order=order))

    def breaks(**said):
        raise RuntimeError

    monkeypatch.setattr(nfe_applying.invoicing, "invoice_order", breaks)
    response = staff.post(f"{NOTES}apply/", {"all": "1"}, follow=True)
    assert "Not applied: An unexpected error" in text(response)
    assert "Try the failed one again" in text(response)
    monkeypatch.undo()
    batch = response.request["PATH_INFO"].split("/")[-2]
    response = staff.post(f"{NOTES}apply/", {"retry": "1", "batch": batch}, follow=True)
    assert "1 file is filed." in text(response)
    assert status_of(order) == "invoiced"


def test_an_order_is_chosen_and_the_choice_taken_back(staff):
    order = released(number="800100")
    (file,) = take(nfe.make_note(order=order, order_number="", buyer=make_cpf("111222333")))
    here = f"{NOTES}{file.pk}/"
    page = text(staff.get(here, {"q": "800100"}))
    assert "Which order?" in page
    assert "800100" in page
    staff.post(f"{here}order/", {"order": order.pk})
    file.refresh_from_db()
    assert (file.fulfillment.number, file.is_chosen, file.verdict) == ("800100", True, "differs")
    assert "chosen by hand" in text(staff.get(here))
    staff.post(f"{here}order/", {"order": ""})
    file.refresh_from_db()
    assert (file.fulfillment, file.is_chosen) == (None, False)
    for wrong in ("99999999", "x", "9" * 40, "-1"):
        assert staff.post(f"{here}order/", {"order": wrong}).status_code == 404


def test_proposals_say_why_and_what_speaks_against_them(staff):
    orders = [released(), released()]
    (file,) = take(nfe.make_note(order=orders[0], order_number=""))
    page = text(staff.get(f"{NOTES}{file.pk}/"))
    assert page.count("Buyer and sum") == 2
    assert "the buyer fits, the sum fits" in page


def test_a_note_that_differs_asks_for_a_reason(staff):
    order = released()
    (file,) = take(nfe.make_note(order=order, total="18.00"))
    here = f"{NOTES}{file.pk}/"
    response = staff.post(f"{here}apply/", {"reason": "  "})
    assert response.status_code == 400
    assert "Say why the note is right though it differs." in text(response)
    assert staff.post(f"{here}apply/", {"reason": "x" * 5000}).status_code == 400
    assert status_of(order) == "released"
    response = staff.post(f"{here}apply/", {"reason": "PIX discount"}, follow=True)
    assert messages(response) == [f"NF-e {file.facts['number']}, series 1 is filed with order {order.number}."]
    assert "PIX discount" in text(response)


def test_the_page_of_a_note_says_what_it_would_cover(staff):
    mug = factories.product("Mug", "10.00", sku="MUG")
    order = released(lines=[(mug, 5)])
    (file,) = take(nfe.make_note(order=order, total="20.00", items=[nfe.item(sku="MUG", quantity=2, amount="20.00")]))
    page = text(staff.get(f"{NOTES}{file.pk}/"))
    assert "Shipment 1: 2 × Mug (the rest becomes a shipment of its own)" in page


def test_orders_released_since_are_good_when_checked_again(staff):
    order = factories.paid_order(fulfillment={"tax_id": nfe.BUYER, "tax_id_kind": "cpf"})
    (file,) = take(nfe.make_note(order=order))
    from oscar_fulfillment.services import release

    release.release_order(order=order, actor=ERP)
    response = staff.post(f"{NOTES}check/", {"next": NOTES}, follow=True)
    assert messages(response) == ["1 file is checked again."]
    file.refresh_from_db()
    assert file.verdict == "good"


def test_a_file_is_thrown_away_and_a_filed_one_is_not(staff):
    waiting, filed = take(nfe.make_note(total="5.00"), nfe.make_note(order=released()))
    apply(filed)
    staff.post(f"{NOTES}{waiting.pk}/discard/")
    response = staff.post(f"{NOTES}{filed.pk}/discard/", follow=True)
    assert messages(response)[-1] == "This note is filed with its order; it is kept."
    assert list(NfeFile.objects.all()) == [filed]


# ---- Bytes ----


def test_the_file_comes_back_as_it_was_handed_in(staff):
    order = released()
    content = nfe.make_note(order=order).replace(b"?><", b"?>\r\n<")
    (file,) = take(content, name=HOSTILE)
    apply(file)
    response = staff.get(f"{NOTES}{file.pk}/xml/")
    assert response.content == content
    assert response["Content-Disposition"] == f'attachment; filename="{file.access_key}-procNFe.xml"'
    assert (response["Content-Type"], response["X-Content-Type-Options"]) == ("application/xml", "nosniff")
    page = text(staff.get(f"/dashboard/orders/{order.number}/"))
    assert f"{NOTES}{file.pk}/xml/" in page
    assert "135260000000001" in page


def test_what_is_no_note_is_handed_back_as_bytes_only(staff):
    (file,) = take(b"<html><script>alert(1)</script></html>")
    response = staff.get(f"{NOTES}{file.pk}/xml/")
    assert (response["Content-Type"], response["Content-Disposition"]) == (
        "application/octet-stream", f'attachment; filename="file-{file.pk}.bin"')  # fmt: skip
    (big,) = take(b"<a>" + b" " * 3_000_001 + b"</a>")
    assert staff.get(f"{NOTES}{big.pk}/xml/").status_code == 404


def test_the_order_page_shows_no_link_to_those_who_may_not_follow_it():
    order = released()
    apply(*take(nfe.make_note(order=order)))
    client = Client()
    client.force_login(factories.staff_user("view_order", "view_orderfulfillment"))
    page = text(client.get(f"/dashboard/orders/{order.number}/"))
    assert "135260000000001" in page
    assert "Download the XML" not in page


def test_the_order_page_asks_no_more_for_more_notes(staff):
    def statements(order):
        with CaptureQueriesContext(connection) as counted:
            assert staff.get(f"/dashboard/orders/{order.number}/").status_code == 200
        return len(counted)

    order = released()
    (file,) = take(nfe.make_note(order=order))
    apply(file)
    before = statements(order)
    apply(*take(*(nfe.make_event(file.access_key, kind="110110", why=f"Letter {n}") for n in range(3))))
    assert statements(order) <= before


# ---- Hostile input ----


def test_hostile_names_and_texts_are_shown_as_texts(staff):
    order = released()
    note = nfe.make_note(order=order, text="<script>alert(2)</script>").replace(
        b"Ana Souza", b"&lt;img src=x onerror=alert(3)&gt;"
    )
    response = upload(staff, note, b"\xff\xfe<", names=[HOSTILE, "a" * 500 + ".xml"])
    page = response.content.decode()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "\u202e" not in page
    for file in NfeFile.objects.all():
        page = staff.get(f"{NOTES}{file.pk}/").content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page


@pytest.mark.parametrize("query", [
    {"state": "x"}, {"verdict": "' OR 1=1"}, {"before": "x"}, {"before": "9" * 40}, {"after": "-5"}, {"q": "\0"},
    {"q": "9" * 44}, {"q": "%"}, {"q": "x" * 5000}, {"state": "filed", "verdict": "good", "q": "#T1", "before": "5"},
])  # fmt: skip
def test_addresses_of_any_kind_are_answered(staff, query):
    take(nfe.make_note(total="5.00"))
    assert staff.get(NOTES, query).status_code == 200


def test_what_does_not_exist_is_not_found(staff):
    for path in ("0/", "999999/", "999999/xml/", f"batch/{'a' * 32}/", "batch/x/"):
        assert staff.get(f"{NOTES}{path}").status_code == 404, path
    for path in ("999999/order/", "999999/apply/", "999999/discard/"):
        assert staff.post(f"{NOTES}{path}").status_code == 404, path


def test_an_empty_form_and_damaged_ones_are_answered(staff):
    assert messages(staff.post(f"{NOTES}upload/", {}, follow=True)) == ["Choose at least one file."]
    for body, kind in ((b"rubbish", "multipart/form-data"), (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
                       (b"x", "text/plain")):  # fmt: skip
        response = staff.post(f"{NOTES}upload/", body, content_type=kind)
        assert response.status_code in (302, 400), kind
    assert not NfeFile.objects.exists()


@override_settings(DATA_UPLOAD_MAX_NUMBER_FILES=5)
def test_more_files_than_the_server_takes_are_answered_with_what_helps(staff):
    response = upload(staff, *(b"<x/>" for _number in range(6)))
    assert messages(response) == [
        "These are more files than your server takes at once. Put them into a zip and drop that."
    ]
    answer = upload(staff, *(b"<x/>" for _number in range(6)), headers={"accept": "application/json"}, follow=False)
    assert (answer.status_code, "zip" in answer.json()["error"]) == (413, True)


def test_a_request_of_more_than_allowed_is_not_read(staff):
    with override_settings(OSCAR_FULFILLMENT={"NFE_MAX_UPLOAD": 1000}):
        response = upload(staff, b"x" * 200_000)
        assert messages(response) == ["At most 1 kB at once."]
    assert not NfeFile.objects.exists()


def test_the_page_says_what_to_install(staff, monkeypatch):
    for module in ("nfe_views", "nfe_file_views"):
        monkeypatch.setattr(f"oscar_fulfillment.orders_dashboard.{module}.missing_packages", lambda: ("lxml",))
    monkeypatch.setattr("oscar_fulfillment.services.nfe_imports.missing_packages", lambda: ("lxml",))
    page = text(staff.get(NOTES))
    assert "lxml is missing" in page
    assert (
        "pip install &quot;django-oscar-fulfillment[nfe]&quot;" in page
        or 'pip install "django-oscar-fulfillment[nfe]"' in page
    )
    assert 'type="file"' not in page
    assert "lxml is missing" in messages(upload(staff, b"<x/>"))[0]


# ---- Many ----


def test_a_portion_of_an_upload_is_answered_in_json(staff):
    batch = "b" * 32
    for number in range(2):
        files = [SimpleUploadedFile(f"{number}.xml", nfe.make_note(total="5.00"))]
        given = {"files": files, "batch": batch}
        answer = staff.post(f"{NOTES}upload/", given, headers={"accept": "application/json"}).json()
        assert answer == {"url": f"{NOTES}batch/{batch}/", "new": 1, "known": 0, "error": ""}
    assert NfeFile.objects.filter(batch=batch).count() == 2
    given = {"files": [SimpleUploadedFile("x.xml", b"<x/>")], "batch": "../../x"}
    answer = staff.post(f"{NOTES}upload/", given, headers={"accept": "application/json"}).json()
    assert re.fullmatch(f"{NOTES}batch/[0-9a-f]{{32}}/", answer["url"])


@override_settings(OSCAR_FULFILLMENT={**OSCAR_FULFILLMENT, "BULK_INLINE_LIMIT": 2})
def test_many_are_checked_and_applied_in_the_background(staff, monkeypatch):
    woken = []
    monkeypatch.setattr(queue, "wake", woken.append)
    orders = [released() for _number in range(3)]
    response = upload(staff, *(nfe.make_note(order=order) for order in orders))
    page = text(response)
    assert woken == [nfe_work.TASK]
    assert "0 of 3 files" in page
    assert '<noscript><meta http-equiv="refresh"' in page
    batch = response.request["PATH_INFO"].split("/")[-2]
    assert staff.get(f"{NOTES}batch/{batch}/progress/").json() == {
        "percent": 0, "text": "0 of 3 files", "finished": False}  # fmt: skip
    nfe_work.work()
    assert staff.get(f"{NOTES}batch/{batch}/progress/").json()["finished"] is True
    response = staff.post(f"{NOTES}apply/", {"all": "1", "batch": batch}, follow=True)
    assert "Being applied" in text(response)
    assert [status_of(order) for order in orders] == ["released"] * 3
    nfe_work.work()
    assert Invoice.objects.count() == 3


def test_the_sweep_wakes_a_worker_for_files_that_nobody_has(monkeypatch):
    woken = []
    monkeypatch.setattr(queue, "wake", woken.append)
    nfe_work.resume()
    assert woken == []
    take(nfe.make_note(total="5.00"))
    NfeFile.objects.update(status="received", touched_at=timezone.now() - timedelta(hours=1))
    nfe_work.resume()
    assert woken == [nfe_work.TASK]


def test_the_list_asks_no_more_for_more_files_and_pages_through_them(staff):
    def statements():
        with CaptureQueriesContext(connection) as counted:
            response = staff.get(NOTES)
        return len(counted), response

    take(nfe.make_note(total="5.00"))
    staff.get(NOTES)
    few, _response = statements()
    take(*(nfe.make_note(total="5.00") for _number in range(54)))
    many, response = statements()
    assert many <= few
    page = text(response)
    assert page.count('data-label="Verdict"') == 50
    (older,) = re.findall(r'href="(\?state=open&amp;before=\d+)"', page)
    page = text(staff.get(NOTES + older.replace("&amp;", "&")))
    assert page.count('data-label="Verdict"') == 5
    (newer,) = re.findall(r'href="(\?state=open&amp;after=\d+)"', page)
    assert text(staff.get(NOTES + newer.replace("&amp;", "&"))).count('data-label="Verdict"') == 50


def test_notes_are_found_by_key_number_and_order(staff):
    order = released(number="700123")
    (file,) = take(nfe.make_note(order=order, number=4711))
    take(nfe.make_note(total="5.00", number=4712))
    for typed in (file.access_key, nfe.parse(file.access_key).grouped, "4711", "700123", "7001"):
        page = text(staff.get(NOTES, {"q": typed}))
        assert "NF-e 4711" in page, typed
        assert "NF-e 4712" not in page, typed
    assert "No file fits." in text(staff.get(NOTES, {"q": "nothing"}))


def test_each_verdict_has_its_list(staff):
    take(nfe.make_note(order=released()), nfe.make_note(total="5.00"), b"%PDF-1")
    page = text(staff.get(NOTES, {"verdict": "good"}))
    assert page.count('data-label="Verdict"') == 1
    assert text(staff.get(NOTES, {"state": "refused"})).count('data-label="Verdict"') == 1
    assert "No note is filed yet." in text(staff.get(NOTES, {"state": "filed"}))
