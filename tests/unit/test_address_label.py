"""The address label: one page of A6, whatever is written on it, and a bar code that reads back."""

import io
from datetime import date

import pypdfium2
import pytest

from oscar_fulfillment.documents import DocumentError, scan_codes
from oscar_fulfillment.documents.address_label import LabelData, render_labels
from oscar_fulfillment.documents.parties import Party
from oscar_fulfillment.documents.sellers import read_seller
from sandbox.sellers import SELLERS
from tests import pdf
from tests.slips import BUYERS, HOSTILE, LANGUAGES

pytestmark = pytest.mark.feature("D10")


def label(currency="CHF", **given):
    fields = {
        "number": "100007", "made": date(2026, 11, 26), "language": LANGUAGES[currency],
        "seller": read_seller(currency, SELLERS[currency]), "recipient": BUYERS[currency],
        "code": "99.00.123456.12345678", "carrier": "Post", "shipment": (1, 2), "parcel": (2, 3),
    }  # fmt: skip
    return LabelData(**fields | given)


def sizes(content):
    with pypdfium2.PdfDocument(io.BytesIO(content)) as document:
        return {tuple(round(points / 72 * 25.4) for points in page.get_size()) for page in document}


@pytest.mark.parametrize("currency", LANGUAGES)
def test_a_label_is_a_page_of_a6_with_everything_on_it(currency):
    data = label(currency)
    content = render_labels([data])
    (page,) = pdf.pages(content)
    assert sizes(content) == {(105, 148)}
    for words in (data.seller.party.name, BUYERS[currency].name, *BUYERS[currency].address, "100007", "Post"):
        assert words in page
    assert pdf.codes(content) == ["99.00.123456.12345678"]


def test_shipment_and_parcel_are_counted():
    page = pdf.words(render_labels([label("EUR")]))
    assert "1 of 2" in page
    assert "2 of 3" in page
    assert "1 of 2" not in pdf.words(render_labels([label("EUR", shipment=(1, 1))]))


@pytest.mark.parametrize(
    "code", ["AA123456785BR", scan_codes.shipment_code(7), "1" * 40, "x" * 30, "1Z999AA10123456784"]
)
def test_the_carriers_code_or_ours_reads_back(code):
    assert pdf.codes(render_labels([label(code=code)])) == [code]


def test_a_code_that_no_bar_code_holds_is_written():
    content = render_labels([label(code="№ Ж-1")])
    assert pdf.codes(content) == []
    assert "№ Ж-1" in pdf.words(content)


def test_a_long_address_is_set_smaller_on_the_one_page():
    long = Party("A very long name " * 6, lines=("Street " * 12,) * 6)
    content = render_labels([label(recipient=long, number="1" * 40, carrier="Carrier with a long name & sons")])
    assert len(pdf.pages(content)) == 1
    assert pdf.words(content).count("Street") == 72
    assert pdf.codes(content) == ["99.00.123456.12345678"]


def test_hostile_texts_are_shown_as_they_are():
    whole = "\n".join(HOSTILE)
    given = {"recipient": Party(whole, lines=HOSTILE, contact=HOSTILE), "number": whole, "carrier": whole}
    words = pdf.words(render_labels([label(**given, code=whole)]))
    assert words.count("#panic()") == 6
    assert words.count("$ @ \\ ]") == 6


def test_many_labels_are_one_file():
    content = render_labels([label(currency, number=str(n)) for n, currency in enumerate(LANGUAGES)])
    assert len(pdf.pages(content)) == 4
    assert sizes(content) == {(105, 148)}


def test_no_label_is_no_file():
    with pytest.raises(DocumentError):
        render_labels([])
