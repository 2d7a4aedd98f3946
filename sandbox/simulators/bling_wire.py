"""Bling's door: OAuth with a code and refresh tokens of one use, the limits of calls, signed webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
import uuid
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

from markupsafe import Markup
from werkzeug.exceptions import BadRequest
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from .base import Deliver, Notification, deliver_by_http, route
from .bling_rules import ApiError, too_many
from .books import Books
from .control import Controlled

CLIENT_ID, CLIENT_SECRET = "simulated-bling-client-id", "simulated-bling-client-secret"
BRASILIA = ZoneInfo("America/Sao_Paulo")
_HERE = frozenset({"127.0.0.1", "localhost", "testserver"})


class BlingWire(Controlled):
    """One application at one account. ``now`` is the clock of its tokens; ``per_second`` 0: no limit."""

    name, title = "bling", "Bling"
    family = "connectors"
    note = "A simulation on this machine: nothing here has a fiscal value."
    listed = "All orders"

    def __init__(
        self,
        books: Books | None = None,
        deliver: Deliver = deliver_by_http,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        per_second: int = 3,
        hook_url: str = "",
    ):
        super().__init__(books, deliver)
        self.now, self.per_second, self.hook_url = now, per_second, hook_url
        #: Where a person is led back to; "" takes every address of this machine.
        self.redirect_url = ""
        self.code_life, self.token_life = timedelta(minutes=1), timedelta(hours=6)
        self.refresh_life = timedelta(days=30)
        #: Calls that are left today.
        self.left_today = 120_000
        self._last: deque[float] = deque(maxlen=max(per_second, 1))
        self.refused_for_pace = 0

    def configure(self, hook_url: str) -> None:
        """What a merchant enters in the application: where webhooks go, and where people come back to."""
        self.hook_url = hook_url
        parts = urlsplit(hook_url)
        self.redirect_url = f"{parts.scheme}://{parts.netloc}/dashboard/orders/systems/bling/callback/"

    # OAuth

    @route("GET", "/Api/v3/oauth/authorize", person=True)
    def authorize(self, request: Request) -> Response:
        back = self._back(request.args)
        fields = Markup("").join(
            Markup('<input type="hidden" name="{}" value="{}">').format(name, value)
            for name, value in request.args.items()
        )
        body = Markup(
            '<p>“Demo shop” wants to read and write: contacts, orders, notes. It leads back to {back}.</p><form method="post">'
            '{fields}<div class="buttons"><button class="approve" name="answer" value="yes">Authorize</button>'
            '<button name="answer" value="no">Refuse</button></div></form>'
        ).format(fields=fields, back=urlsplit(back).netloc)
        return self.html("Bling: authorize an application", body)

    @route("POST", "/Api/v3/oauth/authorize", person=True)
    def answer(self, request: Request) -> Response:
        back, state = self._back(request.form), request.form.get("state", "")
        if request.form.get("answer") != "yes":
            return redirect(f"{back}?{urlencode({'error': 'access_denied', 'state': state})}", 302)
        return redirect(f"{back}?{urlencode({'code': self.new_code(), 'state': state})}", 302)

    def _back(self, given: Any) -> str:
        if given.get("client_id") != CLIENT_ID or given.get("response_type") != "code":
            raise BadRequest("no such application")
        wanted, registered = urlsplit(given.get("redirect_uri", "")), urlsplit(self.redirect_url)
        if not registered.path:
            return str(given["redirect_uri"])
        if wanted.hostname in _HERE and wanted.path == registered.path and wanted.port == registered.port:
            return f"{wanted.scheme}://{wanted.netloc}{wanted.path}"
        return self.redirect_url

    def new_code(self) -> str:
        """A code, as somebody gets it who lets the shop in."""
        code = secrets.token_hex(20)
        self.books.put("code", code, {"until": (self.now() + self.code_life).isoformat()})
        return code

    @route("POST", "/Api/v3/oauth/token")
    def token(self, request: Request) -> Response:
        login = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {login}":
            return self.refuse(ApiError(401, "invalid_client", "As credenciais do aplicativo são inválidas"))
        kind = {"authorization_code": ("code", "code"), "refresh_token": ("refresh", "refresh_token")}.get(
            request.form.get("grant_type", "")
        )
        if kind is None:
            return self.refuse(ApiError(400, "unsupported_grant_type", "Tipo de concessão inválido"))
        with self.books.lock:
            given = request.form.get(kind[1], "")
            found = self.books.get(kind[0], given)
            if found is None or found.get("used") or datetime.fromisoformat(found["until"]) <= self.now():
                return self.refuse(ApiError(400, "invalid_grant", f"{kind[1]} inválido ou expirado"))
            self.books.put(kind[0], given, {**found, "used": True})
            return self.json(self.new_tokens())

    def new_tokens(self) -> dict[str, Any]:
        """A pair of tokens, as the door gives it."""
        access, refresh = f"eyJ.{secrets.token_urlsafe(40)}", secrets.token_hex(20)
        self.books.put("access", access, {"until": (self.now() + self.token_life).isoformat()})
        self.books.put("refresh", refresh, {"until": (self.now() + self.refresh_life).isoformat()})
        return {
            "access_token": access,
            "expires_in": int(self.token_life.total_seconds()),
            "token_type": "Bearer",
            "scope": "98309 5990556",
            "refresh_token": refresh,
        }

    def end_tokens(self, *kinds: str) -> None:
        """Access tokens (or "refresh" ones) handed out so far are worth nothing from now on."""
        with self.books.lock:
            for kind in kinds or ("access",):
                for key in self.books.keys(kind):
                    self.books.put(kind, key, {"until": datetime.min.replace(tzinfo=UTC).isoformat()})

    # Calls

    def call(self, request: Request, do: Callable[[], Any], status: int = 200) -> Response:
        """An API call: the limits, the token, what it does. None: no content."""
        try:
            self._count()
            kind, _space, token = request.headers.get("Authorization", "").partition(" ")
            found = self.books.get("access", token) if kind == "Bearer" else None
            if found is None or datetime.fromisoformat(found["until"]) <= self.now():
                raise ApiError(401, "invalid_token", "The access token provided is invalid")
            with self.books.lock:
                answer = do()
        except ApiError as error:
            return self.refuse(error)
        return Response(status=204) if answer is None else self.json({"data": answer}, status)

    def _count(self) -> None:
        now = time.monotonic()
        if self.left_today <= 0:
            raise too_many("day", 120_000)
        if self.per_second:
            if len(self._last) == self.per_second and now - self._last[0] < 1:
                self.refused_for_pace += 1
                raise too_many("second", self.per_second)
            self._last.append(now)
        self.left_today -= 1

    def refuse(self, error: ApiError) -> Response:
        return self.json(error.document, error.status)

    @staticmethod
    def page_of(request: Request, found: list[Any]) -> list[Any]:
        """The page of a list that is asked for."""
        page, size = int(request.args.get("pagina", 1)), min(int(request.args.get("limite", 100)), 100)
        return found[(page - 1) * size : page * size]

    # Webhooks

    def letter(self, event: str, data: dict[str, Any], secret: str = CLIENT_SECRET) -> Notification:
        document = {
            "eventId": str(uuid.uuid4()),
            "date": self.now().isoformat(timespec="seconds"),
            "version": "v1",
            "event": event,
            "companyId": "d4475854366a36c86a37e792f9634a51",
            "data": data,
        }
        body = json.dumps(document).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Bling-Signature-256": f"sha256={signature}"}
        return Notification(self.hook_url, body, headers)

    def hint(self, event: str, data: dict[str, Any], how: str = "once") -> None:
        if self.hook_url:
            self.tell(self.letter(event, data), how)
