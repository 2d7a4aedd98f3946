"""Bank statements as CSV: what is in which column is guessed from the headings and confirmed by a person."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.text import fold

from .base import Entry, Statement, StatementError, check_sum, clean
from .encoding import CSV
from .layout import Layout, by_word, guess_roles, name_lines
from .table import Row, Table
from .values import fitting_orders, guess_mark, parse_day, parse_sum

#: What a column may hold, in the words of the page. "text" may be several columns, every other one at most one.
ROLES: dict[str, Any] = {
    "": gettext_lazy("Not needed"),
    "date": gettext_lazy("Booking date"),
    "valued": gettext_lazy("Value date"),
    "amount": gettext_lazy("Sum, with its sign"),
    "credit": gettext_lazy("Money in"),
    "debit": gettext_lazy("Money out"),
    "direction": gettext_lazy("In or out (C/D)"),
    "currency": gettext_lazy("Currency"),
    "name": gettext_lazy("Payer’s name"),
    "account": gettext_lazy("Payer’s account"),
    "text": gettext_lazy("Text of the payment"),
    "reference": gettext_lazy("Payment reference"),
    "bank_reference": gettext_lazy("Bank’s own number"),
}
_IN = frozenset(
    ("c", "cr", "crdt", "credit", "h", "haben", "gutschrift", "credito", "in", "+", "приход", "кредит", "зачисление")
)
_OUT = frozenset(
    ("d", "dr", "dbit", "debit", "s", "soll", "lastschrift", "debito", "out", "-", "расход", "дебет", "списание")
)

#: Headings of banks in Portuguese, French, Russian, English, German, folded and without punctuation.
_WORDS: dict[str, str] = {
    "date": "date|booking date|transaction date|posting date|trade date|data|data lancamento|data do lancamento|"
    "data mov|data da transacao|data movimento|date operation|date de comptabilisation|date comptable|"
    "date d operation|datum|buchungsdatum|buchungstag|buchung|abschlussdatum|дата|дата операции|дата проводки|"
    "дата проведения|дата документа",
    "valued": "value date|valuta|valutadatum|wertstellung|date de valeur|date valeur|data valor|data balancete|"
    "дата валютирования",
    "amount": "amount|transaction amount|betrag|umsatz|montant|valor|valor r|quantia|сумма|сумма операции|importo|"
    "сумма в валюте счета",
    "credit": "credit|credit amount|paid in|money in|gutschrift|haben|credito|creditos|entrada|entradas|приход|"
    "кредит|сумма по кредиту|зачисление|поступление|credito r|credit in chf|gutschrift in chf|credit en chf",
    "debit": "debit|debit amount|paid out|money out|lastschrift|belastung|soll|debito|debitos|saida|saidas|расход|"
    "дебет|сумма по дебету|списание|debito r|debit in chf|lastschrift in chf|debit en chf",
    "direction": "dc|d c|c d|soll haben|credit debit|debit credit|credit debit indicator|tipo|sens|вид операции|"
    "тип операции",
    "currency": "currency|ccy|wahrung|waehrung|devise|monnaie|moeda|валюта",
    "name": "name|counterparty|payer|debtor|remitter|auftraggeber|zahlungspflichtiger|"
    "beguenstigter zahlungspflichtiger|begunstigter zahlungspflichtiger|"
    "name zahlungsbeteiligter|nom|debiteur|donneur d ordre|contrepartie|pagador|"
    "remetente|nome|favorecido|плательщик|контрагент|отправитель|наименование контрагента|наименование плательщика|"
    "description1|beschreibung1",
    "account": "iban|account|counterparty account|kontonummer|konto|iban zahlungsbeteiligter|compte|conta|"
    "conta de origem|счет плательщика|счет контрагента|расчетный счет контрагента|номер счета контрагента",
    "text": "description|details|text|memo|remittance|remittance information|payment details|narrative|buchungstext|"
    "mitteilung|mitteilungen|verwendungszweck|avisierungstext|notification text|texte de notification|communication|"
    "libelle|motif|details de l operation|historico|descricao|lancamento|назначение|назначение платежа|описание|"
    "описание операции|description2|description3|beschreibung|beschreibung2|beschreibung3|zahlungszweck",
    "reference": "payment reference|referenz|referenznummer|qr referenz|reference qr|reference number|"
    "reference de paiement",
    "bank_reference": "transaction id|transaction no|transaktions nr|transaktionsnummer|no de transaction|"
    "n de transaction|numero de transaction|identificador|id da transacao|номер операции|bank reference|"
    "archivierungs nr|id",
}  # fmt: skip
_ROLE_OF = by_word(_WORDS)


def problems(layout: Layout) -> list[str]:
    """What is missing or said twice, in words."""
    found = layout.problems(ROLES, several=("text",))
    if found:
        return found
    if "date" not in layout.roles:
        found.append(_("Say which column holds the booking date."))
    if "amount" not in layout.roles and "credit" not in layout.roles:
        found.append(_("Say which column holds the sum, or the money that came in."))
    if "amount" in layout.roles and {"credit", "debit"} & set(layout.roles):
        found.append(_("Choose either one column with the sum, or one with money in and one with money out."))
    return found


def guess_layout(table: Table) -> Layout:
    """A first answer from the headings, and from the cells where the headings say nothing."""
    roles = guess_roles(table.headings, _ROLE_OF)
    samples = [table.column(index)[:200] for index in range(len(roles))]
    for index, role in enumerate(roles):
        if role in ("date", "valued") and not fitting_orders(_days_of(samples[index])):
            roles[index] = ""
    for role in ROLES:
        if role not in ("", "text"):
            for index in [i for i, found in enumerate(roles) if found == role][1:]:
                roles[index] = "text" if role == "name" else ""
    if "date" not in roles:
        places = [i for i, cells in enumerate(samples) if not roles[i] and cells and fitting_orders(cells)]
        for index in places[:1]:
            roles[index] = "date"
    if "amount" in roles:
        unwanted = ("amount",) if "credit" in roles else ("debit",)
        roles = ["" if role in unwanted else role for role in roles]
    days = [text for index, role in enumerate(roles) if role == "date" for text in _days_of(samples[index])]
    sums = [text for i, role in enumerate(roles) if role in ("amount", "credit", "debit") for text in table.column(i)]
    return Layout(tuple(roles), next(iter(fitting_orders(days)), "dmy"), guess_mark(sums))


def _days_of(cells: list[str]) -> list[str]:
    """Cells that look like days: a table may end in lines of another kind."""
    return [text for text in cells if text[:1].isdigit()]


def read_csv(table: Table, layout: Layout, *, account: str, currency: str) -> Statement:
    """The movements of the table. :class:`StatementError` names the lines that cannot be read: none is passed over.

    A line that is no movement (no sum, or a word such as "Total" for its day) is left out, and named in ``left_out``.
    """
    if found := problems(layout):
        raise StatementError(" ".join(found))
    statement = Statement(CSV, account, currency)
    wrong: list[str] = []
    for row in table.rows:
        try:
            if row is table.rows[-1] and _is_cut_off(table, layout):
                raise ValueError(_("cut off"))
            entry = _entry(row, layout, currency)
        except ValueError as error:
            wrong.append(_("line %(line)d (%(why)s)") % {"line": row.line, "why": error})
            continue
        if entry is None:
            statement.left_out.append(row.line)
            continue
        statement.entries.append(entry)
        statement.widen(entry.booked_on)
    if wrong:
        raise StatementError(name_lines(wrong))
    if not statement.entries:
        raise StatementError(_("The file holds no movement."))
    return statement


def _entry(row: Row, layout: Layout, currency: str) -> Entry | None:
    """The movement of a row; None for a row of another kind. ValueError says what is wrong with it."""

    def cell(role: str) -> str:
        index = layout.of(role)
        return row[index] if index is not None else ""

    day, sums = cell("date"), [cell(role) for role in ("amount", "credit", "debit")]
    if not any(sums):
        return None
    try:
        booked = parse_day(day, layout.order)
    except ValueError:
        if not any(sign.isdigit() for sign in day) and not cell("bank_reference"):
            return None
        raise ValueError(_("“%(text)s” is not a date") % {"text": clean(day, 30)}) from None
    valued = cell("valued")
    return Entry(
        amount=_amount(cell, layout.mark),
        currency=clean(cell("currency"), 12).upper() or currency,
        booked_on=booked,
        valued_on=parse_day(valued, layout.order) if _is_day(valued, layout.order) else None,
        bank_reference=clean(cell("bank_reference"), 140),
        reference=clean("".join(cell("reference").split()), 35),
        text=clean(" ".join(row[i] for i, role in enumerate(layout.roles) if role == "text"), 1000),
        name=clean(cell("name"), 200),
        account=clean(cell("account"), 40),
    )


def _is_cut_off(table: Table, layout: Layout) -> bool:
    """Whether the last line begins as a movement and has fewer cells than the others."""
    last, column = table.rows[-1], layout.of("date")
    widths = [len(row.cells) for row in table.rows[:-1]] or [len(table.headings)]
    return column is not None and _is_day(last[column], layout.order) and len(last.cells) < min(widths)


def _amount(cell: Any, mark: str) -> Decimal:
    def read(role: str) -> Decimal:
        text = cell(role)
        if not text:
            return Decimal(0)
        try:
            return check_sum(parse_sum(text, mark), text)
        except (ValueError, StatementError):
            raise ValueError(_("“%(text)s” is not a sum") % {"text": clean(text, 30)}) from None

    if cell("amount"):
        amount = read("amount")
        way = fold(cell("direction"))
        if not way:
            return amount
        if way not in _IN | _OUT:
            raise ValueError(_("“%(text)s” says neither in nor out") % {"text": clean(way, 30)})
        return abs(amount) if way in _IN else -abs(amount)
    # Some banks write money out with a minus in its own column, some without. A minus among money in takes it back.
    return read("credit") - abs(read("debit"))


def _is_day(text: str, order: str) -> bool:
    try:
        parse_day(text, order)
    except ValueError:
        return False
    return True
