"""Names of payers and customers: whether two are most likely the same person's, and finding them among many."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Generic, TypeVar

from oscar_fulfillment.core.text import fold

T = TypeVar("T")

_LEGAL = frozenset(
    "ag|gmbh|sa|sarl|ltda|me|eireli|ltd|inc|llc|kg|ug|oy|ab|bv|srl|spa|ooo|ооо|оао|зао|пао|ао|ип".split("|")  # noqa: SIM905
)


def names_agree(one: str, other: str) -> bool:
    """Whether most words of the shorter name are in the other, whatever the order, case and accents; one letter wrong
    is allowed in long ones."""
    first, second = words_of(one), words_of(other)
    if not first or not second:
        return False
    few, many = sorted((first, second), key=len)
    hits = sum(any(_close(word, candidate) for candidate in many) for word in few)
    return hits >= max(2, -(-2 * len(few) // 3)) if len(few) > 1 else hits == 1 and len(next(iter(few))) >= 4


@lru_cache(maxsize=8192)
def words_of(name: str) -> frozenset[str]:
    """The words of a name, without case, accents and the forms of companies."""
    return frozenset(word for word in re.findall(r"\w+", fold(name)) if len(word) > 1 and word not in _LEGAL)


def _close(one: str, other: str) -> bool:
    if one == other:
        return True
    return min(len(one), len(other)) >= 5 and SequenceMatcher(None, one, other).ratio() >= 0.85


class Crowd(Generic[T]):
    """Rows that are alike but for a name. Where they are many, only those are looked at that share a word with the name
    looked for, and the first ones."""

    FEW = 20

    def __init__(self, rows: Sequence[T], name: Callable[[T], str]):
        self._rows = rows
        self._by_word: dict[str, list[T]] = defaultdict(list)
        if len(rows) > self.FEW:
            for row in rows:
                for word in words_of(name(row)):
                    self._by_word[word].append(row)

    def near(self, name: str) -> list[T]:
        """At most :data:`FEW` rows for each word of the name, those of rare words first, and as many of the first."""
        shared = sorted((self._by_word[word] for word in words_of(name) if word in self._by_word), key=len)
        return [*(row for rows in shared for row in rows[: self.FEW]), *self._rows[: self.FEW]]
