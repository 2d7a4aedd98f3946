"""What the tests of the export to the accounts share: a period, the journal in it, what the ledger says."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_fulfillment.selectors import journal, journal_facts, reconciliation
from oscar_fulfillment.selectors.journal import Scope
from oscar_fulfillment.services import accounts

EVER = Scope(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def days(first: date, last: date, **options: Any) -> Scope:
    from oscar_fulfillment.services.accounts_period import make_scope

    return make_scope(first=first, last=last, **options)


def today() -> date:
    return timezone.localdate()


def now_scope(**options: Any) -> Scope:
    """Yesterday to tomorrow."""
    return days(today() - timedelta(days=1), today() + timedelta(days=1), **options)


def entries(scope: Scope = EVER, **options: Any) -> list[journal.Entry]:
    return list(journal.entries(scope, **options))


def told(scope: Scope = EVER) -> list[journal_facts.Row]:
    return list(journal_facts.rows(journal.entries(scope)))


def brief(scope: Scope = EVER) -> list[tuple[str, Decimal | None]]:
    return [(entry.kind, entry.amount) for entry in entries(scope)]


def balances(scope: Scope = EVER) -> list[reconciliation.Balance]:
    return list(reconciliation.balances(scope))


def ledger() -> dict[str, tuple[Decimal, Decimal]]:
    """(received, refunded) by currency, as the sources have them."""
    rows = get_model("payment", "Source").objects.order_by().values_list("currency")
    sums = rows.annotate(Sum("amount_debited"), Sum("amount_refunded"))
    cent = Decimal("0.01")
    return {currency: (debited.quantize(cent), refunded.quantize(cent)) for currency, debited, refunded in sums}


def journal_sums(scope: Scope = EVER) -> dict[str, tuple[Decimal, Decimal]]:
    """The same, as the journal has them."""
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for entry in entries(scope):
        if entry.kind in journal.MONEY:
            received, refunded = found.get(entry.currency, (Decimal(0), Decimal(0)))
            if entry.kind == journal.PAYMENT:
                received += entry.amount
            else:
                refunded -= entry.amount
            found[entry.currency] = (received, refunded)
    return found


def lines(scope: Scope = EVER, **options: Any) -> list[dict[str, str]]:
    """The CSV file, read again."""
    text = "".join(accounts.stream_csv(scope, language="en", **options))
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:])))


def backdate(entry: journal.Entry, days_ago: int) -> None:
    """Let a movement have happened earlier."""
    Transaction = get_model("payment", "Transaction")
    assert entry.transaction_id, "only transactions have a time of their own"
    Transaction.objects.filter(pk=entry.transaction_id).update(date_created=timezone.now() - timedelta(days=days_ago))
