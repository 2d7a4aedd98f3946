"""How CDEK is spoken to: OAuth with tokens of an hour, subscriptions, and unsigned notifications."""

from __future__ import annotations

import base64
import hmac
import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from .base import Deliver, Notification, deliver_by_http, route
from .books import Books
from .carriers import CarrierSimulator
from .cdek_documents import requests_of
from .cdek_rules import ApiError, empty

ACCOUNT, PASSWORD = "sandboxAccountOfCdekIntegration0", "sandboxPasswordOfCdekIntegration"
#: What the shop's address for notifications carries.
WEBHOOK_TOKEN = "cdek-sandbox-unguessable-token"
WEBHOOKS = frozenset(
    {
        "ORDER_STATUS", "ORDER_MODIFIED", "PRINT_FORM", "RECEIPT", "DOWNLOAD_PHOTO", "PREALERT_CLOSED",
        "ACCOMPANYING_WAYBILL", "OFFICE_AVAILABILITY", "DELIV_PROBLEM", "DELIV_AGREEMENT", "COURIER_INFO",
    }
)  # fmt: skip
#: A client has so many subscriptions at most.
_MOST = 2


class CdekWire(CarrierSimulator):
    """Subclasses hold the business."""

    def __init__(
        self,
        books: Books | None = None,
        deliver: Deliver = deliver_by_http,
        *,
        account: str = ACCOUNT,
        password: str = PASSWORD,
        notification_url: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ):
        super().__init__(books, deliver, now=now)
        self.account, self.password = account, password
        self._by_http = deliver is deliver_by_http
        if notification_url:
            self.configure(notification_url)

    # OAuth

    @route("POST", "/v2/oauth/token")
    def token(self, request: Request) -> Response:
        """Credentials come in the body; CDEK takes them from the address, too."""
        given = request.values
        right = hmac.compare_digest(
            f"{given.get('client_id')}\n{given.get('client_secret')}".encode(),
            f"{self.account}\n{self.password}".encode(),
        )
        if given.get("grant_type") != "client_credentials":
            return self.json({"error": "unsupported_grant_type", "error_description": "Unsupported grant type"}, 400)
        if not right:
            return self.json({"error": "invalid_client", "error_description": "Bad client credentials"}, 401)
        life = int(self.token_life.total_seconds())
        return self.json(
            {
                "access_token": self.issue_token(),
                "token_type": "bearer",
                "expires_in": max(life - 1, 1),
                "scope": "location:all order:all payment:all",
                "jti": str(uuid4()),
            }
        )

    def issue_token(self) -> str:
        """A JSON web token, as CDEK's is: clients read its end from it."""
        until = self.now() + self.token_life
        claims = {"exp": int(until.timestamp()), "jti": str(uuid4()), "client_id": self.account}
        parts = [
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
            for part in ({"alg": "HS256", "typ": "JWT"}, claims)
        ]
        signature = hmac.digest(b"sandbox", ".".join(parts).encode(), "sha256")
        token = ".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=").decode()])
        self._tokens[token] = until
        self.login_count += 1
        return token

    def check_token(self, request: Request) -> None:
        if not request.headers.get("Authorization"):
            message = "Full authentication is required to access this resource"
            raise ApiError(401, ("unauthorized", message))
        if not self.has_token(request):
            raise ApiError(401, ("v2_token_expired", "Access token is expired: ..."), kind="AUTH")

    def not_found(self, request: Request, error: HTTPException) -> Response:
        if error.code == 404:
            return self.json({"error": "not_found", "error_description": "Not found"}, 404)
        return super().not_found(request, error)

    @staticmethod
    def body(request: Request) -> Any:
        try:
            return json.loads(request.get_data() or b"{}")
        except ValueError:
            raise ApiError(400, ("v2_bad_request", "Bad request"), kind="CREATE") from None

    # Subscriptions

    def configure(self, notification_url: str) -> None:
        """What the merchant subscribes to; the address gets the secret that the shop knows."""
        if not urlsplit(notification_url).query:
            notification_url = f"{notification_url}?token={WEBHOOK_TOKEN}"
        for document in self.subscriptions():
            self.unsubscribe(document["uuid"])
        for kind in ("ORDER_STATUS", "DELIV_PROBLEM"):
            self._subscribed(kind, notification_url)

    def subscriptions(self) -> list[dict[str, Any]]:
        return [document for document in self.books.all("webhook") if not document.get("ended")]

    def _subscribed(self, kind: str, url: str) -> str:
        uuid = str(uuid4())
        self.books.put("webhook", uuid, {"uuid": uuid, "type": kind, "url": url})
        self.notification_url = url
        return uuid

    def unsubscribe(self, uuid: str) -> None:
        with self.books.change("webhook", uuid) as document:
            document["ended"] = True
        self.notification_url = next((document["url"] for document in self.subscriptions()), "")

    @route("GET", "/v2/webhooks")
    def list_webhooks(self, request: Request) -> Response:
        self.check_token(request)
        return self.json(self.subscriptions())

    @route("POST", "/v2/webhooks")
    def add_webhook(self, request: Request) -> Response:
        self.check_token(request)
        body = self.body(request)
        if not body.get("url"):
            raise ApiError(400, empty("url"))
        if body.get("type") not in WEBHOOKS:
            raise ApiError(400, ("v2_webhook_type_incorrect", "Webhook type is incorrect"))
        if len(self.subscriptions()) >= _MOST:
            raise ApiError(400, ("v2_bad_request", f"A client has at most {_MOST} subscriptions"))
        return self._about(self._subscribed(body["type"], body["url"]), "CREATE")

    @route("GET", "/v2/webhooks/<uuid>")
    def read_webhook(self, request: Request, uuid: str) -> Response:
        self.check_token(request)
        return self.json({"entity": self._webhook(uuid), "requests": []})

    @route("DELETE", "/v2/webhooks/<uuid>")
    def end_webhook(self, request: Request, uuid: str) -> Response:
        self.check_token(request)
        self._webhook(uuid)
        self.unsubscribe(uuid)
        return self._about(uuid, "DELETE")

    def _webhook(self, uuid: str) -> dict[str, Any]:
        for document in self.subscriptions():
            if document["uuid"] == uuid:
                return document
        raise ApiError(404, ("v2_entity_not_found", f"Entity is not found by uuid {uuid}"), kind="GET")

    def _about(self, uuid: str, kind: str) -> Response:
        return self.json(
            {"entity": {"uuid": uuid}, "requests": [requests_of(kind, "SUCCESSFUL", self.now().isoformat())]}
        )

    # Notifications

    def letters_about(self, document: Mapping[str, Any]) -> list[Notification]:
        """One for each subscription to this kind of event."""
        body = json.dumps(document, ensure_ascii=False).encode()
        return [
            Notification(found["url"], body, {"Content-Type": "application/json"})
            for found in self.subscriptions()
            if found["type"] == document["type"]
        ]

    def tell(self, notification: Notification, how: str = "once") -> None:
        """Over HTTP from a thread: the shop may still wait for the answer of its own call."""
        if self._by_http:
            threading.Thread(target=super().tell, args=[notification, how], daemon=True).start()
        else:
            super().tell(notification, how)
