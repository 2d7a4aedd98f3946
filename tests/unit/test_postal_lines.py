"""Addresses as their country writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.documents.addresses import postal_lines

COUNTRIES = ["", "CH", "FR", "BR", "RU", "US", "GB", "HU", "KZ", "JP", "IT", "TR", "BY", "XX"]
TEXT = st.text("abcdeЁž 123", max_size=12)


@pytest.mark.parametrize(
    ("country", "given", "lines"),
    [
        ("CH", ("Lausanne", "VD", "1003"), ["1003 Lausanne", "VD"]),
        ("FR", ("Lyon", "", "69002"), ["69002 Lyon"]),
        ("BR", ("São Paulo", "SP", "01310-100"), ["01310-100 São Paulo - SP"]),
        ("BR", ("São Paulo", "", "01310-100"), ["01310-100 São Paulo"]),
        ("RU", ("Москва", "", "101000"), ["Москва", "101000"]),
        ("RU", ("Химки", "Московская обл.", "141400"), ["Химки", "Московская обл.", "141400"]),
        ("US", ("Springfield", "IL", "62704"), ["Springfield, IL 62704"]),
        ("US", ("Springfield", "", "62704"), ["Springfield, 62704"]),
        ("GB", ("London", "", "SW1A 1AA"), ["London", "SW1A 1AA"]),
        ("IT", ("Milano", "MI", "20121"), ["20121 Milano MI"]),
        ("AU", ("Carlton", "VIC", "3053"), ["Carlton VIC 3053"]),
        ("", ("Somewhere", "", ""), ["Somewhere"]),
    ],
)
def test_the_town_stands_as_the_country_writes_it(country, given, lines):
    city, state, postcode = given
    made = postal_lines(["Street 1", "  ", "Floor 2"], city=city, state=state, postcode=postcode, country=country)
    assert made == ["Street 1", "Floor 2", *lines]


def test_some_begin_with_the_town():
    given = {"city": "Budapest", "postcode": "1051"}
    assert postal_lines(["Fő utca 1"], **given, country="HU") == ["Budapest", "Fő utca 1", "1051"]
    assert postal_lines(["ул. Абая, 1"], city="Алматы", postcode="050000", country="KZ") == [
        "050000", "Алматы", "ул. Абая, 1",
    ]  # fmt: skip


@given(st.sampled_from(COUNTRIES), st.lists(TEXT, max_size=3), TEXT, TEXT, TEXT)
def test_nothing_is_lost_and_nothing_is_empty(country, street, city, state, postcode):
    lines = postal_lines(street, city=city, state=state, postcode=postcode, country=country)
    assert all(line == line.strip() and line for line in lines)
    for text in (*street, city, state, postcode):
        assert any(text.strip() in line for line in lines) or not text.strip()
