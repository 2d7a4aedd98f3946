"""The journal as a workbook: entries, totals, and what the orders owe. Needs XlsxWriter (the extra [accounts]).

Rows go to a file on the disk as they come: the memory it takes does not depend on how many there are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.selectors import reconciliation
from oscar_fulfillment.selectors.journal import Scope

from .accounts import (
    Cell,
    Totals,
    journal_cells,
    journal_header,
    order_cells,
    orders_header,
    rows,
    safe_cell,
    writer_of,
)

#: Rows of a sheet, as Excel has it, less its header.
SHEET_ROWS = 1_048_575
_NARROW, _WIDE = 12, 24


def is_installed() -> bool:
    """Whether workbooks can be written here."""
    try:
        return find_spec("xlsxwriter") is not None
    except ValueError:  # taken away on purpose: sys.modules has None
        return False


def hint() -> str:
    """What to do where they cannot."""
    return _('For Excel files install: pip install "django-oscar-fulfillment[accounts]"')


@contextmanager
def workbook(scope: Scope, *, decimals: str, language: str, most: int | None = None) -> Iterator[IO[bytes]]:
    """The finished file, open for reading; gone from the disk when it is closed.

    :class:`InvalidInput` without XlsxWriter, or with more than ``most`` rows of the journal.
    """
    file = write_workbook(scope, decimals=decimals, language=language, most=most)
    try:
        yield file
    finally:
        file.close()


def write_workbook(scope: Scope, *, decimals: str, language: str, most: int | None = None) -> IO[bytes]:
    """As :func:`workbook`, for whoever closes it later."""
    if not is_installed():
        raise InvalidInput({"format": [hint()]})
    import xlsxwriter

    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        with tempfile.TemporaryDirectory(prefix="accounts-") as folder, translation.override(language):
            options = {
                "constant_memory": True, "tmpdir": str(Path(folder)), "strings_to_formulas": False,
                "strings_to_urls": False, "strings_to_numbers": False,
            }  # fmt: skip
            book = xlsxwriter.Workbook(file, options)
            try:
                _fill(_Sheets(book), scope, decimals, most)
            finally:
                book.close()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _fill(sheets: _Sheets, scope: Scope, decimals: str, most: int | None) -> None:
    money, totals = writer_of(decimals), Totals()
    found = (journal_cells(row, money) for row in totals.watch(rows(scope)))
    sheets.write(_("Journal"), journal_header(), _at_most(found, most))
    header = [
        _("Kind"), _("Currency"), _("Payment method"), _("Provider"), _("Entries"), pgettext("sum", "Gross"), _("Fee"),
        _("Without a sum"),
    ]  # fmt: skip
    sheets.write(
        _("Totals"),
        header,
        (
            [
                str(t.label), safe_cell(t.currency), safe_cell(t.method), safe_cell(t.provider), str(t.count), t.gross,
                t.fee, str(t.unknown) if t.unknown else "",
            ]
            for t in totals.sorted()
        ),
    )  # fmt: skip
    sheets.write(_("Orders"), orders_header(), map(order_cells, reconciliation.balances(scope)))


def _at_most(found: Iterable[list[Cell]], most: int | None) -> Iterator[list[Cell]]:
    for number, cells in enumerate(found):
        if most is not None and number >= most:
            message = _("More than %(rows)d entries: choose a shorter period, or CSV.")
            raise InvalidInput({"last": [message % {"rows": most}]})
        yield cells


class _Sheets:
    """The sheets of a book. What does not fit into one goes on in the next."""

    def __init__(self, book: Any):
        self.book = book
        self.bold = book.add_format({"bold": True})
        self.money = book.add_format({"num_format": "#,##0.00"})

    def write(self, name: str, header: list[str], lines: Iterable[list[Cell]]) -> None:
        sheet, number = self._begin(name, header), 0
        for count, cells in enumerate(lines):
            if count and count % SHEET_ROWS == 0:
                sheet, number = self._begin(f"{name} {count // SHEET_ROWS + 1}", header), 0
            number += 1
            for column, cell in enumerate(cells):
                if isinstance(cell, Decimal):
                    sheet.write_number(number, column, float(cell), self.money)
                elif cell:
                    sheet.write_string(number, column, cell)

    def _begin(self, name: str, header: list[str]) -> Any:
        # Excel takes 31 characters, and not all of them.
        sheet = self.book.add_worksheet("".join("-" if c in "[]:*?/\\'" else c for c in name)[:31])
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(header) - 1, _NARROW)
        for column, text in enumerate(header):
            if len(text) > _NARROW - 2:
                sheet.set_column(column, column, min(len(text) + 2, _WIDE))
            sheet.write_string(0, column, text, self.bold)
        return sheet
