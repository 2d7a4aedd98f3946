"""CDEK's documents: orders with their statuses, forms, and what its notifications say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from .cdek_rules import Error, stamp

#: The deprecated numbers that webhooks carry beside the codes; all newer statuses share 1000.
_NUMBERS = {
    "ACCEPTED": 0, "CREATED": 1, "REMOVED": 2, "RECEIVED_AT_SHIPMENT_WAREHOUSE": 3, "DELIVERED": 4,
    "NOT_DELIVERED": 5, "SENT_TO_RECIPIENT_CITY": 8, "TAKEN_BY_COURIER": 11, "ACCEPTED_AT_PICK_UP_POINT": 12,
    "INVALID": 404,
}  # fmt: skip


def uuid_of(name: str) -> str:
    """The UUID of what has a name of its own: the same each time."""
    return str(uuid5(NAMESPACE_URL, f"https://api.cdek.ru/{name}"))


def requests_of(
    kind: str, state: str, at: str, errors: Sequence[Error] = (), warnings: Sequence[Error] = ()
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "request_uuid": uuid_of(f"{kind} {at}"),
        "type": kind,
        "date_time": moment(at),
        "state": state,
    }
    for name, said in (("errors", errors), ("warnings", warnings)):
        if said:
            found[name] = [{"code": code, "message": message} for code, message in said]
    return found


def moment(at: str) -> str:
    """A moment of the books as CDEK writes it."""
    return stamp(datetime.fromisoformat(at))


def status(event: Mapping[str, Any]) -> dict[str, Any]:
    """One of ``statuses``."""
    found = {
        "code": event["status"],
        "name": event.get("name", ""),
        "date_time": event["wire_time"] if "wire_time" in event else moment(event["at"]),
        "city": event.get("city", "Новосибирск"),
        "city_uuid": uuid_of("Новосибирск"),
        "deleted": bool(event.get("deleted")),
    }
    if event.get("reason"):
        found["reason_code"] = event["reason"]
    return found


def order(
    uuid: str, body: Mapping[str, Any], parcel: Mapping[str, Any], events: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The entity of an order. ``parcel``: what has a number and went on its way; {} for one that has not."""
    problems = [
        {"code": event["problem"], "create_date": event["at"].replace("+00:00", "Z")}
        for event in events
        if event.get("problem")
    ]
    found = {
        "uuid": uuid,
        "type": 1,
        "is_return": bool(parcel.get("is_return")),
        "is_reverse": bool(parcel.get("is_reverse")),
        "is_client_return": bool(parcel.get("is_client_return")),
        "from_location": {"code": 270, "city": "Новосибирск", "country_code": "RU"},
        "to_location": {"code": 44, "city": "Москва", "country_code": "RU"},
        "sender": {},
        **body,
        "statuses": [status(event) for event in reversed(events) if event.get("status")],
    }
    if parcel:
        found["cdek_number"] = parcel["code"]
    if problems:
        found["delivery_problem"] = problems
    return found


def notification(
    uuid: str, parcel: Mapping[str, Any], event: Mapping[str, Any], number: str, direct: Sequence[Any]
) -> dict[str, Any]:
    """What a webhook says of an event, by its kind."""
    if event.get("problem"):
        attributes: dict[str, Any] = {
            "cdek_number": parcel["code"],
            "number": number,
            "code": event["problem"],
            "create_date": event["at"].replace("+00:00", "Z"),
        }
        return {"type": "DELIV_PROBLEM", "date_time": moment(event["at"]), "uuid": uuid, "attributes": attributes}
    attributes = {
        "is_return": bool(parcel.get("is_return")),
        "is_reverse": bool(parcel.get("is_reverse")),
        "is_client_return": bool(parcel.get("is_client_return")),
        "cdek_number": parcel["code"],
        "number": number,
        "related_entities": list(direct),
        "code": event["status"],
        "status_code": str(_NUMBERS.get(event["status"], 1000)),
        "status_date_time": moment(event["at"]),
        "city_name": event.get("city", "Новосибирск"),
        "city_code": "270",
        "deleted": bool(event.get("deleted")),
    }
    if event.get("reason"):
        attributes["status_reason_code"] = event["reason"]
    return {"type": "ORDER_STATUS", "date_time": moment(event["at"]), "uuid": uuid, "attributes": attributes}
