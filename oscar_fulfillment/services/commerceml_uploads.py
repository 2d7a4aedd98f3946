"""Files that 1C brings: pieces put together in their order, once, until the file is whole; see commerceml_import."""

from __future__ import annotations

import hashlib

from django.db import transaction
from django.utils.translation import gettext as _

from oscar_fulfillment.connectors.commerceml import CommerceML
from oscar_fulfillment.connectors.commerceml_files import TAIL, base_name, begins_anew, is_whole
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.models import ExchangeChunk, ExchangeFile, ExchangeSession

#: Files of one session.
MOST_FILES = 100


def add_piece(connector: CommerceML, session: ExchangeSession, name: str, content: bytes) -> ExchangeFile:
    """Append a piece to a file of the session. InvalidInput for a name that is none, and for more than is taken.

    The protocol numbers no pieces. The same piece twice in a row is one whose answer was lost; the file's beginning
    once more begins it anew. A file of which a piece is missing is not whole or does not hold, and nothing is entered.
    """
    plain = base_name(name)
    if not plain:
        raise InvalidInput({"filename": [_("The file has no name.")]})
    if not content:
        raise InvalidInput({"file": [_("The piece of the file is empty.")]})
    print_ = hashlib.sha256(content).hexdigest()
    with transaction.atomic():
        # Two pieces at once: the one that came first is appended first.
        lock_rows(ExchangeSession._default_manager.filter(pk=session.pk))
        file = ExchangeFile._default_manager.filter(session=session.pk, name=plain).first()
        if file is None:
            if ExchangeFile._default_manager.filter(session=session.pk).count() >= MOST_FILES:
                raise InvalidInput({"file": [_("These are too many files.")]})
            file = ExchangeFile(session_id=session.pk, name=plain)
        elif file.last == print_:
            return file
        elif file.status == ExchangeFile.READY:
            raise InvalidInput({"file": [_("The file is being entered; send it again later.")]})
        elif file.status != ExchangeFile.RECEIVING or file.first == print_ or begins_anew(content[:64]):
            file.chunks.all().delete()
            file.status, file.size, file.pieces, file.taken, file.problem = ExchangeFile.RECEIVING, 0, 0, 0, ""
        _check_room(connector, session, file, len(content))
        file.first = file.first if file.pieces else print_
        file.last, file.pieces, file.size = print_, file.pieces + 1, file.size + len(content)
        file.save()
        ExchangeChunk._default_manager.create(file=file, number=file.pieces, content=content)
        if _is_whole(file):
            file.status = ExchangeFile.READY
            file.save(update_fields=["status"])
    return file


def _check_room(connector: CommerceML, session: ExchangeSession, file: ExchangeFile, more: int) -> None:
    others = ExchangeFile._default_manager.filter(session=session.pk).exclude(pk=file.pk)
    used = file.size + sum(others.values_list("size", flat=True))
    if used + more > connector.max_upload:
        text = _("The files of an exchange may have %(most)d MB in all.")
        raise InvalidInput({"file": [text % {"most": connector.max_upload // 1_000_000}]})


def _is_whole(file: ExchangeFile) -> bool:
    rows = ExchangeChunk._default_manager.filter(file=file.pk)
    tail = b""
    for row in rows.order_by("-number").iterator(chunk_size=1):
        tail = bytes(row.content) + tail
        if len(tail) >= TAIL:
            break
    first = rows.order_by("number").values_list("content", flat=True)[0]
    return is_whole(bytes(first)[:8], tail[-TAIL:], file.size)


def end_file(file: ExchangeFile) -> None:
    """1C says that it was all, whatever the end looks like; what is missing shows when it is read."""
    rows = ExchangeFile._default_manager.filter(pk=file.pk, status=ExchangeFile.RECEIVING)
    rows.update(status=ExchangeFile.READY)
    file.refresh_from_db()


def files_named(session: ExchangeSession, name: str) -> list[ExchangeFile]:
    """The files that 1C means by a name: that file, or all of the session where it names one inside of a zip."""
    plain = base_name(name)
    rows = ExchangeFile._default_manager.filter(session=session.pk).order_by("pk")
    return list(rows.filter(name=plain)) or list(rows)
