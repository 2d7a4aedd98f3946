"""Files as 1C names and packs them: a safe name, a whole file or not yet, and the XML in a zip within limits. Pure."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from django.utils.translation import gettext as _

from .commerceml_codes import ROOT
from .commerceml_reader import BadFile

ZIP_HEAD = b"PK\x03\x04"
#: Files in one zip, how many times smaller than its contents it may be, and bytes of its table of contents.
MOST_FILES, MAX_RATIO, _TABLE = 50, 200, 100_000
#: The end of a zip: its mark, and where the size and the place of its table of contents stand after it.
_ZIP_END, _ZIP_END_SIZE = b"PK\x05\x06", 22
_ENDS = [f"</{ROOT}>".encode(encoding) for encoding in ("utf-8", "cp1251")]
_CLOSED = [re.compile(rb"</[\w.-]+:" + end[2:-1] + rb"\s*>\s*$") for end in _ENDS]
#: Bytes from the end of a file by which :func:`is_whole` knows whether it is all there.
TAIL = 512
_LONGEST = 150


def base_name(text: str) -> str:
    """The last part of a name, whatever path of whatever system stands before it; "" where nothing is left."""
    name = text.replace("\\", "/").rpartition("/")[2]
    name = "".join(char for char in name if char.isprintable()).strip(" .")
    return name[-_LONGEST:]


def is_zip(head: bytes) -> bool:
    return head[:4] == ZIP_HEAD


def begins_anew(head: bytes) -> bool:
    """Whether a later piece can only be the beginning of the file, sent once more."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:5] == b"<?xml"


def is_whole(head: bytes, tail: bytes, size: int) -> bool:
    """Whether a file of ``size`` bytes that begins and ends like this is all there."""
    if is_zip(head):
        place = tail.rfind(_ZIP_END)
        end = tail[place : place + _ZIP_END_SIZE]
        if place < 0 or len(end) < _ZIP_END_SIZE:
            return False
        table, start = int.from_bytes(end[12:16], "little"), int.from_bytes(end[16:20], "little")
        note = int.from_bytes(end[20:22], "little")
        # The table of contents ends where this mark begins: so nothing before it is missing.
        before = size - (len(tail) - place)
        return start + table == before and before + _ZIP_END_SIZE + note == size
    plain = tail.rstrip()
    return plain.endswith(tuple(_ENDS)) or any(mark.search(plain) for mark in _CLOSED)


class _Limited(io.RawIOBase):
    """Reads no more than so many bytes: what a zip says of its contents is only its word."""

    def __init__(self, inner: IO[bytes], most: int):
        self._inner, self._left = inner, most

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        content = self._inner.read(min(size, 65536) if size >= 0 else 65536)
        self._left -= len(content)
        if self._left < 0:
            raise BadFile(_("it is too large when it is unpacked"))
        return content


@contextmanager
def unpacked(file: IO[bytes], *, most: int) -> Iterator[Iterator[IO[bytes]]]:
    """The XML files in a file: itself, or those of a zip, of ``most`` bytes in all. :class:`BadFile` for a trap."""
    head = file.read(4)
    file.seek(0)
    if not is_zip(head):
        yield iter([file])
        return
    try:
        if _table_size(file) > _TABLE:
            raise BadFile(_("there are too many files in the zip"))
        with zipfile.ZipFile(file) as packed:
            yield _entries(packed, most)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise BadFile(_("the zip is broken")) from error


def _entries(packed: zipfile.ZipFile, most: int) -> Iterator[IO[bytes]]:
    entries = [entry for entry in packed.infolist() if entry.filename.lower().endswith(".xml")]
    if not entries or len(entries) > MOST_FILES:
        raise BadFile(_("there is no XML in the zip") if not entries else _("there are too many files in the zip"))
    left = most
    for entry in entries:
        if entry.flag_bits & 0x1:
            raise BadFile(_("the zip is locked by a password"))
        if entry.file_size > left or entry.file_size > MAX_RATIO * max(entry.compress_size, 1) + 10_000:
            raise BadFile(_("it is too large when it is unpacked"))
        left -= entry.file_size
        with packed.open(entry) as inside:
            limited: Any = _Limited(inside, entry.file_size)
            yield limited


def _table_size(file: IO[bytes]) -> int:
    """Bytes of the table of contents as the end of the zip says; it is read as a whole before anything else."""
    end = file.seek(0, 2)
    file.seek(max(0, end - 66_000))
    tail = file.read()
    file.seek(0)
    place = tail.rfind(_ZIP_END)
    return int.from_bytes(tail[place + 12 : place + 16], "little") if place >= 0 else 0
