"""SOAP over HTTP, as much of it as carriers speak: one envelope out, one element back, faults as errors.

What comes back is a stranger's document: no DTD, no entity, nothing external, no more bytes than :class:`HttpClient`
reads. Both versions' faults are understood (1.1 and 1.2), also those that come with status 200.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable
from oscar_fulfillment.core.http import Answer, HttpClient

from .events import MAX_TEXT, clean

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
#: Faults come with 500; some servers send them with 400.
_FAULTS = frozenset({400, 500})
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,80}?encoding=["']([A-Za-z0-9._-]{1,40})["']""")
_CHARSET = re.compile(r"""charset=["']?([A-Za-z0-9._-]{1,40})""", re.IGNORECASE)
#: Characters that no XML 1.0 document may hold, written out or as a reference: couriers' devices send them.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ILLEGAL_REFERENCE = re.compile(r"&#(?:0*(?:[0-8]|1[124-9]|2[0-9]|3[01])|[xX]0*(?:[0-8bBcCeEfF]|1[0-9a-fA-F]));")


class SoapFault(AdapterRejected):
    """The service answered with a fault: ``code`` without its prefix ("Server"), ``text`` in its words, cut."""

    def __init__(self, name: str, code: str, text: str, *, status: int = 0, body: bytes = b""):
        self.code, self.text = code, text
        super().__init__(f"{name}: {text or code}", status=status, body=body)


def envelope(
    operation: str,
    parameters: Mapping[str, Any],
    *,
    namespace: str,
    header: Mapping[str, Mapping[str, Any]] | None = None,
) -> bytes:
    """A SOAP 1.1 request. Names come from our code, values from anywhere: they are escaped.

    ``header`` maps the name of a header block to its elements.
    """
    head = "".join(f"<t:{name}>{_elements(values)}</t:{name}>" for name, values in (header or {}).items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<s:Envelope xmlns:s="{ENVELOPE}" xmlns:t="{escape(namespace)}">'
        + (f"<s:Header>{head}</s:Header>" if head else "")
        + f"<s:Body><t:{operation}>{_elements(parameters)}</t:{operation}></s:Body></s:Envelope>"
    ).encode()


def parse(text: str) -> Any:
    """A document, or one inside another's text, as an element. AdapterUnanswered for what is none, or has a DTD."""
    try:
        return ElementTree.fromstring(_ILLEGAL_REFERENCE.sub(" ", _ILLEGAL.sub(" ", text)), forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError, RecursionError) as error:
        raise AdapterUnanswered("the answer is not the XML that was promised") from error


def decoded(body: bytes, content_type: str = "") -> str:
    """The text of an XML body: as it declares, or as its header says, or as UTF-8, or else as Latin-1.

    Old servers declare UTF-8 and send Latin-1; a wrong accent in a note is better than a parcel that cannot be read.
    """
    declared, charset = _DECLARED.match(body[:200]), _CHARSET.search(content_type)
    guesses = (
        declared[1].decode() if declared else "utf-8-sig",
        charset[1] if charset else "utf-8-sig",
        "utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig",
    )
    for guess in guesses:
        try:
            return body.decode(guess)
        except (ValueError, LookupError):
            continue
    return body.decode("latin-1")


def name_of(element: Any) -> str:
    """An element's name without its namespace: services are not agreed with themselves about those."""
    return str(element.tag).rpartition("}")[2]


def child(element: Any, *path: str) -> Any:
    """The first descendant along these names, None when there is none."""
    for name in path:
        element = next((found for found in element if name_of(found) == name), None)
        if element is None:
            return None
    return element


def raw(element: Any, *path: str) -> str:
    """All the text below :func:`child` as it is, "" when there is none: also a document inside the document."""
    found = child(element, *path)
    return "" if found is None else "".join(found.itertext())


def text_of(element: Any, *path: str, limit: int = MAX_TEXT) -> str:
    """The text of :func:`child` on one line and cut, "" when there is none."""
    return clean(raw(element, *path), limit)


class SoapClient:
    """Calls of one service's operations below one base address. Thread-safe."""

    def __init__(self, http: HttpClient, *, namespace: str):
        self._http, self.namespace = http, namespace

    def __repr__(self) -> str:
        return f"<SoapClient {self._http.name}>"

    def call(
        self,
        path: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        action: str,
        query: Mapping[str, str] | None = None,
        header: Mapping[str, Mapping[str, Any]] | None = None,
        changes: bool = False,
    ) -> Any:
        """The element that the operation answers with.

        :raises SoapFault: the service says no; :class:`AdapterRejected` when it says so in plain HTTP.
        :raises AdapterUnavailable: ask later. With ``changes`` :class:`AdapterUnanswered`: it may have been done.
        """
        body = envelope(operation, parameters, namespace=self.namespace, header=header)
        headers = {"Content-Type": "text/xml; charset=utf-8", "Accept": "text/xml", "SOAPAction": f'"{action}"'}
        try:
            answer = self._http.request("POST", path, query=query, body=body, headers=headers, accept=_FAULTS)
            return self._read(answer)
        except AdapterUnanswered as error:
            if changes:
                raise
            # Nothing is changed by asking.
            raise AdapterUnavailable(f"{self._http.name}: {error}") from error

    def _read(self, answer: Answer) -> Any:
        try:
            kind = next((value for name, value in answer.headers.items() if name.lower() == "content-type"), "")
            document = parse(decoded(answer.body, kind))
            content = child(document, "Body") if name_of(document) == "Envelope" else None
        except AdapterUnanswered:
            content = None
        if content is None or not len(content):
            if answer.status == 400:
                raise AdapterRejected(f"{self._http.name} refused (400)", status=400, body=answer.body)
            raise AdapterUnanswered(f"the answer ({answer.status}) is no SOAP envelope")
        if name_of(content[0]) == "Fault":
            raise self._fault(content[0], answer)
        if answer.status in _FAULTS:
            raise AdapterUnanswered(f"status {answer.status} without a fault")
        return content[0]

    def _fault(self, fault: Any, answer: Answer) -> SoapFault:
        code = text_of(fault, "faultcode") or text_of(fault, "Code", "Value")
        text = text_of(fault, "faultstring", limit=300) or text_of(fault, "Reason", "Text", limit=300)
        return SoapFault(
            self._http.name, code.rpartition(":")[2][:64], text, status=answer.status, body=answer.body[:10_000]
        )


def _elements(values: Mapping[str, Any]) -> str:
    return "".join(f"<t:{name}>{_value(value)}</t:{name}>" for name, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(_ILLEGAL.sub(" ", str(value)))
