"""Many files of an upload, one after the other: XML as they are, zips opened, within limits.

A zip is never unpacked to disk, and its names are only shown: so no path in it leads anywhere.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .nfe_findings import Finding, find, megabytes, show

#: How many times smaller than its contents a zip may be. Notes shrink to a tenth, a bomb to a thousandth.
MAX_RATIO = 200
#: Bytes that a zip's table of contents has for each file at most, long names included.
_ENTRY = 500
#: What computers put beside the files of people.
_MACOS, _SKIPPED = "__macosx/", frozenset({".ds_store", "thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Limits:
    """``one``: bytes of a file; ``total``: of all of them, unpacked; ``files``: how many."""

    one: int
    total: int
    files: int


@dataclass(frozen=True)
class Piece:
    """A file of the upload: its contents, or (too large, unreadable) only what is wrong with it."""

    name: str
    content: bytes = b""
    size: int = 0
    finding: Finding | None = None


class TooMuch(ValueError):
    """The upload is larger than is taken; str() says so to a person. What was given out before stands."""


@dataclass
class _Budget:
    limits: Limits
    bytes: int = 0
    files: int = 0

    def spend_files(self, count: int) -> None:
        self.files += count
        if self.files > self.limits.files:
            words = ngettext("At most %(most)d file at once.", "At most %(most)d files at once.", self.limits.files)
            raise TooMuch(words % {"most": self.limits.files})

    def spend(self, size: int) -> None:
        self.spend_files(1)
        self.bytes += size
        if self.bytes > self.limits.total:
            raise TooMuch(_("At most %(size)s at once, unpacked.") % {"size": megabytes(self.limits.total)})


def open_files(files: Iterable[tuple[str, IO[bytes]]], limits: Limits) -> Iterator[Piece]:
    """Each file of the upload, and each file in its zips. One at a time is in memory. :class:`TooMuch` in between."""
    budget = _Budget(limits)
    for name, file in files:
        head = file.read(4)
        file.seek(0)
        if head in (b"PK\x03\x04", b"PK\x05\x06"):
            yield from _open_zip(name, file, budget)
            continue
        content = file.read(limits.one + 1)
        if len(content) > limits.one:
            size = file.seek(0, 2)
            # Its bytes were received, but are not kept: they do not count as what the upload unpacks to.
            budget.spend(0)
            yield _too_large(show(name), size, limits)
            continue
        budget.spend(len(content))
        yield Piece(show(name), content, len(content))


def _too_large(name: str, size: int, limits: Limits) -> Piece:
    return Piece(name, size=size, finding=find("too_large", size=megabytes(size), limit=megabytes(limits.one)))


def _open_zip(name: str, file: IO[bytes], budget: _Budget) -> Iterator[Piece]:
    if _table_size(file) > _ENTRY * budget.limits.files:
        # Read as a whole before anything else: a table of a million names would fill the memory.
        budget.spend_files(budget.limits.files + 1)
    try:
        packed = zipfile.ZipFile(file)
        entries = packed.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError):
        budget.spend(0)
        yield Piece(show(name), finding=find("not_xml", found="zip"))
        return
    with packed:
        for entry in entries:
            path = entry.filename.lower()
            # Not is_dir(): it stumbles over an entry without a name.
            if not path.endswith("/") and not path.startswith(_MACOS) and path.rpartition("/")[2] not in _SKIPPED:
                yield _unpack(packed, entry, f"{show(name, 80)}: {show(entry.filename, 110)}", budget)


def _table_size(file: IO[bytes]) -> int:
    """Bytes of the zip's table of contents as its end says; 0 where it has no end (and is no zip)."""
    end = file.seek(0, 2)
    file.seek(max(0, end - 66_000))
    tail = file.read()
    file.seek(0)
    place = tail.rfind(b"PK\x05\x06")
    return int.from_bytes(tail[place + 12 : place + 16], "little") if place >= 0 else 0


def _unpack(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, budget: _Budget) -> Piece:
    limits = budget.limits
    if entry.flag_bits & 0x1:
        budget.spend(0)
        return Piece(name, finding=find("zip_locked"))
    if entry.file_size > limits.one:
        budget.spend(0)
        return _too_large(name, entry.file_size, limits)
    if entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
        budget.spend(0)
        return Piece(name, size=entry.file_size, finding=find("zip_bomb"))
    try:
        with packed.open(entry) as inside:
            # What an entry says of its size is only its word.
            content = inside.read(limits.one + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, OSError, EOFError):
        budget.spend(0)
        return Piece(name, finding=find("not_xml", found="zip"))
    budget.spend(len(content))
    if len(content) > limits.one:
        return _too_large(name, len(content), limits)
    if content[:4] == b"PK\x03\x04":
        return Piece(name, size=len(content), finding=find("nested_zip"))
    return Piece(name, content, len(content))


def as_files(uploads: Iterable[Any]) -> Iterator[tuple[str, IO[bytes]]]:
    """Django's uploaded files as :func:`open_files` takes them."""
    for upload in uploads:
        yield upload.name or "", upload
