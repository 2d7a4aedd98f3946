"""The packing slip as packer and customer see it: words, pages, and the codes on the paper."""

import dataclasses
from datetime import datetime

import pytest

from oscar_fulfillment.documents import DocumentError, scan_codes
from oscar_fulfillment.documents.packing_slip import Printed, render_slips
from oscar_fulfillment.documents.parties import Party
from oscar_fulfillment.documents.scan_codes import ScanCode
from oscar_fulfillment.documents.typst_engine import TypstEngine
from tests import pdf
from tests.slips import ARTICLES, BUYERS, HOSTILE, LANGUAGES, return_form, slip, slip_line

pytestmark = pytest.mark.feature("D10")


@pytest.mark.parametrize("currency", LANGUAGES)
def test_a_slip_says_what_goes_where_in_the_orders_language(currency):
    (page,) = pdf.pages(render_slips([slip(currency)]))
    language = LANGUAGES[currency]
    day = {
        "fr": "26 novembre 2026",
        "ru": "26 ноября 2026",
        "pt": "26 de novembro de 2026",
        "en-gb": "26 November 2026",
    }
    assert day[language] in page.replace("\u202f", " ").replace("\xa0", " ")
    for words in (
        "100007",
        BUYERS[currency].name,
        *BUYERS[currency].address,
        "A-01",
        "MUG-1",
        f"{ARTICLES[language]} 1",
    ):
        assert words in page


@pytest.mark.parametrize("currency", LANGUAGES)
@pytest.mark.feature("D15")
def test_bar_code_and_qr_read_back(currency):
    read = pdf.codes(render_slips([slip(currency, number=1234)]))
    url = f"https://shop.example.com/{LANGUAGES[currency]}/r/7/"
    ours = scan_codes.shipment_code(1234)
    # Bar code and QR above, the bar code once more on the return form, and the way to the return page.
    assert sorted(read) == sorted([ours, ours, ours, url])
    assert scan_codes.parse(ours) == ScanCode("shipment", 1234)


@pytest.mark.feature("D15")
def test_the_return_form_has_reasons_lines_and_the_address():
    form = return_form("EUR", instructions="Within 30 days.", address=Party("Returns", lines=("Dock 4", "69002 Lyon")))
    (page,) = pdf.pages(render_slips([slip("EUR", returns=form)]))
    for words in ("Return form", "Within 30 days.", "Dock 4", "1 No longer wanted", "4 Arrived damaged", "Reason no.",
                  "an exchange", "announce your return"):  # fmt: skip
        assert words in page
    assert page.count("Porcelain mug, midnight blue 3") == 2


@pytest.mark.feature("D15")
def test_without_a_return_form_or_page_there_is_none():
    without = render_slips([slip("EUR", returns=None)])
    assert "Return form" not in pdf.words(without)
    assert len(pdf.codes(without)) == 2
    offline = render_slips([slip("EUR", returns=return_form("EUR", url=""))])
    assert "Return form" in pdf.words(offline)
    assert "announce" not in pdf.words(offline)
    assert len(pdf.codes(offline)) == 3


def test_a_return_form_that_does_not_fit_begins_a_page():
    pages = pdf.pages(render_slips([slip("EUR", lines=[slip_line(f"Thing {n}") for n in range(12)])]))
    assert len(pages) == 2
    assert "Return form" not in pages[0]
    assert pages[1].count("Thing 11") == 1


def test_three_hundred_lines_fill_pages_that_are_headed_and_counted():
    content = render_slips([slip("EUR", lines=[slip_line(f"Thing {n}") for n in range(300)])])
    pages = pdf.pages(content)
    assert len(pages) > 10
    for number, page in enumerate(pages, 1):
        assert f"{number} / {len(pages)}" in page
        assert "Article" in page
    assert " ".join(pages).count("Thing 299") == 2
    assert "600 items" in " ".join(pages)


def test_what_follows_later_the_note_and_the_reprint_are_named():
    printed = Printed(datetime(2026, 11, 26, 10, 12), "Ana Lima")
    data = slip("EUR", later=(slip_line("Kettle", 3, "KT-9"),), notes="Ring twice", reprint=printed, invoice="77/1")
    page = pdf.words(render_slips([data]))
    assert "Follows later 3 × Kettle (KT-9)" in page
    assert "Ring twice" in page
    assert "Reprint: printed before on 26/11/2026, 10:12 by Ana Lima" in page
    assert "77/1" in page
    plain = pdf.words(render_slips([slip("EUR")]))
    assert "Reprint" not in plain
    assert "Follows later" not in plain


def test_a_slip_that_goes_over_the_page_unforeseen_has_its_name_on_each():
    pages = pdf.pages(render_slips([slip("EUR", notes="Please ring. " * 400)]))
    assert len(pages) > 1
    assert all(page.startswith("Packing slip of order 100007") for page in pages)


def test_a_batch_is_small():
    content = render_slips([slip("EUR", number) for number in range(1, 41)])
    assert len(content) < 15_000 * 40  # with tags for reading aloud it would be thrice as much


def test_bins_have_a_column_only_where_there_are_some():
    assert "Bin" in pdf.words(render_slips([slip("EUR")]))
    assert "Bin" not in pdf.words(render_slips([slip("EUR", lines=[slip_line(bin="")])]))


def test_a_shipment_is_counted_where_there_are_several():
    assert "1 of 2" in pdf.words(render_slips([slip("EUR")]))
    assert "1 of 1" not in pdf.words(render_slips([slip("EUR", shipment=(1, 1))]))
    assert "Shipment" not in pdf.words(render_slips([slip("EUR", shipment=None)]))


def test_hostile_texts_are_shown_as_they_are():
    lines = [slip_line(title=text, sku=text, bin=text) for text in HOSTILE]
    whole = "\n".join(HOSTILE)
    content = render_slips([
        slip(
            "RUB", number=9, lines=lines, later=tuple(lines), notes=whole, invoice=whole, shipping_method=whole,
            delivery=Party(whole, lines=HOSTILE, contact=HOSTILE), reprint=Printed(datetime(2026, 1, 1), whole),
            returns=return_form("RUB", reasons=HOSTILE, instructions=whole, address=Party(whole, lines=HOSTILE)),
        )
    ])  # fmt: skip
    words = pdf.words(content)
    assert words.count("#panic()") >= 12
    assert words.count("$ @ \\ ]") >= 12
    assert "Ёлка" in words
    assert scan_codes.shipment_code(9) in pdf.codes(content)


@pytest.mark.parametrize("number", ["T-1", "Ж1", "x" * 128, "../..", "#panic()", "a b|c"])
def test_any_order_number_has_a_slip_that_scans(number):
    data = dataclasses.replace(slip("EUR", number=5), number=number)
    content = render_slips([data])
    assert number.replace(" ", "") in pdf.words(content).replace(" ", "")
    assert set(pdf.codes(content)) >= {scan_codes.shipment_code(5)}


def test_many_slips_are_one_file_each_in_its_own_language():
    content = render_slips([slip(currency, number) for number, currency in enumerate(LANGUAGES, 1)])
    pages = pdf.pages(content)
    assert len(pages) == 4
    for currency, page in zip(LANGUAGES, pages, strict=True):
        assert f"{ARTICLES[LANGUAGES[currency]]} 1" in page
    assert pdf.fonts(content) == {"LiberationSans", "LiberationSans-Bold"}


def test_no_slip_is_no_file():
    with pytest.raises(DocumentError):
        render_slips([])


def test_the_same_slip_gives_the_same_bytes():
    assert render_slips([slip("RUB")]) == render_slips([slip("RUB")])


def test_a_shop_has_a_slip_and_a_logo_of_its_own(tmp_path, settings):
    (tmp_path / "packing_slip.typ").write_text(
        '#import "parts.typ": *\n#for doc in data.documents [#seller-mark(doc.seller) Ours: #doc.order #bar-mark(doc.code)]'
    )
    (tmp_path / "mark.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="9"/></svg>'
    )
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "DOCUMENTS": {"default": {
        "BACKEND": "oscar_fulfillment.documents.typst_engine.TypstEngine", "OPTIONS": {"templates": [tmp_path]},
    }}}  # fmt: skip
    content = render_slips([slip("EUR", number=3)])
    assert "Ours: Order 100003" in pdf.words(content)
    assert "Ponto" not in pdf.words(content)  # the logo stands there
    assert pdf.codes(content) == [scan_codes.shipment_code(3)]


@pytest.mark.parametrize("template", ["packing_slip", "picking_list", "address_label", "customs_invoice"])
def test_each_document_can_be_replaced(tmp_path, template):
    (tmp_path / f"{template}.typ").write_text('#import "parts.typ": *\nOurs: #data.name')
    assert pdf.words(TypstEngine(templates=[tmp_path]).render(template, {"name": "#x"})) == "Ours: #x"


def test_the_logo_is_left_out_where_the_file_is_not_there():
    # The tests' engine has no folder with the demo's logo: the name stands in its place.
    words = pdf.words(render_slips([slip("EUR")]))
    assert words.startswith("Packing slip of order 100007 Ponto & Vírgula SAS Ponto & Vírgula SAS")
