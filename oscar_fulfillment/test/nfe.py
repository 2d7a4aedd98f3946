"""Notes made to order: authorities, certificates, small valid NF-e, signed, authorised, cancelled. For tests and demos.

note = make_note(order=released_order())                       # bytes of an nfeProc that pays for the order's goods
note = make_note(number=7, total="50.00", items=[item(sku="A1", quantity=2, amount="50.00")])
event = make_cancellation(key_of(note))

Nothing here has a fiscal value: the authority is made up, and so is the tax office's answer. Needs the extra [nfe].
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from html import escape
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from django.utils import timezone

from oscar_fulfillment.fiscal import nfe_xml
from oscar_fulfillment.fiscal.access_key import parse
from oscar_fulfillment.fiscal.nfe_signature import C14N, CNPJ_OID, DS, PERSON_OID, canonical
from oscar_fulfillment.fiscal.nfe_xml import NFE

from .fiscal import DEMO_CNPJ, make_cpf, make_key

BUYER = make_cpf("123456789")
_serial = itertools.count(1)


# ---- Certificates ----


@dataclass(frozen=True)
class Holder:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def text(self) -> str:
        """The certificate as notes carry it: base64 on one line."""
        return base64.b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "BR"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ICP-Brasil de mentira"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def make_authority(
    name: str = "AC Teste", parent: Holder | None = None, days: tuple[int, int] = (-3650, 3650)
) -> Holder:
    """A root, or an authority below ``parent``; valid from and until so many days from today."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    issuer = parent.certificate.subject if parent else _name(name)
    builder = _begin(_name(name), issuer, key, days)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return Holder(builder.sign(parent.key if parent else key, hashes.SHA256()), key)


def make_certificate(
    authority: Holder, *, cnpj: str = DEMO_CNPJ, cpf: str = "", days: tuple[int, int] = (-300, 300), says: bool = True
) -> Holder:
    """An e-CNPJ (or, with ``cpf``, an e-CPF) as ICP-Brasil has them; ``says=False`` leaves out whose it is."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = _name(f"LOJA TESTE:{cpf or cnpj}" if says else "LOJA TESTE")
    builder = _begin(name, authority.certificate.subject, key, days)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    if says:
        oid, text = (PERSON_OID, f"01011980{cpf}{'0' * 15}") if cpf else (CNPJ_OID, cnpj)
        # DER: a printable string.
        other = x509.OtherName(x509.ObjectIdentifier(oid), b"\x13" + bytes([len(text)]) + text.encode())
        builder = builder.add_extension(x509.SubjectAlternativeName([other]), critical=False)
    return Holder(builder.sign(authority.key, hashes.SHA256()), key)


def _begin(subject: x509.Name, issuer: x509.Name, key: Any, days: tuple[int, int]) -> x509.CertificateBuilder:
    today = timezone.now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today + timedelta(days=days[0]))
        .not_valid_after(today + timedelta(days=days[1]))
    )


@cache
def demo_authority() -> Holder:
    """One for the whole run: making keys takes its time."""
    return make_authority()


@cache
def demo_signer(cnpj: str = DEMO_CNPJ) -> Holder:
    """The e-CNPJ of a shop, from :func:`demo_authority`."""
    return make_certificate(demo_authority(), cnpj=cnpj)


# ---- Notes ----


def item(
    *, sku: str = "SKU-1", title: str = "Caneca", quantity: int | str = 1, amount: str | Decimal = "10.00",
    ean: str = "SEM GTIN", order: str = "",
) -> dict[str, str]:  # fmt: skip
    """A line of a note; ``amount`` is what all of it costs."""
    return {
        "sku": sku, "title": title, "quantity": str(quantity), "amount": f"{Decimal(amount):.2f}", "ean": ean,
        "order": order,
    }  # fmt: skip


def items_of(order: Any) -> list[dict[str, str]]:
    """The lines of an order as its note has them."""
    return [
        item(sku=line.partner_sku, title=line.title, quantity=line.quantity, amount=line.line_price_incl_tax)
        for line in order.lines.order_by("pk")
    ]


def build_nfe(
    *,
    order: Any = None,
    number: int | None = None,
    series: int = 1,
    issuer: str = DEMO_CNPJ,
    buyer: str | None = BUYER,
    total: str | Decimal | None = None,
    items: Sequence[dict[str, str]] | None = None,
    issued_at: datetime | None = None,
    order_number: str | None = None,
    text: str = "",
    environment: str = "1",
    model: str = "55",
    direction: str = "1",
    purpose: str = "1",
    postcode: str = "01310100",
    key: str = "",
) -> str:
    """An unsigned note. With ``order`` its number, buyer, goods and total; everything else can be said otherwise."""
    if order is not None:
        items = items_of(order) if items is None else items
        total = order.total_incl_tax if total is None else total
        order_number = order.number if order_number is None else order_number
        buyer = (order.fulfillment.tax_id or buyer) if buyer == BUYER else buyer
    lines = [item()] if items is None else list(items)
    goods = sum((Decimal(one["amount"]) for one in lines), Decimal(0))
    said = goods if total is None else Decimal(total)
    at = issued_at or timezone.localtime()
    number = next(_serial) if number is None else number
    text_key = key or make_key(issuer=issuer, number=number, series=series, model=model, year_month=f"{at:%y%m}")
    part = parse(text_key) if not key else None
    code = part.code if part else text_key[35:43]
    party = "CPF" if len(issuer) == 11 else "CNPJ"
    details = "".join(_detail(place, one) for place, one in enumerate(lines, 1))
    bought = f"<compra><xPed>{escape(order_number)}</xPed></compra>" if order_number else ""
    free = f"<infAdic><infCpl>{escape(text)}</infCpl></infAdic>" if text else ""
    freight = max(said - goods, Decimal(0))
    discount = max(goods - said, Decimal(0))
    zeros = "".join(f"<{name}>0.00</{name}>" for name in _ZEROS)
    return (
        f'<NFe xmlns="{NFE}"><infNFe Id="NFe{text_key}" versao="4.00">'
        f"<ide><cUF>35</cUF><cNF>{code}</cNF><natOp>Venda</natOp><mod>{model}</mod><serie>{series}</serie>"
        f"<nNF>{number}</nNF><dhEmi>{at.isoformat(timespec='seconds')}</dhEmi><tpNF>{direction}</tpNF>"
        f"<idDest>1</idDest><cMunFG>3550308</cMunFG><tpImp>1</tpImp><tpEmis>1</tpEmis><cDV>{text_key[-1]}</cDV>"
        f"<tpAmb>{environment}</tpAmb><finNFe>{purpose}</finNFe><indFinal>1</indFinal><indPres>2</indPres>"
        f"<indIntermed>0</indIntermed><procEmi>0</procEmi><verProc>teste</verProc></ide>"
        f"<emit><{party}>{issuer}</{party}><xNome>Loja Teste</xNome><enderEmit><xLgr>Rua A</xLgr><nro>1</nro>"
        "<xBairro>Centro</xBairro><cMun>3550308</cMun><xMun>São Paulo</xMun><UF>SP</UF><CEP>01310100</CEP>"
        "<cPais>1058</cPais><xPais>Brasil</xPais></enderEmit><IE>111111111111</IE><CRT>1</CRT></emit>"
        f"{_buyer(buyer, postcode)}{details}"
        f"<total><ICMSTot>{zeros}<vProd>{goods:.2f}</vProd><vFrete>{freight:.2f}</vFrete><vSeg>0.00</vSeg>"
        f"<vDesc>{discount:.2f}</vDesc><vII>0.00</vII><vIPI>0.00</vIPI><vIPIDevol>0.00</vIPIDevol><vPIS>0.00</vPIS>"
        f"<vCOFINS>0.00</vCOFINS><vOutro>0.00</vOutro><vNF>{said:.2f}</vNF></ICMSTot></total>"
        "<transp><modFrete>0</modFrete><vol><qVol>1</qVol><pesoL>0.500</pesoL><pesoB>0.600</pesoB></vol></transp>"
        f"<pag><detPag><tPag>01</tPag><vPag>{said:.2f}</vPag></detPag></pag>{free}{bought}</infNFe></NFe>"
    )


_ZEROS = ("vBC", "vICMS", "vICMSDeson", "vFCP", "vBCST", "vST", "vFCPST", "vFCPSTRet")


def _buyer(buyer: str | None, postcode: str) -> str:
    if buyer is None:
        return ""
    kind = "CPF" if len(buyer) == 11 else "CNPJ" if buyer else "idEstrangeiro"
    return (
        f"<dest><{kind}>{buyer}</{kind}><xNome>Ana Souza</xNome><enderDest><xLgr>Rua A</xLgr><nro>1</nro>"
        "<xBairro>Centro</xBairro><cMun>3550308</cMun><xMun>São Paulo</xMun><UF>SP</UF>"
        f"<CEP>{postcode}</CEP></enderDest><indIEDest>9</indIEDest></dest>"
    )


def _detail(place: int, one: dict[str, str]) -> str:
    unit = Decimal(one["amount"]) / Decimal(one["quantity"])
    bought = f"<xPed>{escape(one['order'])}</xPed>" if one["order"] else ""
    ean = escape(one["ean"])
    return (
        f'<det nItem="{place}"><prod><cProd>{escape(one["sku"])}</cProd><cEAN>{ean}</cEAN>'
        f"<xProd>{escape(one['title'])}</xProd><NCM>69111010</NCM><CFOP>5102</CFOP><uCom>UN</uCom>"
        f"<qCom>{Decimal(one['quantity']):.4f}</qCom><vUnCom>{unit:.10f}</vUnCom><vProd>{one['amount']}</vProd>"
        f"<cEANTrib>{ean}</cEANTrib><uTrib>UN</uTrib><qTrib>{Decimal(one['quantity']):.4f}</qTrib>"
        f"<vUnTrib>{unit:.10f}</vUnTrib><indTot>1</indTot>{bought}</prod><imposto><ICMS><ICMSSN102><orig>0</orig>"
        "<CSOSN>102</CSOSN></ICMSSN102></ICMS><PIS><PISNT><CST>07</CST></PISNT></PIS><COFINS><COFINSNT><CST>07</CST>"
        "</COFINSNT></COFINS></imposto></det>"
    )


def sign(xml: str, signer: Holder | None = None, *, body: str = "infNFe") -> str:
    """Sign as the tax office demands: enveloped, inclusive C14N, RSA with SHA-1, beside the element that it covers."""
    signer = signer or demo_signer()
    root = nfe_xml.parse(xml)
    target = root.find(f"{{{NFE}}}{body}")
    digest = base64.b64encode(hashlib.sha1(canonical(target)).digest()).decode()  # noqa: S324 (their algorithm)
    declared = f' xmlns="{DS}"'
    info = (
        f'<SignedInfo{declared}><CanonicalizationMethod Algorithm="{C14N}"></CanonicalizationMethod>'
        f'<SignatureMethod Algorithm="{DS}rsa-sha1"></SignatureMethod><Reference URI="#{target.get("Id")}"><Transforms>'
        f'<Transform Algorithm="{DS}enveloped-signature"></Transform><Transform Algorithm="{C14N}"></Transform>'
        f'</Transforms><DigestMethod Algorithm="{DS}sha1"></DigestMethod><DigestValue>{digest}</DigestValue>'
        "</Reference></SignedInfo>"
    )
    value = signer.key.sign(canonical(nfe_xml.parse(info)), padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    signature = (
        f'<Signature xmlns="{DS}">{info.replace(declared, "", 1)}'
        f"<SignatureValue>{base64.b64encode(value).decode()}</SignatureValue><KeyInfo><X509Data>"
        f"<X509Certificate>{signer.text}</X509Certificate></X509Data></KeyInfo></Signature>"
    )
    head, end, tail = xml.rpartition("</")
    return f"{head}{signature}{end}{tail}"


def authorise(
    signed: str, *, status: str = "100", text: str = "Autorizado o uso da NF-e", key: str = "", digest: str = ""
) -> str:
    """The note with the tax office's answer. Put together as text: whatever writes a signed note anew breaks it."""
    found = re.search(r'Id="NFe([^"]*)"', signed)
    value = re.search(r"<DigestValue>([^<]*)<", signed)
    key = key or (found[1] if found else "")
    digest = digest or (value[1] if value else "")
    told = f"<digVal>{digest}</digVal>" if digest else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><nfeProc xmlns="{NFE}" versao="4.00">{signed}<protNFe versao="4.00">'
        f"<infProt><tpAmb>{_environment(signed)}</tpAmb><verAplic>SP_NFE</verAplic><chNFe>{key}</chNFe>"
        f"<dhRecbto>{timezone.localtime().isoformat(timespec='seconds')}</dhRecbto><nProt>135260000000001</nProt>{told}"
        f"<cStat>{status}</cStat><xMotivo>{escape(text)}</xMotivo></infProt></protNFe></nfeProc>"
    )


def _environment(xml: str) -> str:
    found = re.search(r"<tpAmb>(\d)<", xml)
    return found[1] if found else "1"


def make_note(*, signer: Holder | None = None, status: str = "100", **said: Any) -> bytes:
    """An authorised note as a file. ``said`` as for :func:`build_nfe`."""
    if signer is None:
        issuer = said.get("issuer", DEMO_CNPJ)
        signer = demo_signer(issuer) if len(issuer) == 14 else demo_signer()
    return authorise(sign(build_nfe(**said), signer), status=status).encode()


def key_of(note: bytes) -> str:
    """The access key of a note's file."""
    found = re.search(rb'Id="NFe([^"]*)"', note)
    return found[1].decode() if found else ""


# ---- Events ----


def make_event(
    key: str, *, kind: str = "110111", status: str = "135", why: str = "Cliente desistiu da compra",
    environment: str = "1", signer: Holder | None = None, answered: bool = True,
) -> bytes:  # fmt: skip
    """Something that happened to a note, registered by the tax office: by default, it was cancelled."""
    at = timezone.localtime().isoformat(timespec="seconds")
    issuer = key[6:20]
    detail = {
        "110111": f"<descEvento>Cancelamento</descEvento><nProt>135260000000001</nProt><xJust>{escape(why)}</xJust>",
        "110110": f"<descEvento>Carta de Correcao</descEvento><xCorrecao>{escape(why)}</xCorrecao>"
        "<xCondUso>A Carta de Correcao e disciplinada</xCondUso>",
    }.get(kind, "<descEvento>Outro</descEvento>")
    event = (
        f'<evento xmlns="{NFE}" versao="1.00"><infEvento Id="ID{kind}{key}01"><cOrgao>35</cOrgao>'
        f"<tpAmb>{environment}</tpAmb><CNPJ>{issuer}</CNPJ><chNFe>{key}</chNFe><dhEvento>{at}</dhEvento>"
        f'<tpEvento>{kind}</tpEvento><nSeqEvento>1</nSeqEvento><verEvento>1.00</verEvento><detEvento versao="1.00">'
        f"{detail}</detEvento></infEvento></evento>"
    )
    signed = sign(event, signer or demo_signer(issuer if issuer.isalnum() else DEMO_CNPJ), body="infEvento")
    answer = (
        f'<retEvento xmlns="{NFE}" versao="1.00"><infEvento><tpAmb>{environment}</tpAmb><verAplic>SP</verAplic>'
        f"<cOrgao>35</cOrgao><cStat>{status}</cStat><xMotivo>Evento registrado e vinculado a NF-e</xMotivo>"
        f"<chNFe>{key}</chNFe><tpEvento>{kind}</tpEvento><nSeqEvento>1</nSeqEvento><dhRegEvento>{at}</dhRegEvento>"
        "<nProt>135260000000009</nProt></infEvento></retEvento>"
    )
    told = answer if answered else ""
    return f'<procEventoNFe xmlns="{NFE}" versao="1.00">{signed}{told}</procEventoNFe>'.encode()


def make_cancellation(key: str, **said: Any) -> bytes:
    """The note was cancelled."""
    return make_event(key, **said)
