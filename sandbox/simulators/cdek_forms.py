"""CDEK's printed forms: asked for, made after a while, and kept for an hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from werkzeug.wrappers import Request, Response

from oscar_fulfillment.test.pdf import label_pdf

from .base import route
from .cdek_documents import moment, requests_of
from .cdek_rules import ApiError, empty
from .cdek_wire import CdekWire

_KINDS = {"barcodes": "barcode", "orders": "waybill"}
_NAMES = {
    "ACCEPTED": "Принят",
    "PROCESSING": "Формируется",
    "READY": "Сформирован",
    "REMOVED": "Удален",
    "INVALID": "Некорректный запрос",
}


class CdekForms(CdekWire):
    """Subclasses have the orders."""

    #: How long a form is being made, and how long its file can be fetched.
    making, kept = timedelta(seconds=1), timedelta(hours=1)

    def work(self) -> None:
        raise NotImplementedError

    @route("POST", "/v2/print/<kind>")
    def print(self, request: Request, kind: str) -> Response:
        self.check_token(request)
        self.work()
        if kind not in _KINDS:
            raise ApiError(404, ("v2_bad_request", "Bad request"))
        body, at = self.body(request), self.now().isoformat()
        if not body.get("orders"):
            raise ApiError(400, empty("orders"), kind="CREATE")
        asked = [str(entry.get("order_uuid") or entry.get("cdek_number") or "") for entry in body["orders"]]
        found = [order for order in self.books.all("order") if order["uuid"] in asked or order["cdek_number"] in asked]
        if any(order["state"] == "ACCEPTED" for order in found):
            raise ApiError(400, ("v2_entity_not_ready", "v2_entity_not_ready"), kind="CREATE")
        good = [order["uuid"] for order in found if order["state"] == "SUCCESSFUL"]
        form = {"uuid": str(uuid4()), "kind": kind, "at": at, "orders": good, "format": body.get("format", "A4")}
        self.books.put("form", form["uuid"], form)
        return self.json(
            {
                "entity": {"uuid": form["uuid"]},
                "requests": [requests_of("CREATE", "ACCEPTED", at)],
                "related_entities": [],
            },
            202,
        )

    @route("GET", "/v2/print/<kind>/<uuid>")
    def form(self, request: Request, kind: str, uuid: str) -> Response:
        self.check_token(request)
        form = self._form(kind, uuid)
        state, steps = self._state(form), [("ACCEPTED", form["at"])]
        if state != "ACCEPTED":
            steps.append((state, max(form["at"], self.now().isoformat())))
        entity: dict[str, Any] = {
            "uuid": uuid,
            "orders": [{"order_uuid": order} for order in form["orders"]],
            "format": form["format"],
            "statuses": [{"code": code, "name": _NAMES[code], "date_time": moment(at)} for code, at in steps],
        }
        if state == "READY":
            entity["url"] = self._url(form)
        errors = [("v2_entity_empty", "Entity is empty. All orders are incorrect")] if state == "INVALID" else []
        made = requests_of("CREATE", "INVALID" if errors else "SUCCESSFUL", form["at"], errors)
        return self.json({"entity": entity, "requests": [made], "related_entities": []})

    @route("GET", "/v2/print/<kind>/<uuid>.pdf")
    def download(self, request: Request, kind: str, uuid: str) -> Response:
        self.check_token(request)
        form = self._form(kind, uuid)
        if self._state(form) != "READY":
            raise ApiError(404, ("v2_entity_expired", "Entity is expired"), kind="GET")
        orders = [self.books.get("order", order) or {} for order in form["orders"]]
        lines = ["CDEK", kind]
        for order in orders:
            packages = len(order["body"]["packages"])
            lines += [str(order["cdek_number"]), str(order["body"].get("number", "")), f"{packages} package(s)"]
        return Response(label_pdf(lines), mimetype="application/pdf")

    def related_forms(self, order: str) -> list[dict[str, Any]]:
        """Those that are made, as the order names them."""
        return [
            {
                "type": _KINDS[form["kind"]],
                "uuid": form["uuid"],
                "url": self._url(form),
                "create_time": moment(form["at"]),
            }
            for form in self.books.all("form")
            if order in form["orders"] and self._state(form) in ("READY", "REMOVED")
        ]

    def _form(self, kind: str, uuid: str) -> dict[str, Any]:
        form = self.books.get("form", uuid)
        if form is None or form["kind"] != kind:
            raise ApiError(404, ("v2_entity_not_found", f"Entity is not found by uuid {uuid}"), kind="GET")
        return form

    def _state(self, form: dict[str, Any]) -> str:
        age = self.now() - datetime.fromisoformat(form["at"])
        if age < self.making:
            return "PROCESSING"
        if not form["orders"]:
            return "INVALID"
        return "READY" if age < self.making + self.kept else "REMOVED"

    @staticmethod
    def _url(form: dict[str, Any]) -> str:
        return f"https://api.cdek.ru/v2/print/{form['kind']}/{form['uuid']}.pdf"
