"""S10, the postal item number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.carriers import s10

pytestmark = pytest.mark.feature("A12")

# Codes of real items that people published while asking for help.
REAL = [
    "PG747937788BR",
    "SW091892778BR",
    "LB498113226SE",
    "PN876436923BR",
    "PI318648289BR",
    "DV339820469BR",
    "TF339232785BR",
    "PS707468874BR",
    "PS707765532BR",
    "PS707901927BR",
    "QC123456785BR",
    "AA123456785BR",
]


@pytest.mark.parametrize("code", REAL)
def test_real_numbers_are_valid(code):
    item = s10.parse(code)
    assert (item.service, item.serial + item.check_digit, item.country) == (code[:2], code[2:11], code[11:])
    assert str(item) == code


@pytest.mark.parametrize(
    ("serial", "digit"),
    [
        pytest.param("47312482", "9", id="the union's example"),
        pytest.param("00000000", "5", id="rest 0, 11 counts as 5"),
        pytest.param("00000020", "4", id="plain"),
        pytest.param("00000040", "8", id="plain, wrapped"),
        pytest.param("00000400", "2", id="by another weight"),
        pytest.param("00000005", "9", id="last weight"),
        pytest.param("00000008", "0", id="rest 1, 10 counts as 0"),
    ],
)
def test_check_digit(serial, digit):
    assert s10.check_digit(serial) == digit


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("", "shape"),
        ("AA12345678BR", "shape"),
        ("AA1234567855BR", "shape"),
        ("A1123456785BR", "shape"),
        ("AA12345678OBR", "shape"),
        ("aa123456785br", "shape"),
        ("AA123456785B1", "shape"),
        ("AA123456785BR\n", "shape"),
        ("AA1٢3456785BR", "shape"),
        ("ÄA123456785BR", "shape"),
        ("AA123456784BR", "check_digit"),
        ("AA213456785BR", "check_digit"),
    ],
)
def test_wrong_number_is_refused(code, why):
    with pytest.raises(s10.S10Error) as refused:
        s10.parse(code)
    assert refused.value.code == why
    assert str(refused.value)


def test_wrong_check_digit_says_which_one_it_should_be():
    with pytest.raises(ValueError, match="end in 4, they should end in 5"):
        s10.parse("AA123456784BR")


@given(st.text("0123456789", min_size=8, max_size=8), st.integers(0, 7), st.integers(1, 9))
def test_one_wrong_digit_is_noticed_but_where_rests_share_a_digit(serial, position, step):
    changed = serial[:position] + str((int(serial[position]) + step) % 10) + serial[position + 1 :]
    before, after = s10.check_digit(serial), s10.check_digit(changed)
    # 11 counts as 5, and so does 5: the only digit two rests share.
    assert before != after or before == "5"
