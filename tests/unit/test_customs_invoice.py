"""The pro-forma and the commercial invoice: what customs ask for, in the order's language and in English."""

import dataclasses
from datetime import date
from decimal import Decimal

import pytest
from django.utils import translation
from django.utils.translation import gettext

from oscar_fulfillment.documents import DocumentError
from oscar_fulfillment.documents.customs_invoice import CustomsData, CustomsLine, render_customs_invoices
from oscar_fulfillment.documents.parties import Party
from oscar_fulfillment.documents.sellers import read_seller
from sandbox.sellers import SELLERS
from tests import pdf
from tests.slips import ARTICLES, BUYERS, HOSTILE, LANGUAGES

pytestmark = pytest.mark.feature("D10")


def goods(title="Mug", quantity=2, total="49.00", **given):
    fields = {"sku": "MUG-1", "hs_code": "6911.10", "origin": "CN", "weight": 350}
    return CustomsLine(title, quantity, Decimal(total), **fields | given)


def customs(currency="EUR", **given):
    language = given.pop("language", LANGUAGES[currency])
    lines = tuple(given.pop("lines", [goods(ARTICLES.get(language, "Mug"))]))
    fields = {
        "kind": "commercial", "number": "100007", "issued": date(2026, 11, 26), "language": language,
        "currency": currency, "seller": read_seller(currency, SELLERS[currency]), "buyer": BUYERS[currency],
        "lines": lines, "charges": (("Post", Decimal("9.00")),),
        "total": sum((line.total for line in lines), Decimal("9.00")), "incoterm": "DAP Lyon",
    }  # fmt: skip
    return CustomsData(**fields | given)


def words(**given):
    shown = pdf.words(render_customs_invoices([customs(**given)])).replace("\xa0", " ").replace("\u202f", " ")
    return " ".join(shown.split())


def test_the_invoice_says_what_customs_ask():
    page = words(consignee=Party("Branch", lines=("Quay 5",)), signed_by=("Director", "Ana Lima"), parcels=2)
    for text in ("Commercial invoice", "100007", "26 November 2026", "Seller and exporter", "Jeanne Dupont", "Branch",
                 "Sale of goods", "DAP Lyon", "6911.10", "China (CN)", "0.7 kg", "24.50 EUR", "49.00 EUR", "9.00 EUR",
                 "€58.00", "I declare that", "Signature", "Ana Lima, Director"):  # fmt: skip
        assert text in page


@pytest.mark.parametrize(("kind", "title"), [("proforma", "Pro-forma invoice"), ("commercial", "Commercial invoice")])
def test_both_kinds_are_named(kind, title):
    assert title in words(kind=kind)


@pytest.mark.parametrize("currency", ["CHF", "RUB", "BRL"])
def test_labels_are_in_the_orders_language_and_in_english(currency):
    page = words(currency=currency)
    assert {"CHF": "26 novembre 2026", "RUB": "26 ноября 2026", "BRL": "26 de novembro de 2026"}[currency] in page
    assert "Quantity" in page
    with translation.override(LANGUAGES[currency]):
        assert gettext("Quantity") != "Quantity"
        assert gettext("Quantity") in page
    assert {"CHF": "Chine (CN)", "RUB": "Китай (CN)", "BRL": "China (CN)"}[currency] in page


@pytest.mark.parametrize(("currency", "weight"), [("RUB", "1,234 кг"), ("CHF", "1,234 kg"), ("EUR", "1.234 kg")])
def test_weights_are_exact_to_the_gram(currency, weight):
    assert weight in words(currency=currency, lines=[goods(quantity=2, weight=617)])


def test_english_labels_stand_once():
    assert words().count("Quantity") == 1


def test_what_nobody_knows_is_left_out():
    page = words(lines=[goods(hs_code="", origin="", weight=None), goods()], incoterm="")
    assert "Incoterms" not in page
    assert page.count("Net weight") == 1  # the column's heading: a sum would be wrong
    assert page.count("6911.10") == 1


def test_a_reason_of_the_sellers_own_is_shown_as_it_is():
    assert "Exhibition goods" in words(reason="Exhibition goods")
    assert "Repair" in words(reason="repair")


def test_values_that_do_not_add_up_are_refused():
    with pytest.raises(DocumentError, match="do not add up"):
        render_customs_invoices([dataclasses.replace(customs(), total=Decimal("58.01"))])


def test_no_invoice_is_no_file():
    with pytest.raises(DocumentError):
        render_customs_invoices([])


def test_three_hundred_lines_fill_pages_that_are_headed_and_counted():
    pages = pdf.pages(render_customs_invoices([customs(lines=[goods(f"Thing {n}") for n in range(300)])]))
    assert len(pages) > 5
    for number, page in enumerate(pages, 1):
        assert f"{number} / {len(pages)}" in page
    assert all("Tariff number" in page for page in pages[:-1])
    assert "Thing 299" in " ".join(pages)


def test_an_odd_country_is_shown_as_it_was_entered():
    assert "Atlantis (ATLANTIS)" in words(lines=[goods(origin="Atlantis")])


def test_hostile_texts_are_shown_as_they_are():
    whole = "\n".join(HOSTILE)
    lines = [goods(text, sku=text, hs_code=text, origin=text) for text in HOSTILE]
    party = Party(whole, lines=HOSTILE, contact=HOSTILE)
    page = words(
        lines=lines, buyer=party, consignee=party, reason=whole, incoterm=whole, number=whole, charges=((whole, Decimal(9)),),
        signed_by=(whole, whole),
    )  # fmt: skip
    assert page.count("#panic()") >= 14
    assert page.count("$ @ \\ ]") >= 14


def test_many_invoices_are_one_file():
    assert len(pdf.pages(render_customs_invoices([customs(currency) for currency in LANGUAGES]))) == 4
