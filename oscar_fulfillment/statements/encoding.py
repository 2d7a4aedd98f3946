"""From bytes to text, and what kind of file it is: looked at, not believed from the name."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .base import StatementError

CAMT, CSV, ONE_C = "camt.053", "csv", "1c"
ONE_C_HEAD = "1CClientBankExchange"

#: First bytes of files that people choose by mistake. Said in the reader's language when it happens.
_REFUSED = (
    (
        b"PK\x03\x04",
        gettext_lazy("This is a compressed (zip or Excel) file. Unpack it, or save the sheet as CSV, and choose that."),
    ),
    (b"\x1f\x8b", gettext_lazy("This is a compressed (gzip) file. Unpack it and choose what is inside.")),
    (b"Rar!", gettext_lazy("This is a compressed (rar) file. Unpack it and choose what is inside.")),
    (b"7z\xbc\xaf", gettext_lazy("This is a compressed (7z) file. Unpack it and choose what is inside.")),
    (b"\xd0\xcf\x11\xe0", gettext_lazy("This is an old Excel file. Save the sheet as CSV and choose that.")),
)
_PDF = gettext_lazy("This is a PDF. Ask the bank for the statement as CAMT.053, CSV or 1C file.")


def check_kind(content: bytes) -> str:
    """Which of the formats this is. :class:`StatementError` for empty files and those that are none of them."""
    check_text(content)
    head = content[:4096].lstrip(b"\xef\xbb\xbf \r\n\t")
    if head.startswith((b"<", b"\xff\xfe<", b"\xfe\xff\0<")):
        return CAMT
    if head.startswith(ONE_C_HEAD.encode()) or ONE_C_HEAD.encode("utf-16-le") in content[:100]:
        return ONE_C
    return CSV


def check_text(content: bytes, *, pdf: Any = _PDF) -> None:
    """Refuse an empty file, and those that people choose by mistake, with a :class:`StatementError`; ``pdf`` is what to
    say of a PDF.
    """
    if not content.strip(b"\0 \r\n\t"):
        raise StatementError(_("The file is empty."))
    for head, message in (*_REFUSED, (b"%PDF", pdf)):
        if content.startswith(head):
            raise StatementError(str(message))


def decode(content: bytes) -> tuple[str, str]:
    """The text and the encoding it was read with: UTF-8, UTF-16 with its mark, else Windows-1251, Windows-1252 or
    Latin-1, by which letters come out. :class:`StatementError` for bytes that are no text.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _decode(content, "utf-16")
    if b"\0" in content:
        raise StatementError(_("The file is no text: it holds zero bytes."))
    try:
        return content.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        pass
    return _decode(content, "cp1251" if _looks_cyrillic(content) else "cp1252")


def _decode(content: bytes, encoding: str) -> tuple[str, str]:
    try:
        return content.decode(encoding), encoding
    except UnicodeDecodeError:
        if encoding == "utf-16":
            raise StatementError(_("The file is damaged: it is not the text that it says it is.")) from None
        return content.decode("latin-1"), "latin-1"


def _looks_cyrillic(content: bytes) -> bool:
    """Western text has single letters above ASCII, between plain ones; Russian text has whole words of them."""
    pairs = len(re.findall(rb"[\xc0-\xff]{3,}", content))
    single = len(re.findall(rb"(?<![\xc0-\xff])[\xc0-\xff]{1,2}(?![\xc0-\xff])", content))
    return pairs > 0 and pairs * 2 >= single
