"""The buyer as a note names them: from the order, and what a person says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.streets import split_street
from oscar_fulfillment.fiscal import taxids
from oscar_fulfillment.fiscal.emission.municipalities import STATE_CODES, find_municipality, is_municipality
from oscar_fulfillment.fiscal.emission.texts import digits

#: What a person may say otherwise, in the order of the form.
FIELDS: dict[str, Any] = {
    "name": gettext_lazy("Name"),
    "ie": gettext_lazy("State registration (IE)"),
    "street": gettext_lazy("Street"),
    "number": gettext_lazy("House number"),
    "complement": gettext_lazy("Complement"),
    "district": gettext_lazy("District (bairro)"),
    "city": gettext_lazy("City"),
    "state": gettext_lazy("State (UF)"),
    "postcode": gettext_lazy("CEP"),
    "phone": gettext_lazy("Phone"),
}


def read_buyer(order: Any, corrections: Mapping[str, str] | None = None) -> dict[str, str]:
    """The buyer's fields as texts, ``kind``, ``tax_id``, ``email`` and ``municipality`` beside :data:`FIELDS`."""
    fulfillment, address = order.fulfillment, order.shipping_address
    street, number, rest = split_street(address.line1 or "") if address is not None else ("", "", "")
    found = {
        "kind": fulfillment.tax_id_kind,
        "tax_id": fulfillment.tax_id,
        "email": order.email or "",
        "name": fulfillment.customer_name or (address.name if address is not None else ""),
        "ie": "",
        "street": street,
        "number": number,
        "complement": ", ".join(part for part in (rest, address.line2 if address is not None else "") if part),
        "district": (address.line3 or "") if address is not None else "",
        "city": (address.line4 or "") if address is not None else "",
        "state": (address.state or "").upper() if address is not None else "",
        "postcode": (address.postcode or "") if address is not None else "",
        "phone": str(getattr(address, "phone_number", "") or "") if address is not None else "",
    }
    for name, value in (corrections or {}).items():
        if name in FIELDS:
            found[name] = " ".join(str(value).split())[:200]
    found["state"] = found["state"].upper()
    found["ie"] = digits(found["ie"], 14)
    found["municipality"] = find_municipality(found["city"], found["state"])
    return found


def corrections_of(order: Any, said: Mapping[str, str]) -> dict[str, str]:
    """What of these fields differs from the order."""
    plain = read_buyer(order)
    return {name: said[name] for name in FIELDS if name in said and said[name] != plain[name]}


def buyer_gaps(order: Any, buyer: Mapping[str, str]) -> list[str]:
    """What is missing or wrong."""
    address = order.shipping_address
    if address is not None and address.country_id != "BR":
        return [_("The goods go abroad: such a note is not issued from here.")]
    found = []
    if buyer["kind"] not in ("cpf", "cnpj") or not taxids.is_valid(buyer["kind"], buyer["tax_id"]):
        found.append(_("The buyer has no valid CPF or CNPJ."))
    wanted = {
        "name": _("The buyer's name is missing."),
        "street": _("The street is missing."),
        "number": _("The house number is missing; S/N where there is none."),
        "district": _("The district (bairro) is missing."),
    }
    found += [message for name, message in wanted.items() if len(buyer[name].strip()) < (2 if name == "name" else 1)]
    if len(digits(buyer["postcode"], 9)) != 8:
        found.append(_("The CEP is missing."))
    if buyer["state"] not in STATE_CODES:
        found.append(_("The state (UF) is missing."))
    elif not is_municipality(buyer["municipality"], buyer["state"]):
        words = {"city": buyer["city"], "state": buyer["state"]}
        found.append(_("“%(city)s” is no municipality of %(state)s.") % words)
    if buyer["ie"] and buyer["kind"] != "cnpj":
        found.append(_("Only a firm (CNPJ) has a state registration (IE) here."))
    return found
