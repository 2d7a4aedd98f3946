"""Tracking codes in a CSV file: which order has which code. Columns by their headings, confirmed by a person.

Any number of rows: they are read one at a time, the memory is that of the file's text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.statements.base import StatementError, clean
from oscar_fulfillment.statements.encoding import check_text, decode
from oscar_fulfillment.statements.layout import Layout, by_word, guess_roles
from oscar_fulfillment.statements.table import Row, Table, iter_rows, table_of
from oscar_fulfillment.statements.values import fitting_orders, parse_day

PDF = gettext_lazy("This is a PDF. Ask for the data as a text file.")
#: Lines of the file that say what is in which column.
_LOOKED_AT = 500

ROLES: dict[str, Any] = {
    "": gettext_lazy("Not needed"),
    "order": gettext_lazy("Order number"),
    "code": gettext_lazy("Tracking code"),
    "carrier": gettext_lazy("Carrier"),
    "shipment": gettext_lazy("Number of the shipment"),
    "date": gettext_lazy("Day of the dispatch"),
}

#: Headings by role, in the languages that shops, carriers and marketplaces of ours write.
_WORDS: dict[str, str] = {
    "order": "order number|order no|order nr|order id|order|order reference|your reference|reference|"
    "pedido|numero do pedido|n do pedido|nr pedido|no pedido|codigo do pedido|id do pedido|referencia|"
    "numero de pedido|n de pedido|referencia del pedido|referencia del cliente|"
    "commande|numero de commande|n de commande|no de commande|reference commande|"
    "заказ|номер заказа|заказ номер|ид заказа|номер заказа клиента",
    "code": "tracking code|tracking number|tracking no|tracking nr|tracking|tracking id|consignment number|barcode|"
    "codigo de rastreio|codigo de rastreamento|rastreio|rastreamento|codigo do objeto|objeto|etiqueta|"
    "codigo de seguimiento|numero de seguimiento|seguimiento|localizador|albaran|numero de envio|expedicion|"
    "numero de suivi|n de suivi|no de suivi|code de suivi|suivi|numero de colis|"
    "трек|трек номер|трек код|трекинг|трек номер отправления|номер отслеживания|номер отправления|накладная|шпи",
    "carrier": "carrier|courier|shipping company|transportadora|transportador|transportista|agencia|"
    "empresa de transporte|transporteur|перевозчик|служба доставки|транспортная компания|курьерская служба",
    "shipment": "shipment|shipment no|shipment number|parcel|package|remessa|volume|pacote|envio|bulto|colis|envoi|"
    "paquet|отправление|место|посылка",
    "date": "date|shipped|shipped at|shipping date|dispatch date|dispatched|sent|data|data de envio|data de postagem|"
    "postagem|data do envio|fecha|fecha de envio|fecha de salida|date d envoi|date d expedition|expedie le|"
    "дата|дата отправки|дата отправления|дата передачи",
}  # fmt: skip
_ROLE_OF = by_word(_WORDS)
#: A cell that makes a spreadsheet keep zeros in front: ="00123".
_AS_TEXT = re.compile(r'="([^"]*)"')
_SEVERAL = re.compile(r"[,;|\n]")


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One code of one order. ``day`` is None where the file says none; ``problem`` says why the row cannot be read."""

    line: int
    order: str
    code: str
    carrier: str = ""
    shipment: str = ""
    day: date | None = None
    problem: str = ""


@dataclass(frozen=True)
class CodeFile:
    """A file that is open: its whole text, and a look at its beginning."""

    text: str
    table: Table


def open_file(content: bytes) -> CodeFile:
    """Look at a file. :class:`StatementError` for what is no table of at least two columns."""
    check_text(content, pdf=PDF)
    text, encoding = decode(content)
    beginning = text if text.count("\n") <= _LOOKED_AT else _lines(text, _LOOKED_AT)
    lacks = _("No table was found in the file: it needs at least an order number and a tracking code.")
    table = table_of(beginning, encoding, narrowest=2, lacks=lacks)
    if table.has_headings and not any(guess_roles(table.headings, _ROLE_OF)) and _are_values(table.headings):
        # Numbers with letters in them pass for headings.
        first = Row(table.heading_line, list(table.headings))
        names = [_("Column %(number)d") % {"number": number} for number in range(1, len(table.headings) + 1)]
        table = replace(table, headings=names, rows=[first, *table.rows], has_headings=False, heading_line=0)
    if beginning is text:
        # Damage is told at once where the whole file was looked at anyway.
        for _row in iter_rows(text, table):
            pass
    return CodeFile(text, table)


def _lines(text: str, count: int) -> str:
    end = 0
    for _number in range(count):
        end = text.index("\n", end) + 1
    return text[:end]


def _are_values(headings: list[str]) -> bool:
    return any(sign.isdigit() for heading in headings for sign in heading)


def guess_layout(table: Table) -> Layout:
    """A first answer from the headings."""
    roles = guess_roles(table.headings, _ROLE_OF)
    for role in ROLES:
        for index in [place for place, found in enumerate(roles) if role and found == role][1:]:
            roles[index] = ""
    days = [text for index, role in enumerate(roles) if role == "date" for text in table.column(index)[:200]]
    return Layout(tuple(roles), next(iter(fitting_orders(days)), "dmy"))


def problems(layout: Layout) -> list[str]:
    """What is missing or said twice, in words."""
    found = layout.problems(ROLES)
    if not found and not {"order", "code"} <= set(layout.roles):
        found.append(_("Say which column holds the order number, and which the tracking code."))
    return found


def read_codes(file: CodeFile, layout: Layout) -> Iterator[CodeRow]:
    """The codes of a file, in its order; a cell with several gives several. Rows that lack something have a
    ``problem``. :class:`StatementError` where the layout or the file's quotation marks do not do.
    """
    if found := problems(layout):
        raise StatementError(" ".join(found))
    for row in iter_rows(file.text, file.table):
        cells = {role: _cell(row, layout.of(role)) for role in ROLES if role}
        order = clean(cells["order"].removeprefix("#"), 128)
        codes = [text for part in _SEVERAL.split(cells["code"]) if (text := clean(part, 130))]
        known = CodeRow(row.line, order, "", clean(cells["carrier"], 80), clean(cells["shipment"], 8).lstrip("#"))
        if not order or not codes:
            if order or codes:
                missing = _("The tracking code is missing.") if order else _("The order number is missing.")
                yield replace(known, code=codes[0] if codes else "", problem=missing)
            continue
        try:
            known = replace(known, day=parse_day(cells["date"], layout.order) if cells["date"] else None)
        except ValueError:
            known = replace(known, problem=_("“%(text)s” is not a day.") % {"text": clean(cells["date"], 30)})
        for code in codes:
            yield replace(known, code=code)


def _cell(row: Row, index: int | None) -> str:
    """What stands in a column, without what spreadsheets put around it."""
    text = row[index] if index is not None else ""
    if found := _AS_TEXT.fullmatch(text):
        text = found[1]
    return text.removeprefix("'").strip()
