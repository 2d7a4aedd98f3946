"""Building and dropping the demo data. Everything here may run twice."""

from __future__ import annotations

from django.contrib.sites.models import Site
from oscar.core.loading import get_model

from sandbox import mail

from .api_keys import create_api_keys
from .catalogue import create_catalogue
from .payment_methods import create_payment_methods
from .tax_profiles import create_tax_profiles
from .users import create_users
from .wipe import wipe

COUNTRIES = {"BR": "Brasil", "CH": "Suisse", "ES": "España", "FR": "France", "RU": "Россия"}


def create_site() -> None:
    Site.objects.update_or_create(pk=1, defaults={"domain": "localhost:8000", "name": "Ponto & Vírgula"})
    Country = get_model("address", "Country")
    for code, name in COUNTRIES.items():
        Country.objects.update_or_create(
            iso_3166_1_a2=code,
            defaults={"name": name, "printable_name": name, "is_shipping_country": True},
        )


def load() -> None:
    """Create what is missing: countries, catalogue, ways to pay, people."""
    create_site()
    create_catalogue()
    create_payment_methods()
    create_tax_profiles()
    create_users()
    create_api_keys()


def drop() -> None:
    """Delete the demo data and the caught mails."""
    wipe()
    mail.forget_all()
