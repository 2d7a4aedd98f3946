"""Bling's API v3 over HTTP: OAuth, calls at the pace that it allows, its refusals in its own words, the notes' XML."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from zoneinfo import ZoneInfo

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable
from oscar_fulfillment.core.http import Answer, HttpClient

from .bling_mapping import ZONE, error_kind, explained, limit_period
from .oauth import GrantRefused, NotConnected, TokenHolder, Tokens
from .pacing import Pace

logger = logging.getLogger("oscar_fulfillment.connectors")

#: How often a call is made that Bling refuses for too many in a second: another process may have had the turns.
TRIES = 4
#: A token is not believed to last longer, in seconds; Bling grants six hours.
_LONGEST = 86_400.0


class BlingWire:
    """Calls as one application at one account. Thread-safe.

    ``files_from``: hosts (with their port, where it is no usual one) from which a note's XML is fetched.
    """

    def __init__(
        self,
        base_url: str,
        *,
        alias: str,
        client_id: str,
        client_secret: str,
        pace: Pace,
        files_from: Collection[str],
        read: float,
    ):
        self._http = HttpClient(base_url, read=read, name=f"Bling {alias}")
        self._pace, self._read = pace, read
        login = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._login = {
            "Authorization": f"Basic {login}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "1.0",
            "enable-jwt": "1",
        }
        own = urlsplit(self._http.base_url)
        self._files_from = frozenset({(own.scheme, own.netloc), *(("https", host) for host in files_from)})
        self._tokens = TokenHolder(alias, f"Bling ({alias})", self.renewed)

    def __repr__(self) -> str:
        return repr(self._http)

    # Calls

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The ``data`` of a GET; every failure to answer is AdapterUnavailable, as nothing is changed by it."""
        try:
            return self._data(self._call("GET", path, query=query))
        except AdapterUnanswered as error:
            raise AdapterUnavailable(str(error)) from error

    def find(self, path: str) -> Mapping[str, Any] | None:
        """One thing; None where there is none (any more)."""
        try:
            found = self.get(path)
        except AdapterRejected as error:
            if error.status == 404:
                return None
            raise
        if not isinstance(found, Mapping):
            raise AdapterUnavailable("Bling sent no document")
        return found

    def listed(self, path: str, query: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """A page of a list."""
        found = self.get(path, query)
        if not isinstance(found, list):
            raise AdapterUnavailable("Bling sent no list")
        return [document for document in found if isinstance(document, Mapping)]

    def change(self, method: str, path: str, body: Any = None) -> Any:
        """The ``data`` of a change ({} for an empty answer). AdapterUnanswered when it may have been done."""
        answer = self._call(method, path, json_body=body)
        return self._data(answer) if answer.body.strip() else {}

    @staticmethod
    def _data(answer: Answer) -> Any:
        document = answer.json()
        if not isinstance(document, Mapping) or "data" not in document:
            raise AdapterUnanswered("Bling's answer has no data")
        return document["data"]

    def _call(self, method: str, path: str, **options: Any) -> Answer:
        def ask(tokens: Tokens) -> Answer:
            headers = {"Authorization": f"Bearer {tokens.access}", "enable-jwt": "1"}
            return self._paced(lambda: self._http.request(method, path, headers=headers, accept={429}, **options))

        try:
            return self._tokens.call(ask)
        except AdapterRejected as error:
            if error.status == 401:
                # Also with a new token: the merchant has taken the application's rights away.
                raise NotConnected(str(explained(error))) from error
            raise explained(error) from error

    def _paced(self, ask: Callable[[], Answer]) -> Answer:
        for _try in range(TRIES):
            self._pace.wait()
            answer = ask()
            if answer.status != 429:
                return answer
            # Nothing was done.
            if limit_period(answer.body) == "day":
                raise AdapterUnavailable("Bling takes no more calls today", retry_after=seconds_of_today())
            self._pace.hold(1.0)
        raise AdapterUnavailable("Bling is asked too often", retry_after=10)

    # OAuth

    def exchanged(self, code: str) -> Tokens:
        """The tokens for a code; it is good for a minute and once."""
        return self._granted({"grant_type": "authorization_code", "code": code})

    def renewed(self, tokens: Tokens) -> Tokens:
        """New tokens for old; the old refresh token is worth nothing then."""
        return self._granted({"grant_type": "refresh_token", "refresh_token": tokens.refresh})

    def _granted(self, form: Mapping[str, str]) -> Tokens:
        try:
            answer = self._paced(
                lambda: self._http.request(
                    "POST", "/oauth/token", body=urlencode(form).encode(), headers=self._login, accept={429}
                )
            ).json()
            return _read_tokens(answer)
        except AdapterRejected as error:
            if error_kind(error.body) == "invalid_grant":
                raise GrantRefused("Bling does not accept it", status=error.status) from error
            raise explained(error) from error
        except AdapterUnanswered as error:
            # Whether it was done nobody knows; with the same refresh token the next try finds out.
            raise AdapterUnavailable(str(error)) from error

    # Files

    def xml(self, url: str) -> bytes:
        """The XML that a note's document points to; b"" where it leads elsewhere or to something else.

        Only Bling's own hosts are asked, without our token, and no redirect is followed.
        """
        parts = urlsplit(url)
        if (parts.scheme, parts.netloc) not in self._files_from or not parts.path:
            logger.warning("a note's XML is not fetched: its address leads to %r", parts.netloc[:100])
            return b""
        http = HttpClient(f"{parts.scheme}://{parts.netloc}", read=self._read, name="Bling's files")
        query = parse_qsl(parts.query, keep_blank_values=True)
        try:
            body = http.request("GET", parts.path, query=dict(query) or None, headers={"Accept": "*/*"}).body
        except AdapterRejected:
            logger.warning("a note's XML is not there")
            return b""
        except AdapterUnanswered as error:
            raise AdapterUnavailable(str(error)) from error
        start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1_000]
        if not start.startswith(b"<") or b"NFe" not in start:
            logger.warning("what was fetched as a note's XML is something else")
            return b""
        return body


def _read_tokens(answer: Any) -> Tokens:
    now = time.time()
    try:
        access, refresh, seconds = answer["access_token"], answer["refresh_token"], float(answer["expires_in"])
        for token in (access, refresh):
            if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
                raise ValueError("no token")
        if not 0 < seconds < 1e9:
            raise ValueError("no life")
    except (KeyError, TypeError, ValueError) as error:
        raise AdapterUnavailable("Bling gave no tokens") from error
    return Tokens(access, refresh, obtained_at=now, expires_at=now + min(seconds, _LONGEST))


def seconds_of_today(now: datetime | None = None) -> float:
    """Seconds to midnight in Brasília, when Bling counts anew."""
    now = now or datetime.now(ZoneInfo(ZONE))
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return max((midnight - now).total_seconds(), 1.0)
