"""Files of the tax office: taken in once, checked, shown with their verdict until a person (or a rule) applies them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import USER, Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.heads import compare_and_set
from oscar_fulfillment.core.leases import insert_new
from oscar_fulfillment.core.locks import lock_name
from oscar_fulfillment.fiscal.nfe_files import Limits, Piece, TooMuch, open_files
from oscar_fulfillment.fiscal.nfe_order_checks import KNOWN, REFUSED
from oscar_fulfillment.fiscal.nfe_xml import EXTRA, missing_packages
from oscar_fulfillment.models import NfeFile, OrderFulfillment

from .nfe_judging import Judged, facts_of, judge_files, kind_of, order_of, shop_rules

#: Files that are stored, read and judged together, and bytes of them that are in memory at once.
CHUNK, CHUNK_BYTES = 50, 8_000_000
#: A refused file is forgotten after so many hours: it is full of other people's data, and nobody needs it.
HOURS = 24


def new_batch() -> str:
    """A name for what is done together: an upload, an application."""
    return uuid.uuid4().hex


@dataclass
class Taken:
    """What an upload brought: new files, those that were here already, and whether it was cut off."""

    batch: str
    new: int = 0
    known: int = 0
    #: Why the rest was left out, in words.
    cut_off: str = ""
    #: Names of files that were here already, some of them.
    known_names: list[str] = field(default_factory=list)


def check_installed() -> None:
    """:class:`InvalidInput` where the packages that read notes are missing; it names what to install."""
    if missing := missing_packages():
        message = _("Fiscal notes cannot be read: %(names)s is missing. Install it with: pip install %(extra)s")
        raise InvalidInput({"file": [message % {"names": ", ".join(missing), "extra": f'"{EXTRA}"'}]})


def take_files(*, files: Iterable[tuple[str, Any]], actor: Actor, batch: str = "") -> Taken:
    """Store the files of an upload, (name, open file) each; zips are opened. They wait for their checks then.

    The same bytes again are the file that is here: it is looked at anew unless it is filed. An upload that is too large
    is taken as far as it goes. ``batch`` names the upload; several portions may share it.
    """
    check_installed()
    taken = Taken(_read_batch(batch))
    limits = Limits(settings.NFE_MAX_BYTES, settings.NFE_MAX_UPLOAD, settings.NFE_MAX_FILES)
    waiting: list[Piece] = []
    size = 0
    try:
        for piece in open_files(files, limits):
            waiting.append(piece)
            size += len(piece.content)
            if len(waiting) >= CHUNK or size >= CHUNK_BYTES:
                _store(waiting, taken, actor)
                waiting, size = [], 0
    except TooMuch as error:
        taken.cut_off = str(error)
    _store(waiting, taken, actor)
    return taken


def _read_batch(batch: str) -> str:
    return batch if len(batch) == 32 and batch.isascii() and batch.isalnum() else new_batch()


def _store(pieces: Sequence[Piece], taken: Taken, actor: Actor) -> None:
    if not pieces:
        return
    rows: dict[str, NfeFile] = {}
    for piece in pieces:
        # What was not kept is told apart by what is known of it.
        basis = piece.content or f"{piece.name}\0{piece.size}".encode()
        digest = hashlib.sha256(basis).hexdigest()
        if digest in rows:
            taken.known += 1
            continue
        rows[digest] = _row(piece, digest, taken.batch, actor)
    with transaction.atomic():
        # One at a time: uploads that overlap would wait for each other's rows crosswise.
        lock_name("nfe-files")
        new = {found for (found,) in insert_new(list(rows.values()), returning=["sha256"])}
        known = [digest for digest in rows if digest not in new]
        _again(known, taken, actor)
    taken.new += len(new)
    taken.known += len(known)
    taken.known_names += [rows[digest].name for digest in known][: 10 - len(taken.known_names)]


def _row(piece: Piece, digest: str, batch: str, actor: Actor) -> NfeFile:
    finding = piece.finding
    return NfeFile(
        sha256=digest, name=piece.name or "?", content=piece.content, size=piece.size, batch=batch,
        status=NfeFile.REFUSED if finding else NfeFile.RECEIVED, verdict=REFUSED if finding else "",
        findings=[finding.to_json()] if finding else [], received_at=timezone.now(),
        received_by=actor.user if actor.kind == USER else None, received_by_label=actor.label,
    )  # fmt: skip


def _again(digests: Sequence[str], taken: Taken, actor: Actor) -> None:
    """Files that are here already: shown with this upload, and looked at anew unless they are filed."""
    rows = NfeFile._default_manager.filter(sha256__in=digests)
    hold(rows)
    # A person has taken the invoice back since: the note may be entered again, at the right order.
    free = Q(status=NfeFile.APPLIED, invoice__cancelled_at__isnull=False)
    undecided = Q(status__in=[NfeFile.CHECKED, NfeFile.REFUSED]) & Q(size__gt=0)
    rows.filter(free).update(fulfillment=None, invoice=None, is_chosen=False, status=NfeFile.RECEIVED, touched_at=None)
    rows.filter(undecided).update(status=NfeFile.RECEIVED, touched_at=None, problem="")
    rows.update(batch=taken.batch, received_at=timezone.now(), received_by_label=actor.label)


def hold(rows: QuerySet[NfeFile]) -> None:
    """Lock them in the order of their ids, in the caller's transaction: an update takes them as they lie, and would
    cross another one."""
    list(rows.order_by("pk").select_for_update().values_list("pk"))


def hold_any(files: Any) -> None:
    """As :func:`hold`, for a queryset of any making: rows that it joins by outer joins cannot be locked."""
    hold(NfeFile._default_manager.filter(pk__in=files.order_by().values("pk")))


# ---- Checks ----


def check_received(*, batch: str = "", most: int = CHUNK) -> int:
    """Check the next files that wait for it (of a batch, or of all); how many. Call it until it is 0."""
    pks = claim(NfeFile.RECEIVED, batch=batch, most=most)
    if not pks:
        return 0
    judged = judge_files(_one_by_one(pks), Actor.system("nfe"), shop=shop_rules())
    _write_verdicts(judged)
    return len(pks)


def claim(status: str, *, batch: str = "", most: int = CHUNK) -> list[int]:
    """Take files in this state in hand, for as long as a worker may be presumed alive; their ids."""
    now = timezone.now()
    free = Q(touched_at=None) | Q(touched_at__lt=now - timedelta(seconds=settings.BULK_STALE))
    rows = NfeFile._default_manager.filter(status=status).filter(free)
    if batch:
        rows = rows.filter(batch=batch)
    chosen: list[int] = []
    total = 0
    for pk, size in rows.order_by("pk").values_list("pk", "size")[:most]:
        if chosen and total + size > CHUNK_BYTES:
            break
        chosen.append(pk)
        total += size
    # Whoever moves the time has them; another worker that chose the same ones was late.
    mine = NfeFile._default_manager.filter(pk__in=chosen, status=status).filter(free)
    with transaction.atomic():
        hold(mine)
        mine.update(touched_at=now)
    held = NfeFile._default_manager.filter(pk__in=chosen, status=status, touched_at=now)
    return list(held.order_by("pk").values_list("pk", flat=True))


def _one_by_one(pks: Sequence[int]) -> Iterable[NfeFile]:
    """With their contents. Whoever judges them lets go of each tree before the next."""
    return NfeFile._default_manager.filter(pk__in=pks).order_by("pk").iterator(chunk_size=10)


#: What a check writes.
_COLUMNS = ("kind", "access_key", "environment", "facts", "verdict", "findings", "fulfillment_id", "status")


def _write_verdicts(judged: Sequence[Judged]) -> None:
    if not judged:
        return
    for one in judged:
        set_verdict(one)
    rows = [one.file for one in judged]
    keys = [row.access_key for row in rows if row.kind == NfeFile.CANCELLATION and row.verdict != REFUSED]
    values = [{name: getattr(row, name) for name in _COLUMNS} for row in rows]
    with transaction.atomic():
        others = hold_with_others([row.pk for row in rows], keys=keys)
        # Whoever was thrown away meanwhile stays away.
        received = {"status": NfeFile.RECEIVED}
        compare_and_set(NfeFile, [(row, received, each) for row, each in zip(rows, values, strict=True)])
        look_again(others)


def set_verdict(one: Judged) -> None:
    """Write what was found into the file's row (unsaved)."""
    row = one.file
    row.kind, row.facts, row.verdict = kind_of(one), facts_of(one), one.verdict
    row.access_key = one.key if len(one.key) == 44 else ""
    said = one.note.environment if one.note else one.event.environment if one.event else ""
    row.environment = said[:1]
    row.findings = [finding.to_json() for finding in one.findings]
    if not row.is_chosen:
        row.fulfillment = order_of(one)
    row.status = NfeFile.REFUSED if one.verdict in (REFUSED, KNOWN) else NfeFile.CHECKED


def hold_with_others(pks: Sequence[int], *, keys: Sequence[str] = (), orders: Sequence[int] = ()) -> list[int]:
    """Lock these files, and those of these notes and orders that wait for a person: in one go, since whoever locks one
    set after the other may cross somebody else. The others' ids, see :func:`look_again`."""
    meant = Q(access_key__in={key for key in keys if key}) | Q(fulfillment__in=set(orders))
    rows = NfeFile._default_manager.filter(Q(pk__in=pks) | (meant & Q(status=NfeFile.CHECKED)))
    held = rows.order_by("pk").select_for_update().values_list("pk", "status")
    mine = set(pks)
    return [pk for pk, status in held if pk not in mine and status == NfeFile.CHECKED]


def look_again(pks: Sequence[int]) -> int:
    """Have these files checked once more, as far as they wait for a person: something happened to their note or order.
    How many."""
    rows = NfeFile._default_manager.filter(pk__in=pks, status=NfeFile.CHECKED)
    return rows.update(status=NfeFile.RECEIVED, touched_at=None) if pks else 0


def check_again(*, files: Any) -> int:
    """Have these files (a queryset) checked once more, as far as they wait for a person; how many."""
    rows = files.filter(status__in=[NfeFile.CHECKED, NfeFile.REFUSED], size__gt=0)
    with transaction.atomic():
        hold_any(rows)
        return rows.update(status=NfeFile.RECEIVED, touched_at=None, problem="")


# ---- What a person says of a file ----


def choose_order(*, file: NfeFile, fulfillment: OrderFulfillment | None) -> None:
    """Say which order a note is for (None: look for it again). It is checked against that order then.

    :class:`InvalidInput` for one that is filed, or being applied.
    """
    changed = NfeFile._default_manager.filter(pk=file.pk, status=NfeFile.CHECKED).update(
        fulfillment=fulfillment, is_chosen=fulfillment is not None, status=NfeFile.RECEIVED, touched_at=None, problem=""
    )
    if not changed:
        raise InvalidInput({"file": [_("This note does not wait for an order any more.")]})


def discard_file(*, file: NfeFile) -> None:
    """Throw a file away that is not filed. :class:`InvalidInput` for one that is: the law asks for it."""
    kept = [NfeFile.CHECKED, NfeFile.RECEIVED, NfeFile.REFUSED]
    if not NfeFile._default_manager.filter(pk=file.pk, status__in=kept).delete()[0]:
        raise InvalidInput({"file": [_("This note is filed with its order; it is kept.")]})


def forget_refused() -> int:
    """Forget refused files after :data:`HOURS`; how many."""
    old = NfeFile._default_manager.filter(
        status=NfeFile.REFUSED, received_at__lt=timezone.now() - timedelta(hours=HOURS)
    )
    return old.delete()[0]


def progress_of(batch: str) -> tuple[int, int]:
    """(settled, all) files of a batch."""
    rows = NfeFile._default_manager.filter(batch=batch)
    waiting = rows.filter(status__in=[NfeFile.RECEIVED, NfeFile.QUEUED]).count()
    total = rows.count()
    return total - waiting, total
