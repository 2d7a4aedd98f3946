"""The 1C exchange format with client banks (``1CClientBankExchange``), which Russian banks export.

Lines of ``key=value``: a head, the accounts, one section per document, and the word that ends the file.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _

from .base import Entry, Statement, StatementError, check_account, check_sum, clean
from .encoding import ONE_C, ONE_C_HEAD
from .values import parse_day, parse_sum

#: Currency by digits 6 to 8 of an account number.
_CURRENCIES = {"810": "RUB", "643": "RUB", "840": "USD", "978": "EUR", "156": "CNY", "398": "KZT", "933": "BYN"}
_ENCODINGS = {"windows": "cp1251", "dos": "cp866", "utf-8": "utf-8-sig", "utf8": "utf-8-sig"}


def read_one_c(content: bytes, *, most: int) -> list[Statement]:
    """The movements of each account that the file names as its own.

    :class:`StatementError` for a file that lacks its end, names no account, or holds more than ``most`` documents.
    """
    lines = [line.strip() for line in _decode(content).splitlines()]
    if not lines or lines[0].lstrip("\ufeff") != ONE_C_HEAD:
        raise StatementError(_("The file does not begin as a 1C file does."))
    if "КонецФайла" not in lines[-5:]:
        raise StatementError(_("The end of the file is missing: it was cut off. Export it again."))
    found: dict[str, Statement] = {}
    document: dict[str, str] | None = None
    documents = 0
    days: list[date] = []
    for number, line in enumerate(lines, 1):
        key, _equals, value = (part.strip() for part in line.partition("="))
        if key == "СекцияДокумент":
            document = {"": str(number)}
        elif key == "КонецДокумента":
            documents += 1
            if documents > most:
                raise StatementError(
                    _("The file holds more than %(most)d movements. Export shorter periods.") % {"most": most}
                )
            _take(document or {}, found)
            document = None
        elif document is not None:
            document.setdefault(key, value)
        elif key == "РасчСчет" and value:
            account = check_account(value)
            found.setdefault(account, Statement(ONE_C, account, _CURRENCIES.get(account[5:8], "")))
        elif key in ("ДатаНачала", "ДатаКонца") and value:
            days.append(_day(value, number))
    if document is not None:
        raise StatementError(_("Line %(line)s: the document has no end.") % {"line": document[""]})
    if not found:
        raise StatementError(_("The statement names no account."))
    for statement in found.values():
        statement.widen(*days)
    return list(found.values())


def _decode(content: bytes) -> str:
    """By what the head says; many banks write "Windows" into files that are UTF-8, so that is tried first."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    for encoding in ("cp1251", "cp866"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        head = [line.partition("=") for line in text.splitlines()[:20]]
        said = next((value.strip().lower() for key, _equals, value in head if key == "Кодировка"), None)
        if said is not None and _ENCODINGS.get(said, encoding) == encoding:
            return text
    raise StatementError(_("The encoding of the file is not known. Export it in Windows or UTF-8 encoding."))


def _take(document: dict[str, str], found: dict[str, Statement]) -> None:
    """A document is a movement of each account of ours in it."""
    where = _("Line %(line)s") % {"line": document.get("", "?")}
    amount = _sum(document.get("Сумма", ""), where)
    for own, other, day, sign in (
        ("Получатель", "Плательщик", "ДатаПоступило", 1),
        ("Плательщик", "Получатель", "ДатаСписано", -1),
    ):
        statement = next((found[a] for a in _accounts(document, own) if a in found), None)
        if statement is None:
            continue
        booked = _booked(document, day, where)
        if booked is None:
            # On its way: the bank has not moved the money yet.
            statement.pending += 1
            continue
        statement.entries.append(
            Entry(
                amount=amount * sign,
                currency=statement.currency or "RUB",
                booked_on=booked,
                # Every payer numbers their documents: with the payer's account a number is the bank's word for one.
                bank_reference=clean(_identity(document, other), 140),
                text=_purpose(document),
                name=clean(document.get(f"{other}1") or document.get(other, ""), 200),
                account=next(iter(_accounts(document, other)), ""),
            )
        )
        statement.widen(booked)


def _accounts(document: dict[str, str], side: str) -> list[str]:
    names = (f"{side}Счет", f"{side}РасчСчет")
    return ["".join(document[name].split()).upper() for name in names if document.get(name)]


def _identity(document: dict[str, str], other: str) -> str:
    number, account = document.get("Номер", ""), next(iter(_accounts(document, other)), "")
    return f"{number}/{document.get('Дата', '')}/{account}" if number and account else ""


def _purpose(document: dict[str, str]) -> str:
    parts = [document.get("НазначениеПлатежа", "")]
    if not parts[0]:
        parts = [document.get(f"НазначениеПлатежа{number}", "") for number in range(1, 7)]
    return clean(" ".join(filter(None, parts)), 1000)


def _booked(document: dict[str, str], key: str, where: str) -> date | None:
    """The day of the movement. Some banks leave both days out and give the document's own."""
    days = ("ДатаПоступило", "ДатаСписано")
    text = document.get(key) or ("" if any(name in document for name in days) else document.get("Дата", ""))
    return _day(text, where) if text else None


def _day(text: str, where: int | str) -> date:
    try:
        return parse_day(text, "dmy")
    except ValueError:
        place = where if isinstance(where, str) else _("Line %(line)s") % {"line": where}
        raise StatementError(
            _("%(where)s: “%(text)s” is not a date.") % {"where": place, "text": clean(text, 40)}
        ) from None


def _sum(text: str, where: str) -> Decimal:
    try:
        found = parse_sum(text, "," if "," in text else ".")
    except ValueError:
        found = Decimal("NaN")
    if not found.is_finite() or found < 0:
        raise StatementError(_("%(where)s: “%(text)s” is not a sum.") % {"where": where, "text": clean(text, 40)})
    return check_sum(found, where)
