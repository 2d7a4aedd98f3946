"""Which shipments a note covers: by its sum, by its goods, and what is said where it fits nothing."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oscar_fulfillment.fiscal.nfe_cover import Owed, OwedLine, OwedShipment, count_goods, expected, find_cover
from oscar_fulfillment.fiscal.nfe_facts import Item, read_nfe
from oscar_fulfillment.test import nfe

pytestmark = pytest.mark.feature("A10", "Z5")

BASE = read_nfe(nfe.make_note(number=1), most_bytes=3_000_000).note
CENT = Decimal("0.01")

MUG = OwedLine(1, "Mug", frozenset({"mug", "789"}), 4, Decimal("40.00"))
CUP = OwedLine(2, "Cup", frozenset({"cup"}), 2, Decimal("50.00"))
LINES = {1: MUG, 2: CUP}


def note(total, *items):
    goods = tuple(Item(code, "", code, Decimal(quantity), Decimal(0)) for code, quantity in items)
    return replace(BASE, total=Decimal(total), items=goods)


def owed(*shipments, total="100.00", **said):
    """An order of 4 mugs (40.00), 2 cups (50.00) and 10.00 of freight."""
    rows = [OwedShipment(10 + place, place + 1, units) for place, units in enumerate(shipments)]
    return Owed(Decimal(total), LINES, rows, **said)


def cover(told, of):
    found = find_cover(told, of, CENT)
    return found.shipments, found.units, [finding.code for finding in found.findings]


WHOLE = {1: 4, 2: 2}


@pytest.mark.parametrize("total", ["100.00", "100.01", "99.99"])
def test_a_note_over_the_order_covers_all_that_is_released(total):
    assert cover(note(total), owed(WHOLE)) == ((10,), None, [])
    assert cover(note(total, ("mug", 4), ("cup", 2)), owed({1: 4}, {2: 2})) == ((10, 11), None, [])


@pytest.mark.parametrize("total", ["99.98", "100.02", "0.00", "1000.00", "90.02"])
def test_a_note_over_another_sum_differs(total):
    shipments, units, codes = cover(note(total), owed(WHOLE))
    assert (shipments, units, codes) == ((10,), None, ["total"])


def test_goods_without_the_freight_are_the_order_too():
    """Some issue the freight on a document of its own (CT-e)."""
    assert cover(note("90.00"), owed(WHOLE)) == ((10,), None, [])


def test_each_shipment_has_its_note_with_or_without_the_freight():
    both = owed({1: 4}, {2: 2})
    assert cover(note("40.00"), both) == ((10,), None, [])
    assert cover(note("50.00", ("whatever", 1)), both)[0] == (10,)  # 40 and freight
    assert cover(note("50.00", ("cup", 2)), both) == ((11,), None, [])
    assert cover(note("60.00"), both) == ((11,), None, [])


def test_the_goods_decide_between_shipments_of_one_sum():
    alike = Owed(
        Decimal("80.00"), {1: MUG, 3: replace(MUG, pk=3, title="Bowl", codes=frozenset({"bowl"}))},
        [OwedShipment(10, 1, {1: 4}), OwedShipment(11, 2, {3: 4})],
    )  # fmt: skip
    assert cover(note("40.00", ("bowl", 4)), alike) == ((11,), None, [])
    assert cover(note("40.00", ("mug", 4)), alike) == ((10,), None, [])
    assert cover(note("40.00", ("unknown", 4)), alike) == ((10,), None, ["same_sums"])


def test_two_shipments_of_three_on_one_note():
    three = owed({1: 2}, {1: 2}, {2: 2})
    assert cover(note("70.00", ("mug", 2), ("cup", 2)), three)[0] in ((10, 12), (11, 12))
    assert cover(note("40.00", ("mug", 4)), three) == ((10, 11), None, [])


def test_the_last_note_is_over_what_the_others_have_left():
    rest = owed({2: 2}, invoiced=Decimal("40.00"), has_notes=True)
    assert cover(note("60.00"), rest) == ((10,), None, [])
    assert expected(rest) == Decimal("60.00")
    assert cover(note("50.00"), rest) == ((10,), None, ["sums"])  # and who has the freight?
    assert cover(note("61.00"), rest) == ((10,), None, ["total"])


def test_a_note_for_some_of_the_goods_splits_the_shipment():
    assert cover(note("20.00", ("mug", 2)), owed(WHOLE)) == ((10,), {1: 2}, [])
    assert cover(note("45.00", ("MUG", 2), ("Cup", 1)), owed(WHOLE)) == ((10,), {1: 2, 2: 1}, [])
    assert cover(note("55.00", ("mug", 2), ("cup", 1)), owed(WHOLE)) == ((10,), {1: 2, 2: 1}, [])
    # Over the price of other goods, of more than there are, of none of ours, of half a mug.
    for told in (
        note("21.00", ("mug", 2)),
        note("50.00", ("mug", 5)),
        note("20.00", ("x", 2)),
        note("5.00", ("mug", "0.5")),
    ):
        assert cover(told, owed(WHOLE))[2] == ["total"]


def test_goods_are_compared_where_the_note_is_over_the_order():
    assert cover(note("100.00", ("mug", 3), ("cup", 2)), owed(WHOLE)) == ((10,), None, ["items"])
    found = find_cover(note("100.00", ("mug", 3), ("cup", 2)), owed(WHOLE), CENT).findings[0]
    assert "Mug: 3 / 4" in found.message
    # Codes of the ERP's own are nothing to compare.
    assert cover(note("100.00", ("ERP-77", 1)), owed(WHOLE)) == ((10,), None, [])


def test_a_note_over_the_whole_order_of_which_a_part_is_released():
    assert cover(note("100.00"), owed({1: 4}, is_all=False)) == ((10,), None, ["more_than_released"])
    assert cover(note("40.00"), owed({1: 4}, is_all=False)) == ((10,), None, [])
    assert expected(owed({1: 4}, is_all=False)) == Decimal("50.00")


def test_an_order_without_shipments_is_compared_by_its_sum():
    assert cover(note("100.00"), owed()) == ((), None, [])
    assert cover(note("99.00"), owed()) == ((), None, ["total"])


def test_of_two_lines_with_one_code_the_first_takes_what_it_has():
    second = replace(MUG, pk=7, quantity=1)
    assert count_goods([Item("mug", "", "", Decimal(5), Decimal(0))], [MUG, second]) == {1: 4, 7: 1}
    assert count_goods([Item("mug", "", "", Decimal(9), Decimal(0))], [MUG, second]) == {1: 4, 7: 5}
    assert count_goods([Item("?", "789", "", Decimal(1), Decimal(0))], [MUG]) == {1: 1}
    assert count_goods([Item("?", "", "", Decimal(1), Decimal(0))], [MUG]) is None


def test_many_shipments_are_not_tried_in_every_combination():
    many = owed(*({1: 1} for _number in range(40)))
    assert cover(note("10.00"), many)[2] == ["same_sums"]
    assert cover(note("123.45"), many)[2] == ["total"]


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.decimals("0", "500", places=2),
    st.lists(st.tuples(st.sampled_from(["mug", "cup", "x"]), st.integers(1, 6)), max_size=3),
    st.decimals("0", "200", places=2),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_what_is_covered_is_what_waits_and_nothing_else(units, total, items, invoiced, has_notes, is_all):
    of = owed(*({1: number} for number in units), invoiced=invoiced, has_notes=has_notes, is_all=is_all)
    found = find_cover(note(total, *items), of, CENT)
    waiting = {one.pk: one.units for one in of.shipments}
    assert set(found.shipments) <= set(waiting)
    assert found.shipments
    if found.units is not None:
        assert all(0 < number <= sum(one.get(pk, 0) for one in waiting.values()) for pk, number in found.units.items())
