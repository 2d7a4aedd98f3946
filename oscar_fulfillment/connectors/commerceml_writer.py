"""Orders as a CommerceML file, piece by piece: the memory it takes does not grow with their number. Pure.

Sums are with tax, in the order's currency. What is no article (carriage, surcharges) is a line of its own, so that the
lines add up to the document.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from xml.sax.saxutils import escape, quoteattr

from . import commerceml_codes as codes
from .commerceml_values import writable
from .records import Contact, OrderLine, OrderRecord

_PEOPLE = uuid.UUID("6f3c1c1e-0b57-5a8e-9f5d-2c7d0e1a4b11")
ZERO = Decimal(0)


@dataclass(frozen=True)
class Outgoing:
    """An order to be written: with its time at the shop's clock, and the status that it is to show over there."""

    order: OrderRecord
    placed_at: datetime
    state: str = ""
    label: str = ""
    cancelled: bool = False
    paid: bool = False


def write(orders: Iterable[Outgoing], *, version: str, encoding: str, now: datetime) -> Iterator[bytes]:
    """The file. ``version``: "2.08", or "3.1" with its containers. What the encoding lacks is written as a number."""
    new = version == codes.NEW
    head = (
        f'<?xml version="1.0" encoding="{encoding}"?>\n<{codes.ROOT} ВерсияСхемы="{version}" '
        f'ДатаФормирования="{now:%Y-%m-%dT%H:%M:%S}">\n'
    )
    yield head.encode(encoding)
    for outgoing in orders:
        text = _document(outgoing)
        if new:
            text = f"<{codes.CONTAINER}>\n{text}</{codes.CONTAINER}>\n"
        yield text.encode(encoding, "xmlcharrefreplace")
    yield f"</{codes.ROOT}>\n".encode(encoding)


def _tag(name: str, value: object) -> str:
    return f"<{name}>{escape(writable(str(value)))}</{name}>"


def _requisites(values: Iterable[tuple[str, object]]) -> str:
    inner = "".join(
        f"<{codes.REQUISITE}>{_tag(codes.NAME, name)}{_tag(codes.VALUE, value)}</{codes.REQUISITE}>"
        for name, value in values
    )
    return f"<{codes.REQUISITES}>{inner}</{codes.REQUISITES}>\n"


def _document(outgoing: Outgoing) -> str:
    order, at = outgoing.order, outgoing.placed_at
    head = "".join((
        _tag("Ид", order.number), _tag("Номер", order.number), _tag("Дата", f"{at:%Y-%m-%d}"),
        _tag("ХозОперация", codes.ORDER_OF_GOODS), _tag("Роль", codes.SELLER), _tag("Валюта", order.currency),
        _tag("Курс", "1"), _tag("Сумма", order.total_incl_tax), _tag("Время", f"{at:%H:%M:%S}"),
    ))  # fmt: skip
    parts = [f"<{codes.DOCUMENT}>\n{head}\n", _buyer(order), _tax(order), "<Товары>\n"]
    parts += [_line(line) for line in order.lines]
    if order.shipping_incl_tax:
        parts.append(_service(codes.DELIVERY_ID, order.shipping_name or "Доставка", order.shipping_incl_tax))
    if order.extra_incl_tax:
        parts.append(_service(codes.EXTRA_ID, "Наценки и скидки", order.extra_incl_tax))
    parts.append("</Товары>\n")
    parts.append(_requisites(_facts(outgoing)))
    parts.append(f"</{codes.DOCUMENT}>\n")
    return "".join(parts)


def _facts(outgoing: Outgoing) -> list[tuple[str, object]]:
    order = outgoing.order
    found: list[tuple[str, object]] = [
        ("Метод оплаты", order.payment_name), ("Метод оплаты ИД", order.payment_code),
        ("Способ доставки", order.shipping_name), ("Способ доставки ИД", order.shipping_code),
        ("Заказ оплачен", _yes(outgoing.paid)), ("Отменен", _yes(outgoing.cancelled)),
        ("Оплаченная сумма", order.received),
    ]  # fmt: skip
    if order.receiver is not None:
        found.append(("Адрес доставки", _one_line(order.receiver)))
    if outgoing.state:
        words = f"[{outgoing.state}] {outgoing.label}".strip()
        found += [(codes.STATUS, words), (codes.STATUS_ID[0], outgoing.state)]
    if order.link:
        found.append(("Ссылка на сайте", order.link))
    return found


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _buyer(order: OrderRecord) -> str:
    buyer = order.buyer
    company = buyer.tax_id_kind == "inn" and len(buyer.tax_id) == 10
    known = buyer.tax_id or buyer.email.casefold() or order.number
    parts = ["<Контрагенты><Контрагент>", _tag("Ид", uuid.uuid5(_PEOPLE, known)), _tag("Наименование", buyer.name)]
    parts.append(_tag("Роль", codes.BUYER))
    parts.append(_tag("ОфициальноеНаименование" if company else "ПолноеНаименование", buyer.name))
    if not company:
        first, _space, last = buyer.name.partition(" ")
        parts += [_tag("Фамилия", last), _tag("Имя", first)]
    if buyer.tax_id and buyer.tax_id_kind == "inn":
        parts.append(_tag("ИНН", buyer.tax_id))
    parts.append(_address("ЮридическийАдрес" if company else "АдресРегистрации", buyer))
    contacts = [("Электронная почта", buyer.email), ("Телефон рабочий", buyer.phone)]
    inner = "".join(
        f"<Контакт>{_tag('Тип', kind)}{_tag('Значение', value)}</Контакт>" for kind, value in contacts if value
    )
    parts.append(f"<Контакты>{inner}</Контакты></Контрагент></Контрагенты>\n")
    return "".join(parts)


def _one_line(contact: Contact) -> str:
    values = (
        contact.postcode, contact.country, contact.state, contact.city, contact.line1, contact.line2, contact.line3,
    )  # fmt: skip
    return ", ".join(value for value in values if value)


def _address(name: str, contact: Contact) -> str:
    street = ", ".join(value for value in (contact.line1, contact.line2, contact.line3) if value)
    fields = (
        ("Почтовый индекс", contact.postcode), ("Страна", contact.country), ("Регион", contact.state),
        ("Город", contact.city), ("Улица", street),
    )  # fmt: skip
    inner = "".join(
        f"<АдресноеПоле>{_tag('Тип', kind)}{_tag('Значение', value)}</АдресноеПоле>" for kind, value in fields if value
    )
    return f"<{name}>{_tag('Представление', _one_line(contact))}{inner}</{name}>"


def _tax(order: OrderRecord) -> str:
    sum_ = order.total_incl_tax - order.total_excl_tax
    if sum_ <= ZERO:
        return ""
    inner = "".join((_tag(codes.NAME, "НДС"), _tag("УчтеноВСумме", "true"), _tag("Сумма", sum_)))
    return f"<Налоги><Налог>{inner}</Налог></Налоги>\n"


def _line(line: OrderLine) -> str:
    identity = line.upc or line.sku or str(line.id)
    rate = ""
    if line.tax_rate:
        inner = f"{_tag('Наименование', 'НДС')}{_tag('Ставка', line.tax_rate.normalize().__format__('f'))}"
        rate = f"<СтавкиНалогов><СтавкаНалога>{inner}</СтавкаНалога></СтавкиНалогов>"
    return _good(
        identity, line.sku, line.title, line.unit_incl_tax, line.quantity, line.total_incl_tax, codes.GOODS, rate
    )


def _service(identity: str, title: str, amount: Decimal) -> str:
    return _good(identity, "", title, amount, 1, amount, codes.SERVICE, "")


def _good(
    identity: str, sku: str, title: str, price: Decimal, quantity: int, amount: Decimal, kind: str, rate: str
) -> str:
    code, full, international, short = codes.PIECE
    unit = (
        f"<БазоваяЕдиница Код={quoteattr(code)} НаименованиеПолное={quoteattr(full)} "
        f"МеждународноеСокращение={quoteattr(international)}>{short}</БазоваяЕдиница>"
    )
    facts = _requisites([("ВидНоменклатуры", kind), ("ТипНоменклатуры", kind)])
    return "".join((
        "<Товар>", _tag("Ид", identity), _tag("Артикул", sku) if sku else "", _tag("Наименование", title), unit,
        _tag("ЦенаЗаЕдиницу", price), _tag("Количество", quantity), _tag("Сумма", amount), rate, facts, "</Товар>\n",
    ))  # fmt: skip
