"""Melhor Envio: labels found by their tracking code, how they stand, and signed notifications.

A label is an order of theirs with a status and the moments of what happened to it; there is no list of events. Times are
Brasília's and do not say so.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from werkzeug.wrappers import Request, Response

from .base import Notification, route
from .carriers import HOSTILE_TEXT, CarrierSimulator

TOKEN, SECRET = "simulated-melhor-envio-token", "simulated-melhor-envio-app-secret"
_BRASILIA = ZoneInfo("America/Sao_Paulo")
#: A status, and the moment of the label that it sets.
_MOMENTS = {
    "released": "paid_at",
    "generated": "generated_at",
    "posted": "posted_at",
    "delivered": "delivered_at",
    "canceled": "canceled_at",
}
_ALL_MOMENTS = ("paid_at", "generated_at", "posted_at", "delivered_at", "canceled_at", "expired_at")


class MelhorEnvio(CarrierSimulator):
    """One application with one token (``tokens``: others that are good, too)."""

    name, title, tells = "melhor_envio", "Melhor Envio", True
    steps = {
        "announced": {"status": "generated", "event": "order.generated"},
        "collected": {"status": "received", "event": "order.received"},
        "in_transit": {"status": "posted", "event": "order.posted"},
        "attempt_failed": {"status": "undelivered", "event": "order.undelivered"},
        "on_hold": {"status": "paused", "event": "order.paused"},
        "delivered": {"status": "delivered", "event": "order.delivered"},
        "cancelled": {"status": "canceled", "event": "order.cancelled"},
        "unknown": {"status": "teleported", "event": "order.teleported"},
        "hostile": {"status": f"odd{HOSTILE_TEXT}", "event": "order.odd"},
    }

    def __init__(self, *args: Any, token: str = TOKEN, secret: str = SECRET, encoding: str = "base64", **options: Any):
        super().__init__(*args, **options)
        self.tokens, self.secret, self.encoding = {token}, secret, encoding

    def new_code(self, number: int) -> str:
        return f"ME{number:08d}BR"

    def parcel(self, code: str = "", **facts: Any) -> str:
        with self.books.lock:
            number = self.books.count("parcel") + 1
            born = {"id": str(uuid.uuid4()), "number": number, "created_at": self._stamp(self.now())}
            return super().parcel(code, **{**born, **facts})

    def _stamp(self, at: datetime) -> str:
        return at.astimezone(_BRASILIA).strftime("%Y-%m-%d %H:%M:%S")

    def label(self, record: dict[str, Any]) -> dict[str, Any]:
        """How it stands, as their tracking shows it."""
        events = record["events"]
        moments: dict[str, str | None] = dict.fromkeys(_ALL_MOMENTS)
        for event in events:
            if event["status"] in _MOMENTS:
                moments[_MOMENTS[event["status"]]] = self._stamp(datetime.fromisoformat(event["at"]))
        return {
            "id": record["id"],
            "protocol": f"ORD-{record['number']:012d}",
            "status": events[-1]["status"] if events else "pending",
            "tracking": record["code"],
            "melhorenvio_tracking": record["code"],
            "created_at": record["created_at"],
            **moments,
        }

    # API

    @route("GET", "/api/v2/me/orders/search")
    def search(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        wanted = request.args.get("q", "")
        self.asked(wanted)
        # Generous, as theirs: whatever begins like it is found, too.
        found = [record for record in self.books.all("parcel") if record["code"].startswith(wanted[:10])]
        if not found:
            return Response(status=204)
        return self.json([self.label(record) | {"self_tracking": record["code"]} for record in found])

    @route("POST", "/api/v2/me/shipment/tracking")
    def tracking(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        body = request.get_json(silent=True)
        ids = body.get("orders") if isinstance(body, dict) else None
        if not isinstance(ids, list) or not ids:
            return self.json({"message": "The given data was invalid.", "errors": {"orders": ["required"]}}, 422)
        labels = {record["id"]: self.label(record) for record in self.books.all("parcel") if record["id"] in ids}
        return self.json(labels)

    def _refusal(self, request: Request) -> Response | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            return self.json({"message": "Unauthenticated."}, 401)
        if "@" not in request.headers.get("User-Agent", ""):
            return self.json({"message": "User-Agent inválido"}, 400)
        return None

    # Notifications

    def signed(self, document: dict[str, Any]) -> Notification:
        body = json.dumps(document).encode()
        digest = hmac.new(self.secret.encode(), body, hashlib.sha256).digest()
        signature = digest.hex() if self.encoding == "hex" else base64.b64encode(digest).decode()
        return Notification(
            self.notification_url, body, {"Content-Type": "application/json", "X-ME-Signature": signature}
        )

    def notifications(self, record: dict[str, Any], event: dict[str, Any]) -> Sequence[Notification]:
        if not self.notification_url:
            return ()
        data = self.label(record) | {
            "tags": [],
            "tracking_url": f"https://evil.example/{record['code']}",  # nobody is to follow it
        }
        return [self.signed({"event": event["event"], "data": data})]

    def foreign(self) -> list[tuple[dict[str, str], bytes, dict[str, str]]]:
        """What is sent when the address is registered, unsigned; and a signed message without an order."""
        ping = Notification(self.notification_url, b'{"event": "webhook.test"}', {"Content-Type": "application/json"})
        return [self.arrives(ping), self.arrives(self.signed({"event": "order.created", "data": {}}))]
