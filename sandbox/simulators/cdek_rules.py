"""What CDEK refuses, at once or after a while, in the words of its list of errors ("Список возможных ошибок")."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

#: tariff -> (goes from an office, goes to an office).
TARIFFS = {
    136: (True, True), 137: (True, False), 138: (False, True), 139: (False, False),
    231: (False, False), 232: (False, True), 233: (True, False), 234: (True, True),
    366: (False, True), 368: (True, True), 378: (True, True),
}  # fmt: skip
DUPLICATE = (
    "error_validate_im_dep_number_has_already_had_integration",
    "Введенный номер отправления ИМ не уникальный. Введите уникальный номер.",
)
_OFFICE = re.compile(r"[A-Z]{2,5}[0-9]{1,4}", re.ASCII)
_NUMBER = re.compile(r"[!-~]{1,40}", re.ASCII)
#: Numbers of Russia, Kazakhstan, Belarus and a few more.
_PHONE = re.compile(r"\+(7[3-9]\d{9}|375\d{9}|374\d{8}|86\d{11}|90\d{10}|49\d{6,11})", re.ASCII)

Error = tuple[str, str]


class ApiError(HTTPException):
    """A refusal. With ``kind`` its errors stand in a request of that kind, otherwise in the document itself."""

    def __init__(self, status: int, *errors: Error, kind: str = ""):
        said = [{"code": code, "message": message} for code, message in errors]
        document: dict[str, Any] = {"errors": said}
        if kind:
            request = {"type": kind, "date_time": stamp(datetime.now(UTC)), "state": "INVALID", "errors": said}
            document = {"requests": [request], "related_entities": []}
        super().__init__(
            str(errors), Response(json.dumps(document, ensure_ascii=False), status, mimetype="application/json")
        )


def stamp(moment: datetime) -> str:
    """As CDEK writes a moment: "2026-01-27T11:51:13+0000"."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S%z")


def empty(field: str) -> Error:
    return "v2_field_is_empty", f"[{field}] is empty"


def format_error(value: Any, field: str) -> Error:
    return "v2_invalid_format", f"Invalid value [{value}] in [{field}] parameter"


def check_at_once(body: Any) -> Mapping[str, Any]:
    """What makes CDEK refuse a new order with 400: its form. Raises :class:`ApiError` with all that is wrong."""
    if not isinstance(body, dict):
        raise ApiError(400, ("v2_bad_request", "Bad request"), kind="CREATE")
    errors = list(_form(body))
    if errors:
        raise ApiError(400, *errors, kind="CREATE")
    return body


def _form(body: Mapping[str, Any]) -> Iterator[Error]:
    if "number" in body and not _NUMBER.fullmatch(str(body["number"])):
        yield format_error(body["number"], "number")
    if not isinstance(body.get("tariff_code"), int):
        yield empty("tariff_code")
    recipient = body.get("recipient") or {}
    if not recipient.get("name"):
        yield empty("recipient.name")
    if not [phone for phone in recipient.get("phones") or [] if phone.get("number")]:
        yield empty("recipient.phones")
    for ours, point, place in (
        ("shipment", "shipment_point", "from_location"),
        ("delivery", "delivery_point", "to_location"),
    ):
        side, name = ("Sender", "sender") if ours == "shipment" else ("Recipient", "recipient")
        if body.get(point) and body.get(place):
            yield f"v2_{ours}_address_multivalued", f"{side} address and {name} {ours} point can't be filled both"
        elif not body.get(point) and not body.get(place):
            way = "from" if ours == "shipment" else "to"
            yield f"v2_order_location_{way}_and_{point}_empty", f"Order {place} and {point} are empty"
        elif body.get(place):
            yield from _place(body[place], place, name)
    packages = body.get("packages") or []
    if not packages:
        yield empty("packages")
    for number, package in enumerate(packages):
        yield from _package(package, f"packages[{number}]")
    if sum(len(package.get("items") or []) for package in packages) > 126:
        yield "v2_number_items_is_more_126", "The number of commodity items is more than 126"


def _place(place: Mapping[str, Any], field: str, name: str) -> Iterator[Error]:
    if not place.get("address"):
        yield empty(f"{field}.address")
    if place.get("city") == "Нигде" or not (place.get("code") or place.get("city") or place.get("postal_code")):
        yield (
            f"v2_{name}_location_not_recognized",
            f"{name.title()} location is not recognized. Check your input data and try to provide more details",
        )


def _package(package: Mapping[str, Any], field: str) -> Iterator[Error]:
    for name in ("number", "weight"):
        if not package.get(name):
            yield empty(f"{field}.{name}")
    if package.get("weight", 0) >= 100:
        yield from (empty(f"{field}.{name}") for name in ("length", "width", "height") if name not in package)
    if not package.get("items"):
        yield empty(f"{field}.items")
    for number, item in enumerate(package.get("items") or []):
        for name in ("name", "ware_key", "payment", "cost", "weight", "amount"):
            if item.get(name) in (None, "", {}):
                yield empty(f"{field}.items[{number}].{name}")
        if len(str(item.get("ware_key", ""))) > 50:
            yield format_error(item["ware_key"], f"{field}.items[{number}].ware_key")


def check_afterwards(body: Mapping[str, Any]) -> list[Error]:
    """What CDEK finds when it looks closer: the order becomes INVALID."""
    errors: list[Error] = []
    tariff = TARIFFS.get(body["tariff_code"])
    if tariff is None:
        errors.append(
            ("err_result_service_empty", "По данному направлению при заданных условиях выбранный тариф недоступен")
        )
    elif tariff[1] and not body.get("delivery_point"):
        errors.append(("ve_receiver_pickup_point_empty", "При режиме «до склада» ПВЗ для доставки обязателен"))
    for point in ("shipment_point", "delivery_point"):
        if body.get(point) and not _OFFICE.fullmatch(str(body[point])):
            errors.append(("code_invalid", f"Передано недопустимое значение кода ПВЗ ({point})"))
    name = str(body["recipient"]["name"])
    if "/" in name:
        errors.append(
            (
                "error_validate_receiver_name_incorrect_symbol",
                'Некорректно указан получатель: невозможно использование символа "/"',
            )
        )
    if name.isdigit():
        errors.append(
            (
                "error_validate_receiver_name_only_digits",
                "Некорректно указан получатель: наименование контрагента не может содержать только цифры",
            )
        )
    if not all(_PHONE.fullmatch(str(phone["number"])) for phone in body["recipient"]["phones"]):
        errors.append(("error_validate_receiver_phone_number_incorrect", "Некорректно указан телефон получателя"))
    errors += _goods(body)
    return list(dict.fromkeys(errors))


def _goods(body: Mapping[str, Any]) -> Iterator[Error]:
    numbers = [str(package["number"]) for package in body["packages"]]
    if len(set(numbers)) < len(numbers):
        yield "error_validate_package_number_not_unique", "Номер места в заказе должен быть уникален"
    for package in body["packages"]:
        if 0 in (package.get("length", 1), package.get("width", 1), package.get("height", 1)):
            yield "error_validate_package_one_of_size_is_zero", "Один из габаритов места заказе равен 0"
        for item in package["items"]:
            if not 1 <= item["amount"] <= 999:
                yield "error_validate_package_im_wrong_amount", "Количество товаров может быть не более 999"
            if item["payment"].get("value") and "vat_rate" not in item["payment"]:
                yield (
                    "error_validate_good_vat_rate_is_not_selected",
                    "При наличии наложенного платежа за единицу товара НДС обязательна",
                )
