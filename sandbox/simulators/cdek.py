"""CDEK, API v2: orders that are taken now and checked later, statuses, the way back, forms, notifications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from markupsafe import Markup
from werkzeug.exceptions import BadRequest
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from . import cdek_documents as documents
from .base import Notification, route
from .carriers import HOSTILE_TEXT
from .cdek_documents import requests_of, uuid_of
from .cdek_forms import CdekForms
from .cdek_rules import DUPLICATE, ApiError, check_afterwards, check_at_once, format_error
from .control import root

#: Statuses after which the number of an order may be taken again.
_FINAL = frozenset({"DELIVERED", "NOT_DELIVERED", "REMOVED"})
DELETE_REFUSED = (
    "error_validate_order_delete_status",
    "Ошибка удаления заказа. Заказ может быть удален только в статусе Создан.",
)


class Cdek(CdekForms):
    """One client of CDEK. An order is checked ``delay`` after it was taken, or when a person says so (``by_hand``)."""

    name, title = "cdek", "CDEK"
    delay = timedelta(seconds=2)
    #: Whether a deleted order is gone altogether, instead of having the status REMOVED.
    forgets = False
    steps = {
        "announced": {"status": "CREATED", "name": "Создан"},
        "collected": {"status": "RECEIVED_AT_SHIPMENT_WAREHOUSE", "name": "Принят на склад отправителя"},
        "in_transit": {"status": "SENT_TO_RECIPIENT_CITY", "name": "Отправлен в г. получатель"},
        "out_for_delivery": {"status": "TAKEN_BY_COURIER", "name": "Выдан на доставку", "city": "Москва"},
        "attempt_failed": {"problem": "13"},
        "ready_for_pickup": {"status": "ACCEPTED_AT_PICK_UP_POINT", "name": "Принят на склад до востребования"},
        "on_hold": {"status": "IN_CUSTOMS_LOCAL", "name": "Таможенное оформление в стране назначения"},
        "delivered": {"status": "DELIVERED", "name": "Вручен", "city": "Москва"},
        "returning": {"status": "NOT_DELIVERED", "name": "Не вручен", "reason": "11", "city": "Москва"},
        "returned": {"back": True, "status": "DELIVERED", "name": "Вручен"},
        "cancelled": {"status": "REMOVED", "name": "Удален"},
        "lost": {"status": "NOT_DELIVERED", "name": "Не вручен", "reason": "26"},
        "unknown": {"status": "TELEPORTED", "name": "Телепортирован"},
        "hostile": {"status": "PASSED_TO_TRANSIT_CARRIER", "name": HOSTILE_TEXT, "city": HOSTILE_TEXT},
    }

    # Parcels

    def new_code(self, number: int) -> str:
        return str(1_105_000_000 + number)

    def advance(self, code: str, step: str, notify: str = "once", **changes: Any) -> dict[str, Any]:
        """What comes back to the shop is an order of its own, with a number of its own."""
        if self.steps[step].get("back") and not (self.record(code) or {}).get("is_return"):
            self.parcel(code)
            way_back = self.parcel(f"9{code}"[:20], is_return=True, direct=code)
            with self.books.change("parcel", code) as record:
                record["way_back"] = way_back
                last = [datetime.fromisoformat(event["at"]) + timedelta(seconds=1) for event in record["events"][-1:]]
            changes.setdefault("at", max([self.now(), *last]).isoformat())
            code = way_back
        return super().advance(code, step, notify, **changes)

    def take_back(self, code: str) -> None:
        """CDEK deletes the last status of a parcel: it was set by mistake."""
        with self.books.change("parcel", code) as record:
            record["events"][-1]["deleted"] = True

    def notifications(self, record: dict[str, Any], event: dict[str, Any]) -> Sequence[Notification]:
        direct = []
        if record.get("direct"):
            direct = [{"type": "direct_order", "uuid": self._uuid(record["direct"]), "cdek_number": record["direct"]}]
        number = (self._order_of(record["code"]) or {}).get("body", {}).get("number", "")
        return self.letters_about(documents.notification(self._uuid(record["code"]), record, event, number, direct))

    def foreign(self) -> list[tuple[dict[str, str], bytes, dict[str, str]]]:
        told = {
            "type": "PRINT_FORM",
            "date_time": documents.moment(self.now().isoformat()),
            "uuid": str(uuid4()),
            "attributes": {"type": "BARCODE", "url": "http://api.cdek.ru/v2/print/barcodes/1.pdf"},
        }
        [letter, *_more] = self.letters_about({**told, "type": "ORDER_STATUS"})
        headers, _body, query = self.arrives(letter)
        return [(headers, self.json(told).get_data(), query)]

    def _uuid(self, code: str) -> str:
        found = self._order_of(code)
        return str(found["uuid"]) if found else uuid_of(f"parcel {code}")

    def _order_of(self, code: str) -> dict[str, Any] | None:
        return next((found for found in self.books.all("order") if found["cdek_number"] == code), None)

    # What CDEK does by itself

    @property
    def by_hand(self) -> bool:
        return bool((self.books.get("setting", "by_hand") or {}).get("on"))

    @by_hand.setter
    def by_hand(self, on: bool) -> None:
        self.books.put("setting", "by_hand", {"on": on})

    def work(self) -> None:
        """Check what was taken long enough ago."""
        for found in self.books.all("order"):
            due = datetime.fromisoformat(found["at"]) + self.delay <= self.now()
            if found["state"] == "ACCEPTED" and due and not self.by_hand:
                self.confirm(found["uuid"])
            if found["deletion"] and found["deletion"]["state"] == "ACCEPTED":
                self._delete(found["uuid"])

    def confirm(self, external_id: str, *, refuse: Sequence[tuple[str, str]] = ()) -> None:
        """Check an order now: it gets its number, or it is INVALID."""
        with self.books.change("order", external_id) as found:
            if found["state"] != "ACCEPTED":
                return
            number = found["body"].get("number")
            taken = [other for other in self.books.all("order") if self._holds(other, number)]
            found["errors"] = [*refuse, *check_afterwards(found["body"]), *([DUPLICATE] if taken else [])]
            found["state"] = "INVALID" if found["errors"] else "SUCCESSFUL"
            if not found["errors"]:
                found["cdek_number"] = self.parcel()
        if found["cdek_number"]:
            self.advance(found["cdek_number"], "announced")

    def _holds(self, order: Mapping[str, Any], number: Any) -> bool:
        """Whether an order under way has this number of the client."""
        if order["state"] != "SUCCESSFUL" or not number or order["body"].get("number") != number:
            return False
        return not _FINAL & {event.get("status") for event in self._events(order)}

    def _events(self, order: Mapping[str, Any]) -> list[dict[str, Any]]:
        record = self.record(order["cdek_number"]) if order["cdek_number"] else None
        return list(record["events"]) if record else []

    def _delete(self, uuid: str) -> None:
        self.confirm(uuid)
        with self.books.change("order", uuid) as found:
            begun = {event.get("status") for event in self._events(found)} - {"CREATED"}
            found["deletion"]["state"] = "INVALID" if begun else "SUCCESSFUL"
            found["deletion"]["errors"] = [DELETE_REFUSED] if begun else []
        if not begun and found["cdek_number"]:
            self.advance(found["cdek_number"], "cancelled")

    # API: orders

    @route("POST", "/v2/orders")
    def register(self, request: Request) -> Response:
        self.check_token(request)
        body, uuid, at = check_at_once(self.body(request)), str(uuid4()), self.now().isoformat()
        document = {
            "uuid": uuid,
            "at": at,
            "body": body,
            "state": "ACCEPTED",
            "errors": [],
            "cdek_number": "",
            "deletion": None,
        }
        self.books.put("order", uuid, document)
        return self.json(
            {"entity": {"uuid": uuid}, "requests": [requests_of("CREATE", "ACCEPTED", at)], "related_entities": []}, 202
        )

    @route("GET", "/v2/orders/<uuid>")
    def order(self, request: Request, uuid: str) -> Response:
        self.check_token(request)
        self.work()
        return self.json(self._whole(uuid))

    @route("GET", "/v2/orders")
    def search(self, request: Request) -> Response:
        self.check_token(request)
        self.work()
        code, number = request.args.get("cdek_number", ""), request.args.get("im_number", "")
        if code:
            if not (code.isascii() and code.isdigit()):
                raise ApiError(400, format_error(code, "cdek_number"), kind="GET")
            if self.asked(code) is None:
                raise ApiError(400, ("v2_order_not_found", f"Order not found by cdek_number {code}"), kind="GET")
            return self.json(self._whole(self._uuid(code)))
        if not number:
            raise ApiError(400, ("v2_order_number_empty", "Order number and order uuid are empty"), kind="GET")
        # Of several with one number the newest is told, whatever became of it.
        for found in self.books.all("order", newest_first=True):
            if found["body"].get("number") == number and not self._gone(found):
                return self.json(self._whole(found["uuid"]))
        raise ApiError(400, ("v2_entity_not_found_im_number", f"Entity is not found by number {number}"), kind="GET")

    @route("DELETE", "/v2/orders/<uuid>")
    def remove(self, request: Request, uuid: str) -> Response:
        self.check_token(request)
        self.work()
        self._whole(uuid)
        at = self.now().isoformat()
        with self.books.change("order", uuid) as found:
            found["deletion"] = {"state": "ACCEPTED", "errors": [], "at": at}
        return self.json({"entity": {"uuid": uuid}, "requests": [requests_of("DELETE", "ACCEPTED", at)]}, 202)

    def _gone(self, found: Mapping[str, Any]) -> bool:
        return self.forgets and bool(found["deletion"]) and found["deletion"]["state"] == "SUCCESSFUL"

    def _whole(self, uuid: str) -> dict[str, Any]:
        """The answer about an order, or about a parcel that the client did not order over this API."""
        try:
            UUID(uuid)
        except ValueError:
            raise ApiError(400, format_error(uuid, "uuid"), kind="GET") from None
        found = self.books.get("order", uuid)
        code = found["cdek_number"] if found else self._parcel_with(uuid)
        if (not found and not code) or (found and self._gone(found)):
            raise ApiError(404, ("v2_entity_not_found", f"Entity is not found by uuid {uuid}"), kind="GET")
        record = (self.record(code) if code else None) or {}
        events, requests = list(record.get("events", [])), []
        if found:
            events.insert(0, {"status": "ACCEPTED", "name": "Принят", "at": found["at"]})
            if found["state"] == "INVALID":
                events.append({"status": "INVALID", "name": "Некорректный заказ", "at": found["at"]})
            requests.append(requests_of("CREATE", found["state"], found["at"], found["errors"]))
            if found["deletion"]:
                requests.append(
                    requests_of(
                        "DELETE", found["deletion"]["state"], found["deletion"]["at"], found["deletion"]["errors"]
                    )
                )
        related = self.related_forms(uuid)
        for kind, other in (("return_order", record.get("way_back")), ("direct_order", record.get("direct"))):
            if other:
                related.append({"type": kind, "uuid": self._uuid(other), "cdek_number": other})
        body = (
            found["body"] if found else {"number": "", "tariff_code": 137, "recipient": {"name": "-"}, "packages": []}
        )
        return {
            "entity": documents.order(uuid, body, record, events),
            "requests": requests,
            "related_entities": related,
        }

    def _parcel_with(self, uuid: str) -> str:
        return next((record["code"] for record in self.books.all("parcel") if self._uuid(record["code"]) == uuid), "")

    # The page

    @route("GET", "/", person=True)
    def page(self, request: Request) -> Response:
        self.work()
        return super().page(request)

    def held_form(self, request: Request) -> Markup:
        """Also what waits for a person: orders that are not checked yet."""
        rows = Markup("").join(
            Markup(
                '<form method="post" action="{root}orders"><input type="hidden" name="uuid" value="{uuid}"><p>{number} '
                '<button name="do" value="number">Give it its number</button> '
                '<button name="do" value="refuse">Refuse it</button></p></form>'
            ).format(root=root(request), uuid=found["uuid"], number=found["body"].get("number", found["uuid"]))
            for found in self.books.all("order", newest_first=True)
            if found["state"] == "ACCEPTED"
        )
        switch = Markup(
            '<form method="post" action="{root}orders"><p>{told} <button name="do" value="{do}">{label}</button></p></form>'
        ).format(
            root=root(request),
            told="New orders wait for you." if self.by_hand else "New orders are checked by themselves.",
            do="by_itself" if self.by_hand else "by_hand",
            label="Check them by themselves" if self.by_hand else "Let them wait for me",
        )
        return super().held_form(request) + switch + rows

    @route("POST", "/orders", person=True)
    def decide(self, request: Request) -> Response:
        action, uuid = request.form.get("do", ""), request.form.get("uuid", "")
        if action in ("by_hand", "by_itself"):
            self.by_hand = action == "by_hand"
        elif action in ("number", "refuse") and self.books.get("order", uuid):
            refuse = [("error_calculator_calculate", "При обращении к калькулятору произошла ошибка")]
            self.confirm(uuid, refuse=refuse if action == "refuse" else ())
        else:
            raise BadRequest("no such order")
        return redirect(root(request), 303)
