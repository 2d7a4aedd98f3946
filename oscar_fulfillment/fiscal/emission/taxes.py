"""The taxes of one line of a note: bases and sums, and the groups of the layout that say them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .facts import NoteFacts, NoteLine
from .rules import BY_RATE, IMPORTED, IPI_TAXED, UNTAXED, ZERO, TaxRules, is_simples
from .shares import cents

HUNDRED = Decimal(100)
_SOUTH_EAST = frozenset({"MG", "PR", "RJ", "RS", "SC", "SP"})


def money(amount: Decimal) -> str:
    return f"{cents(amount):.2f}"


def rate(percent: Decimal) -> str:
    return f"{percent:.4f}"


def interstate_rate(origin: str, sender: str, receiver: str) -> Decimal:
    """The rate of ICMS between two states (Senate's resolutions 22/1989 and 13/2012), in percent."""
    if origin in IMPORTED:
        return Decimal(4)
    return Decimal(7) if sender in _SOUTH_EAST and receiver not in _SOUTH_EAST else Decimal(12)


@dataclass
class LineTaxes:
    """What a line weighs in the totals, and its groups. ``product`` is vProd: the price without the IPI in it."""

    product: Decimal
    sums: dict[str, Decimal] = field(default_factory=dict)
    groups: dict[str, Any] = field(default_factory=dict)
    #: IBS and CBS, for their own total; empty where the line has none.
    reform: dict[str, Decimal] = field(default_factory=dict)

    def add(self, **sums: Decimal) -> None:
        for name, value in sums.items():
            self.sums[name] = self.sums.get(name, ZERO) + value


def line_taxes(facts: NoteFacts, line: NoteLine) -> LineTaxes:
    """Everything about the taxes of this line.

    What the buyer pays stays what it is: an IPI is taken out of the price, since the layout adds it on top.
    """
    rules = line.rules
    untaxed, ipi = _without_ipi(line.paid, rules)
    found = LineTaxes(product=line.gross - ipi)
    # A final buyer's ICMS is reckoned with the IPI in its base.
    icms, share = _icms(found, facts, rules, line.paid)
    if rules.ipi:
        found.groups["IPI"] = _ipi(found, rules, untaxed, ipi)
    base = untaxed - icms if rules.excludes_icms else untaxed
    contributions = ZERO
    for name, code, percent in (("PIS", rules.pis, rules.pis_rate), ("COFINS", rules.cofins, rules.cofins_rate)):
        group, amount = _contribution(name, code, percent, base)
        found.groups[name] = group
        found.add(**{f"v{name}": amount})
        contributions += amount
    if share:
        found.groups["ICMSUFDest"] = share
    if rules.class_code:
        fund = found.sums.get("vFCP", ZERO) + found.sums.get("vFCPUFDest", ZERO)
        taken = icms + found.sums.get("vICMSUFDest", ZERO) + fund + contributions
        found.groups["IBSCBS"] = _reform(found, rules, max(untaxed - taken, ZERO))
    return found


def _without_ipi(paid: Decimal, rules: TaxRules) -> tuple[Decimal, Decimal]:
    """The sum without the IPI in it, and that IPI: together what is paid, to the cent."""
    if rules.ipi not in IPI_TAXED or not rules.ipi_rate:
        return paid, ZERO
    untaxed = cents(paid / (1 + rules.ipi_rate / HUNDRED))
    return untaxed, paid - untaxed


def _icms(found: LineTaxes, facts: NoteFacts, rules: TaxRules, value: Decimal) -> tuple[Decimal, dict[str, Any] | None]:
    """The line's ICMS, and the group of the buyer's state where it has a share."""
    if is_simples(facts.issuer.crt):
        found.groups["ICMS"] = _simples(rules, value)
        return ZERO, None
    head = {"orig": rules.origin, "CST": rules.icms}
    if rules.icms not in ("00", "20"):
        name = "ICMS40" if rules.icms in ("40", "41", "50") else "ICMS60"
        found.groups["ICMS"] = {name: head}
        return ZERO, None
    percent, sender, receiver = rules.icms_rate, facts.issuer.place.state, facts.recipient.place.state
    if not facts.is_inside:
        given = rules.icms_rate_outside
        percent = given if given is not None else interstate_rate(rules.origin, sender, receiver)
    base = cents(value * (HUNDRED - rules.icms_reduction) / HUNDRED) if rules.icms == "20" else value
    amount = cents(base * percent / HUNDRED)
    group = {**head, "modBC": "3", "vBC": money(base), "pICMS": rate(percent), "vICMS": money(amount)}
    if rules.icms == "20":
        group["pRedBC"] = rate(rules.icms_reduction)
    found.add(vBC=base, vICMS=amount)
    if rules.fcp_rate and facts.is_inside:
        fund = cents(base * rules.fcp_rate / HUNDRED)
        group |= {"pFCP": rate(rules.fcp_rate), "vFCP": money(fund)}
        if rules.icms == "20":
            group["vBCFCP"] = money(base)
        found.add(vFCP=fund)
    found.groups["ICMS"] = {f"ICMS{rules.icms}": group}
    if facts.is_inside or facts.recipient.ie:
        return amount, None
    return amount, _destination(found, rules, base, percent, receiver)


def _simples(rules: TaxRules, value: Decimal) -> dict[str, Any]:
    head = {"orig": rules.origin, "CSOSN": rules.icms}
    if rules.icms == "101":
        credit = cents(value * rules.credit_rate / HUNDRED)
        return {"ICMSSN101": {**head, "pCredSN": rate(rules.credit_rate), "vCredICMSSN": money(credit)}}
    name = {"500": "ICMSSN500", "900": "ICMSSN900"}.get(rules.icms, "ICMSSN102")
    return {name: head}


def _destination(found: LineTaxes, rules: TaxRules, base: Decimal, percent: Decimal, state: str) -> dict[str, Any]:
    """The share of the buyer's state in a sale to somebody who is no taxpayer (EC 87/2015): all of the difference."""
    inner, fund_rate = rules.destinations.get(state, (percent, ZERO))
    difference = cents(base * max(inner - percent, ZERO) / HUNDRED)
    fund = cents(base * fund_rate / HUNDRED)
    found.add(vICMSUFDest=difference, vFCPUFDest=fund, vICMSUFRemet=ZERO)
    return {
        "vBCUFDest": money(base), "vBCFCPUFDest": money(base), "pFCPUFDest": rate(fund_rate),
        "pICMSUFDest": rate(inner), "pICMSInter": f"{percent:.2f}", "pICMSInterPart": rate(HUNDRED),
        "vFCPUFDest": money(fund), "vICMSUFDest": money(difference), "vICMSUFRemet": "0.00",
    }  # fmt: skip


def _ipi(found: LineTaxes, rules: TaxRules, base: Decimal, amount: Decimal) -> dict[str, Any]:
    head: dict[str, Any] = {"cEnq": rules.ipi_framework}
    if rules.ipi not in IPI_TAXED:
        return {**head, "IPINT": {"CST": rules.ipi}}
    found.add(vIPI=amount)
    taxed = {"CST": rules.ipi, "vBC": money(base), "pIPI": rate(rules.ipi_rate), "vIPI": money(amount)}
    return {**head, "IPITrib": taxed}


def _contribution(name: str, code: str, percent: Decimal, base: Decimal) -> tuple[dict[str, Any], Decimal]:
    if code in UNTAXED:
        return {f"{name}NT": {"CST": code}}, ZERO
    if code not in BY_RATE and not percent:
        base = ZERO
    amount = cents(base * percent / HUNDRED)
    kind = "Aliq" if code in BY_RATE else "Outr"
    group = {"CST": code, "vBC": money(base), f"p{name}": rate(percent), f"v{name}": money(amount)}
    return {f"{name}{kind}": group}, amount


def _reform(found: LineTaxes, rules: TaxRules, base: Decimal) -> dict[str, Any]:
    """IBS and CBS: their base is the value without IPI, ICMS and its poverty fund, both also of the buyer's state, PIS
    and COFINS (LC 214/2025 art. 12, until 2032).

    The same sum as rule UB16-10 of NT 2025.002-RTC, which was announced for later and has been taken out again: the tax
    office does not check the base (as of v1.31 and on), only that rates and products fit it.
    """
    state = cents(base * rules.ibs_state_rate / HUNDRED)
    city = cents(base * rules.ibs_city_rate / HUNDRED)
    cbs = cents(base * rules.cbs_rate / HUNDRED)
    found.reform = {"base": base, "state": state, "city": city, "cbs": cbs}
    return {
        "CST": rules.class_code[:3],
        "cClassTrib": rules.class_code,
        "gIBSCBS": {
            "vBC": money(base),
            "gIBSUF": {"pIBSUF": rate(rules.ibs_state_rate), "vIBSUF": money(state)},
            "gIBSMun": {"pIBSMun": rate(rules.ibs_city_rate), "vIBSMun": money(city)},
            "vIBS": money(state + city),
            "gCBS": {"pCBS": rate(rules.cbs_rate), "vCBS": money(cbs)},
        },
    }
