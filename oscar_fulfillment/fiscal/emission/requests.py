"""What the tax office is asked, as XML: a lot with one note, a receipt, a key, an event, numbers to be voided."""

from __future__ import annotations

from datetime import datetime
from html import escape

from oscar_fulfillment.fiscal.access_key import AccessKey
from oscar_fulfillment.fiscal.nfe_xml import NFE

from .build import environment_code
from .municipalities import STATE_CODES
from .texts import plain

CANCELLATION, CORRECTION = "110111", "110110"
#: Letters that a reason, and a correction, has at least and at most.
REASON, CORRECTION_TEXT = (15, 255), (15, 1000)
#: So many corrections of one note are taken; the last one counts.
MAX_CORRECTIONS = 20
_CONDITIONS = (
    "A Carta de Correcao e disciplinada pelo paragrafo 1o-A do art. 7o do Convenio S/N, de 15 de dezembro de 1970 e "
    "pode ser utilizada para regularizacao de erro ocorrido na emissao de documento fiscal, desde que o erro nao "
    "esteja relacionado com: I - as variaveis que determinam o valor do imposto tais como: base de calculo, aliquota, "
    "diferenca de preco, quantidade, valor da operacao ou da prestacao; II - a correcao de dados cadastrais que "
    "implique mudanca do remetente ou do destinatario; III - a data de emissao ou de saida."
)


def lot(signed: bytes, number: int) -> str:
    """One note, to be answered at once where the tax office can. The note goes as it was signed."""
    return (
        f'<enviNFe xmlns="{NFE}" versao="4.00"><idLote>{number}</idLote><indSinc>1</indSinc>{signed.decode()}</enviNFe>'
    )


def receipt_query(environment: str, receipt: str) -> str:
    return (
        f'<consReciNFe xmlns="{NFE}" versao="4.00"><tpAmb>{environment_code(environment)}</tpAmb>'
        f"<nRec>{escape(receipt)}</nRec></consReciNFe>"
    )


def key_query(environment: str, key: str) -> str:
    return (
        f'<consSitNFe xmlns="{NFE}" versao="4.00"><tpAmb>{environment_code(environment)}</tpAmb>'
        f"<xServ>CONSULTAR</xServ><chNFe>{escape(key)}</chNFe></consSitNFe>"
    )


def status_query(environment: str, state: str) -> str:
    return (
        f'<consStatServ xmlns="{NFE}" versao="4.00"><tpAmb>{environment_code(environment)}</tpAmb>'
        f"<cUF>{STATE_CODES[state]}</cUF><xServ>STATUS</xServ></consStatServ>"
    )


def cancellation(*, key: AccessKey, environment: str, protocol: str, reason: str, at: datetime) -> str:
    """The event that cancels a note, to be signed. ValueError for a reason or a protocol that is refused anyway."""
    if not (protocol.isascii() and protocol.isdigit() and len(protocol) in (15, 17)):
        raise ValueError("a protocol has 15 or 17 digits")
    detail = f"<descEvento>Cancelamento</descEvento><nProt>{protocol}</nProt><xJust>{_text(reason, REASON)}</xJust>"
    return _event(CANCELLATION, key, environment, at, 1, detail)


def correction(*, key: AccessKey, environment: str, text: str, number: int, at: datetime) -> str:
    """The event that corrects what a note says, to be signed; ``number`` counts the corrections of this note."""
    if not 1 <= number <= MAX_CORRECTIONS:
        raise ValueError(f"a note takes {MAX_CORRECTIONS} corrections")
    detail = (
        f"<descEvento>Carta de Correcao</descEvento><xCorrecao>{_text(text, CORRECTION_TEXT)}</xCorrecao>"
        f"<xCondUso>{_CONDITIONS}</xCondUso>"
    )
    return _event(CORRECTION, key, environment, at, number, detail)


def _event(kind: str, key: AccessKey, environment: str, at: datetime, number: int, detail: str) -> str:
    party = "CNPJ" if key.issuer_kind == "cnpj" else "CPF"
    return (
        f'<evento xmlns="{NFE}" versao="1.00"><infEvento Id="ID{kind}{key.text}{number:02d}"><cOrgao>{key.uf}</cOrgao>'
        f"<tpAmb>{environment_code(environment)}</tpAmb><{party}>{key.issuer}</{party}><chNFe>{key.text}</chNFe>"
        f"<dhEvento>{at.isoformat(timespec='seconds')}</dhEvento><tpEvento>{kind}</tpEvento>"
        f'<nSeqEvento>{number}</nSeqEvento><verEvento>1.00</verEvento><detEvento versao="1.00">{detail}</detEvento>'
        "</infEvento></evento>"
    )


def event_lot(signed: bytes, number: int) -> str:
    """A signed event on its way."""
    return f'<envEvento xmlns="{NFE}" versao="1.00"><idLote>{number}</idLote>{signed.decode()}</envEvento>'


def voiding(
    *, state: str, environment: str, cnpj: str, series: int, first: int, last: int, year: int, reason: str
) -> str:
    """Numbers of a series that will never be used, to be signed."""
    if not 1 <= first <= last <= 999_999_999:
        raise ValueError("the last number comes before the first")
    uf = STATE_CODES[state]
    name = f"ID{uf}{year % 100:02d}{cnpj}55{series:03d}{first:09d}{last:09d}"
    return (
        f'<inutNFe xmlns="{NFE}" versao="4.00"><infInut Id="{name}"><tpAmb>{environment_code(environment)}</tpAmb>'
        f"<xServ>INUTILIZAR</xServ><cUF>{uf}</cUF><ano>{year % 100:02d}</ano><CNPJ>{cnpj}</CNPJ><mod>55</mod>"
        f"<serie>{series}</serie><nNFIni>{first}</nNFIni><nNFFin>{last}</nNFFin><xJust>{_text(reason, REASON)}</xJust>"
        "</infInut></inutNFe>"
    )


def fits(text: str, bounds: tuple[int, int]) -> bool:
    """Whether a reason or a correction has a length that is taken, as it will be written."""
    return bounds[0] <= len(plain(text, 10_000)) <= bounds[1]


def _text(text: str, bounds: tuple[int, int]) -> str:
    if not fits(text, bounds):
        raise ValueError(f"the text has {bounds[0]} to {bounds[1]} letters")
    return escape(plain(text, bounds[1]), quote=False)


def join_proc(signed: bytes, protocol: str) -> bytes:
    """The authorised note as it is kept and handed out (nfeProc): what was signed and what was answered, untouched."""
    return _join("nfeProc", "4.00", signed, protocol)


def join_event(signed: bytes, answer: str) -> bytes:
    """An event with its answer (procEventoNFe)."""
    return _join("procEventoNFe", "1.00", signed, answer)


def _join(name: str, version: str, signed: bytes, answer: str) -> bytes:
    head = f'<?xml version="1.0" encoding="UTF-8"?><{name} xmlns="{NFE}" versao="{version}">'
    return head.encode() + signed + answer.encode() + f"</{name}>".encode()
