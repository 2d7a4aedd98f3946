"""Proof that a history is whole: every row's hash follows from the row before, the head is the object's, and the
statuses are where the rows lead."""

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
    columns = [field.name for field in model._meta.concrete_fields if field.name.endswith("_status")]
    heads = model._default_manager.order_by("pk").values_list("pk", "version", "history_hash", *columns)
    last = None
    while True:
        page = list((heads.filter(pk__gt=last) if last is not None else heads)[:chunk])
        if not page:
            return
        found = history._default_manager.filter(**{f"{name}__in": [pk for pk, *_rest in page]})
        chains: dict[Any, list[Any]] = {}
        for row in found.order_by("sequence").iterator(chunk):
            chains.setdefault(getattr(row, f"{name}_id"), []).append(row)
        for pk, version, head, *statuses in page:
            rows = chains.get(pk, [])
            flaw = _broken_link(pk, version, head, rows) or _lost_status(
                pk, version, dict(zip(columns, statuses, strict=True)), rows
            )
            if flaw:
                yield flaw
        last = page[-1][0]


def _broken_link(pk: Any, version: int, head: str, rows: list[Any]) -> Flaw | None:
    previous = ""
    for expected, row in enumerate(rows, 1):
        if row.sequence != expected:
            return Flaw(pk, expected, _("a row is missing"))
        if row.hash != row.compute_hash(previous):
            return Flaw(pk, row.sequence, _("the row was changed"))
        previous = row.hash
    if len(rows) != version:
        return Flaw(pk, version, _("rows at the end are missing"))
    if previous != head:
        return Flaw(pk, version, _("the head does not match the last row"))
    return None


def _lost_status(pk: Any, version: int, statuses: dict[str, str], rows: list[Any]) -> Flaw | None:
    """A status that was written behind the back of the history."""
    reached: dict[str, str] = {}
    for row in rows:
        column = f"{row.machine}_status"
        if not row.to_status or column not in statuses:
            continue
        if row.from_status != reached.get(column, row.from_status):
            return Flaw(pk, row.sequence, _("the status jumps: %(machine)s") % {"machine": row.machine})
        reached[column] = row.to_status
    for column, status in reached.items():
        if statuses[column] != status:
            machine = column.removesuffix("_status")
            problem = _("the status is not where the history leads: %(machine)s") % {"machine": machine}
            return Flaw(pk, version, problem)
    return None
