"""The words of 1C: tags, requisites and values of CommerceML 2.x and 3.1. One word, one meaning.

Source: the exchange protocol and the order documents as 1C-Bitrix publishes them (dev.1c-bitrix.ru, "sale").
"""

from __future__ import annotations

ROOT, CONTAINER, DOCUMENT = "КоммерческаяИнформация", "Контейнер", "Документ"
ORDER_OF_GOODS, SELLER, BUYER = "Заказ товара", "Продавец", "Покупатель"
REQUISITES, REQUISITE, NAME, VALUE = "ЗначенияРеквизитов", "ЗначениеРеквизита", "Наименование", "Значение"

#: Versions of the schema that are written.
OLD, NEW = "2.08", "3.1"
UTF8, CP1251 = "utf-8", "windows-1251"

# Requisites of a document that 1C sends back.
NUMBER_1C, DATE_1C = "Номер по 1С", "Дата по 1С"
POSTED, DELETED, CANCELLED = "Проведен", "ПометкаУдаления", "Отменен"
PAID_NUMBER, PAID_DATE = "Номер оплаты по 1С", "Дата оплаты по 1С"
SENT_NUMBER, SENT_DATE = "Номер отгрузки по 1С", "Дата отгрузки по 1С"
PAID_FLAGS, SENT_FLAGS = ("Заказ оплачен", "Оплачен"), ("Отгружен",)
STATUS = "Статус заказа"
#: The misspelling is theirs; the other one is seen too.
STATUS_ID = ("Статуса заказа ИД", "Статус заказа ИД")

#: How 1C writes that there is no date: the T that stands between day and time, alone; or its first day.
NO_DATES = frozenset({"", "T", "Т", "0001-01-01", "0001-01-01T00:00:00", "01.01.0001", "01.01.0001 0:00:00"})
TRUE = frozenset({"true", "да", "1", "истина", "y", "yes"})
FALSE = frozenset({"false", "нет", "0", "ложь", "n", "no"})

#: The status under which a cancelled document, or one marked for deletion, is told.
STATE_CANCELLED = "cancelled"

#: Currencies by the names and numbers that 1C gives them.
CURRENCIES = {
    "руб": "RUB", "rur": "RUB", "643": "RUB", "810": "RUB", "usd": "USD", "840": "USD", "eur": "EUR", "978": "EUR",
    "kzt": "KZT", "398": "KZT", "тенге": "KZT", "byn": "BYN", "933": "BYN",
}  # fmt: skip

#: What an order line that is no article is called in the exchange.
DELIVERY_ID, EXTRA_ID = "ORDER_DELIVERY", "ORDER_EXTRA"
GOODS, SERVICE = "Товар", "Услуга"
PIECE = ("796", "Штука", "PCE", "шт")
