"""What returned units are worth: to the cent, whatever the order in which they come."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.selectors.return_units import value_of_units

pytestmark = pytest.mark.feature("D15")

prices = st.decimals(0, 99999, places=2)


@pytest.mark.parametrize(
    ("price", "quantity", "before", "units", "value"),
    [
        ("10.00", 3, 0, 1, "3.33"), ("10.00", 3, 1, 1, "3.34"), ("10.00", 3, 2, 1, "3.33"), ("10.00", 3, 0, 3, "10.00"),
        ("10.00", 3, 1, 2, "6.67"), ("0.01", 2, 0, 1, "0.01"), ("0.01", 2, 1, 1, "0.00"), ("19.99", 1, 0, 1, "19.99"),
        ("10.00", 3, 3, 1, "0.00"), ("10.00", 3, 2, 5, "3.33"), ("10.00", 0, 0, 1, "0.00"), ("0.00", 3, 0, 1, "0.00"),
    ],
)  # fmt: skip
def test_a_units_share_of_its_line(price, quantity, before, units, value):
    assert value_of_units(Decimal(price), quantity, before, units) == Decimal(value)


@given(price=prices, parts=st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_all_parts_together_are_the_price(price, parts):
    quantity, before, total = sum(parts), 0, Decimal(0)
    for units in parts:
        value = value_of_units(price, quantity, before, units)
        assert value >= 0
        assert abs(value - price * units / quantity) <= Decimal("0.01")
        total, before = total + value, before + units
    assert total == price


@given(price=prices, quantity=st.integers(1, 50), before=st.integers(0, 60), units=st.integers(0, 60))
def test_no_part_is_more_than_the_price_or_less_than_nothing(price, quantity, before, units):
    assert 0 <= value_of_units(price, quantity, before, units) <= price
