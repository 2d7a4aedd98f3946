"""Whatever is edited and taken back, in any order: the books are those of an order that was placed so.

``HYPOTHESIS_PROFILE=thorough`` tries more and longer sequences.
"""

import os
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oscar_fulfillment.core import history
from oscar_fulfillment.core.exceptions import InvalidInput, TransitionNotAllowed
from oscar_fulfillment.models import OrderDraft, OrderFulfillment, StatusChange
from oscar_fulfillment.services import editing
from oscar_fulfillment.services.edit_wanted import Shipping, Wanted
from oscar_fulfillment.test import factories

from .editing import TEAM, as_if_placed, counters, figures, fresh, offer, place, undone, voucher

pytestmark = [pytest.mark.django_db, pytest.mark.feature("E2")]

EXAMPLES = 400 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 25
PRICES = ("10.00", "7.49", "3.33", "0.05")

units = st.integers(0, 7)
edits = st.tuples(
    st.just("edit"),
    st.dictionaries(st.integers(0, 3), units, max_size=3),
    st.sampled_from([None, None, None, Decimal("0"), Decimal("4.90")]),
)
steps = st.lists(st.one_of(edits, edits, st.just(("revert", {}, None))), min_size=1, max_size=9)
offers = st.lists(
    st.tuples(
        st.sampled_from(["Percentage", "Absolute", "Multibuy"]),
        st.sampled_from(["10", "33", "1.11"]),
        st.integers(1, 4),
        st.sets(st.integers(0, 3), min_size=1),
        st.sampled_from([None, 1, 2]),
    ),
    max_size=3,
)


def wanted_of(order, products, quantities, charge):
    """The draft that makes the order hold so many units of each product."""
    here = {line.product_id: line for line in order.lines.all()}
    changed = {here[products[n].pk].pk: q for n, q in quantities.items() if products[n].pk in here}
    added = {products[n].stockrecords.get().pk: q for n, q in quantities.items() if products[n].pk not in here and q}
    return Wanted(changed, added, Shipping(charge=charge))


@given(first=st.lists(st.integers(1, 4), min_size=1, max_size=3), steps=steps, offers=offers, has_voucher=st.booleans())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_sequence_of_edits_leaves_the_books_of_an_order_placed_so(first, steps, offers, has_voucher):
    with undone():
        products = [factories.product(f"P{n}", price, stock=12, sku=f"S{n}") for n, price in enumerate(PRICES)]
        for kind, value, at_least, reach, limit in offers:
            offer(
                kind=kind, value=value, at_least=at_least, products=[products[n] for n in reach],
                max_basket_applications=limit,
            )  # fmt: skip
        codes = [voucher(value="5", products=products[:2], usage="Single use")] if has_voucher else []
        order = place([(products[n], q) for n, q in enumerate(first)], vouchers=codes)
        before = [(figures(order), counters())]
        for kind, quantities, charge in steps:
            now = before[-1]
            try:
                if kind == "revert":
                    editing.revert_edit(order=order, actor=TEAM)
                    before.pop()
                    assert (figures(order), counters()) == before[-1]
                else:
                    editing.apply_edit(order=order, actor=TEAM, wanted=wanted_of(order, products, quantities, charge))
                    before.append((figures(order), counters()))
            except (TransitionNotAllowed, InvalidInput):
                assert (figures(order), counters()) == now
                continue
            lines = [(line.product, line.quantity) for line in order.lines.order_by("pk").select_related("product")]
            goods, counted = as_if_placed(order, lines, vouchers=codes)
            mine = figures(order)
            shipping = mine["totals"][0] - goods["totals"][0]
            assert (mine["lines"], mine["discounts"]) == (goods["lines"], goods["discounts"])
            assert counters() == counted
            assert shipping == fresh(order).shipping_incl_tax
        assert OrderDraft.objects.filter(status="applied").count() == len(before) - 1
        assert list(history.verify(OrderFulfillment, StatusChange)) == []
