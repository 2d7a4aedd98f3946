"""A folder where an ERP drops its notes: each file is taken in, good ones are applied, and the file is moved away."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.fiscal.nfe_findings import from_json, show
from oscar_fulfillment.fiscal.nfe_order_checks import GOOD
from oscar_fulfillment.models import NfeFile

from . import nfe_applying, nfe_imports, nfe_work

logger = logging.getLogger("oscar_fulfillment.nfe")

#: Where files go that were taken in, and those that cannot be used.
DONE, REFUSED = "done", "refused"
#: Seconds that a file must not have changed for: it may still be being written.
SETTLED = 2.0
_ENDINGS = (".xml", ".zip")


@dataclass
class Report:
    """What became of one file of the folder."""

    name: str
    #: :data:`DONE` or :data:`REFUSED`.
    folder: str
    applied: int = 0
    waiting: int = 0
    #: Why, of what was refused.
    reasons: list[str] = field(default_factory=list)


def work_folder(*, path: Path, actor: Actor, applies: bool = True, settled: float = SETTLED) -> Iterator[Report]:
    """Work the files of a folder off, one by one, oldest first. What waits for a person is on the page.

    ``applies``: good notes are applied to their orders at once. A file that was taken in before a crash and is still
    there is known when it is looked at again: nothing is done twice. Links and folders are not followed.
    OSError for a folder that cannot be read or written.
    """
    for name in (DONE, REFUSED):
        (path / name).mkdir(exist_ok=True)
    for file in _settled(path, settled):
        try:
            report = _work_file(file, actor, applies)
            _move(file, path / report.folder, report.reasons if report.folder == REFUSED else [])
        except OSError as error:
            # One that cannot be read or moved does not keep the others waiting.
            report = Report(file.name, REFUSED, reasons=[str(error)])
        yield report


def _settled(path: Path, settled: float) -> list[Path]:
    found = []
    now = time.time()
    with os.scandir(path) as entries:
        for entry in entries:
            # A link could lead to any file of the machine.
            info = entry.stat(follow_symlinks=False)
            if not stat.S_ISREG(info.st_mode) or not entry.name.lower().endswith(_ENDINGS):
                continue
            if now - info.st_mtime >= settled:
                found.append((info.st_mtime, Path(entry.path)))
    return [file for _moment, file in sorted(found)]


def _work_file(file: Path, actor: Actor, applies: bool) -> Report:
    with file.open("rb") as opened:
        taken = nfe_imports.take_files(files=[(show(file.name), opened)], actor=actor)
    nfe_work.work(batch=taken.batch)
    rows = NfeFile._default_manager.filter(batch=taken.batch)
    pks = list(rows.values_list("pk", flat=True))
    if applies and (begun := nfe_applying.apply_files(files=rows.filter(verdict=GOOD), actor=actor)):
        nfe_work.work(batch=begun)
    return _report(file.name, NfeFile._default_manager.defer("content").filter(pk__in=pks), taken.cut_off)


def _report(name: str, rows: Iterable[NfeFile], cut_off: str) -> Report:
    report = Report(name, DONE)
    for row in rows:
        if row.is_kept:
            report.applied += 1
        elif row.status == NfeFile.REFUSED:
            report.reasons += [f"{row.name}: {finding.message}" for finding in from_json(row.findings)]
        else:
            report.waiting += 1
    if cut_off:
        report.reasons.append(cut_off)
    # Also what was not taken in whole: in "done" nobody would look for the rest.
    if cut_off or not (report.applied or report.waiting):
        report.folder = REFUSED
    return report


def _move(file: Path, folder: Path, reasons: Sequence[str]) -> None:
    """Into the folder under its name, or a longer one where that is taken; with the reasons beside it."""
    target = folder / file.name
    if target.exists():
        digest = hashlib.sha256(f"{file.name}{time.time_ns()}".encode()).hexdigest()[:10]
        target = folder / f"{file.stem[:150]}-{digest}{file.suffix}"
    os.replace(file, target)
    if reasons:
        with contextlib.suppress(OSError):
            target.with_name(f"{target.name[:200]}.txt").write_text("\n".join(reasons) + "\n", encoding="utf-8")
