"""Tables in text files: which sign separates the cells, where the headings are, and every row with its line number."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from oscar_fulfillment.core.text import fold

from .base import StatementError, clean
from .encoding import decode

_DELIMITERS = (";", "\t", ",", "|")
#: Lines in which the headings are looked for: banks put the account and the period above them.
_HEADING_LINES = 60
_NARROWEST, _WIDEST = 3, 80


@dataclass(frozen=True)
class Row:
    """A line of the table, by its number in the file."""

    line: int
    cells: list[str]

    def __getitem__(self, index: int) -> str:
        return self.cells[index].strip() if index < len(self.cells) else ""

    @property
    def is_empty(self) -> bool:
        return not any(cell.strip() for cell in self.cells)


@dataclass(frozen=True)
class Table:
    """What a CSV file holds. ``headings`` are numbered where the file has none."""

    headings: list[str]
    rows: list[Row]
    encoding: str
    delimiter: str
    has_headings: bool

    @property
    def signature(self) -> str:
        """Equal for files of the same bank: a mapping that was confirmed once is offered again."""
        text = "\x1f".join([self.delimiter, *(fold(heading) for heading in self.headings)])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def column(self, index: int) -> list[str]:
        """What stands in a column, without empty cells."""
        return [text for row in self.rows if (text := row[index])]


def read_table(content: bytes, *, most: int) -> Table:
    """The table of a file. :class:`StatementError` where there is none, or more than ``most`` rows of it."""
    text, encoding = decode(content)
    first, _newline, rest = text.partition("\n")
    told = first.strip().lower()
    skipped = 0
    delimiters: Sequence[str] = _DELIMITERS
    if told.startswith("sep=") and len(told) == 5:
        delimiters, text, skipped = [first.strip()[4]], rest, 1
    found = [(delimiter, _rows(text, delimiter, skipped)) for delimiter in delimiters]
    readable = [(delimiter, rows) for delimiter, rows in found if isinstance(rows, list)]
    if not readable:
        raise next(rows for _delimiter, rows in found if isinstance(rows, StatementError))
    delimiter, rows, width = max(
        ((d, r, _width(r)) for d, r in readable), key=lambda item: (_agreeing(item[1], item[2]), item[2])
    )
    if not _NARROWEST <= width <= _WIDEST:
        if len(readable) < len(found):
            raise next(rows for _delimiter, rows in found if isinstance(rows, StatementError))
        raise StatementError(_("No table was found in the file: it needs at least a date, a sum and a text."))
    if len(rows) > most + _HEADING_LINES:
        raise StatementError(_("The file holds more than %(most)d lines. Export shorter periods.") % {"most": most})
    head = _heading(rows, width)
    if head is None:
        names = [_("Column %(number)d") % {"number": number + 1} for number in range(width)]
        body = [row for row in rows if len(row.cells) >= _NARROWEST]
        return Table(names, body, encoding, delimiter, False)
    headings = [clean(cell, 80) for cell in rows[head].cells]
    while headings and not headings[-1]:
        headings.pop()
    names = [name or _("Column %(number)d") % {"number": number} for number, name in enumerate(headings, 1)]
    return Table(names, rows[head + 1 :], encoding, delimiter, True)


def _rows(text: str, delimiter: str, skipped: int) -> list[Row] | StatementError:
    """All lines that hold something. Quotes that do not pair are an error: whole lines would vanish inside them."""
    try:
        return _parse(text, delimiter, skipped, strict=True)
    except csv.Error as error:
        message = _("The quotation marks of the file do not pair. It is damaged or cut off: %(error)s")
        refusal = StatementError(message % {"error": error})
    try:
        # Banks that forget to double the marks inside a text: as long as each line has the same cells, no harm is done.
        plain = _parse(text, delimiter, skipped, quoting=csv.QUOTE_NONE)
    except csv.Error:
        return refusal
    width = _width(plain)
    begun = next((number for number, row in enumerate(plain) if len(row.cells) == width), 0)
    if width < _NARROWEST or any(len(row.cells) != width for row in plain[begun:]):
        return refusal
    return [Row(row.line, [cell.strip().strip('"').replace('""', '"') for cell in row.cells]) for row in plain]


def _parse(text: str, delimiter: str, skipped: int, **options: object) -> list[Row]:
    lines = text.splitlines(keepends=True)
    reader = csv.reader(iter(lines), delimiter=delimiter, **options)  # type: ignore[arg-type]
    found = []
    line = 1 + skipped
    for cells in reader:
        row = Row(line, cells)
        if not row.is_empty:
            found.append(row)
        line = reader.line_num + 1 + skipped
    return found


def _width(rows: Iterable[Row]) -> int:
    """The number of cells that most lines have, more than one."""
    counts = Counter(len(row.cells) for row in rows if len(row.cells) > 1)
    return max(counts, key=lambda width: (counts[width], width)) if counts else 0


def _agreeing(rows: Sequence[Row], width: int) -> int:
    return sum(len(row.cells) == width for row in rows) if width >= _NARROWEST else 0


def _heading(rows: Sequence[Row], width: int) -> int | None:
    """The first line as wide as the table, if it has no figures in it as lines of movements have."""
    for number, row in enumerate(rows[:_HEADING_LINES]):
        filled = [cell for cell in row.cells if cell.strip()]
        if len(row.cells) < width - 1 or len(filled) < _NARROWEST:
            continue
        return None if any(_is_figure(cell) for cell in filled) else number
    return None


def _is_figure(text: str) -> bool:
    plain = text.strip()
    return bool(plain) and plain[-1:].isdigit() and not any(sign.isalpha() for sign in plain)
