"""Proof that a history is whole: every row's hash follows from the row before, and the head is the object's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Flaw:
    """A place where a history does not add up."""

    subject_pk: Any
    sequence: int
    problem: Any


def verify(model: type[models.Model], history: type[models.Model], chunk: int = 2000) -> Iterator[Flaw]:
    """Recompute every chain, object by object, without loading them all. Yields what is wrong."""
    name: str = history.subject_field  # type: ignore[attr-defined]
    heads = model._default_manager.order_by("pk").values_list("pk", "version", "history_hash")
    last = None
    while True:
        page = list((heads.filter(pk__gt=last) if last is not None else heads)[:chunk])
        if not page:
            return
        rows = history._default_manager.filter(**{f"{name}__in": [pk for pk, *_rest in page]})
        chains: dict[Any, list[Any]] = {}
        for row in rows.order_by("sequence").iterator(chunk):
            chains.setdefault(getattr(row, f"{name}_id"), []).append(row)
        for pk, version, head in page:
            yield from _verify_chain(pk, version, head, chains.get(pk, []))
        last = page[-1][0]


def _verify_chain(pk: Any, version: int, head: str, rows: list[Any]) -> Iterator[Flaw]:
    previous = ""
    for expected, row in enumerate(rows, 1):
        if row.sequence != expected:
            yield Flaw(pk, expected, _("a row is missing"))
            return
        if row.hash != row.compute_hash(previous):
            yield Flaw(pk, row.sequence, _("the row was changed"))
            return
        previous = row.hash
    if len(rows) != version:
        yield Flaw(pk, version, _("rows at the end are missing"))
    elif previous != head:
        yield Flaw(pk, version, _("the head does not match the last row"))
