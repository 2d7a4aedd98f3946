"""How a kind of goods is taxed, as the merchant's accountant has filled it in. We reckon; what applies, they decide.

Supported: ICMS 00, 20, 40, 41, 50, 60 (normal regime) and CSOSN 101, 102, 103, 300, 400, 500, 900 (Simples Nacional,
MEI), with the share of the buyer's state (DIFAL) and its poverty fund; PIS and COFINS by rate, not taxed or other; IPI
contained in the price; IBS and CBS. Not supported: tax substitution reckoned by the issuer (ICMS 10, 30, 70, CSOSN 201
to 203), single-phase fuels, services.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext_lazy as _

from .municipalities import STATE_CODES

NORMAL_ICMS = {
    "00": _("00 taxed in full"),
    "20": _("20 taxed with a reduced base"),
    "40": _("40 exempt"),
    "41": _("41 not taxed"),
    "50": _("50 suspended"),
    "60": _("60 taxed before, by substitution"),
}
SIMPLES_ICMS = {
    "101": _("101 Simples, with credit for the buyer"),
    "102": _("102 Simples, without credit"),
    "103": _("103 Simples, exempt for its turnover"),
    "300": _("300 immune"),
    "400": _("400 not taxed by Simples"),
    "500": _("500 taxed before, by substitution"),
    "900": _("900 others"),
}
ICMS = {**NORMAL_ICMS, **SIMPLES_ICMS}
#: Codes of PIS and of COFINS.
BY_RATE, UNTAXED, OTHERS = ("01", "02"), ("04", "05", "06", "07", "08", "09"), ("49", "99")
CONTRIBUTIONS = {
    "01": _("01 taxed, basic rate"),
    "02": _("02 taxed, other rate"),
    "04": _("04 single-phase, resale at rate zero"),
    "05": _("05 by substitution"),
    "06": _("06 rate zero"),
    "07": _("07 exempt"),
    "08": _("08 not subject"),
    "09": _("09 suspended"),
    "49": _("49 other operations going out"),
    "99": _("99 others"),
}
IPI_TAXED = ("50", "99")
IPI = {
    "50": _("50 taxed"),
    "51": _("51 taxed at rate zero"),
    "52": _("52 exempt"),
    "53": _("53 not taxed"),
    "54": _("54 immune"),
    "55": _("55 suspended"),
    "99": _("99 others"),
}
ORIGINS = {
    "0": _("0 national"),
    "1": _("1 foreign, imported by the seller"),
    "2": _("2 foreign, bought in Brazil"),
    "3": _("3 national, 40 to 70 % imported contents"),
    "4": _("4 national, by basic production process"),
    "5": _("5 national, up to 40 % imported contents"),
    "6": _("6 foreign, imported by the seller, no national equal"),
    "7": _("7 foreign, bought in Brazil, no national equal"),
    "8": _("8 national, more than 70 % imported contents"),
}
#: Goods whose rate between states is 4 % (Senate's resolution 13/2012).
IMPORTED = frozenset("1238")
ZERO = Decimal(0)
_RATES = (
    "icms_rate", "icms_reduction", "fcp_rate", "credit_rate", "pis_rate", "cofins_rate", "ipi_rate", "ibs_state_rate",
    "ibs_city_rate", "cbs_rate",
)  # fmt: skip


def is_simples(crt: int) -> bool:
    """Whether an issuer of this regime uses CSOSN: Simples Nacional within its limit, or MEI."""
    return crt in (1, 4)


@dataclass(frozen=True)
class TaxRules:
    """Codes as the layout has them, rates in percent. Empty texts are gaps that :func:`rule_problems` names.

    ``icms`` is a CST of two digits or a CSOSN of three. ``icms_rate`` is the rate inside the issuer's state,
    ``icms_rate_outside`` the one between states (None: as the law says for the two states and the goods' origin).
    ``destinations``: state -> (its inner rate, its poverty fund's), for buyers of other states who are no taxpayers.
    ``class_code`` (cClassTrib) switches the group of IBS and CBS on; its first three digits are the CST.
    """

    ncm: str = ""
    cest: str = ""
    origin: str = "0"
    unit: str = "UN"
    cfop_inside: str = ""
    cfop_outside: str = ""
    #: For firms of other states that are taxpayers; empty: the same.
    cfop_outside_firm: str = ""
    icms: str = ""
    icms_rate: Decimal = ZERO
    icms_rate_outside: Decimal | None = None
    icms_reduction: Decimal = ZERO
    fcp_rate: Decimal = ZERO
    benefit: str = ""
    credit_rate: Decimal = ZERO
    destinations: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    pis: str = ""
    pis_rate: Decimal = ZERO
    cofins: str = ""
    cofins_rate: Decimal = ZERO
    #: Whether the ICMS leaves the base of PIS and COFINS (Supreme Court, theme 69).
    excludes_icms: bool = True
    ipi: str = ""
    ipi_rate: Decimal = ZERO
    ipi_framework: str = "999"
    class_code: str = ""
    ibs_state_rate: Decimal = Decimal("0.10")
    ibs_city_rate: Decimal = ZERO
    cbs_rate: Decimal = Decimal("0.90")
    #: Printed on the note once for all its lines that say the same.
    note_text: str = ""

    def to_json(self) -> dict[str, Any]:
        """Texts, booleans and dicts only, so that it can be stored and compared."""
        found: dict[str, Any] = {}
        for name, value in asdict(self).items():
            if isinstance(value, Decimal):
                value = str(value.normalize() if value else 0)
            elif name == "destinations":
                value = {state: [str(rate) for rate in rates] for state, rates in sorted(value.items())}
            found[name] = value
        return found


def rules_from_json(given: Mapping[str, Any]) -> TaxRules:
    """Rules that :meth:`TaxRules.to_json` has stored; what is unknown or damaged is left out, as a gap."""
    values: dict[str, Any] = {}
    for declared in fields(TaxRules):
        if declared.name not in given:
            continue
        value = given[declared.name]
        if declared.name in _RATES or declared.name == "icms_rate_outside":
            value = read_rate(value)
            if value is None and declared.name != "icms_rate_outside":
                continue
        elif declared.name == "destinations":
            value = _destinations(value)
        elif declared.name == "excludes_icms":
            value = bool(value)
        else:
            value = str(value or "")
        values[declared.name] = value
    return TaxRules(**values)


def read_rate(value: Any) -> Decimal | None:
    """A rate in percent; None for what is none."""
    if value in (None, ""):
        return None
    try:
        rate = Decimal(str(value).replace(",", "."))
    except InvalidOperation:
        return None
    return rate if rate.is_finite() and ZERO <= rate < 1000 else None


def _destinations(value: Any) -> dict[str, tuple[Decimal, Decimal]]:
    found = {}
    for state, rates in value.items() if isinstance(value, Mapping) else ():
        pair = list(rates) if isinstance(rates, (list, tuple)) else [rates]
        inner, fund = read_rate(pair[0] if pair else None), read_rate(pair[1] if len(pair) > 1 else 0)
        if state in STATE_CODES and inner is not None:
            found[state] = (inner, fund or ZERO)
    return found


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.ASCII)


_SHAPES = {
    "ncm": (_pattern(r"[0-9]{2}|[0-9]{8}"), _("The NCM has eight digits, for example 69111010.")),
    "cest": (_pattern(r"[0-9]{7}|"), _("The CEST has seven digits.")),
    "cfop_inside": (_pattern(r"5[0-9]{3}"), _("The CFOP inside the state has four digits and begins with 5.")),
    "cfop_outside": (_pattern(r"6[0-9]{3}"), _("The CFOP to other states has four digits and begins with 6.")),
    "cfop_outside_firm": (_pattern(r"6[0-9]{3}|"), _("The CFOP to other states has four digits and begins with 6.")),
    "benefit": (_pattern(r"[A-Z0-9]{8}|[A-Z0-9]{10}|SEM CBENEF|"), _("A tax benefit has eight or ten characters.")),
    "class_code": (_pattern(r"[0-9]{6}|"), _("The tax class of IBS and CBS has six digits, for example 000001.")),
    "ipi_framework": (_pattern(r"[0-9A-Z]{1,3}"), _("The framework of IPI has up to three characters; 999 for none.")),
}  # fmt: skip


def rule_problems(rules: TaxRules, crt: int, state: str = "") -> dict[str, Any]:
    """What is missing or contradicts itself for an issuer of this regime: field -> message. Empty: it can be issued.

    ``state``: also what is missing for a buyer there who is no taxpayer (another state than the issuer's).
    """
    found: dict[str, Any] = {}
    for name, (shape, message) in _SHAPES.items():
        if not shape.fullmatch(getattr(rules, name)):
            found[name] = message
    if rules.origin not in ORIGINS:
        found["origin"] = _("Choose where the goods come from.")
    if not 1 <= len(rules.unit) <= 6:
        found["unit"] = _("The unit has one to six characters, for example UN.")
    found |= _icms_problems(rules, crt, state)
    for name in ("pis", "cofins"):
        code, rate = getattr(rules, name), getattr(rules, f"{name}_rate")
        if code not in CONTRIBUTIONS:
            found[name] = _("Choose how PIS is taxed.") if name == "pis" else _("Choose how COFINS is taxed.")
        elif code in BY_RATE and not rate:
            found[f"{name}_rate"] = _("This code needs a rate.")
    if rules.ipi and rules.ipi not in IPI:
        found["ipi"] = _("Choose how IPI is taxed, or nothing.")
    elif rules.ipi == "50" and not rules.ipi_rate:
        found["ipi_rate"] = _("This code needs a rate.")
    for name in _RATES:
        if not ZERO <= getattr(rules, name) <= 100:
            found[name] = _("A rate is between 0 and 100 percent.")
    return found


def _icms_problems(rules: TaxRules, crt: int, state: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    simples = is_simples(crt)
    if rules.icms not in (SIMPLES_ICMS if simples else NORMAL_ICMS):
        found["icms"] = (
            _("Choose how ICMS is taxed: a firm of Simples Nacional uses a CSOSN of three digits.")
            if simples
            else _("Choose how ICMS is taxed: a firm of the normal regime uses a CST of two digits.")
        )
        return found
    if rules.icms in ("00", "20") and not rules.icms_rate:
        found["icms_rate"] = _("This code needs a rate.")
    if rules.icms_rate_outside is not None and rules.icms_rate_outside not in (4, 7, 12):
        found["icms_rate_outside"] = _("Between states the rate is 4, 7 or 12 percent.")
    if rules.icms == "20" and not rules.icms_reduction:
        found["icms_reduction"] = _("This code needs the reduction of the base.")
    if rules.icms == "101" and not rules.credit_rate:
        found["credit_rate"] = _("This code needs the rate of the credit.")
    # Simples pays no share to the buyer's state (Supreme Court, theme 1284).
    if state and not simples and state not in rules.destinations:
        found["destinations"] = _("The inner rate of %(state)s is missing.") % {"state": state}
    return found
