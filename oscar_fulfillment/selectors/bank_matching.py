"""Which orders a movement on the account may pay. Proposals only: a person confirms each.

All movements of a page are looked up together, in the same few statements for one movement and for two hundred.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import F, Q, Sum
from oscar.core.loading import get_model

from oscar_fulfillment.core.text import fold
from oscar_fulfillment.documents.payment_parts.references import Hint, read_reference, references_in
from oscar_fulfillment.flows import flows
from oscar_fulfillment.models import BankEntry, OrderFulfillment
from oscar_fulfillment.selectors.names import Crowd, names_agree
from oscar_fulfillment.selectors.number_words import number_words

#: Why an order is proposed: its payment reference, its number in the text, payer and sum, the sum alone; or a person
#: has looked for it.
REFERENCE, NUMBER, NAME, SUM, SEARCH = "reference", "number", "name", "sum", "search"
#: Words of a payer's text that are looked up as order numbers, and orders of the same sum that are looked at.
MAX_TOKENS, MAX_SAME_SUM = 40, 2000
#: Days between two copies of a payment in files of different kinds (booking and value date).
_TWIN_DAYS = 3


@dataclass(frozen=True)
class Proposal:
    """An order, and what would be if the movement paid it. ``difference``: above zero is too much, below is missing."""

    order: OrderFulfillment
    why: str
    outstanding: Decimal
    difference: Decimal
    name_fits: bool = False
    #: Nothing speaks against it: reference or number, and the very sum, for one order that waits for its money.
    is_exact: bool = False

    @property
    def is_late(self) -> bool:
        """The order is off: the money becomes a follow-up with its ways out."""
        return "cancelled" in (self.order.payment_status, self.order.shipping_status)


@dataclass
class Matches:
    """What was found for one movement, best first. ``twin``: the same payment, as another file has brought it."""

    proposals: list[Proposal] = field(default_factory=list)
    twin: BankEntry | None = None

    @property
    def best(self) -> Proposal | None:
        return self.proposals[0] if self.proposals else None

    @property
    def exact(self) -> Proposal | None:
        best = self.best
        return best if best and best.is_exact and self.twin is None else None


def find_matches(entries: Sequence[BankEntry], *, most: int = 5) -> dict[int, Matches]:
    """Proposals for each of these movements by its pk, at most ``most`` each. Six statements for any number."""
    incoming = [entry for entry in entries if entry.amount > 0]
    found = {entry.pk: Matches() for entry in entries}
    if not incoming:
        return found
    hints = {entry.pk: _hints(entry) for entry in incoming}
    tokens = {entry.pk: _tokens(entry) for entry in incoming}
    by_number, by_pk = _named(hints.values(), tokens.values())
    by_sum, nets = _of_the_sum(incoming)
    oldest = {key: sorted(rows, key=lambda row: row.placed_at) for key, rows in by_sum.items()}
    crowds = {key: Crowd(rows, lambda row: row.customer_name) for key, rows in oldest.items()}
    named = {*by_pk, *(row.pk for row in by_number.values())}
    nets |= _nets(named - set(nets))
    twins = _twins(incoming)
    for entry in incoming:
        ways: dict[int, tuple[str, OrderFulfillment]] = {}
        for hint in hints[entry.pk]:
            row = by_pk.get(hint.serial) if hint.serial else by_number.get(hint.number)
            if row is not None:
                ways.setdefault(row.pk, (REFERENCE, row))
        for token in tokens[entry.pk]:
            if token in by_number:
                row = by_number[token]
                ways.setdefault(row.pk, (NUMBER, row))
        if crowd := crowds.get((entry.amount, entry.currency)):
            for row in crowd.near(entry.name):
                ways.setdefault(row.pk, (SUM, row))
        proposals = [_proposal(entry, why, row, nets) for why, row in ways.values() if row.currency == entry.currency]
        found[entry.pk] = Matches(_sorted(proposals)[:most], twins.get(entry.pk))
    _one_each(found)
    return found


def outstanding(order: OrderFulfillment) -> Decimal:
    """What an order still lacks; below zero where more came in."""
    return order.order.total_incl_tax - _nets({order.pk}).get(order.pk, Decimal(0))


def propose(entry: BankEntry, rows: Iterable[OrderFulfillment]) -> list[Proposal]:
    """These orders as proposals: what a person has looked up by hand."""
    listed = list(rows)
    nets = _nets({row.pk for row in listed})
    return [_proposal(entry, SEARCH, row, nets) for row in listed]


def _proposal(entry: BankEntry, why: str, row: OrderFulfillment, nets: dict[int, Decimal]) -> Proposal:
    open_sum = row.order.total_incl_tax - nets.get(row.pk, Decimal(0))
    fits = names_agree(entry.name, row.customer_name)
    return Proposal(row, NAME if why == SUM and fits else why, open_sum, entry.amount - open_sum, fits)


def _sorted(proposals: list[Proposal]) -> list[Proposal]:
    """Best first, and the first one marked where nothing speaks against it."""

    def rank(one: Proposal) -> tuple[Any, ...]:
        even = one.difference == 0
        # A word that is some order's number by chance: neither its sum nor its name fits.
        by_chance = one.why == NUMBER and not even and not one.name_fits
        order = {REFERENCE: 0, NUMBER: 3 if by_chance else 1, NAME: 2, SUM: 4}[one.why]
        return order, not even, not one.name_fits, one.is_late, one.order.placed_at

    proposals.sort(key=rank)
    if proposals:
        best = proposals[0]
        rivals = [one for one in proposals[1:] if one.why == best.why and one.difference == 0]
        certain = best.why in (REFERENCE, NUMBER) and best.difference == 0 and not rivals
        proposals[0] = replace(best, is_exact=certain and best.order.payment_status in _unpaid() and not best.is_late)
    return proposals


def _one_each(found: dict[int, Matches]) -> None:
    """Two movements with the very sum of one order: neither is certain, a person looks at them."""
    wanted = Counter(m.exact.order.pk for m in found.values() if m.exact)
    for matches in found.values():
        exact = matches.exact
        if exact and wanted[exact.order.pk] > 1:
            matches.proposals[0] = replace(exact, is_exact=False)


def _unpaid() -> set[str]:
    return {flow.payment.initial for flow in flows().values()}


def _hints(entry: BankEntry) -> list[Hint]:
    texts = [entry.reference, *references_in(entry.text)] if entry.reference else references_in(entry.text)
    return [hint for text in dict.fromkeys(texts) if (hint := read_reference(text))]


def _tokens(entry: BankEntry) -> list[str]:
    """What may be an order's number. The figures of "Order100123" count alone, when they stand at the end."""
    return number_words((entry.reference, entry.text), most=MAX_TOKENS, tails=True)


def _named(
    hints: Iterable[list[Hint]], tokens: Iterable[list[str]]
) -> tuple[dict[str, OrderFulfillment], dict[int, OrderFulfillment]]:
    """Orders by the numbers that occur, and by the serials."""
    every = [hint for listed in hints for hint in listed]
    numbers = {hint.number for hint in every if hint.number} | {token for listed in tokens for token in listed}
    serials = {hint.serial for hint in every if hint.serial}
    condition = Q(number__in=sorted(numbers))
    if serials:
        condition |= Q(pk__in=sorted(serials))
    rows = _rows().filter(condition) if numbers or serials else []
    listed = list(rows)
    return {row.number: row for row in listed}, {row.pk: row for row in listed if row.pk in serials}


def _rows() -> Any:
    return OrderFulfillment._default_manager.select_related("order")


def _of_the_sum(
    entries: Sequence[BankEntry],
) -> tuple[dict[tuple[Decimal, str], list[OrderFulfillment]], dict[int, Decimal]]:
    """Unpaid orders that lack exactly one of these sums, and what the partly paid ones have had."""
    unpaid = sorted(_unpaid())
    currencies = sorted({entry.currency for entry in entries})
    wanted = {(entry.amount, entry.currency) for entry in entries}
    sums = sorted({entry.amount for entry in entries})
    partly = dict(
        get_model("payment", "Source")
        ._default_manager.filter(
            order__fulfillment__payment_status__in=unpaid, order__currency__in=currencies, amount_debited__gt=0
        )
        .values_list("order")
        .annotate(net=Sum(F("amount_debited") - F("amount_refunded")))
    )
    nets = {pk: _money(net) for pk, net in partly.items()}
    rows = _rows().filter(payment_status__in=unpaid, currency__in=currencies)
    fitting = Q(order__total_incl_tax__in=sums)
    if nets:
        fitting |= Q(pk__in=sorted(nets))
    found: dict[tuple[Decimal, str], list[OrderFulfillment]] = defaultdict(list)
    for row in rows.filter(fitting).order_by("-placed_at")[: MAX_SAME_SUM + len(nets)]:
        lacks = row.order.total_incl_tax - nets.get(row.pk, Decimal(0))
        if (lacks, row.currency) in wanted:
            found[lacks, row.currency].append(row)
    return found, nets


def _nets(order_ids: Iterable[int]) -> dict[int, Decimal]:
    ids = sorted(order_ids)
    if not ids:
        return {}
    rows = (
        get_model("payment", "Source")
        ._default_manager.filter(order__in=ids)
        .values_list("order")
        .annotate(net=Sum(F("amount_debited") - F("amount_refunded")))
    )
    return {pk: _money(net) for pk, net in rows}


def _money(value: Any) -> Decimal:
    """A sum as the columns have it: SQLite adds up with more decimals."""
    return Decimal(value or 0).quantize(Decimal("0.01"))


def _twins(entries: Sequence[BankEntry]) -> dict[int, BankEntry]:
    """Movements of other files with the same account, sum and payer within some days: most likely the same one, once
    as CAMT and once as CSV."""
    days = [entry.booked_on for entry in entries]
    near = timedelta(days=_TWIN_DAYS)
    statements = {entry.statement_id for entry in entries}
    rows = BankEntry._default_manager.filter(
        account__in=sorted({entry.account for entry in entries}),
        booked_on__range=(min(days) - near, max(days) + near),
        amount__in=sorted({entry.amount for entry in entries}),
    ).exclude(state=BankEntry.IGNORED)
    if len(statements) == 1:
        rows = rows.exclude(statement__in=statements)
    groups: dict[Any, list[BankEntry]] = defaultdict(list)
    for row in rows.select_related("statement", "fulfillment").order_by("pk")[: 2 * MAX_SAME_SUM]:
        groups[row.account, row.amount, row.currency].append(row)
    # The payer's words and the text are looked up, not compared each with each: one price has thousands of payments.
    crowds = {key: Crowd(group, lambda row: f"{row.name} {row.text}") for key, group in groups.items()}
    found = {}
    for entry in entries:
        crowd = crowds.get((entry.account, entry.amount, entry.currency))
        for row in crowd.near(entry.name or entry.text) if crowd else ():
            if row.statement_id != entry.statement_id and _is_twin(entry, row, near):
                found[entry.pk] = row
                break
    return found


def _is_twin(entry: BankEntry, row: BankEntry, near: timedelta) -> bool:
    if abs(row.booked_on - entry.booked_on) > near:
        return False
    if row.bank_reference and entry.bank_reference and row.bank_reference != entry.bank_reference:
        return False
    return names_agree(row.name, entry.name) or fold(row.text) == fold(entry.text)
