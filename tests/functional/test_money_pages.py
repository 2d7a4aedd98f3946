"""The pages of bank statements and payouts over HTTP: files, columns, confirming, who may."""

import re
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from oscar_fulfillment.models import BankEntry, BankStatement, ImportDraft, OrderFulfillment, Payout
from oscar_fulfillment.orders_dashboard.money_urls import money_urls
from oscar_fulfillment.selectors import bank_matching
from oscar_fulfillment.services import bank
from oscar_fulfillment.test import factories
from tests.integration.bank import ACCOUNT, DATA, RITA, content, entry, lines, take, unpaid
from tests.integration.payments import statuses
from tests.integration.test_payouts import take as take_payout
from tests.integration.test_payouts import waiting

from .test_order_list import partner_user

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D6", "E10")]

STATEMENTS = "/dashboard/orders/money/statements/"
ENTRIES = "/dashboard/orders/money/entries/"
PAYOUTS = "/dashboard/orders/money/payouts/"


@pytest.fixture
def staff(client):
    client.force_login(factories.staff_user("import_statements", "view_order", first_name="Rita", last_name="Lima"))
    return client


def upload(client, name, data=None, *, url=f"{STATEMENTS}upload/", **given):
    file = SimpleUploadedFile(name, content(name) if data is None else data)
    return client.post(url, {"file": file, "currency": "CHF", **given}, follow=True)


def text(response):
    return re.sub(r"\s+", " ", response.content.decode())


def messages(response):
    return [str(message) for message in response.context["messages"]]


# ---- Who may ----


def every_url():
    numbers = {"pk": 1}
    return [
        reverse(f"dashboard:{p.name}", kwargs=numbers if "<int:pk>" in str(p.pattern) else {}) for p in money_urls()
    ]


def test_only_staff_with_the_permission_see_any_of_the_pages():
    allowed, without = factories.staff_user("import_statements"), factories.staff_user("view_order", "approve_payment")
    factories.product(partner="Atelier")
    partner = partner_user(Client(), "Atelier")
    take("camt053_v02_collective.xml")
    for url in every_url():
        for user in (without, partner, None):
            client = Client()
            if user:
                client.force_login(user)
            for method in (client.get, client.post):
                assert method(url).status_code in (302, 403), (url, user)
                if user:
                    assert method(url).status_code == 403 or "login" in method(url).url
        client = Client()
        client.force_login(allowed)
        assert client.get(url).status_code in (200, 404, 405), url
    assert not BankEntry.objects.filter(state="matched").exists()


# ---- Upload ----


def test_a_camt_file_is_imported_and_its_movements_shown_with_their_orders(staff):
    unpaid("100123")
    response = upload(staff, "camt053_v02_collective.xml")
    assert messages(response) == ["4 movements imported."]
    page = text(response)
    assert "Rutschmann Pia" in page
    assert "Payment reference" in page
    assert "Exact sum" in page
    assert "No order found" in page
    assert "Kontoführungsgebühr" not in page
    assert "Kontoführungsgebühr" in text(staff.get(f"{response.request['PATH_INFO']}?state=aside"))
    listing = text(staff.get(STATEMENTS))
    assert "camt053_v02_collective.xml" in listing
    assert "CH••••7896" in listing
    assert ACCOUNT not in listing


def test_the_same_file_again_says_who_has_imported_it(staff):
    upload(staff, "camt053_v02_collective.xml")
    response = upload(staff, "camt053_v02_collective.xml")
    assert response.status_code == 400
    assert "This file was imported before" in text(response)
    assert "Rita Lima" in text(response)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("x.xml", content("entities.xml"), "declares entities"),
        ("x.xml", content("camt054.xml"), "camt.054"),
        ("x.xml", content("camt053_v08.xml")[:-40], "cut off"),
        ("x.zip", b"PK\x03\x04abc", "zip or Excel"),
        ("x.pdf", b"%PDF-1.7", "PDF"),
        ("x.txt", content("1c_utf8.txt")[:-30], "cut off"),
        ("x.csv", b"hello\n", "No table was found"),
        ("x.csv", b"", "empty"),
    ],
)
def test_a_bad_file_is_refused_in_words(staff, name, data, words):
    response = upload(staff, name, data, account=ACCOUNT)
    assert response.status_code == 400
    assert words in text(response)
    assert not BankStatement.objects.exists()
    assert not ImportDraft.objects.exists()


def test_a_file_that_is_too_large_and_none_at_all(staff, settings):
    settings.OSCAR_FULFILLMENT = settings.OSCAR_FULFILLMENT | {"STATEMENT_MAX_BYTES": 1_000_000}
    assert "larger than 1 MB" in text(upload(staff, "x.csv", b"x" * 1_000_001))
    assert staff.post(f"{STATEMENTS}upload/", {"currency": "CHF"}).status_code == 400
    assert staff.post(f"{STATEMENTS}upload/", {"currency": "francs"}).status_code == 400


# ---- The columns of a CSV file ----


def test_the_columns_of_a_csv_file_are_asked_once_and_remembered(staff):
    response = upload(staff, "ubs_de.csv", account="CH02 0070 0110 0003 8789 6")
    page = text(response)
    assert "What is in which column?" in page
    assert "2 movements of CH••••7896" in page
    assert "5 Nov 2026" in page
    draft = ImportDraft.objects.get()
    given = {f"role-{c['index']}": c["role"] for c in response.context["columns"]}
    answer = {**given, "order": "ymd", "mark": ".", "import": "1"}
    done = staff.post(f"{STATEMENTS}files/{draft.pk}/", answer, follow=True)
    assert messages(done) == ["2 movements imported."]
    assert not ImportDraft.objects.exists()
    assert BankStatement.objects.get().layout["order"] == "ymd"
    next_file = content("ubs_de.csv").replace(b"1234567", b"7654321")
    again = upload(staff, "ubs_next.csv", next_file, account=ACCOUNT)
    assert "as you confirmed them" in text(again)


def test_wrong_answers_are_shown_beside_the_columns(staff):
    upload(staff, "nubank_br.csv", account="0001/4567-8")
    draft = ImportDraft.objects.get()
    url = f"{STATEMENTS}files/{draft.pk}/"
    for roles, words in (
        (("", "amount", "", "text"), "Say which column holds the booking date."),
        (("date", "date", "", "text"), "Only one column can be “Booking date”."),
        (("date", "text", "", "amount"), "These lines cannot be read: line 2"),
        (("evil", "", "", ""), "Choose one of the answers"),
    ):
        answer = {f"role-{i}": role for i, role in enumerate(roles)} | {"order": "dmy", "mark": "."}
        shown = staff.post(url, {**answer, "preview": "1"})
        assert (shown.status_code, words in text(shown)) == (200, True)
        assert staff.post(url, {**answer, "import": "1"}).status_code == 400
    assert not BankStatement.objects.exists()
    staff.post(url, {"cancel": "1"})
    assert not ImportDraft.objects.exists()


def test_a_csv_file_needs_an_account_and_is_its_owners_alone(staff):
    assert "Say which account" in text(upload(staff, "nubank_br.csv"))
    assert "not a valid IBAN" in text(upload(staff, "nubank_br.csv", account="CH0300700110000387896"))
    upload(staff, "nubank_br.csv", account=ACCOUNT)
    other = Client()
    other.force_login(factories.staff_user("import_statements"))
    assert other.get(f"{STATEMENTS}files/{ImportDraft.objects.get().pk}/").status_code == 404


# ---- Movements ----


def test_confirming_books_the_money_and_says_what_is_missing(staff):
    exact, short = unpaid("100123"), unpaid("100125", "25.00")
    (statement,) = take("camt053_v02_collective.xml")
    for amount, order in (("100.00", exact), ("20.00", short)):
        response = staff.post(f"{ENTRIES}{entry(amount).pk}/confirm/", {"order": order.pk}, follow=True)
        assert response.request["PATH_INFO"] == f"{STATEMENTS}{statement.pk}/"
        if order is short:
            assert "booked for order 100125. " in messages(response)[0]
            assert "5.00 are still missing." in messages(response)[0]
    assert (statuses(exact)[0], statuses(short)[0]) == ("paid", "awaiting_payment")
    assert entry("100.00").decided_by_label == "Rita Lima"
    again = staff.post(f"{ENTRIES}{entry('100.00').pk}/confirm/", {"order": short.pk}, follow=True)
    assert "Rita Lima has booked this movement for order 100123" in messages(again)[0]
    assert "Booked for order 100123" in text(staff.get(f"{ENTRIES}{entry('100.00').pk}/"))


@pytest.mark.parametrize("order", ["", "x", "-1", "999999999999", "٣", "9" * 40])
def test_a_form_that_names_no_order_is_not_found(staff, order):
    take("camt053_v02_collective.xml")
    assert staff.post(f"{ENTRIES}{entry('100.00').pk}/confirm/", {"order": order}).status_code == 404
    assert entry("100.00").state == "new"


def test_the_way_back_stays_on_this_site(staff):
    take("camt053_v02_collective.xml")
    found = entry("100.00")
    away = staff.post(f"{ENTRIES}{found.pk}/ignore/", {"next": "https://evil.example/"})
    assert away.url == f"{STATEMENTS}{found.statement_id}/"
    here = staff.post(f"{ENTRIES}{found.pk}/reopen/", {"next": ENTRIES})
    assert here.url == ENTRIES


def test_another_order_is_found_by_hand(staff):
    order = unpaid("777", "64.00", name="Bo Ek")
    take("camt053_v02_collective.xml")
    url = f"{ENTRIES}{entry('20.00').pk}/"
    assert "No order found by reference, number or sum." in text(staff.get(url))
    for typed in ("777", "ek", "ana@example.com"):
        assert "44.00 short" in text(staff.get(url, {"q": typed})), typed
    assert "No order in this currency fits." in text(staff.get(url, {"q": "nobody"}))
    staff.post(f"{url}confirm/", {"order": order.pk})
    assert entry("20.00").fulfillment_id == order.pk


def test_setting_aside_with_a_note_and_taking_up_again(staff):
    (statement,) = take("camt053_v02_collective.xml")
    found = entry("20.00")
    staff.post(f"{ENTRIES}{found.pk}/ignore/", {"note": "my own deposit"})
    assert "my own deposit" in text(staff.get(f"{STATEMENTS}{statement.pk}/?state=aside"))
    assert "Take it up again" in text(staff.get(f"{ENTRIES}{found.pk}/"))
    too_long = staff.post(f"{ENTRIES}{entry('50.50').pk}/ignore/", {"note": "x" * 301}, follow=True)
    assert "At most 300" in messages(too_long)[0]
    staff.post(f"{ENTRIES}{found.pk}/reopen/")
    assert entry("20.00").state == "new"


def test_the_exact_ones_are_reviewed_and_booked_together(staff):
    orders = [unpaid("100123"), unpaid("100124", "50.50")]
    unpaid("100125", "21.00")
    (statement,) = take("camt053_v02_collective.xml")
    review = staff.get(f"{STATEMENTS}{statement.pk}/exact/")
    pairs = re.findall(r'name="pair" value="([\d:]+)" checked', review.content.decode())
    assert len(pairs) == 2
    response = staff.post(f"{ENTRIES}confirm/", {"pair": pairs, "next": f"{STATEMENTS}{statement.pk}/"}, follow=True)
    assert messages(response) == ["2 movements booked."]
    assert [statuses(order)[0] for order in orders] == ["paid", "paid"]
    again = staff.post(f"{ENTRIES}confirm/", {"pair": pairs}, follow=True)
    assert len([told for told in messages(again) if "not booked" in told]) == 2
    assert "No exact match here" in text(staff.get(f"{STATEMENTS}{statement.pk}/exact/"))
    assert "Choose 1 to 200" in messages(staff.post(f"{ENTRIES}confirm/", {"pair": ["x", "1:2:3"]}, follow=True))[0]


def test_more_exact_ones_than_one_request_takes_are_continued(staff, monkeypatch):
    monkeypatch.setattr(bank, "MOST_AT_ONCE", 2)
    for number in range(5):
        unpaid(f"90000{number}")
    statement = lines(*[("05.11.2026", "X", f"Order 90000{number}", "100.00") for number in range(5)])
    url, seen = f"{STATEMENTS}{statement.pk}/exact/", []
    while url:
        page = staff.get(url)
        seen += [row["best"]["order"].number for row in page.context["rows"]]
        url = page.context["next_url"]
    assert seen == [f"90000{number}" for number in range(5)]


def test_all_open_movements_over_the_statements(staff):
    take("camt053_v02_collective.xml")
    take("1c_utf8.txt")
    page = text(staff.get(ENTRIES))
    assert "Rutschmann Pia" in page
    assert "Кузнецов Пётр Ильич" in page
    assert "All open movements" in text(staff.get(STATEMENTS))
    assert staff.get(f"{ENTRIES}exact/").status_code == 200


def test_what_the_bank_took_back_offers_no_booking(staff):
    unpaid("100127", "80.00")
    take("camt053_v08.xml")
    page = staff.get(f"{ENTRIES}{entry('-35.00').pk}/")
    assert "The bank took an earlier payment back" in text(page)
    assert "May pay one of these" not in text(page)


def test_a_page_of_fifty_costs_the_same_statements_as_of_one(staff):
    def statements(statement):
        bank_matching.find_matches([])
        staff.get(f"{STATEMENTS}{statement.pk}/")
        with CaptureQueriesContext(connection) as captured:
            staff.get(f"{STATEMENTS}{statement.pk}/")
        return len(captured)

    one = lines(("05.11.2026", "X", "Order 1", "1.00"))
    many = lines(*[("06.11.2026", "X", f"Order {n}", f"{n}.00") for n in range(2, 60)])
    assert statements(one) == statements(many)


def test_a_hostile_text_is_shown_as_text(staff):
    statement = lines(("05.11.2026", "<script>alert(1)</script>", "<img src=x onerror=alert(2)>", "5.00"))
    page = staff.get(f"{STATEMENTS}{statement.pk}/").content.decode()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page


# ---- Payouts ----


@pytest.mark.feature("D13")
def test_a_payout_from_the_upload_to_the_completed_order(staff):
    order, payment = waiting()
    listing = text(staff.get(PAYOUTS))
    assert order.number in listing
    assert "0 days" in listing
    data = (DATA / "payouts" / "other.csv").read_bytes().replace(b"260101120000000001", payment.external_id.encode())
    page = upload(staff, "other.csv", data, url=f"{PAYOUTS}upload/", provider="demo", reference="PO-7", currency="CHF")
    assert "1 payment; " in text(page)
    given = {f"role-{c['index']}": c["role"] for c in page.context["columns"]}
    draft = ImportDraft.objects.get()
    done = staff.post(f"{PAYOUTS}files/{draft.pk}/", {**given, "order": "ymd", "mark": ".", "import": "1"}, follow=True)
    assert "Complete" in text(done)
    payout = Payout.objects.get()
    assert payout.reference == "PO-7"
    told = staff.post(f"{PAYOUTS}{payout.pk}/", {"all": "1"}, follow=True)
    assert messages(told) == ["1 payment confirmed."]
    assert not OrderFulfillment.objects.get(pk=order.pk).awaits_payout
    assert "Confirmed by Rita Lima" in text(staff.get(f"{PAYOUTS}{payout.pk}/?state=done"))
    assert "No order waits for its payout." in text(staff.get(PAYOUTS))


@pytest.mark.feature("D13")
def test_differences_are_shown_and_confirmed_only_by_choice(staff):
    order, payment = waiting()
    payout = take_payout((payment.external_id, "", "payment", "25.00", "0"), ("nobody", "", "payment", "1.00", "0"))
    page = text(staff.get(f"{PAYOUTS}{payout.pk}/"))
    assert "Differs" in page
    assert "was charged" in page
    assert "No payment of ours" in text(staff.get(f"{PAYOUTS}{payout.pk}/?state=unknown"))
    assert messages(staff.post(f"{PAYOUTS}{payout.pk}/", {"all": "1"}, follow=True)) == ["0 payments confirmed."]
    assert messages(staff.post(f"{PAYOUTS}{payout.pk}/", {}, follow=True)) == ["Choose at least one line."]
    assert "0 lines found" in messages(staff.post(f"{PAYOUTS}{payout.pk}/", {"find": "1"}, follow=True))[0]
    line = payout.lines.get(payment=payment)
    staff.post(f"{PAYOUTS}{payout.pk}/", {"line": [str(line.pk), "x"]})
    assert not OrderFulfillment.objects.get(pk=order.pk).awaits_payout


@pytest.mark.feature("D13")
def test_a_bad_payout_file_is_refused(staff):
    for name, data in (("x.xml", content("camt053_v08.xml")), ("x.csv", b"a\n"), ("x.zip", b"PK\x03\x04")):
        response = upload(staff, name, data, url=f"{PAYOUTS}upload/", provider="demo")
        assert response.status_code == 400
    response = upload(staff, "other.csv", b"a,b,c\n1,2,3\n", url=f"{PAYOUTS}upload/", provider="nobody")
    assert response.status_code == 400
    assert not ImportDraft.objects.exists()


def test_booking_by_hand_keeps_who_it_was(staff):
    order = unpaid("100123")
    take("camt053_v02_collective.xml")
    bank.confirm_entry(entry=entry("100.00"), order=order, actor=RITA)
    assert "Rita" in text(staff.get(f"{STATEMENTS}{entry('100.00').statement_id}/?state=booked"))
    assert Decimal(order.total_incl_tax) == entry("100.00").amount
