"""One door to all formats of bank statements."""

from __future__ import annotations

from django.utils.translation import gettext as _

from .base import Statement, StatementError
from .camt import read_camt
from .encoding import CAMT, ONE_C, check_kind
from .one_c import read_one_c

_READERS = {CAMT: read_camt, ONE_C: read_one_c}


def kind_of(content: bytes, *, most_bytes: int) -> str:
    """The format of a file: ``camt.053``, ``1c`` or ``csv``. :class:`StatementError` for others, and too large ones."""
    if len(content) > most_bytes:
        limit = most_bytes // 1_000_000
        raise StatementError(_("The file is larger than %(limit)d MB. Export a shorter period.") % {"limit": limit})
    return check_kind(content)


def read_statements(content: bytes, kind: str, *, most: int) -> list[Statement]:
    """The statements of a CAMT or 1C file (CSV needs a layout: :func:`.csv_file.read_csv`)."""
    return _READERS[kind](content, most=most)
