"""What the page of an edit sends, and drafts as JSON: read for what they are, whatever they are."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.orders_dashboard.edit_input import money, read_typed, whole, with_added, without
from oscar_fulfillment.services.edit_wanted import Shipping, Wanted

pytestmark = pytest.mark.feature("E2")

units = st.dictionaries(st.integers(1, 10**9), st.integers(0, 10_000), max_size=5)
charges = st.decimals(0, Decimal("9999999999"), places=2, allow_nan=False)
carriages = st.one_of(
    st.just(Shipping()), st.builds(Shipping, method=st.text(min_size=1)), st.builds(Shipping, charge=charges)
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@given(st.builds(Wanted, units, units, carriages))
def test_a_draft_survives_its_json(wanted):
    assert Wanted.from_json(wanted.to_json()) == wanted


@given(anything, anything, anything)
def test_a_draft_from_elsewhere_is_refused_or_sound(quantities, added, shipping):
    try:
        found = Wanted.from_json({"quantities": quantities, "added": added, "shipping": shipping})
    except InvalidInput:
        return
    assert Wanted.from_json(found.to_json()) == found


@given(
    st.dictionaries(
        st.sampled_from(["line-1", "line-2", "new-3", "was", "shipping", "charge", "x", "line-", "line-x"]), st.text()
    )
)
def test_whatever_is_sent_is_read_or_told(data):
    typed = read_typed(data)
    typed.wanted.check()
    for name in typed.errors:
        assert name in data or name == "charge"


def test_only_what_the_reader_changed_counts():
    typed = read_typed({"line-1": "2", "line-2": "5", "new-9": "1", "was": "1:2 2:4"})
    assert typed.wanted == Wanted({2: 5}, {9: 1})
    assert typed.errors == {}


def test_adding_and_taking_away():
    wanted = with_added(with_added(Wanted({1: 2}), 9), 9, 2)
    assert wanted.added == {9: 3}
    assert without(wanted, "new-9") == Wanted({1: 2})
    assert without(wanted, "line-1").quantities == {1: 0}
    assert without(wanted, "line-nonsense") == wanted


@pytest.mark.parametrize(
    ("text", "value"), [("3", 3), (" 3 ", 3), ("-3", -3), ("", None), ("3.0", None), ("9" * 13, None), ("x", None)]
)
def test_whole_numbers(text, value):
    assert whole(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", "3.00"), ("3.5", "3.50"), ("-1", "-1.00"), ("", None), ("NaN", None), ("1e400", None), ("3.555", None)],
)
def test_sums(text, value):
    assert money(text) == (None if value is None else Decimal(value))
