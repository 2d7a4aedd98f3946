"""A shop's settings for NF-e at the simulated tax office; no model is imported, as settings files read this too."""

import tempfile
from functools import cache
from pathlib import Path

from sandbox.simulators.sefaz_pki import PASSWORD, Pki, ensure_pki

SELLER = {
    "name": "Ponto & Vírgula Ltda.",
    "street": "Rua Augusta",
    "house_number": "1500",
    "postcode": "01304-001",
    "city": "São Paulo",
    "country": "BR",
    "tax_ids": {"CNPJ": "11.222.333/0001-81"},
}


@cache
def pki():
    """One authority for the whole run: making keys takes its time."""
    return ensure_pki(Path(tempfile.mkdtemp(prefix="sefaz-")))


def issuer(address, folder="", **said):
    """An entry of NFE that goes to this address; ``folder`` of another process's authority."""
    known = Pki(Path(folder)) if folder else pki()
    return {
        "certificate": str(known.a1),
        "password": PASSWORD,
        "ca_bundle": str(known.authority),
        "uf": "SP",
        "crt": 1,
        "ie": "111111111111",
        "district": "Consolação",
        "mails": True,
        "timeout": 5,
        "addresses": {"normal": address + "/ws/{service}", "contingency": address + "/svc/{service}"},
        **said,
    }
