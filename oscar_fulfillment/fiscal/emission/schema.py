"""A note against the official schema (shipped by nfelib, PL_010f), its errors in the merchant's words.

The schema knows shapes only: no check digit, no sum. The signature is not asked for before there is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.fiscal.nfe_xml import NFE

#: Elements that people fill in: what they are called, and the group they are in where the name alone is not enough.
WORDS: dict[str, Any] = {
    "NCM": gettext_lazy("NCM code"),
    "CEST": gettext_lazy("CEST code"),
    "CFOP": gettext_lazy("CFOP"),
    "cBenef": gettext_lazy("tax benefit"),
    "xProd": gettext_lazy("title of the article"),
    "cProd": gettext_lazy("code of the article"),
    "cEAN": gettext_lazy("bar code (GTIN)"),
    "cEANTrib": gettext_lazy("bar code (GTIN)"),
    "uCom": gettext_lazy("unit"),
    "uTrib": gettext_lazy("unit"),
    "xNome": gettext_lazy("name"),
    "xFant": gettext_lazy("trade name"),
    "xLgr": gettext_lazy("street"),
    "nro": gettext_lazy("house number"),
    "xCpl": gettext_lazy("complement"),
    "xBairro": gettext_lazy("district (bairro)"),
    "cMun": gettext_lazy("municipality (IBGE's code)"),
    "xMun": gettext_lazy("city"),
    "UF": gettext_lazy("state (UF)"),
    "CEP": gettext_lazy("CEP"),
    "fone": gettext_lazy("phone"),
    "CPF": gettext_lazy("CPF"),
    "CNPJ": gettext_lazy("CNPJ"),
    "IE": gettext_lazy("state registration (IE)"),
    "email": gettext_lazy("e-mail"),
    "natOp": gettext_lazy("kind of operation"),
    "infCpl": gettext_lazy("text on the note"),
    "xPed": gettext_lazy("order number"),
    "xPag": gettext_lazy("way to pay"),
    "tPag": gettext_lazy("way to pay"),
    "CST": gettext_lazy("tax code (CST)"),
    "CSOSN": gettext_lazy("tax code (CSOSN)"),
    "orig": gettext_lazy("origin of the goods"),
    "pICMS": gettext_lazy("rate of ICMS"),
    "pICMSInter": gettext_lazy("rate of ICMS between states"),
    "pICMSUFDest": gettext_lazy("rate of ICMS of the buyer's state"),
    "pPIS": gettext_lazy("rate of PIS"),
    "pCOFINS": gettext_lazy("rate of COFINS"),
    "pIPI": gettext_lazy("rate of IPI"),
    "cEnq": gettext_lazy("framework code of IPI"),
    "cClassTrib": gettext_lazy("tax classification of IBS and CBS"),
    "xJust": gettext_lazy("reason"),
    "xContato": gettext_lazy("technical contact"),
}
_GROUPS: dict[str, Any] = {
    "emit": gettext_lazy("issuer"),
    "dest": gettext_lazy("buyer"),
    "infRespTec": gettext_lazy("technical contact"),
}
#: What should have stood there. The names that may be left out come first.
_EXPECTED = re.compile(r"Expected is (?:one of )?\(([^)]*)\)")
_FACET = re.compile(r"\[facet '([a-zA-Z]+)'\]")


@dataclass(frozen=True)
class SchemaProblem:
    """``message`` for people; ``element`` is the layout's name, ``line`` the place of the item (0: none)."""

    element: str
    message: str
    line: int = 0

    def __str__(self) -> str:
        return self.message


def schema_problems(xml: bytes, *, is_signed: bool = False) -> list[SchemaProblem]:
    """What the schema refuses in a note of ours; empty when nothing."""
    from lxml import etree

    root = etree.fromstring(xml)
    schema = load_schema("nfe/schemas/v4_0/nfe_v4.00.xsd")
    if schema.validate(root):
        return []
    found: dict[tuple[str, int], SchemaProblem] = {}
    for error in schema.error_log:
        if not is_signed and "Signature" in error.message and "Missing child" in error.message:
            continue
        problem = _in_words(root, error)
        # An element that breaks a pattern is told of twice: by the facet and by its type.
        found.setdefault((problem.element, problem.line), problem)
    return list(found.values())


@cache
def load_schema(path: str) -> Any:
    """A schema of nfelib, compiled once: that takes a while."""
    from lxml import etree

    # Official files, with their includes beside them.
    return etree.XMLSchema(etree.parse(str(files("nfelib").joinpath(path))))


def _in_words(root: Any, error: Any) -> SchemaProblem:
    from lxml import etree

    found = root.xpath(error.path) if error.path else []
    element = found[0] if found else root
    name = etree.QName(element).localname
    line, groups = 0, []
    for above in element.iterancestors():
        tag = etree.QName(above).localname
        if tag == "det":
            line = int(above.get("nItem") or 0)
        if tag in _GROUPS:
            groups.append(str(_GROUPS[tag]))
    expected = _EXPECTED.search(error.message)
    if expected:
        name = expected[1].split(",")[-1].strip().rpartition("}")[2]
        message = _("“%(field)s” is missing.") % {"field": _field(name)}
    else:
        facet = _FACET.search(error.message)
        message = _refusal(name, element.text or "", facet[1] if facet else "")
    return SchemaProblem(name, _place(message, root, line, groups), line)


def _field(name: str) -> str:
    return str(WORDS.get(name, name))


def _refusal(name: str, value: str, facet: str) -> str:
    words = {"field": _field(name), "value": value[:60]}
    if not value.strip():
        return _("“%(field)s” is missing.") % words
    if facet in ("maxLength", "length"):
        return _("“%(field)s” is too long: “%(value)s”.") % words
    if facet == "minLength":
        return _("“%(field)s” is too short: “%(value)s”.") % words
    return _("“%(field)s” cannot be “%(value)s”.") % words


def _place(message: str, root: Any, line: int, groups: list[str]) -> str:
    if line:
        title = root.findtext(f".//{{{NFE}}}det[@nItem='{line}']/{{{NFE}}}prod/{{{NFE}}}xProd") or ""
        return _("Item %(line)d, %(title)s: %(problem)s") % {"line": line, "title": title, "problem": message}
    if groups:
        return _("%(group)s: %(problem)s") % {"group": groups[0].capitalize(), "problem": message}
    return message
