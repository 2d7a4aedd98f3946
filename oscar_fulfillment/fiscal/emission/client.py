"""Calls to the tax office: SOAP 1.2 over TLS with the firm's certificate, and nothing sent twice by itself.

What goes wrong is told apart as in ``core.http``: :class:`AdapterUnavailable` certainly did nothing,
:class:`AdapterUnanswered` may have. A refusal of the note is no error here but an answer.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable
from oscar_fulfillment.core.http import HttpClient

from . import answers, requests
from .answers import Answer, EventAnswer
from .endpoints import Service, address_of
from .facts import NORMAL

#: Seconds to connect, and to wait for the answer.
CONNECT, READ = 10.0, 60.0
_ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
_NOT_SENT = re.compile(r"<\?xml[^>]*\?>")
Found = TypeVar("Found")


class SefazClient:
    """The services of one state for one issuer and environment. Keep one per issuer: connections are kept open."""

    def __init__(
        self,
        *,
        state: str,
        environment: str,
        context: ssl.SSLContext,
        addresses: Mapping[str, Any] | None = None,
        connect: float = CONNECT,
        read: float = READ,
    ):
        self.state, self.environment = state, environment
        self._context, self._addresses, self._timeouts = context, addresses, (connect, read)
        self._clients: dict[str, HttpClient] = {}

    def __repr__(self) -> str:
        return f"<SefazClient {self.state} {self.environment}>"

    def authorise(self, signed: bytes, lot: int, *, emission_type: int = NORMAL) -> Answer:
        """Hand a signed note in. Not to be repeated before :meth:`query` was asked, when no answer came."""
        return self._call(Service.AUTHORISE, requests.lot(signed, lot), answers.read_lot, emission_type)

    def receipt(self, receipt: str, *, emission_type: int = NORMAL) -> Answer:
        """What became of a lot that was taken."""
        return self._ask(
            Service.RECEIPT, requests.receipt_query(self.environment, receipt), answers.read_lot, emission_type
        )

    def query(self, key: str, *, emission_type: int = NORMAL) -> Answer:
        """What is known of a note."""
        return self._ask(Service.QUERY, requests.key_query(self.environment, key), answers.read_query, emission_type)

    def status(self, *, emission_type: int = NORMAL) -> Answer:
        """Whether the service works."""
        return self._ask(
            Service.STATUS, requests.status_query(self.environment, self.state), answers.read_status, emission_type
        )

    def event(self, signed: bytes, lot: int, *, emission_type: int = NORMAL) -> EventAnswer:
        """Register a signed event. Repeated, it is answered as known (573)."""
        return self._call(Service.EVENT, requests.event_lot(signed, lot), answers.read_event, emission_type)

    def void(self, signed: bytes) -> EventAnswer:
        """Void numbers. Repeated, it is answered as known (563, 256)."""
        return self._call(Service.VOID, signed.decode(), answers.read_voiding, NORMAL)

    def _ask(self, service: Service, content: str, read: Callable[[bytes], Found], emission_type: int) -> Found:
        """A question: it changes nothing, so no answer means only that it can be asked again."""
        try:
            return self._call(service, content, read, emission_type)
        except AdapterUnavailable as error:
            raise AdapterUnavailable(str(error)) from error

    def _call(self, service: Service, content: str, read: Callable[[bytes], Found], emission_type: int) -> Found:
        address = address_of(
            service, state=self.state, environment=self.environment, emission_type=emission_type, given=self._addresses
        )
        parts = urlsplit(address)
        client = self._client(f"{parts.scheme}://{parts.netloc}")
        content = _NOT_SENT.sub("", content, count=1)
        body = (
            f'<?xml version="1.0" encoding="utf-8"?><soap12:Envelope xmlns:soap12="{_ENVELOPE}"><soap12:Body>'
            f'<nfeDadosMsg xmlns="{service.namespace}">{content}</nfeDadosMsg></soap12:Body></soap12:Envelope>'
        )
        headers = {
            "Accept": "application/soap+xml, text/xml",
            "Content-Type": f'application/soap+xml; charset=utf-8; action="{service.action}"',
        }
        try:
            answer = client.request("POST", parts.path or "/", body=body.encode(), headers=headers)
        except AdapterRejected as error:
            # At the door, before anybody looked at the note: the certificate, or the address, is not what they expect.
            raise AdapterUnavailable(f"{client.name} does not let us in ({error.status})") from error
        return read(answer.body)

    def _client(self, base: str) -> HttpClient:
        if base not in self._clients:
            connect, read = self._timeouts
            name = urlsplit(base).hostname or "sefaz"
            self._clients[base] = HttpClient(base, connect=connect, read=read, name=name, ssl_context=self._context)
        return self._clients[base]
