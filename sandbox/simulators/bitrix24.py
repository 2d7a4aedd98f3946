"""Bitrix24: contacts, deals with their rows, stages by pipeline, batches, the rate of a portal, and events.

A person moves deals on the first page. Events name only an id; they go out for every change, also for those of the shop.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode

from werkzeug.wrappers import Request, Response

from .base import Deliver, Notification, deliver_by_http, route
from .bitrix24_pages import DealPages
from .bitrix24_rules import (
    APPLICATION_TOKEN,
    CODE,
    PAGE,
    PIPELINES,
    USER,
    Bucket,
    Refused,
    fits,
    listed,
    php,
    query,
    resolved,
    sort_key,
    stages,
    stamp,
)
from .books import Books


class Bitrix24(DealPages):
    """One portal. ``old_hooks``: events without ``event_handler_id``; ``deaf``: a stage that is not there changes nothing."""

    name, title, family = "bitrix24", "Bitrix24", "connectors"
    note = "A simulation on this machine. Nobody is called."
    listed = "All deals"

    def __init__(
        self,
        books: Books | None = None,
        deliver: Deliver = deliver_by_http,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        bucket: Bucket | None = None,
    ):
        super().__init__(books, deliver)
        self.now, self.bucket = now, bucket or Bucket()
        self.hook_url, self.token, self.old_hooks, self.deaf = "", APPLICATION_TOKEN, False, False
        #: How the shop hears of what it did itself.
        self.echo = "once"
        #: Methods that have worked too long, and until when (Unix time).
        self.tired: dict[str, float] = {}
        #: Methods that did something, with the deal or contact, in their order.
        self.effects: list[tuple[str, str]] = []
        #: A robot of the portal: called after each move, with the deal.
        self.robot: Callable[[dict[str, Any]], None] = lambda deal: None

    def configure(self, url: str) -> None:
        """Where events go, as an administrator enters it."""
        self.hook_url = url

    # Calls

    @route("POST", "/rest/<user>/<code>/<path:method>")
    @route("GET", "/rest/<user>/<code>/<path:method>")
    def rest(self, request: Request, user: str, code: str, method: str) -> Response:
        if self.bucket.overflows():
            text = {"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}
            return self.json(text, 503)
        if (user, code) != (USER, CODE):
            return self.json({"error": "INVALID_CREDENTIALS", "error_description": "Invalid request credentials"}, 401)
        params = request.get_json(silent=True)
        if not isinstance(params, dict):
            params = php([*request.args.items(multi=True), *request.form.items(multi=True)])
        try:
            answer = self.batch(params) if method.removesuffix(".json") == "batch" else self.one(method, params)
        except Refused as error:
            document = {"error": error.code, "error_description": error.description}
            return self.json({**document, "time": self._time()}, error.status)
        return self.json({**answer, "time": self._time()})

    def _time(self, method: str = "") -> dict[str, Any]:
        at = self.now()
        begun, date = at.timestamp(), stamp(at)
        found: dict[str, Any] = {
            "start": begun, "finish": begun + 0.02, "duration": 0.02, "processing": 0.01, "date_start": date,
            "date_finish": date, "operating": 0.1,
        }  # fmt: skip
        until = self.tired.get(method) or max(self.tired.values(), default=0)
        return {**found, "operating_reset_at": int(until)} if until else found

    def one(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """One method's answer: result, and next and total of a list."""
        method = method.removesuffix(".json").lower()
        if self.tired.get(method, 0) > self.now().timestamp():
            raise Refused("Method is blocked due to operation time limit.", "OPERATION_TIME_LIMIT", 429)
        known: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "crm.category.list": self._categories, "crm.contact.add": self._contact_add,
            "crm.contact.get": self._contact_get, "crm.deal.add": self._deal_add, "crm.deal.get": self._deal_get,
            "crm.deal.list": self._deal_list, "crm.deal.productrows.get": self._rows_get,
            "crm.deal.productrows.set": self._rows_set, "crm.deal.update": self._deal_update,
            "crm.duplicate.findbycomm": self._duplicates, "crm.status.list": self._statuses,
        }  # fmt: skip
        if method not in known:
            raise Refused("Method not found!", "ERROR_METHOD_NOT_FOUND", 404)
        with self.books.lock:
            return known[method](params)

    def batch(self, params: dict[str, Any]) -> dict[str, Any]:
        commands = params.get("cmd")
        commands = commands if isinstance(commands, dict) else dict(enumerate(listed(commands)))
        if len(commands) > 50:
            raise Refused("Max batch length exceeded", "ERROR_BATCH_LENGTH_EXCEEDED")
        results: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        rest: dict[str, dict[str, Any]] = {"result_total": {}, "result_next": {}, "result_time": {}}
        for name, line in commands.items():
            method, _mark, text = str(line).partition("?")
            try:
                answer = self.one(method, resolved(query(text), results))
            except Refused as error:
                errors[str(name)] = {"error": error.code, "error_description": error.description}
                rest["result_time"][str(name)] = self._time(method.lower())
                if str(params.get("halt")) in ("1", "true", "True"):
                    break
                continue
            results[str(name)] = answer["result"]
            rest["result_time"][str(name)] = self._time()
            for key in ("total", "next"):
                if key in answer:
                    rest[f"result_{key}"][str(name)] = answer[key]
        # PHP writes an empty object as a list.
        return {
            "result": {"result": results or [], "result_error": errors or [], **{k: v or [] for k, v in rest.items()}}
        }

    # Contacts

    def _contact_add(self, params: dict[str, Any]) -> dict[str, Any]:
        fields = params.get("fields")
        if not isinstance(fields, dict):
            raise Refused("Fields are not set")
        number = str(self.books.count("contact") + 1)
        kept = {**fields, "ID": number}
        for kind in ("PHONE", "EMAIL"):
            kept[kind] = [each for each in listed(fields.get(kind)) if isinstance(each, dict)]
        self.books.put("contact", number, kept)
        self.effects.append(("crm.contact.add", number))
        return {"result": int(number)}

    def _contact_get(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self.books.get("contact", str(_id(params)))
        if found is None:
            raise Refused("Not found")
        return {"result": found}

    def _duplicates(self, params: dict[str, Any]) -> dict[str, Any]:
        kind = params.get("type")
        if kind not in ("PHONE", "EMAIL"):
            raise Refused("Parameter 'type' is not defined or invalid.")
        wanted = {_norm(str(kind), str(value)) for value in listed(params.get("values"))}
        ids = [
            int(contact["ID"])
            for contact in self.books.all("contact")
            if wanted & {_norm(str(kind), str(each.get("VALUE"))) for each in contact[kind]}
        ]
        return {"result": {"CONTACT": ids[:20]} if ids else []}

    # Deals

    def deal(self, number: str | int) -> dict[str, Any]:
        """A deal as it is. :class:`Refused` for one that is not there."""
        found = self.books.get("deal", str(number))
        if found is None or found.get("deleted"):
            raise Refused("Not found")
        return found

    @property
    def deals(self) -> list[dict[str, Any]]:
        """All deals, the oldest first."""
        return [deal for deal in self.books.all("deal") if not deal.get("deleted")]

    def _deal_add(self, params: dict[str, Any]) -> dict[str, Any]:
        fields = dict(params.get("fields") or {})
        pipeline = int(fields.get("CATEGORY_ID") or 0)
        if pipeline not in PIPELINES:
            raise Refused("Category is not found")
        number, at = str(self.books.count("deal") + 1), stamp(self.now())
        stage = fields.get("STAGE_ID")
        if stage not in stages(pipeline):
            stage = next(iter(stages(pipeline)))
        deal = {
            "TITLE": f"Deal {number}", "CURRENCY_ID": "RUB", "OPPORTUNITY": "0.00", "ORIGINATOR_ID": None,
            "ORIGIN_ID": None, **fields, "ID": number, "STAGE_ID": stage, "CATEGORY_ID": str(pipeline),
            "DATE_CREATE": at, "DATE_MODIFY": at, "MOVED_TIME": at, "rows": [],
            "CONTACT_IDS": [str(each) for each in listed(fields.get("CONTACT_IDS"))],
        }  # fmt: skip
        deal["CONTACT_ID"] = next(iter(deal["CONTACT_IDS"]), None)
        self.books.put("deal", number, deal)
        self.effects.append(("crm.deal.add", number))
        self.event("ONCRMDEALADD", number, self.echo)
        self.robot(deal)
        return {"result": int(number)}

    def _shown(self, deal: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in deal.items() if key not in ("rows", "CONTACT_IDS", "deleted")}

    def _deal_get(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"result": self._shown(self.deal(_id(params)))}

    def _deal_list(self, params: dict[str, Any]) -> dict[str, Any]:
        order, wanted = params.get("order") or {}, params.get("filter") or {}
        found = sorted((deal for deal in self.deals if fits(deal, wanted)), key=sort_key(order))
        if str(next(iter(order.values()), "ASC")).upper() == "DESC":
            found.reverse()
        start, select = int(params.get("start") or 0), listed(params.get("select"))
        page = found[start : start + PAGE]
        rows = [{key: deal.get(key) for key in select or self._shown(deal)} for deal in page]
        more = {"next": start + PAGE} if len(found) > start + PAGE else {}
        return {"result": rows, "total": len(found), **more}

    def _deal_update(self, params: dict[str, Any]) -> dict[str, Any]:
        deal, fields = self.deal(_id(params)), dict(params.get("fields") or {})
        # A deal stays in its direction, and what it is named by stays too.
        for fixed in ("ID", "CATEGORY_ID", "DATE_CREATE", "DATE_MODIFY", "MOVED_TIME"):
            fields.pop(fixed, None)
        stage = fields.pop("STAGE_ID", deal["STAGE_ID"])
        if stage not in stages(int(deal["CATEGORY_ID"])):
            if not self.deaf:
                raise Refused("Stage is not found")
            stage = deal["STAGE_ID"]
        self.change(deal["ID"], stage=stage, how=self.echo, **fields)
        self.effects.append(("crm.deal.update", deal["ID"]))
        return {"result": True}

    def change(self, number: str, *, stage: str = "", how: str = "once", **fields: Any) -> dict[str, Any]:
        """Somebody changes a deal; a stage moves it. An event tells of it (``how``: a key of NOTIFY)."""
        with self.books.lock:
            deal, at = self.deal(number), stamp(self.now())
            moved = bool(stage) and stage != deal["STAGE_ID"]
            deal |= fields | {"DATE_MODIFY": at}
            if moved:
                deal |= {"STAGE_ID": stage, "MOVED_TIME": at}
            self.books.put("deal", deal["ID"], deal)
            self.event("ONCRMDEALUPDATE", deal["ID"], how)
            if moved:
                self.robot(deal)
        return deal

    def delete(self, number: str, how: str = "once") -> None:
        with self.books.change("deal", number) as deal:
            deal["deleted"] = True
        self.event("ONCRMDEALDELETE", number, how)

    def _rows_set(self, params: dict[str, Any]) -> dict[str, Any]:
        deal, rows = self.deal(_id(params)), [row for row in listed(params.get("rows")) if isinstance(row, dict)]
        try:
            total = sum((Decimal(row["PRICE"]) * Decimal(row.get("QUANTITY", 1)) for row in rows), Decimal(0))
        except (KeyError, InvalidOperation):
            raise Refused("The price of a row is no number") from None
        if deal.get("IS_MANUAL_OPPORTUNITY") != "Y":
            deal["OPPORTUNITY"] = str(total)
        self.books.put("deal", deal["ID"], {**deal, "rows": rows, "DATE_MODIFY": stamp(self.now())})
        return {"result": True}

    def _rows_get(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"result": self.deal(_id(params))["rows"]}

    # Directories

    def _categories(self, params: dict[str, Any]) -> dict[str, Any]:
        if str(params.get("entityTypeId")) != "2":
            raise Refused("Entity type is not supported", "ENTITY_TYPE_NOT_SUPPORTED")
        rows = [
            {"id": number, "name": name, "sort": 100, "entityTypeId": 2, "isDefault": "N" if number else "Y"}
            for number, name in PIPELINES.items()
        ]
        return {"result": {"categories": rows}, "total": len(rows)}

    def _statuses(self, params: dict[str, Any]) -> dict[str, Any]:
        wanted = str((params.get("filter") or {}).get("ENTITY_ID") or "")
        rows = []
        for pipeline in PIPELINES:
            entity = f"DEAL_STAGE_{pipeline}" if pipeline else "DEAL_STAGE"
            for place, (code, label) in enumerate(stages(pipeline).items(), 1):
                if wanted in ("", entity):
                    rows.append({"ENTITY_ID": entity, "STATUS_ID": code, "NAME": label, "SORT": str(place * 10)})
        return {"result": rows, "total": len(rows)}

    # Events

    def event(self, event: str, number: str, how: str = "once") -> None:
        if self.hook_url:
            self.tell(self.notification(event, number), how)

    def notification(self, event: str, number: str, **fields: str) -> Notification:
        """An event as it goes out."""
        form = {
            "event": event, "data[FIELDS][ID]": number, "ts": str(int(self.now().timestamp())),
            "auth[domain]": "portal.bitrix24.example", "auth[client_endpoint]": "https://evil.example/rest/",
            "auth[member_id]": "a223c6b3710f85df22e9377d6c4f7553", "auth[application_token]": self.token, **fields,
        }  # fmt: skip
        if not self.old_hooks:
            form["event_handler_id"] = "201"
        return Notification(
            self.hook_url, urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
        )  # fmt: skip


def _id(params: dict[str, Any]) -> int:
    value = str(params.get("id", params.get("ID", "")))
    if not value.isdigit():
        raise Refused("ID is not defined or invalid.")
    return int(value)


def _norm(kind: str, value: str) -> str:
    return "".join(c for c in value if c.isdigit())[-10:] if kind == "PHONE" else value.strip().lower()
