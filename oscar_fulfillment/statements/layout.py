"""What is in which column of a table: guessed from headings, confirmed by a person, kept for the next file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.text import fold

from .base import clean
from .table import Table
from .values import DATE_FORMATS

#: How many wrong lines an error names.
_NAMED = 5


@dataclass(frozen=True)
class Layout:
    """A role for each column ("" for none), the order of a date's parts, the decimal mark."""

    roles: tuple[str, ...]
    order: str = "dmy"
    mark: str = "."

    def of(self, role: str) -> int | None:
        """The column of a role."""
        return self.roles.index(role) if role in self.roles else None

    def to_json(self) -> dict[str, Any]:
        return {"roles": list(self.roles), "order": self.order, "mark": self.mark}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Layout:
        return cls(tuple(kept["roles"]), kept["order"], kept["mark"])

    def problems(self, offered: Mapping[str, Any], several: Sequence[str] = ()) -> list[str]:
        """What is not on offer, and what is said of two columns, in words."""
        if (
            any(role not in offered for role in self.roles)
            or self.order not in DATE_FORMATS
            or self.mark not in (".", ",")
        ):
            return [_("Choose one of the answers offered for each column.")]
        return [
            _("Only one column can be “%(role)s”.") % {"role": offered[role]}
            for role in offered
            if role and role not in several and self.roles.count(role) > 1
        ]


def key_of(heading: str) -> str:
    """A heading without case, accents and punctuation."""
    return " ".join("".join(sign if sign.isalnum() else " " for sign in fold(heading)).split())


def by_word(words: Mapping[str, str]) -> dict[str, str]:
    """heading -> role, from role -> "heading|heading"."""
    return {key_of(word): role for role, listed in words.items() for word in listed.split("|")}


def guess_roles(headings: Sequence[str], known: Mapping[str, str]) -> list[str]:
    """The role of each heading that is known in full; by its first words ("Credit in EUR", "Valor (R$)") for a role
    that no heading is known for."""
    keys = [key_of(heading) for heading in headings]
    roles = [known.get(key, "") for key in keys]
    certain = set(roles)
    for index, key in enumerate(keys):
        words = key.split()
        begins = [" ".join(words[:size]) for size in (3, 2, 1) if len(words) > size]
        likely = next((known[begin] for begin in begins if begin in known), "")
        if not roles[index] and likely not in certain:
            roles[index] = likely
    return roles


def name_lines(wrong: Sequence[str]) -> str:
    """An error that names the first wrong lines and counts the others."""
    more = _(" and %(count)d more") % {"count": len(wrong) - _NAMED} if len(wrong) > _NAMED else ""
    return _("These lines cannot be read: %(lines)s. Nothing was taken.") % {"lines": ", ".join(wrong[:_NAMED]) + more}


def samples(table: Table, count: int = 3) -> Iterator[tuple[int, str, list[str]]]:
    """Each column with its heading and the first different things in it."""
    for index, heading in enumerate(table.headings):
        found: Iterable[str] = dict.fromkeys(clean(text, 60) for text in table.column(index)[:50])
        yield index, heading, list(found)[:count]
