"""How YooKassa's API is spoken: Basic authentication, idempotence keys, lists in pages, and unsigned notifications."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

from markupsafe import Markup
from werkzeug.exceptions import HTTPException
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from .base import Deliver, Notification, deliver_by_http, route
from .books import Books
from .payments import PaymentSimulator
from .yookassa_rules import REMEMBERED, ApiError, invalid


class YooKassaWire(PaymentSimulator):
    """Subclasses hold the business: :meth:`run_out` and the routes."""

    def __init__(
        self,
        books: Books | None,
        deliver: Deliver,
        *,
        shop_id: str,
        secret_key: str,
        now: Callable[[], datetime],
    ):
        super().__init__(books, deliver)
        self.shop_id, self.secret_key, self.now = shop_id, secret_key, now
        self._events: deque[Notification] = deque()
        #: What becomes of the next refunds: "succeeded", "pending", or the reason of a cancellation.
        self.next_refunds: deque[str] = deque()

    def run_out(self) -> None:
        raise NotImplementedError

    def not_found(self, request: Request, error: HTTPException) -> Response:
        if isinstance(error, HTTPException) and error.code == 404:
            return ApiError(404, "not_found", "Resource not found").get_response(request.environ)
        return super().not_found(request, error)

    # Requests

    def authorize(self, request: Request) -> None:
        expected = base64.b64encode(f"{self.shop_id}:{self.secret_key}".encode()).decode()
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Basic {expected}".encode()):
            raise ApiError(401, "invalid_credentials", "Error in shopId or secret key", "Authorization")

    def once(self, request: Request, do: Callable[[dict[str, Any]], tuple[str, str]]) -> Response:
        """Do it, or answer with the object (kind, id) that the same key made during the last 24 hours."""
        self.authorize(request)
        self.run_out()
        if request.mimetype != "application/json":
            raise ApiError(415, "invalid_request", "Unsupported content type", "Content-Type")
        try:
            body = json.loads(request.get_data() or b"{}")
        except ValueError:
            raise invalid("The request is not JSON") from None
        key = request.headers.get("Idempotence-Key", "")
        if not 1 <= len(key) <= 64 or not isinstance(body, dict):
            raise invalid("Idempotence key is missing or too long", "Idempotence-Key")
        asked = hashlib.sha256(json.dumps([request.path, body], sort_keys=True).encode()).hexdigest()
        with self.books.lock:
            known = self.books.get("key", key)
            if known and self.now() - datetime.fromisoformat(known["at"]) < REMEMBERED:
                if known["asked"] != asked:
                    raise invalid("Idempotence key duplicated", "Idempotence-Key")
                kind, found = known["made"]
            else:
                kind, found = do(body)
                self.books.put("key", key, {"asked": asked, "made": [kind, found], "at": self.now().isoformat()})
            document = self.books.get(kind, found) or {}
        self.send_later()
        return self.json(document.get("document", document))

    def listed(self, request: Request, documents: list[dict[str, Any]]) -> Response:
        """A page of a list, newest first, by the filters that the API has."""
        self.authorize(request)
        query = request.args
        try:
            limit, start = int(query.get("limit", 10)), int(query.get("cursor", 0))
        except ValueError:
            raise invalid("Incorrect parameter", "limit") from None
        if not 1 <= limit <= 100:
            raise invalid("Incorrect parameter", "limit")
        found = [document for document in documents if _fits(document, query)]
        answer: dict[str, Any] = {"type": "list", "items": found[start : start + limit]}
        if start + limit < len(found):
            answer["next_cursor"] = str(start + limit)
        return self.json(answer)

    # The merchant profile, for people

    @route("GET", "/", person=True)
    def page(self, request: Request) -> Response:
        response = super().page(request)
        link = f'<p><a href="{request.root_path}/profile">Merchant profile</a></p></main>'
        response.set_data(response.get_data(as_text=True).replace("</main>", link))
        return response

    @route("GET", "/profile", person=True)
    def profile(self, request: Request) -> Response:
        body = Markup(
            '<form method="post"><p><label>Notifications go to<br><input name="url" size="60" value="{url}"></label></p>'
            '<p><label>The next refund <select name="refund"><option value="">is done</option>'
            '<option value="pending">waits</option><option value="insufficient_funds">fails</option></select></label></p>'
            "<button>Save</button></form>"
        ).format(url=self.notification_url)
        return self.html("YooKassa: merchant profile", body)

    @route("POST", "/profile", person=True)
    def save_profile(self, request: Request) -> Response:
        self.configure(request.form.get("url", ""))
        if request.form.get("refund") in ("pending", "insufficient_funds"):
            self.next_refunds.append(request.form["refund"])
        return redirect("profile", 303)

    # Notifications

    @property
    def notification_url(self) -> str:
        return str((self.books.get("setting", "profile") or {}).get("url", ""))

    def configure(self, notification_url: str) -> None:
        """Set the address of the merchant profile that notifications go to; "" for none."""
        self.books.put("setting", "profile", {"url": notification_url})

    def tell_of(self, event: str, document: dict[str, Any], how: str = "once") -> None:
        if self.notification_url:
            self.tell(self._notification(event, document), how)

    def later(self, event: str, document: dict[str, Any]) -> None:
        """Tell of a change once the books are unlocked again."""
        if self.notification_url:
            self._events.append(self._notification(event, document))

    def send_later(self) -> None:
        """Send what waits; over HTTP from a thread, as the shop may still wait for the answer of its call."""
        while True:
            try:
                notification = self._events.popleft()
            except IndexError:
                return
            if self.deliver is deliver_by_http:
                threading.Thread(target=self.tell, args=[notification], daemon=True).start()
            else:
                self.tell(notification)

    def _notification(self, event: str, document: dict[str, Any]) -> Notification:
        body = json.dumps({"type": "notification", "event": event, "object": document}, ensure_ascii=False)
        return Notification(self.notification_url, body.encode(), {"Content-Type": "application/json"})


def _fits(document: dict[str, Any], query: Any) -> bool:
    for name in ("status", "payment_id"):
        if name in query and document.get(name) != query[name]:
            return False
    if "payment_method" in query and document.get("payment_method", {}).get("type") != query["payment_method"]:
        return False
    for name in ("created_at", "captured_at"):
        for how in ("gte", "gt", "lte", "lt"):
            if f"{name}.{how}" in query and not _compares(document.get(name), how, query[f"{name}.{how}"]):
                return False
    return True


def _compares(stamp: str | None, how: str, bound: str) -> bool:
    try:
        limit = datetime.fromisoformat(bound)
    except ValueError:
        raise invalid("Incorrect date", how) from None
    if stamp is None:
        return False
    moment = datetime.fromisoformat(stamp)
    return {"gte": moment >= limit, "gt": moment > limit, "lte": moment <= limit, "lt": moment < limit}[how]
