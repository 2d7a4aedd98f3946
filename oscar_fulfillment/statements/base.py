"""What every format is read into, and the checks that all of them share."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import FulfillmentError

#: What banks write where they have no reference.
NO_REFERENCE = frozenset({"", "0", "-", "NONREF", "NOTPROVIDED", "NOTAPPLICABLE", "NOREF"})
#: The largest sum that a column holds.
MOST = Decimal("9999999999.99")


class StatementError(FulfillmentError):
    """The file cannot be read in whole; the message says why and, where there is one, in which line."""


@dataclass(slots=True)
class Entry:
    """One movement on the account. ``amount`` is signed: what came in is above zero."""

    amount: Decimal
    currency: str
    booked_on: date
    valued_on: date | None = None
    #: The bank's own number of the movement, where it gives one.
    bank_reference: str = ""
    #: QRR, SCOR and the like, without spaces.
    reference: str = ""
    #: What the payer wrote.
    text: str = ""
    name: str = ""
    account: str = ""
    charges: Decimal | None = None
    #: The bank took an earlier movement back.
    is_reversal: bool = False


@dataclass(slots=True)
class Statement:
    """The movements of one account in one currency, in the order of the file."""

    format: str
    account: str
    currency: str
    entries: list[Entry] = field(default_factory=list)
    begins: date | None = None
    ends: date | None = None
    #: Movements that the file announces and the bank has not booked yet: they are not taken.
    pending: int = 0
    #: Lines of the file that hold no movement (headings, sums), by their number.
    left_out: list[int] = field(default_factory=list)
    #: Movements that the same file holds twice, by the bank's own number.
    repeated: int = 0

    def widen(self, *days: date | None) -> None:
        """Let the period hold these days."""
        known = [day for day in (*days, self.begins, self.ends) if day]
        self.begins, self.ends = (min(known), max(known)) if known else (None, None)


def fingerprints(account: str, entries: Iterable[Entry]) -> Iterator[tuple[Entry, str]]:
    """Each entry with what tells it from every other of the account, the same in each file that holds it.

    With the bank's number: that, the day and the sum; a second one in the same file is the same movement and is left
    out. Without: day, sum, payer and text, and a running number, so that two equal payments of a day stay two.
    """
    seen: Counter[str] = Counter()
    for entry in entries:
        known = "" if is_empty_reference(entry.bank_reference) else entry.bank_reference
        parts = [account, entry.booked_on.isoformat(), f"{entry.amount:.2f}", entry.currency, known]
        if not known:
            parts += [squeeze(part) for part in (entry.account, entry.name, entry.reference, entry.text)]
        basis = "\x1f".join(parts)
        seen[basis] += 1
        if known and seen[basis] > 1:
            continue
        digest = hashlib.blake2b(f"{basis}\x1f{seen[basis] if not known else 1}".encode(), digest_size=20)
        yield entry, digest.hexdigest()


def is_empty_reference(text: str) -> bool:
    """Whether a bank's reference says that there is none."""
    return re.sub(r"[\s_]", "", text).upper() in NO_REFERENCE


def squeeze(text: str) -> str:
    """Text whose spaces and case do not matter."""
    return " ".join(text.casefold().split())


def clean(text: Any, limit: int) -> str:
    """One line of printable text of at most ``limit`` characters."""
    plain = "".join(sign if sign.isprintable() else " " for sign in str(text or ""))
    return " ".join(plain.split())[:limit].rstrip()


def check_sum(amount: Decimal, where: str) -> Decimal:
    """The sum in whole cents. :class:`StatementError` for one that is too large or has a part of a cent."""
    if not amount.is_finite() or abs(amount) > MOST:
        raise StatementError(_("%(where)s: the sum is too large.") % {"where": where})
    if amount != (whole := amount.quantize(Decimal("0.01"))):
        raise StatementError(
            _("%(where)s: the sum %(sum)s has a part of a cent.") % {"where": where, "sum": f"{amount:f}"}
        )
    return whole


_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_PLAIN_ACCOUNT = re.compile(r"[A-Z0-9][A-Z0-9./-]{3,33}")


def check_account(text: str) -> str:
    """The number of an account without spaces. An IBAN must have its check digits; others (20 digits in Russia, branch
    and number in Brazil) are 4 to 34 letters, digits, dots and dashes. :class:`StatementError` otherwise.
    """
    compact = "".join(text.split()).upper()
    if _IBAN.fullmatch(compact):
        digits = "".join(str(int(sign, 36)) for sign in compact[4:] + compact[:4])
        if int(digits) % 97 != 1:
            raise StatementError(
                _("%(account)s is not a valid IBAN: its check digits are wrong.") % {"account": compact}
            )
        return compact
    if not _PLAIN_ACCOUNT.fullmatch(compact):
        raise StatementError(_("“%(account)s” is not the number of an account.") % {"account": clean(text, 40)})
    return compact


def mask_account(account: str) -> str:
    """The country of an IBAN and the last four signs: enough to recognise, too little to misuse."""
    compact = "".join(account.split()).upper()
    if len(compact) <= 4:
        return ""
    return f"{compact[:2] if compact[:2].isalpha() else ''}••••{compact[-4:]}"
