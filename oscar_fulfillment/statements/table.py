"""Tables in text files: which sign separates the cells, where the headings are, and every row with its line number."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.text import fold

from .base import StatementError, clean
from .encoding import decode

_DELIMITERS = (";", "\t", ",", "|")
#: Lines in which the headings are looked for: banks put the account and the period above them.
_HEADING_LINES = 60
_NARROWEST, _WIDEST = 3, 80
_UNPAIRED = gettext_lazy("The quotation marks of the file do not pair. It is damaged or cut off: %(error)s")


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
    heading_line: int = 0

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
    table = table_of(text, encoding)
    if len(table.rows) > most:
        raise StatementError(_("The file holds more than %(most)d lines. Export shorter periods.") % {"most": most})
    return table


def table_of(text: str, encoding: str, *, narrowest: int = _NARROWEST, lacks: str = "") -> Table:
    """The table that a text holds. :class:`StatementError` (in the words of ``lacks``) where there is none of at least
    ``narrowest`` columns.
    """
    told, text, skipped = _told_delimiter(text)
    delimiters: Sequence[str] = [told] if told else _DELIMITERS
    found = [(delimiter, _rows(text, delimiter, skipped, narrowest)) for delimiter in delimiters]
    readable = [(delimiter, rows) for delimiter, rows in found if isinstance(rows, list)]
    if not readable:
        raise next(rows for _delimiter, rows in found if isinstance(rows, StatementError))
    delimiter, rows, width = max(
        ((d, r, _width(r)) for d, r in readable), key=lambda item: (_agreeing(item[1], item[2], narrowest), item[2])
    )
    if not narrowest <= width <= _WIDEST:
        if len(readable) < len(found):
            raise next(rows for _delimiter, rows in found if isinstance(rows, StatementError))
        raise StatementError(lacks or _("No table was found in the file: it needs at least a date, a sum and a text."))
    head = _heading(rows, width, narrowest)
    if head is None:
        names = [_("Column %(number)d") % {"number": number + 1} for number in range(width)]
        body = [row for row in rows if len(row.cells) >= narrowest]
        return Table(names, body, encoding, delimiter, False)
    headings = [clean(cell, 80) for cell in rows[head].cells]
    while headings and not headings[-1]:
        headings.pop()
    names = [name or _("Column %(number)d") % {"number": number} for number, name in enumerate(headings, 1)]
    return Table(names, rows[head + 1 :], encoding, delimiter, True, rows[head].line)


def iter_rows(text: str, table: Table) -> Iterator[Row]:
    """The rows of ``table`` from the whole text of its file, one at a time; ``table`` may have been made of its
    beginning. :class:`StatementError` where quotation marks do not pair.
    """
    _told, text, skipped = _told_delimiter(text)
    try:
        for row in _parse(text, table.delimiter, skipped, strict=True):
            if row.line > table.heading_line:
                yield row
    except csv.Error as error:
        raise StatementError(str(_UNPAIRED) % {"error": error}) from None


def _told_delimiter(text: str) -> tuple[str, str, int]:
    """The sign that a first line "sep=;" names, the rest of the text, and the lines before it."""
    first, _newline, rest = text.partition("\n")
    told = first.strip()
    return (told[4], rest, 1) if told.lower().startswith("sep=") and len(told) == 5 else ("", text, 0)


def _rows(text: str, delimiter: str, skipped: int, narrowest: int) -> list[Row] | StatementError:
    """All lines that hold something. Quotes that do not pair are an error: whole lines would vanish inside them."""
    try:
        return list(_parse(text, delimiter, skipped, strict=True))
    except csv.Error as error:
        refusal = StatementError(str(_UNPAIRED) % {"error": error})
    try:
        # Banks that forget to double the marks inside a text: as long as each line has the same cells, no harm is done.
        plain = list(_parse(text, delimiter, skipped, quoting=csv.QUOTE_NONE))
    except csv.Error:
        return refusal
    width = _width(plain)
    begun = next((number for number, row in enumerate(plain) if len(row.cells) == width), 0)
    if width < narrowest or any(len(row.cells) != width for row in plain[begun:]):
        return refusal
    return [Row(row.line, [cell.strip().strip('"').replace('""', '"') for cell in row.cells]) for row in plain]


def _parse(text: str, delimiter: str, skipped: int, **options: object) -> Iterator[Row]:
    """The lines that hold something, one at a time."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, **options)  # type: ignore[arg-type]
    line = 1 + skipped
    for cells in reader:
        row = Row(line, cells)
        if not row.is_empty:
            yield row
        line = reader.line_num + 1 + skipped


def _width(rows: Iterable[Row]) -> int:
    """The number of cells that most lines have, more than one."""
    counts = Counter(len(row.cells) for row in rows if len(row.cells) > 1)
    return max(counts, key=lambda width: (counts[width], width)) if counts else 0


def _agreeing(rows: Sequence[Row], width: int, narrowest: int) -> int:
    return sum(len(row.cells) == width for row in rows) if width >= narrowest else 0


def _heading(rows: Sequence[Row], width: int, narrowest: int) -> int | None:
    """The first line as wide as the table, if it has no figures in it as lines of movements have."""
    for number, row in enumerate(rows[:_HEADING_LINES]):
        filled = [cell for cell in row.cells if cell.strip()]
        if len(row.cells) < width - 1 or len(filled) < narrowest:
            continue
        return None if any(_is_figure(cell) for cell in filled) else number
    return None


def _is_figure(text: str) -> bool:
    plain = text.strip()
    return bool(plain) and plain[-1:].isdigit() and not any(sign.isalpha() for sign in plain)
