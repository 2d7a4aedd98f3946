"""CDEK's codes: statuses of an order, why it was not delivered, what a courier met at the door.

Source: CDEK's API reference (apidoc.cdek.ru), appendix 1 "Статусы заказов", 2 "Дополнительные статусы заказов" and 3
"Проблемы доставки"; the texts are CDEK's. The numbers that webhooks carry beside the codes (``status_code``) are
deprecated: all newer statuses share the number 1000. They are not read.
"""

from __future__ import annotations

from .events import IncidentClass, Meaning, TrackingState

_S, _I = TrackingState, IncidentClass

#: ``statuses[].code``. "RETURNED_TO_..._WAREHOUSE" is never a return: the goods came back to a warehouse on the way.
STATUSES: dict[str, Meaning] = {
    "ACCEPTED": Meaning(_S.PENDING, "Принят"),
    "CREATED": Meaning(_S.PENDING, "Создан"),
    "REMOVED": Meaning(_S.CANCELLED, "Удалён"),
    "INVALID": Meaning(_S.CANCELLED, "Некорректный заказ"),
    "RECEIVED_AT_SHIPMENT_WAREHOUSE": Meaning(_S.PICKED_UP, "Принят на склад отправителя"),
    "READY_FOR_SHIPMENT_IN_SENDER_CITY": Meaning(_S.IN_TRANSIT, "Готов к отправке в городе-отправителе"),
    "READY_TO_SHIP_AT_SENDING_OFFICE": Meaning(_S.IN_TRANSIT, "Готов к отправке в офисе отправления"),
    "RETURNED_TO_SENDER_CITY_WAREHOUSE": Meaning(_S.IN_TRANSIT, "Возвращён на склад отправителя"),
    "TAKEN_BY_TRANSPORTER_FROM_SENDER_CITY": Meaning(_S.IN_TRANSIT, "Сдан перевозчику в городе-отправителе"),
    "SENT_TO_TRANSIT_CITY": Meaning(_S.IN_TRANSIT, "Отправлен в город-транзит"),
    "ACCEPTED_IN_TRANSIT_CITY": Meaning(_S.IN_TRANSIT, "Встречен в городе-транзите"),
    "ACCEPTED_AT_TRANSIT_WAREHOUSE": Meaning(_S.IN_TRANSIT, "Принят на склад транзита"),
    "ENTERED_TO_TRANSIT_WAREHOUSE": Meaning(_S.IN_TRANSIT, "Поступил в город транзита"),
    "RETURNED_TO_TRANSIT_WAREHOUSE": Meaning(_S.IN_TRANSIT, "Возвращён на склад транзита"),
    "READY_FOR_SHIPMENT_IN_TRANSIT_CITY": Meaning(_S.IN_TRANSIT, "Выдан на отправку в городе-транзите"),
    "TAKEN_BY_TRANSPORTER_FROM_TRANSIT_CITY": Meaning(_S.IN_TRANSIT, "Сдан перевозчику в городе-транзите"),
    "SENT_TO_SENDER_CITY": Meaning(_S.IN_TRANSIT, "Отправлен в город-отправитель"),
    "SENT_TO_RECIPIENT_CITY": Meaning(_S.IN_TRANSIT, "Отправлен в город-получатель"),
    "ACCEPTED_IN_SENDER_CITY": Meaning(_S.IN_TRANSIT, "Встречен в городе-отправителе"),
    "ACCEPTED_IN_RECIPIENT_CITY": Meaning(_S.IN_TRANSIT, "Встречен в городе-получателе"),
    "ENTERED_TO_RECIPIENT_CITY_WAREHOUSE": Meaning(_S.IN_TRANSIT, "Поступил на склад доставки"),
    "ACCEPTED_AT_RECIPIENT_CITY_WAREHOUSE": Meaning(_S.IN_TRANSIT, "Принят на склад доставки"),
    "ACCEPTED_AT_PICK_UP_POINT": Meaning(_S.READY_FOR_PICKUP, "Принят на склад до востребования"),
    "ENTERED_TO_PICK_UP_POINT": Meaning(_S.READY_FOR_PICKUP, "Поступил на склад до востребования"),
    "TAKEN_BY_COURIER": Meaning(_S.OUT_FOR_DELIVERY, "Выдан на доставку"),
    "RETURNED_TO_RECIPIENT_CITY_WAREHOUSE": Meaning(
        _S.DELIVERY_FAILED, "Возвращён на склад доставки", _I.DELIVERY_FAILED
    ),
    "IN_CUSTOMS_INTERNATIONAL": Meaning(_S.ON_HOLD, "Таможенное оформление в стране отправления"),
    "SHIPPED_TO_DESTINATION": Meaning(_S.IN_TRANSIT, "Отправлено в страну назначения"),
    "PASSED_TO_TRANSIT_CARRIER": Meaning(_S.IN_TRANSIT, "Передано транзитному перевозчику"),
    "IN_CUSTOMS_LOCAL": Meaning(_S.ON_HOLD, "Таможенное оформление в стране назначения"),
    "CUSTOMS_COMPLETE": Meaning(_S.IN_TRANSIT, "Таможенное оформление завершено"),
    "POSTOMAT_POSTED": Meaning(_S.READY_FOR_PICKUP, "Заложен в постамат"),
    "POSTOMAT_SEIZED": Meaning(_S.RETURNING, "Изъят из постамата курьером", _I.PICKUP_EXPIRED),
    "POSTOMAT_RECEIVED": Meaning(_S.DELIVERED, "Изъят из постамата клиентом"),
    "DELIVERED": Meaning(_S.DELIVERED, "Вручён"),
    "NOT_DELIVERED": Meaning(_S.RETURNING, "Не вручён", _I.RETURNING),
}


def _back(incident: IncidentClass, text: str) -> Meaning:
    return Meaning(_S.RETURNING, text, incident)


#: ``reason_code`` beside NOT_DELIVERED; "20" comes with DELIVERED. What is lost or destroyed does not come back.
REASONS: dict[str, Meaning] = {
    "1": _back(_I.ADDRESS_WRONG, "неверный адрес"),
    "2": _back(_I.PHONE_UNREACHABLE, "не дозвонились"),
    "3": _back(_I.RECIPIENT_UNKNOWN, "адресат не проживает"),
    "4": _back(_I.NOT_CARRIABLE, "вес отличается от заявленного"),
    "5": _back(_I.WAITING_GOODS, "фактически нет отправления"),
    "6": _back(_I.DOCUMENTS_MISSING, "дубль номера заказа в одном акте приёма-передачи"),
    "7": _back(_I.NOT_CARRIABLE, "не доставляем в данный город"),
    "8": _back(_I.DAMAGED, "повреждение упаковки при приёмке от отправителя"),
    "9": _back(_I.DAMAGED, "повреждение упаковки у перевозчика"),
    "10": _back(_I.DAMAGED, "повреждение упаковки на нашем складе или у курьера"),
    "11": _back(_I.REFUSED, "отказ от получения: без объяснения"),
    "12": _back(_I.REFUSED, "отказ от получения: претензия к качеству товара"),
    "13": _back(_I.MISSING_PARCELS, "отказ от получения: недовложение"),
    "14": _back(_I.REFUSED, "отказ от получения: пересорт"),
    "15": _back(_I.REFUSED, "отказ от получения: не устроили сроки"),
    "16": _back(_I.REFUSED, "отказ от получения: уже купил"),
    "17": _back(_I.REFUSED, "отказ от получения: передумал"),
    "18": _back(_I.REFUSED, "отказ от получения: ошибка оформления"),
    "19": _back(_I.DAMAGED, "отказ от получения: повреждение упаковки у получателя"),
    "20": Meaning(_S.DELIVERED_IN_PART, "частичная доставка", _I.PARTIAL_DELIVERY),
    "21": _back(_I.REFUSED_PAYMENT, "отказ от получения: нет денег"),
    "22": _back(_I.REFUSED, "отказ от получения: товар не подошёл"),
    "23": _back(_I.PICKUP_EXPIRED, "истёк срок хранения"),
    "24": _back(_I.CUSTOMS_HOLD, "не прошёл таможню"),
    "25": _back(_I.CUSTOMS_HOLD, "является коммерческим грузом"),
    "26": Meaning(_S.LOST, "утерян", _I.LOST),
    "27": Meaning(_S.LOST, "не востребован, утилизация", _I.PICKUP_EXPIRED),
    "31": _back(_I.RETURNING, "по запросу отправителя"),
    "32": _back(_I.RETURNING, "по запросу плательщика"),
    "33": _back(_I.DOCUMENTS_MISSING, "СНТ не получено"),
    "34": _back(_I.PICKUP_EXPIRED, "CDEK Shopping: истёк срок хранения"),
}


def _failed(incident: IncidentClass, text: str) -> Meaning:
    return Meaning(_S.DELIVERY_FAILED, text, incident)


def _told(incident: IncidentClass, text: str) -> Meaning:
    """It changes where or when the parcel is handed over, and no attempt failed."""
    return Meaning(_S.INFO, text, incident)


#: ``delivery_problem[].code``.
PROBLEMS: dict[str, Meaning] = {
    "1": _failed(_I.PHONE_UNREACHABLE, "Телефон неверный"),
    "9": _failed(_I.WAITING_GOODS, "Груз не готов"),
    "11": _failed(_I.REFUSED_PAYMENT, "Отказ от оплаты"),
    "13": _failed(_I.ABSENT, "Контактное лицо отсутствует"),
    "17": _failed(_I.CLOSED, "Организация не работает"),
    "19": _told(_I.SOLVED_BY_RECIPIENT, "Смена адреса"),
    "35": _failed(_I.CARRIER_DELAY, "Не успеваю"),
    "36": _told(_I.PICKUP_REQUESTED, "Самозабор"),
    "37": _failed(_I.CARRIER_DELAY, "Постамат переполнен"),
    "38": _failed(_I.CARRIER_DELAY, "Постамат не работает"),
    "39": _failed(_I.NOT_CARRIABLE, "Груз не влез в ячейку постамата"),
    "40": _failed(_I.REFUSED, "Отказ от получения"),
    "41": _failed(_I.RETURNING, "Отказ от заявки"),
    "42": _failed(_I.ID_MISSING, "Требуется пропуск"),
    "43": _failed(_I.ACCESS_RESTRICTED, "Платный въезд"),
    "44": _failed(_I.ACCESS_RESTRICTED, "Закрытая территория"),
    "45": _failed(_I.ID_MISSING, "Нет документа, удостоверяющего личность"),
    "46": _told(_I.SOLVED_BY_RECIPIENT, "Смена города"),
    "47": _failed(_I.ADDRESS_WRONG, "Адрес не существует"),
    "48": _failed(_I.ADDRESS_WRONG, "Доставка в а/я"),
    "49": _failed(_I.NOT_CARRIABLE, "Опасный груз"),
    "52": _failed(_I.REFUSED, "Отказ с адреса"),
    "53": _told(_I.RESCHEDULED, "Изменение интервала по согласованию с клиентом"),
    "54": _failed(_I.CARRIER_DELAY, "Постаматное приложение не работает"),
    "55": _failed(_I.LOST, "Груз не найден"),
    "56": _told(_I.AWAITING_PICKUP, "Передача на ПВЗ"),
    "57": _failed(_I.CARRIER_DELAY, "Не могу доставить на ПВЗ"),
}

#: The number of the order (ours) is taken by another one: that one is the order.
DUPLICATES = frozenset(
    {
        "error_validate_im_dep_number_has_already_had_integration",
        "error_validate_online_shop_number_departure_is_not_unique",
    }
)
#: There is none, or it was deleted, or it is another client's.
NOT_FOUND = frozenset(
    {
        "v2_entity_not_found",
        "v2_entity_not_found_im_number",
        "v2_order_not_found",
        "v2_entity_forbidden",
        "v2_order_forbidden",
    }
)
#: Ask again later: the work before it is not done yet.
LATER = frozenset({"v2_entity_not_ready", "v2_similar_request_still_processed"})
#: Something broke inside: it may have been done.
UNCERTAIN = frozenset({"v2_internal_error"})
