"""A sale as NF-e of layout 4.00: facts made into the elements of the layout, and those into XML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from oscar_fulfillment import __version__
from oscar_fulfillment.fiscal.access_key import AccessKey

from .facts import HOMOLOGATION, NORMAL, NoteFacts, NoteLine, Place, Recipient
from .keys import make_access_key
from .municipalities import STATE_CODES
from .rules import ZERO
from .taxes import LineTaxes, line_taxes, money
from .texts import digits, plain

#: What the tax office demands instead of the buyer's name in a test.
NO_VALUE = "NF-E EMITIDA EM AMBIENTE DE HOMOLOGACAO - SEM VALOR FISCAL"
#: The most items of a note by the layout.
MAX_LINES = 990
#: Payments with a card or by Pix name who took them.
_WITH_CARD = frozenset({"03", "04", "17"})
_TOTALS = (
    "vBC", "vICMS", "vICMSDeson", "vFCP", "vBCST", "vST", "vFCPST", "vFCPSTRet", "vProd", "vFrete", "vSeg", "vDesc",
    "vII", "vIPI", "vIPIDevol", "vPIS", "vCOFINS", "vOutro", "vNF",
)  # fmt: skip


@dataclass(frozen=True)
class BuiltNote:
    """An unsigned note with its key."""

    xml: bytes
    key: AccessKey
    total: Decimal


def build_note(facts: NoteFacts) -> BuiltNote:
    """The note of these facts. It is well-formed, not yet proved: see ``schema.schema_problems``.

    :raises ValueError: lines that no layout can hold (none, too many, a negative sum), or an impossible key.
    """
    if not 0 < len(facts.lines) <= MAX_LINES:
        raise ValueError(f"a note has 1 to {MAX_LINES} lines, not {len(facts.lines)}")
    if any(line.quantity <= 0 or min(line.gross, line.discount, line.freight, line.other) < 0 for line in facts.lines):
        raise ValueError("a line of a note is negative")
    key = make_access_key(
        state=facts.issuer.place.state, issued_at=facts.issued_at, cnpj=facts.issuer.cnpj, series=facts.series,
        number=facts.number, emission_type=facts.emission_type, code=facts.code,
    )  # fmt: skip
    document = {"infNFe": _note(facts, key)}
    return BuiltNote(_serialise(document), key, facts.total)


def _serialise(document: dict[str, Any]) -> bytes:
    from nfelib.nfe.bindings.v4_0.nfe_v4_00 import Nfe
    from xsdata.formats.dataclass.parsers import DictDecoder
    from xsdata.formats.dataclass.serializers import XmlSerializer
    from xsdata.formats.dataclass.serializers.config import SerializerConfig

    note = DictDecoder().decode(document, Nfe)
    # One line, the namespace once and without prefix: what is signed stays as it is.
    config = SerializerConfig(xml_declaration=False, indent=None)
    return XmlSerializer(config=config).render(note, ns_map={None: "http://www.portalfiscal.inf.br/nfe"}).encode()


def _note(facts: NoteFacts, key: AccessKey) -> dict[str, Any]:
    taxes = [line_taxes(facts, line) for line in facts.lines]
    note: dict[str, Any] = {
        "versao": "4.00",
        "Id": f"NFe{key.text}",
        "ide": _identification(facts, key),
        "emit": _issuer(facts),
        "dest": _recipient(facts.recipient, is_test=facts.environment == HOMOLOGATION),
        "det": [_detail(facts, *one) for one in zip(range(1, MAX_LINES + 1), facts.lines, taxes, strict=False)],
        "total": _totals(facts, taxes),
        "transp": _transport(facts),
        "pag": {"detPag": [_payment(facts, payment.code, payment.amount, payment.label) for payment in facts.payments]},
    }  # fmt: skip
    if text := _text(facts):
        note["infAdic"] = {"infCpl": text}
    if facts.order_number:
        note["compra"] = {"xPed": plain(facts.order_number, 60)}
    if facts.technical is not None:
        contact = facts.technical
        note["infRespTec"] = {
            "CNPJ": contact.cnpj, "xContato": plain(contact.name, 60), "email": plain(contact.email, 60),
            "fone": digits(contact.phone, 14),
        }  # fmt: skip
    return note


def _identification(facts: NoteFacts, key: AccessKey) -> dict[str, Any]:
    found = {
        "cUF": STATE_CODES[facts.issuer.place.state],
        "cNF": facts.code,
        "natOp": plain(facts.operation, 60),
        "mod": "55",
        "serie": str(facts.series),
        "nNF": str(facts.number),
        "dhEmi": facts.issued_at.isoformat(timespec="seconds"),
        "tpNF": "1",
        "idDest": "1" if facts.is_inside else "2",
        "cMunFG": facts.issuer.place.municipality,
        "tpImp": "1",
        "tpEmis": str(facts.emission_type),
        "cDV": key.check_digit,
        "tpAmb": environment_code(facts.environment),
        "finNFe": "1",
        # To a final buyer, over the internet, in a shop of one's own.
        "indFinal": "1",
        "indPres": "2",
        "indIntermed": "0",
        "procEmi": "0",
        "verProc": f"oscar-ff {__version__}"[:20],
    }
    if facts.emission_type != NORMAL and facts.contingency_at is not None:
        found["dhCont"] = facts.contingency_at.isoformat(timespec="seconds")
        found["xJust"] = plain(facts.contingency_reason, 256)
    return found


def environment_code(environment: str) -> str:
    """The layout's tpAmb."""
    return "2" if environment == HOMOLOGATION else "1"


def _issuer(facts: NoteFacts) -> dict[str, Any]:
    issuer = facts.issuer
    found = {"CNPJ": issuer.cnpj, "xNome": plain(issuer.name, 60), "enderEmit": _place(issuer.place), "IE": issuer.ie,
             "CRT": str(issuer.crt)}  # fmt: skip
    if issuer.trade_name:
        found["xFant"] = plain(issuer.trade_name, 60)
    return found


def _place(place: Place) -> dict[str, Any]:
    found = {
        "xLgr": plain(place.street, 60), "nro": plain(place.number, 60), "xBairro": plain(place.district, 60),
        "cMun": place.municipality, "xMun": plain(place.city, 60), "UF": place.state,
        "CEP": digits(place.postcode, 8), "cPais": "1058", "xPais": "Brasil",
    }  # fmt: skip
    if complement := plain(place.complement, 60):
        found["xCpl"] = complement
    phone = digits(place.phone).removeprefix("55") if len(digits(place.phone)) > 11 else digits(place.phone)
    if 6 <= len(phone) <= 14:
        found["fone"] = phone
    return found


def _recipient(recipient: Recipient, *, is_test: bool) -> dict[str, Any]:
    found = {
        recipient.kind.upper(): recipient.tax_id,
        "xNome": NO_VALUE if is_test else plain(recipient.name, 60),
        "enderDest": _place(recipient.place),
        "indIEDest": "1" if recipient.ie else "9",
    }
    if recipient.ie:
        found["IE"] = recipient.ie
    if recipient.email and len(recipient.email) <= 60 and recipient.email == plain(recipient.email, 60):
        found["email"] = recipient.email
    return found


def _detail(facts: NoteFacts, place: int, line: NoteLine, taxes: LineTaxes) -> dict[str, Any]:
    rules = line.rules
    unit = f"{taxes.product / line.quantity:.10f}"
    gtin = line.gtin or "SEM GTIN"
    product = {
        "cProd": plain(line.code, 60) or line.reference,
        "cEAN": gtin,
        "xProd": plain(line.title, 120),
        "NCM": rules.ncm,
        "CFOP": _cfop(facts, line),
        "uCom": plain(rules.unit, 6),
        "qCom": f"{line.quantity}.0000",
        "vUnCom": unit,
        "vProd": money(taxes.product),
        "cEANTrib": gtin,
        "uTrib": plain(rules.unit, 6),
        "qTrib": f"{line.quantity}.0000",
        "vUnTrib": unit,
        "indTot": "1",
    }
    for name, amount in (("vFrete", line.freight), ("vDesc", line.discount), ("vOutro", line.other)):
        if amount:
            product[name] = money(amount)
    if rules.cest:
        product["CEST"] = rules.cest
    if rules.benefit:
        product["cBenef"] = rules.benefit
    if facts.order_number and len(facts.order_number) <= 15:
        product["xPed"] = plain(facts.order_number, 15)
    found = {"nItem": str(place), "prod": product, "imposto": taxes.groups}
    if taxes.reform:
        found["vItem"] = money(line.paid)
    return found


def _cfop(facts: NoteFacts, line: NoteLine) -> str:
    if facts.is_inside:
        return line.rules.cfop_inside
    return (facts.recipient.ie and line.rules.cfop_outside_firm) or line.rules.cfop_outside


def _totals(facts: NoteFacts, taxes: Sequence[LineTaxes]) -> dict[str, Any]:
    sums = dict.fromkeys(_TOTALS, ZERO)
    for tax in taxes:
        for name, amount in tax.sums.items():
            sums[name] = sums.get(name, ZERO) + amount
    sums["vProd"] = sum((tax.product for tax in taxes), ZERO)
    for name, attribute in (("vFrete", "freight"), ("vDesc", "discount"), ("vOutro", "other")):
        sums[name] = sum((getattr(line, attribute) for line in facts.lines), ZERO)
    sums["vNF"] = facts.total
    found: dict[str, Any] = {"ICMSTot": {name: money(amount) for name, amount in sums.items()}}
    reform = [tax.reform for tax in taxes if tax.reform]
    if reform:
        state, city, cbs, base = (sum((one[name] for one in reform), ZERO) for name in ("state", "city", "cbs", "base"))
        part = {"vDif": "0.00", "vDevTrib": "0.00"}
        rest = {"vCredPres": "0.00", "vCredPresCondSus": "0.00"}
        found["IBSCBSTot"] = {
            "vBCIBSCBS": money(base),
            "gIBS": {
                "gIBSUF": {**part, "vIBSUF": money(state)},
                "gIBSMun": {**part, "vIBSMun": money(city)},
                "vIBS": money(state + city),
                **rest,
            },
            "gCBS": {**part, "vCBS": money(cbs), **rest},
        }
        # In 2026 IBS and CBS are said, not added.
        found["vNFTot"] = money(facts.total)
    return found


def _transport(facts: NoteFacts) -> dict[str, Any]:
    found: dict[str, Any] = {"modFrete": str(facts.freight_mode)}
    if facts.volumes:
        volume = {"qVol": str(facts.volumes), "esp": "VOLUME"}
        if facts.weight:
            kilograms = f"{Decimal(facts.weight) / 1000:.3f}"
            volume |= {"pesoL": kilograms, "pesoB": kilograms}
        found["vol"] = [volume]
    return found


def _payment(facts: NoteFacts, code: str, amount: Decimal, label: str) -> dict[str, Any]:
    found: dict[str, Any] = {"tPag": code, "vPag": money(amount)}
    if code == "99":
        found["xPag"] = plain(label, 60) or "Outros"
    if code in _WITH_CARD:
        # 2: not integrated with the till.
        found["card"] = {"tpIntegra": "2"}
    return found


def _text(facts: NoteFacts) -> str:
    """The free text for the buyer: the order, the shop's words, and what the accountant wants said."""
    said = [f"Pedido {facts.order_number}." if facts.order_number else "", facts.text]
    said += dict.fromkeys(line.rules.note_text for line in facts.lines)
    return plain(" ".join(part.strip() for part in said if part.strip()), 5000)
