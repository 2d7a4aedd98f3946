"""Files of 1C entered: each document becomes a change of its order, once, whatever is sent again.

A file is read twice: first to its end, so that one that is cut off or broken enters nothing, then document by document,
for as long as an answer may take. What is left is gone on with when 1C asks again, or by the worker.
"""

from __future__ import annotations

import dataclasses
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import IO, Any

from django.conf import settings as django_settings
from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone, translation

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.base import ORDER
from oscar_fulfillment.connectors.commerceml import CommerceML
from oscar_fulfillment.connectors.commerceml_files import unpacked
from oscar_fulfillment.connectors.commerceml_mapping import Word, read_word
from oscar_fulfillment.connectors.commerceml_reader import BadFile, Document, read_documents
from oscar_fulfillment.connectors.records import Change
from oscar_fulfillment.models import ExchangeChunk, ExchangeFile, Export, OrderFulfillment, OutsideChange

from . import connector_changes

logger = logging.getLogger("oscar_fulfillment.connectors")

#: Seconds that one call of 1C may take, and for which one process has a file to itself.
BUDGET, CLAIM = 15.0, 120
#: Bytes of a file that are held in memory; more lies in a temporary file meanwhile.
_IN_MEMORY = 2_000_000
#: Documents after which the place in the file is noted.
_EVERY = 50


def enter(connector: CommerceML, file: ExchangeFile, *, budget: float = BUDGET) -> ExchangeFile:
    """Enter what a whole file says, for so many seconds; its status tells how far that went. Done twice it is once."""
    if not _claim(file):
        file.refresh_from_db()
        return file
    ends = time.monotonic() + budget
    values: dict[str, Any] = {}
    try:
        with _opened(file) as content:
            if not file.taken:
                for _document in _documents(content, connector):
                    pass
            values = _take_from(connector, content, file.taken, ends, file)
    except BadFile as error:
        logger.warning("%s: the file %r cannot be read: %s", connector.alias, file.name, error)
        values = {"status": ExchangeFile.FAILED, "problem": str(error)[:500]}
    finally:
        ExchangeFile._default_manager.filter(pk=file.pk).update(claimed_until=None, **values)
    if values.get("status") in (ExchangeFile.DONE, ExchangeFile.FAILED):
        ExchangeChunk._default_manager.filter(file=file.pk).delete()
    file.refresh_from_db()
    return file


def resume(*, budget: float) -> int:
    """Go on with files that 1C brought and does not ask about; how many were finished."""
    ends, finished = time.monotonic() + budget, 0
    for file in ExchangeFile._default_manager.filter(status=ExchangeFile.READY).select_related("session")[:50]:
        alias = file.session.connector
        connector = connectors.get(alias) if alias in connectors else None
        if time.monotonic() < ends and isinstance(connector, CommerceML):
            done = enter(connector, file, budget=ends - time.monotonic())
            finished += done.status in (ExchangeFile.DONE, ExchangeFile.FAILED)
    return finished


def _claim(file: ExchangeFile) -> bool:
    now = timezone.now()
    free = Q(claimed_until=None) | Q(claimed_until__lte=now)
    rows = ExchangeFile._default_manager.filter(free, pk=file.pk, status=ExchangeFile.READY)
    if not rows.update(claimed_until=now + timedelta(seconds=CLAIM)):
        return False
    file.refresh_from_db()
    return True


@contextmanager
def _opened(file: ExchangeFile) -> Iterator[IO[bytes]]:
    """The pieces of a file as one; a zip wants to be read from its end."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as whole:
        rows = ExchangeChunk._default_manager.filter(file=file.pk).order_by("number")
        for row in rows.iterator(chunk_size=1):
            whole.write(bytes(row.content))
        whole.seek(0)
        yield whole


def _documents(content: Any, connector: CommerceML) -> Iterator[Document]:
    content.seek(0)
    with unpacked(content, most=connector.max_unpacked) as files:
        for each in files:
            yield from read_documents(each)


def _take_from(connector: CommerceML, content: Any, start: int, ends: float, file: ExchangeFile) -> dict[str, Any]:
    number, numbers = 0, dict[str, str]()
    try:
        for number, document in enumerate(_documents(content, connector), 1):
            if number <= start:
                continue
            if time.monotonic() >= ends and number > start + 1:
                return {"taken": number - 1}
            if (word := read_word(document)) is not None:
                take_word(connector, word, numbers)
            if number % _EVERY == 0:
                _note_numbers(connector.alias, numbers)
                ExchangeFile._default_manager.filter(pk=file.pk).update(
                    taken=number, claimed_until=timezone.now() + timedelta(seconds=CLAIM)
                )
    finally:
        _note_numbers(connector.alias, numbers)
    return {"taken": number, "status": ExchangeFile.DONE}


def take_word(connector: CommerceML, word: Word, numbers: dict[str, str]) -> OutsideChange | None:
    """Take what a document says of an order; None where it says what it said the last time, or nothing at all.

    What 1C calls the order is left in ``numbers``, by our number.
    """
    alias = connector.alias
    fulfillment = _ours(alias, word)
    reference = fulfillment.number if fulfillment is not None else word.references[0]
    said = f"{reference[:100]}:{word.change.key}"
    rows = OutsideChange._default_manager.filter(connector=alias, reference=reference)
    last = rows.order_by("-pk").values_list("key", "status").first()
    if last is None:
        # 1C sends every order that it took: most say no more than its number there.
        known = fulfillment is not None and _says_nothing(word.change, fulfillment)
    else:
        known = last[0].startswith(f"{said}:") and last[1] != OutsideChange.WAITING
    if word.number:
        numbers[reference] = word.number
    if known:
        return None
    # The same again after something else was said is news: paid, not paid, paid.
    times = rows.filter(key__startswith=f"{said}:").exclude(status=OutsideChange.WAITING).count()
    change = dataclasses.replace(word.change, key=f"{said}:{times}", reference=reference)
    return _take(alias, change)


def _take(alias: str, change: Change) -> OutsideChange:
    # What is kept of it is read by the shop's staff, not by 1C.
    with translation.override(django_settings.LANGUAGE_CODE):
        try:
            return connector_changes.take(alias, change)
        except DatabaseError:
            raise
        except Exception as error:
            # One document of many: the others are entered, and a person looks at this one.
            logger.exception("%s: the document about %s was not entered", alias, change.reference)
            return connector_changes.note_failure(alias, change, error)


def _says_nothing(change: Change, fulfillment: OrderFulfillment) -> bool:
    silent = not change.state and change.paid is None and change.tracking is None
    return silent and change.total in (None, fulfillment.order.total_incl_tax)


def _ours(alias: str, word: Word) -> OrderFulfillment | None:
    """The order that is meant: of the document's id if there is one, else of its number if it was handed to 1C.

    1C numbers its own documents too: such a number may be one of ours by accident.
    """
    first, *rest = word.references
    rows = OrderFulfillment._default_manager.select_related("order")
    if (found := rows.filter(number=first).first()) is not None or not rest:
        return found
    handed = Export._default_manager.filter(connector=alias, kind=ORDER).values("fulfillment")
    return rows.filter(number__in=rest, pk__in=handed).first()


def _note_numbers(alias: str, numbers: dict[str, str]) -> None:
    """Show in the ledger what 1C calls the orders, and forget that it is to be done."""
    if not numbers:
        return
    rows = Export._default_manager.filter(connector=alias, kind=ORDER, fulfillment__number__in=numbers)
    changed = []
    for row in rows.select_related("fulfillment").only("external_number", "fulfillment__number"):
        if row.external_number != numbers[row.fulfillment.number]:
            row.external_number = numbers[row.fulfillment.number]
            changed.append(row)
    Export._default_manager.bulk_update(sorted(changed, key=lambda row: row.pk), ["external_number"])
    numbers.clear()
