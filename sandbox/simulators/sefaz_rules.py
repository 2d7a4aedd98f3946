"""What the simulated tax office checks of a note, in its order; written apart from the code it is meant to try."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from .sefaz_wire import NFE, Decision, alone, text_at

DS = "http://www.w3.org/2000/09/xmldsig#"
TEST_NAME = "NF-E EMITIDA EM AMBIENTE DE HOMOLOGACAO - SEM VALOR FISCAL"
#: An NCM that nobody has, for those who want to see a note rejected.
NO_NCM = "99999999"


@cache
def schema(path: str) -> Any:
    return etree.XMLSchema(etree.parse(str(files("nfelib").joinpath(path))))


def schema_refusal(note: bytes) -> Decision | None:
    """225 with the first thing that the schema says."""
    found = schema("nfe/schemas/v4_0/nfe_v4.00.xsd")
    if found.validate(etree.fromstring(note)):
        return None
    error = found.error_log[0]
    return Decision("225", f"Rejeição: Falha no Schema XML da NFe [{error.message[:180]}]".replace(f"{{{NFE}}}", ""))


def signature_refusal(document: bytes, body: str, owner: str) -> Decision | None:
    """297 where the digest or the signature does not fit, 213 where it is somebody else's."""
    root = etree.fromstring(document)
    target, signature = root.find(f"{{{NFE}}}{body}"), root.find(f"{{{DS}}}Signature")
    if signature is None:
        return Decision("298", "Rejeição: Assinatura difere do padrão do Sistema")
    info = signature.find(f"{{{DS}}}SignedInfo")
    reference = info.find(f"{{{DS}}}Reference")
    if reference.get("URI") != f"#{target.get('Id')}":
        return Decision("298", "Rejeição: Assinatura difere do padrão do Sistema")
    digest = base64.b64encode(hashlib.sha1(canonical(target)).digest()).decode()
    certificate = certificate_of(signature)
    try:
        value = base64.b64decode(signature.findtext(f"{{{DS}}}SignatureValue"))
        certificate.public_key().verify(value, canonical(info), padding.PKCS1v15(), hashes.SHA1())
    except (InvalidSignature, ValueError):
        return Decision("297", "Rejeição: Assinatura difere do calculado")
    if reference.findtext(f"{{{DS}}}DigestValue") != digest:
        return Decision("297", "Rejeição: Assinatura difere do calculado")
    if owner_of(certificate)[:8] != owner[:8]:
        return Decision("213", "Rejeição: CNPJ-Base do Emitente difere do CNPJ-Base do Certificado Digital")
    return None


def canonical(element: Any) -> bytes:
    return etree.tostring(etree.fromstring(alone(element)), method="c14n", exclusive=False, with_comments=False)


def certificate_of(signature: Any) -> x509.Certificate:
    text = signature.findtext(f"{{{DS}}}KeyInfo/{{{DS}}}X509Data/{{{DS}}}X509Certificate") or ""
    return x509.load_der_x509_certificate(base64.b64decode(text))


def owner_of(certificate: x509.Certificate) -> str:
    """The CNPJ in a certificate of ICP-Brasil."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    for other in names.get_values_for_type(x509.OtherName):
        if other.type_id.dotted_string == "2.16.76.1.3.3":
            return other.value[2:].decode()
    return ""


def digest_of(note: bytes) -> str:
    return etree.fromstring(note).findtext(f".//{{{DS}}}DigestValue") or ""


def key_refusal(body: Any) -> Decision | None:
    """502 where the key is not made of the note's fields, 253 for its digit."""
    ide = body.find(f"{{{NFE}}}ide")
    at = text_at(ide, "dhEmi")
    parts = (
        text_at(ide, "cUF"), at[2:4] + at[5:7], text_at(body, "emit/CNPJ"), text_at(ide, "mod"),
        text_at(ide, "serie").zfill(3), text_at(ide, "nNF").zfill(9), text_at(ide, "tpEmis"), text_at(ide, "cNF"),
    )  # fmt: skip
    key, made = body.get("Id")[3:], "".join(parts)
    if key[:43] != made:
        return Decision("502", "Rejeição: Erro na Chave de Acesso - Campo Id não corresponde à concatenação dos campos")
    if _digit(made) != key[43] or text_at(ide, "cDV") != key[43]:
        return Decision("253", "Rejeição: Dígito Verificador da chave de acesso composta inválida")
    return None


def _digit(body: str) -> str:
    weights = [2, 3, 4, 5, 6, 7, 8, 9]
    rest = sum((ord(sign) - 48) * weights[place % 8] for place, sign in enumerate(reversed(body))) % 11
    return "0" if rest < 2 else str(11 - rest)


def business_refusal(body: Any, now: datetime) -> Decision | None:
    """The rules that shops run into."""
    for rule in (_test_name, _times, _items, _destination, _sums):
        if found := rule(body, now):
            return found
    return None


def _test_name(body: Any, now: datetime) -> Decision | None:
    if text_at(body, "dest/xNome") != TEST_NAME:
        return Decision(
            "598", "Rejeição: NF-e emitida em ambiente de homologação com Razão Social do destinatário diferente"
        )
    return None


def _times(body: Any, now: datetime) -> Decision | None:
    issued = datetime.fromisoformat(text_at(body, "ide/dhEmi"))
    if issued > now + timedelta(minutes=5):
        return Decision("703", "Rejeição: Data-Hora de Emissão posterior ao horário de recebimento")
    if issued < now - timedelta(days=30):
        return Decision("228", "Rejeição: Data de Emissão muito atrasada")
    return None


def _items(body: Any, now: datetime) -> Decision | None:
    inside = text_at(body, "ide/idDest") == "1"
    for item in body.findall(f"{{{NFE}}}det"):
        place, product = item.get("nItem"), item.find(f"{{{NFE}}}prod")
        if text_at(product, "NCM") == NO_NCM:
            return Decision("778", f"Rejeição: Informado NCM inexistente [nItem:{place}]")
        if text_at(product, "CFOP")[0] != ("5" if inside else "6"):
            return Decision(
                "733",
                f"Rejeição: CFOP de operação {'interestadual' if inside else 'interna'} e idDest diferente [nItem:{place}]",
            )
        reckoned = Decimal(text_at(product, "qCom")) * Decimal(text_at(product, "vUnCom"))
        if abs(reckoned - Decimal(text_at(product, "vProd"))) > Decimal("0.01"):
            return Decision(
                "629", f"Rejeição: Valor do Produto difere do produto Valor Unitário e Quantidade [nItem:{place}]"
            )
    return None


def _destination(body: Any, now: datetime) -> Decision | None:
    """EC 87/2015: a share for the buyer's state, unless the issuer is of Simples."""
    if text_at(body, "ide/idDest") != "2" or text_at(body, "dest/indIEDest") != "9" or text_at(body, "emit/CRT") != "3":
        return None
    for item in body.findall(f"{{{NFE}}}det"):
        taxed = item.find(f"{{{NFE}}}imposto/{{{NFE}}}ICMS/{{{NFE}}}ICMS00")
        if taxed is not None and item.find(f"{{{NFE}}}imposto/{{{NFE}}}ICMSUFDest") is None:
            return Decision(
                "694", f"Rejeição: Não informado o grupo de ICMS para a UF de destino [nItem:{item.get('nItem')}]"
            )
    return None


def _sums(body: Any, now: datetime) -> Decision | None:
    total = body.find(f"{{{NFE}}}total/{{{NFE}}}ICMSTot")
    items = body.findall(f"{{{NFE}}}det")
    for name, code in (("vProd", "564"), ("vDesc", "537"), ("vFrete", "535"), ("vOutro", "604")):
        added = sum((Decimal(text_at(item, f"prod/{name}") or 0) for item in items), Decimal(0))
        if added != Decimal(text_at(total, name)):
            return Decision(code, f"Rejeição: Total do {name} difere do somatório dos itens")
    for group, name, code in (("ICMS", "vICMS", "532"), ("PIS", "vPIS", "602"), ("COFINS", "vCOFINS", "603")):
        found = [tag for item in items for tag in item.iterfind(f"{{{NFE}}}imposto/{{{NFE}}}{group}//{{{NFE}}}{name}")]
        if sum((Decimal(tag.text) for tag in found), Decimal(0)) != Decimal(text_at(total, name)):
            return Decision(code, f"Rejeição: Total do {name} difere do somatório dos itens")
    plus = ("vProd", "vST", "vFrete", "vSeg", "vOutro", "vII", "vIPI")
    whole = sum((Decimal(text_at(total, name)) for name in plus), Decimal(0)) - Decimal(text_at(total, "vDesc"))
    if whole != Decimal(text_at(total, "vNF")):
        return Decision("610", "Rejeição: Total da NF difere do somatório dos Valores que compõe o valor Total da NF")
    return None
