"""How the simulated tax office speaks: SOAP 1.2 in, SOAP 1.2 out, answers as the layouts have them."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from lxml import etree
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Request, Response

NFE = "http://www.portalfiscal.inf.br/nfe"
SOAP = "http://www.w3.org/2003/05/soap-envelope"
VERSION = "SIMULADOR-1.0"


@dataclass(frozen=True)
class Decision:
    """A status with its words. ``number``: the protocol that goes with it."""

    code: str
    text: str
    number: str = ""


def parse(content: bytes) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    return etree.fromstring(content, parser)


def read(request: Request, service: str) -> Any:
    """What stands in the envelope: the one element in ``nfeDadosMsg`` of this service."""
    try:
        envelope = parse(request.get_data())
    except etree.XMLSyntaxError as error:
        raise BadRequest("no XML") from error
    if "application/soap+xml" not in request.headers.get("Content-Type", ""):
        raise BadRequest("SOAP 1.2 goes as application/soap+xml")
    message = envelope.find(f"{{{SOAP}}}Body/{{http://www.portalfiscal.inf.br/nfe/wsdl/{service}}}nfeDadosMsg")
    if message is None or len(message) != 1:
        raise BadRequest(f"no nfeDadosMsg of {service}")
    return message[0]


def reply(service: str, content: str) -> Response:
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><env:Envelope xmlns:env="{SOAP}"><env:Body>'
        f'<nfeResultMsg xmlns="http://www.portalfiscal.inf.br/nfe/wsdl/{service}">{content}</nfeResultMsg>'
        "</env:Body></env:Envelope>"
    )
    return Response(body.encode(), 200, content_type="application/soap+xml; charset=utf-8")


def text_at(element: Any, path: str) -> str:
    found = element.find("/".join(f"{{{NFE}}}{step}" for step in path.split("/"))) if element is not None else None
    return (found.text or "") if found is not None else ""


def alone(element: Any) -> bytes:
    """An element as a document of its own, as it was signed: without what was declared around it."""
    copy = etree.fromstring(etree.tostring(element, with_tail=False))
    etree.cleanup_namespaces(copy)
    return etree.tostring(copy)


def _head(decision: Decision) -> str:
    return f"<cStat>{decision.code}</cStat><xMotivo>{escape(decision.text)}</xMotivo>"


def protocol(key: str, digest: str, decision: Decision, at: str) -> str:
    number = f"<nProt>{decision.number}</nProt>" if decision.number else ""
    told = f"<digVal>{digest}</digVal>" if decision.number else ""
    identity = f' Id="ID{decision.number}"' if decision.number else ""
    return (
        f'<protNFe versao="4.00"><infProt{identity}><tpAmb>2</tpAmb><verAplic>{VERSION}</verAplic><chNFe>{key}</chNFe>'
        f"<dhRecbto>{at}</dhRecbto>{number}{told}{_head(decision)}</infProt></protNFe>"
    )


def lot(decision: Decision, uf: str, at: str, *, receipt: str = "", found: str = "") -> str:
    waiting = f"<infRec><nRec>{receipt}</nRec><tMed>1</tMed></infRec>" if receipt else ""
    return (
        f'<retEnviNFe xmlns="{NFE}" versao="4.00"><tpAmb>2</tpAmb><verAplic>{VERSION}</verAplic>{_head(decision)}'
        f"<cUF>{uf}</cUF><dhRecbto>{at}</dhRecbto>{waiting}{found}</retEnviNFe>"
    )


def receipt(decision: Decision, number: str, uf: str, at: str, found: str = "") -> str:
    return (
        f'<retConsReciNFe xmlns="{NFE}" versao="4.00"><tpAmb>2</tpAmb><verAplic>{VERSION}</verAplic><nRec>{number}</nRec>'
        f"{_head(decision)}<cUF>{uf}</cUF><dhRecbto>{at}</dhRecbto>{found}</retConsReciNFe>"
    )


def query(decision: Decision, key: str, uf: str, at: str, found: str = "", events: str = "") -> str:
    return (
        f'<retConsSitNFe xmlns="{NFE}" versao="4.00"><tpAmb>2</tpAmb><verAplic>{VERSION}</verAplic>{_head(decision)}'
        f"<cUF>{uf}</cUF><dhRecbto>{at}</dhRecbto><chNFe>{key}</chNFe>{found}{events}</retConsSitNFe>"
    )


def status(decision: Decision, uf: str, at: str) -> str:
    return (
        f'<retConsStatServ xmlns="{NFE}" versao="4.00"><tpAmb>2</tpAmb><verAplic>{VERSION}</verAplic>{_head(decision)}'
        f"<cUF>{uf}</cUF><dhRecbto>{at}</dhRecbto><tMed>1</tMed></retConsStatServ>"
    )


def event(decision: Decision, key: str, kind: str, number: str, at: str) -> str:
    """The answer about one event."""
    told = f"<nProt>{decision.number}</nProt>" if decision.number else ""
    return (
        f'<retEvento versao="1.00"><infEvento><tpAmb>2</tpAmb><verAplic>{VERSION}</verAplic><cOrgao>{key[:2]}</cOrgao>'
        f"{_head(decision)}<chNFe>{key}</chNFe><tpEvento>{kind}</tpEvento><nSeqEvento>{number}</nSeqEvento>"
        f"<dhRegEvento>{at}</dhRegEvento>{told}</infEvento></retEvento>"
    )


def event_lot(decision: Decision, uf: str, lot_number: str, found: str = "") -> str:
    return (
        f'<retEnvEvento xmlns="{NFE}" versao="1.00"><idLote>{lot_number}</idLote><tpAmb>2</tpAmb>'
        f"<verAplic>{VERSION}</verAplic><cOrgao>{uf}</cOrgao>{_head(decision)}{found}</retEnvEvento>"
    )


def voiding(decision: Decision, uf: str, at: str) -> str:
    told = f"<nProt>{decision.number}</nProt>" if decision.number else ""
    return (
        f'<retInutNFe xmlns="{NFE}" versao="4.00"><infInut><tpAmb>2</tpAmb><verAplic>{VERSION}</verAplic>{_head(decision)}'
        f"<cUF>{uf}</cUF><dhRecbto>{at}</dhRecbto>{told}</infInut></retInutNFe>"
    )
