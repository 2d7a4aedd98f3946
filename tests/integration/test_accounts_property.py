"""Whatever comes in and goes back, in whatever order: the journal is what the ledger is, and what the orders say.

``HYPOTHESIS_PROFILE=thorough`` tries more and longer sequences.
"""

import os
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput
from oscar_fulfillment.selectors.journal import Scope
from oscar_fulfillment.services import cancelling, ledger, payments, receipts
from oscar_fulfillment.services.accounts import Totals
from oscar_fulfillment.services.accounts_preview import preview
from oscar_fulfillment.test import factories

from .accounts import EVER, balances, entries, journal_sums, now_scope, told
from .accounts import ledger as ledger_sums
from .editing import undone
from .payments import TEAM

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D17")]

EXAMPLES = 300 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 25
ORDERS = 3

sums = st.decimals("0.01", "30.00", places=2)
steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["receive", "receive", "approve", "refund", "refund", "provider", "pay_out", "foreign", "cancel"]
        ),
        st.integers(0, ORDERS - 1),
        sums,
        st.sampled_from(["", "TED 1", "=1+1"]),
    ),
    min_size=1,
    max_size=12,
)


def take(kind, order, amount, reference, sources):
    """One step through the services, or as another app books it."""
    order.refresh_from_db()
    order.fulfillment.refresh_from_db()
    if kind == "receive":
        receipts.receive_money(order=order, actor=TEAM, amount=amount, reference=reference)
    elif kind == "approve":
        payments.approve_payment(order=order, actor=TEAM, reference=reference)
    elif kind == "refund":
        receipts.note_refund(order=order, actor=TEAM, amount=amount, reason="no", reference=reference)
    elif kind == "cancel":
        cancelling.cancel_order(order=order, actor=TEAM, reason="no")
    elif kind == "pay_out":
        ledger.pay_out(order, amount, "Bank transfer", reference)
    elif kind == "foreign":
        from oscar.core.loading import get_model

        found, _new = get_model("payment", "SourceType").objects.get_or_create(name="Other app")
        get_model("payment", "Source").objects.create(
            order=order, source_type=found, currency="EUR", amount_allocated=amount, amount_debited=amount
        )
    elif order.pk in sources:  # the provider takes or gives more
        source, captured, refunded = sources[order.pk]
        if amount > 15:
            captured += amount
        else:
            refunded = min(refunded + amount, captured)
        ledger.bring_to(source, held=Decimal(0), captured=captured, refunded=refunded, reference="X")
        sources[order.pk] = (source, captured, refunded)
    else:
        source, _more = ledger.open_source(
            order, "demo", "X", "card", held=amount, captured=amount, refunded=Decimal(0)
        )
        sources[order.pk] = (source, amount, Decimal(0))


@given(steps=steps, page=st.integers(1, 4))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_journal_adds_up_to_the_ledger_and_to_the_orders(steps, page):
    with undone():
        method = factories.manual_method()
        orders = [factories.placed_order(method=method) for _n in range(ORDERS)]
        sources = {}
        known = {}
        for kind, which, amount, reference in steps:
            try:
                take(kind, orders[which], amount, reference, sources)
            except (FulfillmentError, InvalidInput):
                continue
            now = {entry.uid: (entry.at, entry.amount) for entry in entries()}
            assert {uid: now[uid] for uid in known} == known, "what was exported stays as it was"
            known = now
        totals = Totals()
        list(totals.watch(iter(told())))
        by_ledger = {c: pair for c, pair in ledger_sums().items() if any(pair)}
        assert journal_sums() == by_ledger
        for currency, (received, refunded) in by_ledger.items():
            assert totals.sums().get(("payment", currency), 0) == received
            assert totals.sums().get(("refund", currency), 0) == -refunded
        found = preview(now_scope())
        assert found.ties
        for balance in balances():
            assert balance.opening == 0
            assert balance.closing == balance.now
        # Parts of the time add up to the whole, whatever the page.
        every = entries(page=page)
        assert [entry.uid for entry in every] == [entry.uid for entry in entries()]
        if every:
            middle = every[len(every) // 2].at
            halves = entries(Scope(EVER.begin, middle)) + entries(Scope(middle, EVER.end))
            assert [entry.uid for entry in halves] == [entry.uid for entry in every]
