"""One vendor as a WSGI application: routes, accidents on demand, and notifications sent back to the shop.

    class Vendor(Simulator):
        name = "vendor"

        @route("POST", "/v3/payments")
        def create(self, request): return self.json({...})

Accidents (:meth:`Simulator.fail_next`) happen to API calls, before or after the vendor has done its work; that is how
lost answers, restarts and slow days are tried; a whole vendor is down or slow by its ``mood``. Pages for people
(``/``, ``/pay/...``, ``/control``) have no accidents.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import urllib3
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from .books import Books

logger = logging.getLogger("sandbox.simulators")

#: What can go wrong with a call. "before": the vendor did nothing; "after": it did, and the answer is lost.
ACCIDENTS = ("cut_before", "cut_after", "error_before", "error_after", "garbage", "slow", "busy")
#: How a vendor is until further notice, and the accident that each of its calls has then.
MOODS = {"well": "", "slow": "slow", "down": "cut_before"}


def route(method: str, path: str, *, person: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Serve ``method path`` by this method of a simulator; ``person``: a page, spared from accidents."""

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        function.routes = [*getattr(function, "routes", []), (method, path, person)]  # type: ignore[attr-defined]
        return function

    return mark


@dataclass(frozen=True)
class Notification:
    """One message to the shop, as it goes over the wire."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Deliver = Callable[[Notification], int]


def deliver_by_http(notification: Notification) -> int:
    """POST it; returns the shop's status, 0 when it cannot be reached."""
    try:
        answer = urllib3.request(
            "POST",
            notification.url,
            body=notification.body,
            headers=dict(notification.headers),
            timeout=10,
            retries=False,
        )
        return answer.status
    except urllib3.exceptions.HTTPError as error:
        logger.warning("no notification to %s: %s", notification.url, error)
        return 0


class Simulator:
    """Base of all vendors. ``deliver`` sends notifications: over HTTP, or into a test's own receiver."""

    name = ""
    title = ""

    def __init__(self, books: Books | None = None, deliver: Deliver = deliver_by_http):
        self.books = books or Books()
        self.deliver = deliver
        #: Every API call that arrived: (method, path, headers, body).
        self.calls: list[tuple[str, str, dict[str, str], bytes]] = []
        #: Notifications that are held back, for "out of order" and "late".
        self.held: list[Notification] = []
        #: A key of :data:`MOODS`.
        self.mood = "well"
        self._accidents: deque[tuple[str, str]] = deque()
        self._answers: deque[bytes] = deque()
        rules = []
        for attribute in dir(type(self)):
            for method, path, person in getattr(getattr(type(self), attribute), "routes", []):
                rules.append(Rule(path, methods=[method], endpoint=(attribute, person)))
        self._map = Map(rules, strict_slashes=False)

    # Accidents

    def fail_next(self, *kinds: str, path: str = "") -> None:
        """Let the next API calls (whose ``"METHOD path"`` holds ``path``) fail in these ways, one each; "" goes well."""
        for kind in kinds:
            if kind and kind not in ACCIDENTS:
                raise ValueError(kind)
            self._accidents.append((kind, path))

    def answer_next(self, *bodies: bytes) -> None:
        """Answer the next API calls with these bytes and status 200, whatever they ask; nothing is done."""
        self._answers.extend(bodies)

    @property
    def accidents(self) -> list[str]:
        """The accidents that are still to happen, the next one first."""
        return [kind for kind, _path in self._accidents if kind]

    def forget_accidents(self) -> None:
        self._accidents.clear()

    def _accident(self, call: str) -> str:
        for found in self._accidents:
            if found[1] in call:
                self._accidents.remove(found)
                return found[0]
        return MOODS[self.mood]

    # Requests

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        try:
            (endpoint, person), values = self._map.bind_to_environ(environ).match()
        except HTTPException as error:
            return self.not_found(request, error)(environ, start_response)
        accident = ""
        if not person:
            self.calls.append((request.method, request.path, dict(request.headers), request.get_data()))
            accident = self._accident(f"{request.method} {request.path}")
            if self._answers:
                return Response(self._answers.popleft(), 200, mimetype="application/json")(environ, start_response)
        if accident == "busy":
            return Response(status=429)(environ, start_response)
        if accident == "error_before":
            return Response("<html>Internal error</html>", 500, mimetype="text/html")(environ, start_response)
        if accident == "cut_before":
            return _cut(environ)
        try:
            response = getattr(self, endpoint)(request, **values)
        except HTTPException as error:
            response = error.get_response(environ)
        if accident == "slow":
            time.sleep(1.5)
        elif accident == "cut_after":
            return _cut(environ)
        elif accident == "error_after":
            response = Response("<html>Bad gateway</html>", 502, mimetype="text/html")
        elif accident == "garbage":
            response = Response("<html>busy</html>", 200, mimetype="text/html")
        return response(environ, start_response)

    def not_found(self, request: Request, error: HTTPException) -> Response:
        return error.get_response(request.environ) if isinstance(error, HTTPException) else NotFound().get_response()

    @staticmethod
    def json(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        return Response(json.dumps(document, ensure_ascii=False), status, headers, mimetype="application/json")

    # Notifications

    def tell(self, notification: Notification, how: str = "once") -> None:
        """Send a notification ``once``, ``twice``, ``never``, or hold it back (``later``) until :meth:`tell_held`."""
        if how == "later":
            self.held.append(notification)
        elif how != "never":
            for _time in range(2 if how == "twice" else 1):
                self.deliver(notification)

    def tell_held(self, *, newest_first: bool = True) -> None:
        """Send what was held back, by default in the wrong order."""
        held, self.held = self.held, []
        for notification in reversed(held) if newest_first else held:
            self.deliver(notification)


def _cut(environ: dict[str, Any]) -> list[bytes]:
    """Close the connection without an answer."""
    connection = environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionError("cut on purpose")


@contextmanager
def serve(application: Any, port: int = 0, host: str = "127.0.0.1") -> Iterator[str]:
    """Run in a thread; yields the base address."""
    server = make_server(host, port, application, threaded=True)
    server.daemon_threads = True
    # The interval is how long a shutdown takes at most: tests do many.
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(5)
