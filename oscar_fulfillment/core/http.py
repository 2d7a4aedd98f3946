"""HTTP to a vendor: one small client with deadlines, a size limit and one answer to "did it happen?".

Built on urllib3. What goes wrong is told apart by what it means for the caller, not by how it failed:

* :class:`AdapterUnavailable`: the request certainly did nothing (no connection, 429, 503): try again later.
* :class:`AdapterUnanswered`: it went out and no usable answer came (cut, timed out, 5xx, not the promised JSON): it may
  have been done. Ask the vendor, or repeat it with the same idempotency key.
* :class:`AdapterRejected`: the vendor said no (other 4xx); ``status`` and ``body`` hold its words.

No redirect is followed, and nothing but the configured base address is ever called: paths come from our code, ids in
them are quoted. Secrets live in headers that neither logs nor reprs show.
"""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3

from .exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable, ConfigurationError

logger = logging.getLogger("oscar_fulfillment.http")

#: Seconds to connect, and to wait for each piece of the answer.
CONNECT, READ = 5.0, 30.0
#: The largest answer that is read, in bytes.
MAX_ANSWER = 5_000_000
#: With these the vendor says that it did nothing and wants to be asked later.
_LATER = frozenset({429, 503})


@dataclass(frozen=True)
class Answer:
    """What came back: status, headers, body."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """The body as JSON. :class:`AdapterUnanswered` when it is none: the request may have been done."""
        try:
            return json.loads(self.body, parse_float=str)
        except (ValueError, RecursionError) as error:
            raise AdapterUnanswered("the answer is not JSON") from error


def segment(value: Any) -> str:
    """A value as one segment of a path: a vendor's id cannot lead elsewhere."""
    text = str(value)
    if not text or text in (".", ".."):
        raise AdapterRejected("an empty id cannot be asked for")
    return quote(text, safe="")


class HttpClient:
    """Calls to one vendor below one base address. Thread-safe; keep one per account.

    ``ssl_context``: for vendors who ask for a certificate of ours, or whose own is not of the usual authorities.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        connect: float = CONNECT,
        read: float = READ,
        name: str = "",
        ssl_context: ssl.SSLContext | None = None,
    ):
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ConfigurationError(f"{name or 'vendor'}: {base_url!r} is no http or https address")
        self.base_url, self.name = base_url.rstrip("/"), name or parts.hostname
        self._headers = dict(headers or {})
        self._pool = urllib3.PoolManager(
            num_pools=2, maxsize=4, retries=False, timeout=urllib3.Timeout(connect=connect, read=read),
            ssl_context=ssl_context,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<HttpClient {self.name}>"

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        json_body: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
    ) -> Answer:
        """One call. Returns 2xx answers; raises one of the three errors above for everything else.

        ``accept``: further statuses whose answers the caller reads itself (SOAP tells its faults with 500).
        """
        sent = {"Accept": "application/json", **self._headers, **(headers or {})}
        if json_body is not None:
            body = json.dumps(json_body, ensure_ascii=False, separators=(",", ":")).encode()
            sent.setdefault("Content-Type", "application/json")
        url = f"{self.base_url}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            answer = self._pool.request(
                method, url, body=body, headers=sent, redirect=False, preload_content=False, retries=False
            )
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
            raise AdapterUnavailable(f"{self.name} cannot be reached") from error
        except urllib3.exceptions.SSLError as error:
            raise AdapterUnavailable(f"{self.name}: no secure connection") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise AdapterUnanswered(f"{self.name} did not answer") from error
        return self._read(method, path, answer, accept)

    def _read(self, method: str, path: str, answer: Any, accept: Collection[int]) -> Answer:
        try:
            content = answer.read(MAX_ANSWER + 1, decode_content=True)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise AdapterUnanswered(f"{self.name} broke off its answer") from error
        finally:
            answer.release_conn()
        if len(content) > MAX_ANSWER:
            raise AdapterUnanswered(f"{self.name} answered more than {MAX_ANSWER} bytes")
        found = Answer(answer.status, dict(answer.headers), content)
        if 200 <= found.status < 300 or found.status in accept:
            return found
        logger.info("%s: %s %s answered %d", self.name, method, path.partition("?")[0], found.status)
        if found.status in _LATER:
            raise AdapterUnavailable(f"{self.name} asks to come back later ({found.status})")
        if found.status >= 500 or found.status < 400:
            raise AdapterUnanswered(f"{self.name} answered {found.status}")
        raise AdapterRejected(f"{self.name} refused ({found.status})", status=found.status, body=content)

    def get(self, path: str, **options: Any) -> Any:
        """The JSON of a GET. As nothing is changed by it, every failure to answer is :class:`AdapterUnavailable`."""
        try:
            return self.request("GET", path, **options).json()
        except AdapterUnanswered as error:
            raise AdapterUnavailable(str(error)) from error

    def post(self, path: str, json_body: Any = None, **options: Any) -> Any:
        """The JSON of a POST; an empty answer is {}."""
        answer = self.request("POST", path, json_body=json_body, **options)
        return answer.json() if answer.body.strip() else {}
