"""The language that an order is answered in."""

from __future__ import annotations

from django.conf import settings as django_settings
from django.utils import translation


def nearest_language(wanted: str) -> str:
    """The shop's language that is nearest to ``wanted``; its own where it speaks none such."""
    try:
        return translation.get_supported_language_variant(wanted or django_settings.LANGUAGE_CODE)
    except LookupError:
        return django_settings.LANGUAGE_CODE
