"""AbaNinja's account: who may call, how answers are wrapped, and its customers."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.wrappers import Request, Response

from .abaninja_pages import Pages
from .abaninja_rules import Refusal, check_address, check_customer
from .base import route

A = "/accounts/<account>"
_PAGE = 20


class Account(Pages):
    """``forbidden``: scopes that the key lacks, by area. ``meta``: lists say how many pages they have."""

    account = api_key = ""
    meta = True
    forbidden: frozenset[str] = frozenset()

    # Customers

    @route("POST", f"{A}/addresses/v2/addresses")
    def create_address(self, request: Request, account: str) -> Response:
        return self._answer(request, account, "addresses", self._create_address)

    def _create_address(self, request: Request, body: dict[str, Any]) -> Response:
        check_customer(body)
        with self.books.lock:
            alike = [found for found in self.books.all("customer") if _alike(found, body)]
            taken = [found for found in alike if found["customer_number"] == body["customer_number"]]
            if taken or (alike and request.args.get("force") != "true"):
                raise Refusal("Possible duplicates were found.", 409, data=alike)
            born = {**body, "uuid": str(uuid.uuid4()), "addresses": [_with_id(entry) for entry in body["addresses"]]}
            if born["type"] == "company":
                born["company_name"] = born.pop("name")
            self.books.put("customer", born["uuid"], born)
        return self._said(born, 201)

    @route("GET", f"{A}/addresses/v2/<kind>")
    def customers(self, request: Request, account: str, kind: str) -> Response:
        def listed(request: Request, body: dict[str, Any]) -> Response:
            wanted = {"persons": "person", "companies": "company"}.get(kind)
            if wanted is None:
                raise Refusal("Not found.", 404)
            return self._listed(request, [each for each in self.books.all("customer") if each["type"] == wanted])

        return self._answer(request, account, "addresses", listed)

    @route("PATCH", f"{A}/addresses/v2/<kind>/<customer>")
    def change_customer(self, request: Request, account: str, kind: str, customer: str) -> Response:
        def changed(request: Request, body: dict[str, Any]) -> Response:
            for entry in body.get("addresses") or ():
                check_address(entry)
            with self.books.lock:
                if self.books.get("customer", customer) is None:
                    raise Refusal("Not found.", 404)
                with self.books.change("customer", customer) as found:
                    found["addresses"] = [_with_id(entry) for entry in body.get("addresses", found["addresses"])]
            return self._said(found)

        return self._answer(request, account, "addresses", changed)

    # Small things

    def _answer(self, request: Request, account: str, area: str, handle: Callable[..., Response]) -> Response:
        try:
            if request.headers.get("Authorization") != f"Bearer {self.api_key}":
                raise Refusal("Unauthenticated.", 401)
            if account != self.account or area in self.forbidden:
                raise Refusal("Invalid scope(s) provided.", 403)
            body = request.get_json(silent=True) if request.method in ("POST", "PATCH") else {}
            if not isinstance(body, dict):
                raise Refusal("The body is no JSON object.")
            return handle(request, body)
        except Refusal as refusal:
            document: dict[str, Any] = {"status": refusal.status, "message": refusal.message}
            if refusal.errors:
                document["errors"] = refusal.errors
            if refusal.data is not None:
                document["data"] = refusal.data
            return self.json(document, refusal.status)

    def _said(self, data: Any, status: int = 200) -> Response:
        return self.json({"status": status, "message": "OK", "data": data}, status)

    def _listed(self, request: Request, found: list[Any]) -> Response:
        size = min(request.args.get("limit", _PAGE, int), _PAGE)
        page = max(request.args.get("page", 1, int), 1)
        shown = found[(page - 1) * size : page * size]
        meta = {"meta": {"current_page": page, "last_page": -(-len(found) // size) or 1}} if self.meta else {}
        return self.json({"status": 200, "message": "OK", "data": shown, **meta})


def _with_id(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**entry, "uuid": entry.get("uuid") or str(uuid.uuid4())}


def _alike(found: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """Generous, as theirs: the same number, mailbox or name."""
    names = [str(each.get("company_name") or each.get("name") or f"{each.get('first_name')} {each.get('last_name')}")
             for each in (found, body)]  # fmt: skip
    mails = [{c["value"].lower() for c in each.get("contacts") or () if c["type"] == "email"} for each in (found, body)]
    same_number = found["customer_number"] == body["customer_number"]
    return same_number or names[0].lower() == names[1].lower() or bool(mails[0] & mails[1])
