"""What is found in a fiscal note's file: codes for programs, words for people, and what helps.

A finding is stored as its code and values, and put into words when somebody reads it: in their language.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _

from .nfe_words import ERROR, TABLE

#: Values that are sums in reais, and those that are days.
_SUMS, _DAYS = frozenset({"total", "sums"}), frozenset({"older", "future"})
#: What a person may overrule with a written reason.
OVERRIDABLE = frozenset({"total", "buyer"})
#: What asks for a choice between orders.
CHOICES = frozenset({"no_order", "several_orders"})


@dataclass(frozen=True)
class Finding:
    """One thing that was found: a code of ``nfe_words.TABLE`` and the values that its words name."""

    code: str
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def severity(self) -> str:
        return TABLE[self.code][0]

    @property
    def is_error(self) -> bool:
        return self.severity == ERROR

    @property
    def message(self) -> str:
        values = {name: _in_words(self.code, value) for name, value in self.values.items()}
        return str(TABLE[self.code][1]) % defaultdict(lambda: "–", values)

    @property
    def remedy(self) -> str:
        return str(TABLE[self.code][2])

    def __str__(self) -> str:
        return self.message

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "values": dict(self.values)}


def find(code: str, **values: Any) -> Finding:
    """A finding; values become texts, cut to what a page can show."""
    return Finding(code, {name: show(value) for name, value in values.items()})


def from_json(rows: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """Stored findings; those whose code is gone since are left out."""
    return [Finding(row["code"], row.get("values", {})) for row in rows if row.get("code") in TABLE]


def _in_words(code: str, value: str) -> str:
    """A stored value as the reader's language has it."""
    if code in _SUMS:
        return f"R$ {formats.number_format(Decimal(value), 2, use_l10n=True, force_grouping=True)}"
    if code in _DAYS:
        return formats.date_format(date.fromisoformat(value), "SHORT_DATE_FORMAT")
    return value


def show(value: Any, limit: int = 200) -> str:
    """Text of others as a page may show it: one line, printable, not endless."""
    plain = "".join(sign if sign.isprintable() else " " for sign in str(value))
    return " ".join(plain.split())[:limit]


def megabytes(size: int) -> str:
    """A size for people."""
    if size < 100_000:
        return _("%(size)d kB") % {"size": -(-size // 1000)}
    tenths = round(size / 100_000)
    return _("%(size)s MB") % {"size": formats.number_format(Decimal(tenths) / 10, 0 if tenths % 10 == 0 else 1)}


class NfeError(ValueError):
    """The file is no note that can be read; ``finding`` says why."""

    def __init__(self, code: str, **values: Any):
        self.finding = find(code, **values)
        super().__init__(code)

    def __str__(self) -> str:
        return self.finding.message
