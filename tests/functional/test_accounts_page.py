"""The page of the export to the accounts: who may, what is shown, the files, and what is wrong with what is asked for."""

import csv
import io
import subprocess
import sys
import zipfile
from datetime import date, timedelta
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError, call_command
from oscar.core.loading import get_model

from oscar_fulfillment.services import accounts_xlsx, payments, receipts
from oscar_fulfillment.services.accounts_period import last_month
from oscar_fulfillment.test import factories
from tests.integration.accounts import lines, now_scope, today

from .steps import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D17")]

URL = "/dashboard/orders/money/accounts/"
TEAM = factories.TEAM


@pytest.fixture
def clerk(client):
    client.force_login(factories.staff_user("export_accounts", "view_orderfulfillment"))
    return client


@pytest.fixture
def orders():
    method = factories.manual_method(name="Bank transfer, prepaid")
    paid, waiting = factories.placed_order(method=method), factories.placed_order(method=method)
    payments.approve_payment(order=paid, actor=TEAM, reference="TED 1")
    receipts.note_refund(order=paid, actor=TEAM, amount=Decimal(5), reason="Scratched")
    return paid, waiting


def query(**given):
    days = {"first": today() - timedelta(days=1), "last": today() + timedelta(days=1)}
    return {key: str(value) if isinstance(value, date) else value for key, value in (days | given).items()}


def sheets(content):
    """{name: [[cell, ...], ...]} of a workbook, read without a library."""
    ns = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    found = {}
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        names = [s.get("name") for s in ElementTree.fromstring(book.read("xl/workbook.xml")).iterfind(".//m:sheet", ns)]
        for number, name in enumerate(names, start=1):
            sheet = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))
            assert not list(sheet.iterfind(".//m:f", ns)), "no formula anywhere"
            found[name] = [
                ["".join(cell.itertext()) for cell in row.iterfind("m:c", ns)] for row in sheet.iterfind(".//m:row", ns)
            ]
    return found


# ---- Who ----


def test_only_who_may_export_to_the_accounts_gets_anything(client, orders):
    for codenames in ((), ("export_orders", "view_orderfulfillment"), ("import_statements",)):
        client.force_login(factories.staff_user(*codenames))
        assert {client.get(URL + tail).status_code for tail in ("", "csv/", "xlsx/")} == {403}
        assert f'href="{URL}"' not in text_of(client.get("/dashboard/"))
    client.logout()
    assert {client.get(URL + tail).status_code for tail in ("", "csv/", "xlsx/")} == {302}


def test_who_sells_for_a_partner_sees_no_accounts(client, orders):
    user = factories.staff_user("export_accounts")
    user.is_staff = False
    user.save()
    client.force_login(user)
    assert {client.get(URL + tail).status_code for tail in ("", "csv/", "xlsx/")} == {403}


def test_the_menu_leads_there(clerk):
    assert f'href="{URL}"' in text_of(clerk.get("/dashboard/orders/"))


def test_nothing_is_changed_by_it(clerk, orders):
    assert clerk.post(URL).status_code == 405


# ---- The page ----


def test_without_a_period_it_is_the_last_month(clerk):
    page = clerk.get(URL)
    first, last = last_month()
    assert page.status_code == 200
    assert (page.context["form"]["first"].value(), page.context["form"]["last"].value()) == (
        first.isoformat(), last.isoformat(),
    )  # fmt: skip
    assert "Nothing happened in this period." in text_of(page)
    assert "no-store" in page["Cache-Control"]


def test_totals_and_balances(clerk, orders):
    paid, waiting = orders
    page = clerk.get(URL, query())
    found = page.context["preview"]
    assert [(t.kind, t.method, t.count, t.gross) for t in found.totals] == [
        ("payment", "Bank transfer, prepaid", 1, Decimal("20.00")),
        ("refund", "Bank transfer, prepaid", 1, Decimal("-5.00")),
    ]
    (sums,) = found.sums
    assert (sums.orders, sums.billed, sums.received, sums.refunded, sums.closing) == (2, 40, 20, 5, 25)
    assert sums.ties
    assert {each.reason: [b.number for b in each.named] for each in found.open} == {
        "waiting": [waiting.number], "in_part": [paid.number],
    }  # fmt: skip
    text = text_of(page)
    assert "Ties" in text
    assert "Waits for its money" in text
    assert f"/dashboard/orders/{waiting.number}/" in text


def test_an_order_that_needs_a_person_is_named(clerk, orders):
    paid, _waiting = orders
    get_model("payment", "Source").objects.filter(order=paid).update(amount_debited=10)
    page = clerk.get(URL, query())
    assert page.context["preview"].wrong == 1
    assert "Marked as paid, and money is missing" in text_of(page)
    assert "ff-open--wrong" in text_of(page)


def test_kinds_narrow_the_totals_and_not_the_balances(clerk, orders):
    found = clerk.get(URL, query(kinds="refund")).context["preview"]
    assert [total.kind for total in found.totals] == ["refund"]
    assert found.sums[0].received == 20
    found = clerk.get(URL, query(kinds="invoice")).context["preview"]
    assert found.totals == []


def test_the_page_stops_where_there_is_too_much_for_it(clerk, orders, monkeypatch):
    monkeypatch.setattr("oscar_fulfillment.orders_dashboard.accounts_views.preview", lambda scope: _preview(scope, 1))
    text = text_of(clerk.get(URL, query()))
    assert "their totals are in the Excel file" in text
    assert "what they owe is in the files" in text


def _preview(scope, most):
    from oscar_fulfillment.services.accounts_preview import preview

    return preview(scope, most)


def test_hostile_names_are_text_on_the_page(clerk):
    method = factories.manual_method(name="<script>alert(1)</script>")
    order = factories.placed_order(method=method)
    payments.approve_payment(order=order, actor=TEAM)
    text = text_of(clerk.get(URL, query()))
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"first": "2026-03-02", "last": "2026-03-01"}, "The period ends before it begins."),
        ({"first": "2010-01-01", "last": "2026-03-01"}, "The period is longer than 5 years: export it in parts."),
        ({"first": "0001-01-01", "last": "0001-01-02"}, "These days are not in any calendar of a shop."),
        ({"first": "9999-12-30", "last": "9999-12-31"}, "These days are not in any calendar of a shop."),
        ({"first": "yesterday"}, "Enter a valid date."),
        ({"first": ""}, "This field is required."),
        ({"currency": "XTS"}, "No order is in the currency “XTS”."),
        ({"currency": "<b>"}, "No order is in the currency “&lt;B&gt;”."),
        ({"kinds": "gold"}, "Select a valid choice. gold is not one of the available choices."),
        ({"flow": "nowhere"}, "Select a valid choice. nowhere is not one of the available choices."),
        ({"decimals": "roman"}, "Select a valid choice. roman is not one of the available choices."),
    ],
)
def test_what_is_wrong_is_said_on_the_page_also_instead_of_a_file(clerk, orders, given, said):
    for tail in ("", "csv/", "xlsx/"):
        page = clerk.get(URL + tail, query(**given))
        assert page.status_code == 400
        assert said in text_of(page)


def test_five_years_are_a_period_and_a_day_more_is_not(clerk, orders):
    assert clerk.get(URL, query(first="2021-01-01", last="2025-12-31")).status_code == 200
    assert clerk.get(URL, query(first="2021-01-01", last="2026-01-01")).status_code == 400
    assert clerk.get(URL, query(first="2024-02-29", last="2029-02-28")).status_code == 200


# ---- Files ----


def test_the_journal_as_csv(clerk, orders):
    answer = clerk.get(f"{URL}csv/", query())
    assert answer.streaming
    name = f"journal-{today() - timedelta(days=1):%Y%m%d}-{today() + timedelta(days=1):%Y%m%d}.csv"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    text = b"".join(answer.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert rows == lines(now_scope())
    assert [(row["Kind"], row["Gross"]) for row in rows] == [("Payment", "20.00"), ("Refund", "-5.00")]


def test_the_orders_as_csv(clerk, orders):
    answer = clerk.get(f"{URL}csv/", query(what="orders"))
    text = b"".join(answer.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [(row["Billed"], row["Open at the end"], row["Why it is open"]) for row in rows] == [
        ("20.00", "5.00", "Given back in part"), ("20.00", "20.00", "Waits for its money"),
    ]  # fmt: skip
    assert clerk.get(f"{URL}csv/", query(what="secrets")).status_code == 400


def test_the_file_speaks_the_readers_language_to_its_end(clerk, orders):
    from django.utils import translation

    answer = clerk.get(f"{URL}csv/", query(decimals="locale"), headers={"accept-language": "pt"})
    with translation.override("en"):
        text = b"".join(answer.streaming_content).decode()
        assert translation.get_language() == "en"
    assert ";20,00;" in text


def test_journal_totals_and_orders_as_a_workbook(clerk, orders):
    answer = clerk.get(f"{URL}xlsx/", query())
    assert answer.streaming
    assert answer["Content-Disposition"].endswith('.xlsx"')
    found = sheets(b"".join(answer.streaming_content))
    assert list(found) == ["Journal", "Totals", "Orders"]
    assert found["Journal"][0] == list(lines(now_scope())[0])
    assert [len(found[name]) for name in found] == [3, 3, 3]
    assert "20" in found["Journal"][1]
    assert "-5" in found["Totals"][2]


def test_hostile_texts_are_text_in_a_workbook(clerk):
    order = factories.placed_order(shipping_address=factories.address(first_name="=1+1", last_name="\x01X"))
    payments.approve_payment(order=order, actor=TEAM, reference="https://evil.example")
    found = sheets(b"".join(clerk.get(f"{URL}xlsx/", query()).streaming_content))
    assert any(cell.startswith("'=1+1") for cell in found["Journal"][1])
    assert "https://evil.example" in found["Journal"][1]


def test_a_workbook_that_takes_too_long_is_refused(clerk, orders, monkeypatch):
    monkeypatch.setattr("oscar_fulfillment.orders_dashboard.accounts_views.XLSX_ROWS", 1)
    page = clerk.get(f"{URL}xlsx/", query())
    assert page.status_code == 400
    assert "More than 1 entries: choose a shorter period, or CSV." in text_of(page)


def test_sheets_that_are_full_go_on_in_others(clerk, orders, monkeypatch):
    monkeypatch.setattr(accounts_xlsx, "SHEET_ROWS", 1)
    found = sheets(b"".join(clerk.get(f"{URL}xlsx/", query()).streaming_content))
    assert list(found) == ["Journal", "Journal 2", "Totals", "Totals 2", "Orders", "Orders 2"]
    assert [len(rows) for rows in found.values()] == [2] * 6


def test_without_the_package_csv_is_offered_with_a_hint(clerk, orders, monkeypatch):
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    text = text_of(clerk.get(URL, query()))
    assert "All as Excel" not in text
    assert "django-oscar-fulfillment[accounts]" in text
    page = clerk.get(f"{URL}xlsx/", query())
    assert page.status_code == 400
    assert "django-oscar-fulfillment[accounts]" in text_of(page)


def test_everything_is_imported_without_the_package():
    script = (
        "import sys; sys.modules['xlsxwriter'] = None\n"
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'\n"
        "import django; django.setup()\n"
        "from django.urls import reverse; reverse('dashboard:order-accounts')\n"
        "import oscar_fulfillment.orders_dashboard.accounts_views\n"
        "import oscar_fulfillment.management.commands.fulfillment_accounts\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


# ---- The command ----


def run(*given):
    out, err = io.StringIO(), io.StringIO()
    days = ("--from", query()["first"], "--to", query()["last"])
    call_command("fulfillment_accounts", *days, *given, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_writes_the_same_files(orders, tmp_path):
    text, _err = run()
    assert list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))) == lines(now_scope())
    run("--output", str(tmp_path / "journal.csv"))
    assert (tmp_path / "journal.csv").read_bytes().decode() == text
    run("--output", str(tmp_path / "all.xlsx"))
    assert list(sheets((tmp_path / "all.xlsx").read_bytes())) == ["Journal", "Totals", "Orders"]
    assert len(list(tmp_path.iterdir())) == 2, "nothing half written is left"


def test_the_command_prints_totals_and_fails_where_an_order_needs_a_person(orders):
    paid, waiting = orders
    text, _err = run("--totals")
    assert "Payment\tBRL\tBank transfer, prepaid\t1\t20.00" in text
    assert waiting.number in text
    assert "The journal ties with the orders." in text
    get_model("payment", "Source").objects.filter(order=paid).update(amount_debited=40)
    with pytest.raises(CommandError, match="1 order needs a person"):
        run("--totals")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--from", "2026-03-02", "--to", "2026-03-01"], "ends before it begins"),
        (["--from", "2026-03-02"], "Name both days"),
        (["--currency", "XTS"], "No order is in the currency"),
        (["--flow", "nowhere"], "There is no flow"),
        (["--language", "tlh"], "There is no language"),
        (["--output", "/nowhere/at/all.csv"], "cannot be written"),
        (["--from", "tomorrow"], "invalid fromisoformat value"),
    ],
)
def test_the_command_says_what_is_wrong(given, said):
    with pytest.raises(CommandError, match=said):
        call_command("fulfillment_accounts", *given, stdout=io.StringIO())
