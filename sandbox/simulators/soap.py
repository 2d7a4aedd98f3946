"""How the SOAP of a simulated carrier is spoken: requests read strictly, answers and faults in their envelopes."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

V11 = "http://schemas.xmlsoap.org/soap/envelope/"
V12 = "http://www.w3.org/2003/05/soap-envelope"


@dataclass(frozen=True)
class Asked:
    """An operation with its parameters, the texts of the header, and the envelope's version (its namespace)."""

    operation: str
    parameters: dict[str, str]
    header: dict[str, str]
    version: str


class Fault(HTTPException):
    """A SOAP fault. ``status``: some services send it with 200."""

    def __init__(self, code: str, text: str, status: int = 500):
        super().__init__(text, reply(_fault(code, text), status=status))


def read(request: Request, namespace: str) -> Asked:
    """The request's operation. A DTD, an entity, another namespace or no envelope is a fault of the client."""
    try:
        envelope = ElementTree.fromstring(request.get_data(), forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException):
        raise Fault("Client", "The request is not well-formed XML", 400) from None
    version, _brace, name = envelope.tag[1:].partition("}")
    body = envelope.find(f"{{{version}}}Body")
    if version not in (V11, V12) or name != "Envelope" or body is None or len(body) != 1:
        raise Fault("VersionMismatch", "The request is no SOAP envelope", 400)
    if not body[0].tag.startswith(f"{{{namespace}}}"):
        raise Fault("Client", f"No operation of {namespace}", 400)
    header = envelope.find(f"{{{version}}}Header")
    return Asked(
        operation=_local(body[0].tag),
        parameters={_local(found.tag): found.text or "" for found in body[0]},
        header={_local(found.tag): found.text or "" for block in ([] if header is None else header) for found in block},
        version=version,
    )


def reply(
    content: str, *, version: str = V11, status: int = 200, encoding: str = "utf-8", declare: bool = True
) -> Response:
    """The content (XML) in an envelope."""
    text = (
        f'<s:Envelope xmlns:s="{version}" xmlns:xsd="http://www.w3.org/2001/XMLSchema">'
        f"<s:Body>{content}</s:Body></s:Envelope>"
    )
    if declare:
        text = f'<?xml version="1.0" encoding="{encoding}"?>{text}'
    kind = f"text/xml; charset={encoding}" if declare else "text/xml"
    return Response(text.encode(encoding, "xmlcharrefreplace"), status, content_type=kind)


def attributes(values: dict[str, str]) -> str:
    """As a row of XML has them. Control characters stay: real devices send them too."""
    return " ".join(f'{name}="{escape(value)}"' for name, value in values.items())


def _fault(code: str, text: str) -> str:
    return f"<s:Fault><faultcode>{escape(code)}</faultcode><faultstring>{escape(text)}</faultstring></s:Fault>"


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
