"""Who issues notes, from the setting NFE: the firm (by SELLERS), its certificate, and how its state is reached."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.documents.parties import Party
from oscar_fulfillment.documents.sellers import read_seller
from oscar_fulfillment.fiscal import taxids
from oscar_fulfillment.fiscal.emission.certificates import Certificate, load_certificate
from oscar_fulfillment.fiscal.emission.client import SefazClient
from oscar_fulfillment.fiscal.emission.facts import HOMOLOGATION, PRODUCTION, Contact, Issuer, Place
from oscar_fulfillment.fiscal.emission.municipalities import STATE_CODES, find_municipality, is_municipality

#: The clocks of the states that do not go by Brasília's.
_ZONES = {"AC": "America/Rio_Branco", "AM": "America/Manaus", "RO": "America/Porto_Velho", "RR": "America/Boa_Vista",
          "MT": "America/Cuiaba", "MS": "America/Campo_Grande"}  # fmt: skip
_ENVIRONMENTS = (HOMOLOGATION, PRODUCTION)
_KNOWN = {
    "certificate", "password", "ca_bundle", "uf", "environment", "series", "crt", "ie", "seller", "district",
    "complement", "municipality", "phone", "trade_name", "operation", "text", "freight_mode", "payments", "contingency",
    "addresses", "technical", "timeout", "mails",
}  # fmt: skip


@dataclass(frozen=True)
class Issuing:
    """An entry of NFE, checked. Its password is in no repr.

    ``contingency``: whether the service that stands in is used by itself when the state's own says that it is down.
    ``payments``: code of a payment method -> the layout's code of a way to pay.
    """

    alias: str
    issuer: Issuer
    environment: str
    series: int
    certificate_path: str
    password: str = field(repr=False)
    ca_bundle: str = ""
    operation: str = "Venda de mercadoria"
    text: str = ""
    freight_mode: int = 0
    payments: Mapping[str, str] = field(default_factory=dict)
    contingency: bool = False
    addresses: Mapping[str, Any] = field(default_factory=dict)
    technical: Contact | None = None
    timeout: float = 60.0
    #: Whether buyers get their authorised notes by mail.
    mails: bool = False

    @property
    def state(self) -> str:
        return self.issuer.place.state

    @property
    def is_test(self) -> bool:
        return self.environment == HOMOLOGATION

    @property
    def zone(self) -> ZoneInfo:
        """The state's own clock: a key holds the month by it."""
        return ZoneInfo(_ZONES.get(self.state, "America/Sao_Paulo"))

    def certificate(self) -> Certificate:
        """The certificate, ready for use. :class:`ConfigurationError` when it is not to be read, run out, or of
        another firm."""
        found = load_certificate(self.certificate_path, self.password)
        if problem := certificate_problem(found, self.issuer.cnpj):
            raise ConfigurationError(f"NFE[{self.alias!r}]: {problem}")
        return found

    def client(self, *, quick: bool = False) -> SefazClient:
        """The way to the tax office. ``quick``: for a person who waits for the answer."""
        return SefazClient(
            state=self.state, environment=self.environment, context=self.certificate().ssl_context(self.ca_bundle),
            addresses=self.addresses or None, read=min(self.timeout, 10) if quick else self.timeout,
        )  # fmt: skip


def certificate_problem(certificate: Certificate, cnpj: str) -> str:
    """Why this firm cannot use a certificate now; "" if it can."""
    if not certificate.belongs_to(cnpj):
        words = _("the certificate is of %(owner)s, and the issuer is %(issuer)s")
        shown = taxids.format_tax_id("cnpj", certificate.owner), taxids.format_tax_id("cnpj", cnpj)
        return words % {"owner": shown[0], "issuer": shown[1]}
    if not certificate.is_current():
        return _("the certificate is valid from %(since)s until %(until)s only") % {
            "since": f"{certificate.not_before:%Y-%m-%d}", "until": f"{certificate.not_after:%Y-%m-%d}",
        }  # fmt: skip
    return ""


def issuing_aliases() -> Iterator[str]:
    """The aliases of all issuers."""
    yield from settings.NFE if isinstance(settings.NFE, Mapping) else ()


def find_issuing(alias: str) -> Issuing:
    """An issuer by its alias. :class:`ConfigurationError` for one that is not there, or wrong."""
    if alias not in settings.NFE:
        raise ConfigurationError(f"OSCAR_FULFILLMENT['NFE'] has no issuer {alias!r}")
    return read_issuing(alias, settings.NFE[alias])


def read_issuing(alias: str, given: Any) -> Issuing:
    """An entry of NFE, checked as far as that goes without its files. :class:`ConfigurationError` says what is wrong;
    no value of the entry is in it but those that cannot be secret."""
    where = f"OSCAR_FULFILLMENT['NFE'][{alias!r}]"
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{where} is not a dict")
    if unknown := sorted(str(key) for key in set(given) - _KNOWN):
        raise ConfigurationError(f"{where}: unknown {', '.join(unknown)}; known: {', '.join(sorted(_KNOWN))}")
    if missing := [key for key in ("certificate", "password", "uf", "crt", "ie") if not given.get(key)]:
        raise ConfigurationError(f"{where}: {', '.join(missing)} missing")
    state = str(given["uf"]).upper()
    checks = {
        "uf is the two letters of a state": state in STATE_CODES,
        "crt is 1, 2, 3 or 4": given["crt"] in (1, 2, 3, 4),
        "environment is homologation or production": given.get("environment", HOMOLOGATION) in _ENVIRONMENTS,
        "series is a number from 0 to 889": _is_number(given.get("series", 1), 0, 889),
        "ie has 2 to 14 digits": re.fullmatch("[0-9]{2,14}", str(given["ie"]), re.ASCII) is not None,
        "freight_mode is 0 to 4, or 9": given.get("freight_mode", 0) in (0, 1, 2, 3, 4, 9),
        "timeout is a number of seconds above zero": _is_number(given.get("timeout", 60), 0.01, 600),
        "payments is a dict of two-digit codes": _are_payments(given.get("payments", {})),
        "addresses is a dict": isinstance(given.get("addresses", {}), Mapping),
    }  # fmt: skip
    if wrong := [words for words, is_right in checks.items() if not is_right]:
        raise ConfigurationError(f"{where}: {'; '.join(wrong)}")
    return Issuing(
        alias=alias,
        issuer=_issuer(where, alias, given, state),
        environment=given.get("environment", HOMOLOGATION),
        series=int(given.get("series", 1)),
        certificate_path=str(given["certificate"]),
        password=str(given["password"]),
        ca_bundle=str(given.get("ca_bundle", "")),
        operation=str(given.get("operation") or "Venda de mercadoria"),
        text=str(given.get("text", "")),
        freight_mode=int(given.get("freight_mode", 0)),
        payments=dict(given.get("payments", {})),
        contingency=bool(given.get("contingency", False)),
        addresses=dict(given.get("addresses", {})),
        technical=_contact(where, given.get("technical")),
        timeout=float(given.get("timeout", 60)),
        mails=bool(given.get("mails", given.get("environment", HOMOLOGATION) == PRODUCTION)),
    )


def _issuer(where: str, alias: str, given: Mapping[str, Any], state: str) -> Issuer:
    key = str(given.get("seller", alias))
    if key not in settings.SELLERS:
        raise ConfigurationError(f'{where}: SELLERS has no {key!r} (name another with "seller")')
    party = read_seller(key, settings.SELLERS[key]).party
    code = str(given.get("municipality") or find_municipality(party.city, state))
    if not is_municipality(code, state):
        raise ConfigurationError(
            f'{where}: {party.city!r} is no municipality of {state}; name its code: "municipality"'
        )
    if lacking := [name for name, value in (("street", party.street), ("house_number", party.house_number),
                   ("postcode", party.postcode), ("district", given.get("district"))) if not value]:  # fmt: skip
        raise ConfigurationError(f"{where}: the issuer's address lacks {', '.join(lacking)}")
    place = Place(
        street=party.street, number=party.house_number, district=str(given["district"]), city=party.city, state=state,
        postcode=party.postcode, municipality=code, complement=str(given.get("complement", "")),
        phone=str(given.get("phone", "")),
    )  # fmt: skip
    return Issuer(
        cnpj=_cnpj(where, key, party), name=party.name, place=place, ie=str(given["ie"]), crt=given["crt"],
        trade_name=str(given.get("trade_name", "")),
    )  # fmt: skip


def _cnpj(where: str, seller: str, party: Party) -> str:
    for label, number in party.tax_ids:
        if label.upper() == "CNPJ":
            try:
                return taxids.normalise("cnpj", number)
            except taxids.TaxIdError as error:
                raise ConfigurationError(f"{where}: the CNPJ of SELLERS[{seller!r}]: {error.message}") from None
    raise ConfigurationError(f"{where}: SELLERS[{seller!r}] has no CNPJ among its tax_ids")


def _contact(where: str, given: Any) -> Contact | None:
    if not given:
        return None
    try:
        contact = Contact(**given)
        return Contact(taxids.normalise("cnpj", contact.cnpj), contact.name, contact.email, contact.phone)
    except (TypeError, taxids.TaxIdError):
        raise ConfigurationError(f"{where}: technical has cnpj, name, email and phone") from None


def _is_number(value: Any, least: float, most: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most


def _are_payments(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(code, str) and len(code) == 2 and code.isascii() and code.isdigit() for code in value.values()
    )
