"""What a scanner types on computers with other keyboard layouts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.core import keyboard
from oscar_fulfillment.selectors.packing import PackingLine, article_keys, find_lines

pytestmark = pytest.mark.feature("D16")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("&é\"'(-è_çà", "1234567890"),  # French
        ("&é\"'(§è!çà", "1234567890"),  # Belgian
        ("+ěščřžýáíé", "1234567890"),  # Czech
        ("ЙЦУКЕН-12ю3", "QWERTY-12.3"),  # Russian
        ("ZYX-1".replace("-", "ß"), "YZX-1"),  # German
        ("QZ)&", "AW-1"),  # French letters and the dash
        ("AB'12", "AB-12"),  # Spanish, Portuguese
    ],
)
def test_what_was_scanned_is_among_the_readings(typed, meant):
    assert meant in keyboard.readings(typed)


@given(st.text(max_size=40))
def test_what_came_is_tried_first_and_each_reading_once(text):
    found = keyboard.readings(text)
    assert found[0] == text.strip()
    assert len(found) == len(set(found))
    assert all(len(reading) == len(found[0]) for reading in found)


@pytest.mark.parametrize("layout", keyboard._ELSEWHERE)
@given(text=st.text("ABCXYZabcxyz0123456789", min_size=1, max_size=20))
def test_letters_and_digits_come_back_from_every_layout(layout, text):
    plain, shift = keyboard._ELSEWHERE[layout]
    keys = dict(zip(keyboard._PLAIN + keyboard._SHIFT, plain + shift, strict=True))
    typed = "".join("+" if layout == "cs" and c == "1" else keys[c] for c in text)
    assert text in keyboard.readings(typed)


@pytest.mark.parametrize(
    ("code", "other"),
    [("012345678905", "0012345678905"), ("4006381333931", "04006381333931"), ("96385074", "00000096385074"),
     ("mug-1", "MUG-1"), (" MUG-1 ", "mug-1")],
)  # fmt: skip
def test_the_same_article_by_another_length(code, other):
    assert article_keys(code) & article_keys(other)


@pytest.mark.parametrize(
    ("code", "other"), [("123", "0123"), ("4006381333931", "4006381333932"), ("", "0"), ("1", "01")]
)
def test_other_articles_stay_other(code, other):
    assert not article_keys(code) & article_keys(other)


def test_the_text_as_it_came_comes_before_any_other_reading():
    # "ZA" scanned on a French computer would be typed "WQ": both are articles here.
    lines = [PackingLine(1, "Right", "", 1, 0, ("ZA",)), PackingLine(2, "Left", "", 1, 0, ("WQ",))]
    assert [line.title for line in find_lines("WQ", lines)] == ["Left"]
    assert [line.title for line in find_lines("ЯФ", lines)] == ["Right"]
    assert find_lines("", lines) == find_lines("\x00", lines) == []
