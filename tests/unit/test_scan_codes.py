"""The texts in our own codes: digits that survive any scanner, and mistakes that are noticed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.documents import scan_codes
from oscar_fulfillment.documents.scan_codes import ScanCode

pytestmark = pytest.mark.feature("D10")

KINDS = [scan_codes.SHIPMENT, scan_codes.RETURN, scan_codes.PICKUP, scan_codes.ORDER]
PKS = st.integers(1, 2**63 - 1) | st.integers(1, 10**7)
CODES = st.builds(ScanCode, st.sampled_from(KINDS), PKS)
ROWS = {
    "french": "&é\"'(-è_çà",
    "belgian": "&é\"'(§è!çà",
    "czech": "+ěščřžýáíé",
    "slovak": "+ľščťžýáíé",
    "lithuanian": "ąčęėįšųū90",
}


@given(CODES)
def test_every_code_reads_back(code):
    text = str(code)
    assert re.fullmatch("(?:[0-9][0-9]){8,12}", text)
    assert scan_codes.parse(text) == code
    assert scan_codes.parse(f" {scan_codes.grouped(text)}\r\n") == code


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (scan_codes.shipment_code, scan_codes.SHIPMENT),
        (scan_codes.return_code, scan_codes.RETURN),
        (scan_codes.pickup_code, scan_codes.PICKUP),
        (scan_codes.order_code, scan_codes.ORDER),
    ],
)
def test_each_kind_has_its_own_code(make, kind):
    assert scan_codes.parse(make(1234)) == ScanCode(kind, 1234)


def test_a_code_stays_what_it_was_printed_as():
    assert scan_codes.shipment_code(1234) == "9100000000123412"
    assert scan_codes.grouped("9100000000123412") == "9100 0000 0012 3412"


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@given(code=CODES)
def test_a_keyboard_layout_without_plain_digits_is_turned_back(row, code):
    typed = str(code).translate(str.maketrans("1234567890", row))
    assert scan_codes.parse(typed) == code
    assert scan_codes.parse(typed.upper()) in (code, None)


@pytest.mark.parametrize("zero", ["٠", "۰", "०", "0"])
def test_digits_of_other_scripts_count(zero):
    text = scan_codes.shipment_code(1234)
    assert scan_codes.parse("".join(chr(ord(zero) + int(digit)) for digit in text)) == ScanCode("shipment", 1234)


@given(CODES, st.data())
def test_a_wrong_digit_is_noticed(code, data):
    text = str(code)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != text[place]]))
    assert scan_codes.parse(text[:place] + other + text[place + 1 :]) is None


@given(CODES, st.data())
def test_swapped_neighbours_are_noticed(code, data):
    text = str(code)
    place = data.draw(st.integers(0, len(text) - 2))
    swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    assert scan_codes.parse(swapped) == (code if swapped == text else None)


@given(st.text(max_size=60) | st.text("0123456789", max_size=24))
def test_any_other_text_is_none_of_ours(text):
    found = scan_codes.parse(text)
    assert found is None or str(found) == "".join(str(int(c)) for c in text if not c.isspace())


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "4006381333931", "96385074", "012345678905", "10012345678902", "340123456789012345", "AA123456785BR",
        "9100000000123412\x00", "-9100000000123412", "91000000001234.12", "910000000000000001234" + "73", "²" * 16,
        "9100000000000098", "91" + "9" * 20 + "10", "9" * 100_000,
    ],
)  # fmt: skip
def test_codes_of_goods_and_carriers_are_none_of_ours(text):
    assert scan_codes.parse(text) is None


@given(CODES)
def test_a_longer_form_of_the_same_number_is_refused(code):
    text = str(code)
    body = f"{text[:2]}00{text[2:-2]}"
    assert scan_codes.parse(body + f"{98 - int(body) * 100 % 97:02}") is None


@pytest.mark.parametrize("pk", [0, -1, 2**63])
def test_what_is_no_primary_key_gets_no_code(pk):
    with pytest.raises(ValueError, match="primary key"):
        scan_codes.shipment_code(pk)


def test_an_unknown_kind_gets_no_code():
    with pytest.raises(ValueError, match="unknown kind"):
        scan_codes.scan_code("parcel", 1)
