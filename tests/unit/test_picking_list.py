"""The picking list: each article once, in the order of the bins, with the orders that take it."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.documents import DocumentError
from oscar_fulfillment.documents.picking_list import PickingData, Wanted, collect, render_picking_list
from tests import pdf
from tests.slips import HOSTILE

pytestmark = pytest.mark.feature("D10")


def wanted(key, order="100007", quantity=1, bin="A-1", title="", sku=""):
    return Wanted(key, order, quantity, title or f"Thing {key}", sku or f"SKU-{key}", bin)


def picking(*lines, **given):
    fields = {"shop": "Ponto & Vírgula", "made": datetime(2026, 11, 26, 10, 12), "language": "en-gb"}
    return PickingData(**fields | given, wanted=lines)


def test_an_article_is_picked_once_for_all_its_orders():
    picks = collect([wanted(1, "7", 2), wanted(1, "8", 1), wanted(2, "8", 5), wanted(1, "7", 1)])
    assert [(pick.title, pick.quantity, pick.orders) for pick in picks] == [
        ("Thing 1", 4, {"7": 3, "8": 1}), ("Thing 2", 5, {"8": 5}),
    ]  # fmt: skip


def test_bins_come_in_the_order_one_walks_past_them():
    bins = ["B-1", "", "A-10", "a-2", "A-1-3", "Ж-1", "A-1-12"]
    assert [pick.bin for pick in collect(wanted(bin, bin=bin) for bin in bins)] == [
        "A-1-3", "A-1-12", "a-2", "A-10", "B-1", "Ж-1", "",
    ]  # fmt: skip


def test_the_same_article_in_two_bins_is_picked_in_both():
    assert [(pick.bin, pick.quantity) for pick in collect([wanted(1, bin="A"), wanted(1, bin="B", quantity=2)])] == [
        ("A", 1), ("B", 2),
    ]  # fmt: skip


@given(st.lists(st.builds(
    wanted, st.integers(0, 5), st.sampled_from("789"), st.integers(1, 9), st.text("aA1-09²٣", max_size=6),
)))  # fmt: skip
def test_no_unit_is_lost(lines):
    picks = collect(lines)
    assert sum(pick.quantity for pick in picks) == sum(line.quantity for line in lines)
    assert len({(line.bin, line.key) for line in lines}) == len(picks)


def test_the_list_says_how_many_and_for_whom():
    content = render_picking_list(picking(wanted(1, "100007", 2), wanted(1, "100008", 1), wanted(2, "100008", 5)))
    (page,) = pdf.pages(content)
    for words in ("Picking list", "Ponto & Vírgula", "2 orders · 2 articles · 8 items", "A-1", "SKU-2",
                  "100007 × 2, 100008 × 1", "26/11/2026, 10:12"):  # fmt: skip
        assert words in page


@pytest.mark.parametrize(("language", "word"), [("ru", "26.11.2026"), ("pt", "26/11/2026"), ("fr", "26/11/2026")])
def test_it_is_in_the_language_of_who_picks(language, word):
    assert word in pdf.words(render_picking_list(picking(wanted(1, title="Кружка"), language=language)))


def test_without_bins_there_is_no_column_for_them():
    assert "Bin" in pdf.words(render_picking_list(picking(wanted(1))))
    assert "Bin" not in pdf.words(render_picking_list(picking(wanted(1, bin=""))))


def test_a_part_says_which_it_is():
    assert "Picking list, part 2 of 3" in pdf.words(render_picking_list(picking(wanted(1), part=(2, 3))))
    assert "part" not in pdf.words(render_picking_list(picking(wanted(1), part=(1, 1))))


def test_an_article_of_hundreds_of_orders_and_hundreds_of_articles_fill_pages():
    lines = [wanted(1, f"1{n:05}") for n in range(400)] + [wanted(n) for n in range(2, 300)]
    pages = pdf.pages(render_picking_list(picking(*lines)))
    assert len(pages) > 8
    for number, page in enumerate(pages, 1):
        assert f"{number} / {len(pages)}" in page
        assert "Quantity" in page
    assert "100399 × 1" in " ".join(pages)


def test_hostile_texts_are_shown_as_they_are():
    lines = [Wanted(text, text, 1, text, text, text) for text in HOSTILE]
    words = pdf.words(render_picking_list(picking(*lines, shop="\n".join(HOSTILE))))
    assert words.count("#panic()") == 5
    assert words.count("$ @ \\ ]") == 5


def test_nothing_to_pick_is_no_list():
    with pytest.raises(DocumentError, match="nothing to pick"):
        render_picking_list(picking())
