"""The checks of a note against the order it is for, and what all findings together come to. Pure, as ``nfe_checks``.

Sums and goods are compared in ``nfe_cover``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .nfe_checks import shown_tax_id
from .nfe_facts import Note
from .nfe_findings import CHOICES, OVERRIDABLE, Finding, find
from .text import compact

_SLACK = timedelta(days=1)


@dataclass(frozen=True)
class OrderFacts:
    """What is compared of an order. ``tax_id`` canonical, "" where it has none."""

    number: str
    tax_id: str
    currency: str
    postcode: str
    placed_at: datetime


def check_order(note: Note, order: OrderFacts) -> list[Finding]:
    """What speaks against this note being this order's, but for sums and goods."""
    return [one for check in ORDER_CHECKS if (one := check(note, order)) is not None]


def check_buyer(note: Note, order: OrderFacts) -> Finding | None:
    """The note is for the order's buyer."""
    if not note.recipient or not order.tax_id:
        return find("buyer_unknown")
    if compact(note.recipient) == compact(order.tax_id):
        return None
    return find("buyer", found=shown_tax_id(note.recipient), expected=shown_tax_id(order.tax_id))


def check_currency(note: Note, order: OrderFacts) -> Finding | None:
    """Notes are in reais."""
    return None if order.currency in ("", "BRL") else find("currency", found=order.currency)


def check_age(note: Note, order: OrderFacts) -> Finding | None:
    """The order was there first."""
    if note.issued_at >= order.placed_at - _SLACK:
        return None
    return find("older", found=note.issued_at.date().isoformat(), expected=order.placed_at.date().isoformat())


def check_postcode(note: Note, order: OrderFacts) -> Finding | None:
    """The goods go where the note says."""
    theirs, ours = compact(note.postcode), compact(order.postcode)
    if not theirs or not ours or theirs == ours:
        return None
    return find("postcode", found=note.postcode, expected=order.postcode)


ORDER_CHECKS: tuple[Callable[[Note, OrderFacts], Finding | None], ...] = (
    check_buyer,
    check_currency,
    check_age,
    check_postcode,
)


# ---- The verdict ----

GOOD, LOOK, CHOOSE, DIFFERS, WAIT, KNOWN, REFUSED = "good", "look", "choose", "differs", "wait", "known", "refused"
#: Those that a person may apply: at once, after a look, with a written reason.
APPLICABLE = frozenset({GOOD, LOOK, DIFFERS})
_KNOWN, _WAITS = frozenset({"known_key"}), frozenset({"not_ready"})


def verdict_of(findings: list[Finding]) -> str:
    """What the findings come to: the worst of them decides.

    ========= ==========================================================
    refused   the file cannot be used, whatever is done here
    known     the note is filed already
    choose    a person says which order
    wait      the order must be brought on first
    differs   a person may apply it all the same, with a written reason
    look      only warnings
    good      nothing was found
    ========= ==========================================================
    """
    errors = {finding.code for finding in findings if finding.is_error}
    if errors - CHOICES - OVERRIDABLE - _KNOWN - _WAITS:
        return REFUSED
    for codes, verdict in ((_KNOWN, KNOWN), (CHOICES, CHOOSE), (_WAITS, WAIT), (OVERRIDABLE, DIFFERS)):
        if errors & codes:
            return verdict
    return LOOK if findings else GOOD
