"""Orders as 1C holds them: read from the shop's file, written back with what became of them. Not the shop's code."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

EMPTY_DATE = "T"


def read_orders(content: bytes) -> list[dict[str, Any]]:
    """The documents of a file of the shop."""
    found = []
    for document in ElementTree.fromstring(content).iter("Документ"):
        told = {
            each.findtext("Наименование"): each.findtext("Значение") or ""
            for each in document.findall("ЗначенияРеквизитов/*")
        }
        found.append(
            {
                "id": document.findtext("Ид"),
                "number": document.findtext("Номер"),
                "total": document.findtext("Сумма"),
                "currency": document.findtext("Валюта"),
                "buyer": document.findtext("Контрагенты/Контрагент/Наименование") or "",
                "goods": [
                    f"{good.findtext('Наименование')} × {good.findtext('Количество')}"
                    for good in document.findall("Товары/Товар")
                ],
                "was_paid": told.get("Заказ оплачен") == "true",
                "was_cancelled": told.get("Отменен") == "true",
                "status": told.get("Статус заказа", ""),
            }
        )
    return found


def requisites(order: dict[str, Any]) -> list[tuple[str, str]]:
    """What 1C says of an order: dates that it does not have are emptied to "T"."""
    paid, sent = order.get("paid_at", ""), order.get("sent_at", "")
    return [
        ("Номер по 1С", order["number_1c"]),
        ("Дата по 1С", order["date_1c"]),
        ("Проведен", "true"),
        ("ПометкаУдаления", "false"),
        ("Отменен", "true" if order.get("cancelled") else "false"),
        ("Номер оплаты по 1С", f"П-{order['number_1c']}" if paid else ""),
        ("Дата оплаты по 1С", paid or EMPTY_DATE),
        ("Номер отгрузки по 1С", f"Р-{order['number_1c']}" if sent else ""),
        ("Дата отгрузки по 1С", sent or EMPTY_DATE),
        *([("Статус заказа", order["state"])] if order.get("state") else []),
    ]


def write_orders(orders: list[dict[str, Any]], *, encoding: str, version: str, attributes: bool) -> bytes:
    """The file that goes back. ``attributes``: in place of child tags, and sums as 1C formats them for people."""
    parts = []
    for order in orders:
        total = _spaced(order["total"]) if attributes else order["total"]
        head = {
            "Ид": order["id"], "Номер": order["number"], "ХозОперация": "Заказ товара", "Валюта": order["currency"],
            "Сумма": total,
        }  # fmt: skip
        if attributes:
            told = "".join(
                f"<ЗначениеРеквизита Наименование={quoteattr(name)} Значение={quoteattr(value)}/>"
                for name, value in requisites(order)
            )
            fields = " ".join(f"{name}={quoteattr(value)}" for name, value in head.items())
            text = f"<Документ {fields}><ЗначенияРеквизитов>{told}</ЗначенияРеквизитов></Документ>"
        else:
            told = "".join(
                f"<ЗначениеРеквизита><Наименование>{escape(name)}</Наименование><Значение>{escape(value)}</Значение>"
                "</ЗначениеРеквизита>"
                for name, value in requisites(order)
            )
            fields = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in head.items())
            text = f"<Документ>{fields}<ЗначенияРеквизитов>{told}</ЗначенияРеквизитов></Документ>"
        parts.append(f"<Контейнер>{text}</Контейнер>" if version.startswith("3") else text)
    whole = (
        f'<?xml version="1.0" encoding="{encoding}"?>\n<КоммерческаяИнформация ВерсияСхемы="{version or "2.08"}">\n'
        + "\n".join(parts)
        + "\n</КоммерческаяИнформация>\n"
    )
    return whole.encode(encoding, "xmlcharrefreplace")


def _spaced(total: str) -> str:
    whole, _dot, rest = total.partition(".")
    grouped = f"{int(whole):,}".replace(",", "\u00a0")
    return f"{grouped},{rest}" if rest else grouped
