"""Files that tell of parcels: taken in, judged row by row, looked at by a person, then applied to the orders.

    upload -> start_import -> read_import (a verdict for each row) -> the person looks -> apply_import (a bulk action)

Reading goes on where it was left when its worker dies: a chunk of rows, its verdicts and the counters are one
transaction under the import's row lock.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

from django.db import connections, router, transaction
from django.db.models import Min
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.conf import settings
from oscar_fulfillment.core import queue
from oscar_fulfillment.core.actors import USER, Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.imports import ocoren, tracking_csv
from oscar_fulfillment.imports.ocoren import Occurrence
from oscar_fulfillment.imports.tracking_csv import CodeRow
from oscar_fulfillment.models import BulkJob, TrackingImport, TrackingImportRow
from oscar_fulfillment.selectors.code_verdicts import CodeJudge
from oscar_fulfillment.selectors.import_words import APPLICABLE, Verdict
from oscar_fulfillment.selectors.occurrence_verdicts import OccurrenceJudge
from oscar_fulfillment.statements.base import StatementError, clean
from oscar_fulfillment.statements.layout import Layout

from . import bulk

TASK = "oscar_fulfillment.tasks.read_tracking_import"
#: Files with more lines than this are read in the background.
INLINE_LINES = 200
#: Rows judged and written together.
CHUNK = 500


def look_at(content: bytes) -> str:
    """The kind of a file, by its content. :class:`InvalidInput` for files that are none of ours, and too large ones."""
    limit = settings.STATEMENT_MAX_BYTES
    if len(content) > limit:
        raise InvalidInput({"file": [_("The file is larger than %(limit)d MB.") % {"limit": limit // 1_000_000}]})
    most = settings.IMPORT_MAX_ROWS
    if content.count(b"\n") > most + 10:
        raise InvalidInput({"file": [_("The file has more than %(most)d lines. Split it.") % {"most": most}]})
    try:
        if ocoren.is_ocoren(content):
            ocoren.read_text(content)
            return TrackingImport.OCOREN
        tracking_csv.open_file(content)
    except StatementError as error:
        raise InvalidInput({"file": [str(error)]}) from error
    return TrackingImport.CODES


def start_import(
    *,
    content: bytes,
    file_name: str,
    actor: Actor,
    carrier: str = "",
    replaces: bool = True,
    notify: bool = True,
    layout: Layout | None = None,
) -> TrackingImport:
    """Take a file in and judge its rows: at once up to :data:`INLINE_LINES` lines, in the background above.

    Nothing is done to any order yet. ``layout`` is for CSV files (default: guessed). :class:`InvalidInput` for a file
    that cannot be read, a layout that does not do, and a carrier that the shop does not have.
    """
    kind = look_at(content)
    if carrier and carrier not in carriers:
        raise InvalidInput({"carrier": [_("Choose one of the shop's carriers.")]})
    signature = ""
    if kind == TrackingImport.CODES:
        table = tracking_csv.open_file(content).table
        layout = layout or tracking_csv.guess_layout(table)
        signature = table.signature
        if found := tracking_csv.problems(layout):
            raise InvalidInput({"layout": found})
    source = TrackingImport(
        kind=kind, file_name=clean(file_name, 200), sha256=hashlib.sha256(content).hexdigest(), content=content,
        carrier=carrier, replaces=replaces, notify=notify, layout=layout.to_json() if layout else {},
        layout_of=signature, line_count=content.count(b"\n"), language=translation.get_language() or "",
        imported_by=actor.user if actor.kind == USER else None, imported_by_label=actor.label,
    )  # fmt: skip
    reads_here = source.line_count <= INLINE_LINES or not queue.available()
    with transaction.atomic():
        source.save(force_insert=True)
        if not reads_here:
            queue.run_later(TASK, source.pk, key=f"import-{source.pk}")
    if reads_here:
        read_import(source.pk)
        source.refresh_from_db()
    return source


def last_layout(signature: str) -> Layout | None:
    """How a file with the same columns was read last."""
    rows = TrackingImport._default_manager.filter(layout_of=signature).exclude(layout={})
    kept = rows.order_by("-pk").values_list("layout", flat=True).first()
    return Layout.from_json(kept) if kept else None


def read_import(pk: int, *, budget: float | None = None) -> None:
    """Judge the rows of a file that are not judged yet. With a ``budget`` (seconds) the rest goes to the queue's end.

    An import that another worker has in hand is left to it; an unknown or finished one is nothing to do.
    """
    began = time.monotonic()
    source = TrackingImport._default_manager.filter(pk=pk, status=TrackingImport.READING).first()
    if source is None:
        return
    with translation.override(source.language or None):
        try:
            rows = islice(_rows(source), source.read_count, None)
            position = source.read_count
            while True:
                chunk = list(islice(rows, CHUNK))
                if not _write_chunk(pk, position, chunk):
                    return
                position += len(chunk)
                if budget is not None and time.monotonic() - began > budget and queue.available():
                    queue.run_later(TASK, pk, key=f"import-{pk}")
                    return
        except StatementError as error:
            _give_up(pk, str(error))


def _rows(source: TrackingImport) -> Iterator[CodeRow] | Iterator[Occurrence]:
    content = bytes(source.content)
    if source.kind == TrackingImport.OCOREN:
        return ocoren.read_occurrences(ocoren.read_text(content))
    return tracking_csv.read_codes(tracking_csv.open_file(content), Layout.from_json(source.layout))


def _locked(pk: int) -> TrackingImport | None:
    """The import under lock; None when it is done, gone, or in the hands of another worker."""
    rows = TrackingImport._default_manager.defer("content").filter(pk=pk, status=TrackingImport.READING)
    if connections[router.db_for_write(TrackingImport)].features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True)
    return rows.first()


def _write_chunk(pk: int, position: int, chunk: Sequence[Any]) -> bool:
    """Judge and write these rows; whether there may be more. False also where somebody else has gone on meanwhile."""
    with transaction.atomic():
        source = _locked(pk)
        if source is None or source.read_count != position:
            return False
        judge: Any = OccurrenceJudge if source.kind == TrackingImport.OCOREN else CodeJudge
        verdicts = judge(source).judge(chunk) if chunk else []
        TrackingImportRow._default_manager.bulk_create(
            [_row(source, row, verdict) for row, verdict in zip(chunk, verdicts, strict=True)], batch_size=CHUNK
        )
        counts = Counter(source.counts) + Counter(verdict.code for verdict in verdicts)
        more = len(chunk) == CHUNK
        TrackingImport._default_manager.filter(pk=pk).update(
            read_count=position + len(chunk),
            counts=dict(counts),
            touched_at=timezone.now(),
            **({} if more else {"status": TrackingImport.READY, "content": b""}),
        )
        return more


def _row(source: TrackingImport, row: Any, verdict: Verdict) -> TrackingImportRow:
    is_code = isinstance(row, CodeRow)
    return TrackingImportRow(
        source=source,
        line=row.line,
        number=row.order if is_code else row.invoice[:128],
        code=str(verdict.data.get("code", row.code))[:130],
        carrier=row.carrier[:80],
        data=verdict.data | ({"shipment_number": row.shipment} if is_code and row.shipment else {}),
        verdict=verdict.code,
        message=verdict.message[:500],
        fulfillment_id=verdict.fulfillment_id,
    )


def _give_up(pk: int, problem: str) -> None:
    """The file cannot be read to its end: none of it is offered."""
    with transaction.atomic():
        if _locked(pk) is None:
            return
        TrackingImportRow._default_manager.filter(source=pk).delete()
        TrackingImport._default_manager.filter(pk=pk).update(
            status=TrackingImport.FAILED, problem=problem[:500], content=b"", read_count=0, counts={}
        )


def resume_reading() -> int:
    """Wake imports that nobody has touched for BULK_STALE seconds (their worker died); how many."""
    if not queue.available():
        return 0
    now = timezone.now()
    stale = TrackingImport._default_manager.filter(
        status=TrackingImport.READING, touched_at__lt=now - timedelta(seconds=settings.BULK_STALE)
    )
    woken = 0
    for pk in stale.values_list("pk", flat=True)[:100]:
        if stale.filter(pk=pk).update(touched_at=now):
            queue.run_later(TASK, pk, key=f"import-{pk}")
            woken += 1
    return woken


def apply_import(*, source: TrackingImport, user: Any, key: str) -> BulkJob:
    """Do what the rows say, order by order, as a bulk action; again: only what is not done yet.

    The caller has checked the permission. The same ``key`` returns the first job. :class:`InvalidInput` while the file
    is being read, and where nothing is left to do.
    """
    if not source.is_ready:
        raise InvalidInput({"import": [_("The file is still being read.")]})
    rows = TrackingImportRow._default_manager.filter(source=source, verdict__in=APPLICABLE, fulfillment__isnull=False)
    rows = rows.exclude(outcome=TrackingImportRow.DONE)
    orders = rows.order_by().values_list("fulfillment_id", "fulfillment__number").annotate(first=Min("pk"))
    listed = [(pk, number) for pk, number, _first in orders.order_by("first")]
    if not listed and not BulkJob._default_manager.filter(key=key).exists():
        raise InvalidInput({"import": [_("Nothing of this file is left to be done.")]})
    action = "import_events" if source.kind == TrackingImport.OCOREN else "import_codes"
    job = bulk.submit(
        action=action, orders=listed, user=user, key=key, params={"import": source.pk}, limit=settings.IMPORT_MAX_ROWS
    )
    TrackingImport._default_manager.filter(pk=source.pk).update(job=job)
    source.job = job
    return job


def open_count(source: TrackingImport) -> int:
    """Rows that would do something and have not done it."""
    rows = TrackingImportRow._default_manager.filter(source=source, verdict__in=APPLICABLE, fulfillment__isnull=False)
    return rows.exclude(outcome=TrackingImportRow.DONE).count()
