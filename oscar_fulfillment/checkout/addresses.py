"""What an address must have in some countries, beyond Oscar's own checks."""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

try:  # The optional extra "localflavor" brings the states' full names.
    from localflavor.br.br_states import STATE_CHOICES
except ImportError:
    _CODES = "AC AL AP AM BA CE DF ES GO MA MT MS MG PA PB PR PE PI RJ RN RS RO RR SC SP SE TO"
    STATE_CHOICES = [(code, code) for code in _CODES.split()]  # type: ignore[assignment]

STATES = {str(code): str(name) for code, name in STATE_CHOICES}
# What a Brazilian writes on a parcel; Oscar's lines have no meaning of their own.
BRAZILIAN_LABELS = {
    "line1": _("Street and number"),
    "line2": _("Complement"),
    "line3": _("District (bairro)"),
    "line4": _("City"),
    "state": _("State (UF)"),
    "postcode": _("CEP"),
}


def normalise_cep(raw: str) -> str:
    """Return a CEP as ``01310-100``; accepts it with hyphen, dot and blanks, or without. Raises ``ValidationError``."""
    digits = re.sub(r"[\s.\-]", "", raw)
    if not re.fullmatch(r"[0-9]{8}", digits) or digits == "00000000":
        raise ValidationError(_("A CEP has eight digits, for example 01310-100."), code="cep")
    return f"{digits[:5]}-{digits[5:]}"


def normalise_state(raw: str) -> str:
    """Return the two letters of a Brazilian state, given them or its name. Raises ``ValidationError``."""
    text = raw.strip()
    if text.upper() in STATES:
        return text.upper()
    for code, name in STATES.items():
        if name.casefold() == text.casefold():
            return code
    raise ValidationError(_("Choose one of the 27 states (UF), for example SP."), code="state")


def address_errors(address) -> dict[str, ValidationError]:
    """Check and tidy an address object in place; return the errors by field name. Other countries have none."""
    errors: dict[str, ValidationError] = {}
    if address.country_id != "BR":
        return errors
    for field, normalise in (("postcode", normalise_cep), ("state", normalise_state)):
        try:
            setattr(address, field, normalise(getattr(address, field) or ""))
        except ValidationError as error:
            errors[field] = error
    return errors
