"""Code 128: what is drawn reads back, in as few symbols as the standard asks for."""

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from oscar_fulfillment.documents.code128 import can_encode, code128
from oscar_fulfillment.documents.scan_codes import shipment_code

pytestmark = pytest.mark.feature("D10")

ASCII = "".join(map(chr, range(32, 127)))
TEXTS = st.lists(st.text(ASCII, max_size=6) | st.text("0123456789", max_size=9), max_size=6).map("".join)


def read(widths):
    """What a scanner sees of these bars."""
    module, quiet = 3, 10
    picture = Image.new("L", ((sum(widths) + 2 * quiet) * module, 90), 255)
    pen, x = ImageDraw.Draw(picture), quiet
    for place, width in enumerate(widths):
        if place % 2 == 0:
            pen.rectangle([x * module, 0, (x + width) * module - 1, 89], fill=0)
        x += width
    return [
        (code.text, code.format) for code in zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.Code128)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "12", "1", "123", "1234", "12345", "A1234", "A12345", "1234A", "12345A", "A123456B", "A1234567B", "A12345B",
        "AA123456785BR", "9100000000123412", "99.00.123456.12345678", "~ !", " ", "x" * 80, "1" * 80,
        *(ASCII[at : at + 20] for at in range(0, 95, 20)),
        *("".join(f"{pair:02}" for pair in range(start, start + 10)) for start in range(0, 100, 10)),
    ],
)  # fmt: skip
def test_every_symbol_reads_back(text):
    assert read(code128(text)) == [(text, zxingcpp.BarcodeFormat.Code128)]


@settings(max_examples=60, deadline=None)
@given(TEXTS.filter(can_encode))
def test_any_text_reads_back(text):
    assert read(code128(text)) == [(text, zxingcpp.BarcodeFormat.Code128)]


@pytest.mark.parametrize(
    ("text", "symbols"),
    [("1234", 2), ("123", 3), ("12345", 4), ("A1234", 4), ("A12345B", 7), ("A123456B", 7), ("9100000000123412", 8)],
)
def test_digits_go_in_pairs_where_that_is_shorter(text, symbols):
    # Start, symbols, check: 11 modules each; the stop has 13.
    assert sum(code128(text)) == 11 * (symbols + 2) + 13


def test_our_own_code_fits_a_label():
    assert sum(code128(shipment_code(1))) * 0.33 < 45  # mm


@pytest.mark.parametrize("text", ["", "é", "Ж1", "\n", "\x00", "a\tb", "x" * 81, "😀", "12\u0663"])
def test_other_texts_are_refused(text):
    assert not can_encode(text)
    with pytest.raises(ValueError, match="printable ASCII"):
        code128(text)
