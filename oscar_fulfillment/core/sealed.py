"""Secrets that have to be kept, encrypted with the shop's own key: tokens that vendors hand out and change.

``seal`` makes text unreadable and unchangeable (Fernet) under a key that is derived (HKDF-SHA256) from ``SECRET_KEY``
and a purpose, so that what was sealed for one thing cannot be put in the place of another. ``SECRET_KEY_FALLBACKS``
still open what was sealed under an older key. A copy of the database alone gives nothing away; whoever has the key too
can read it.

Needs the package ``cryptography``, which the extra ``[nfe]`` brings. Importing this module does not.
"""

from __future__ import annotations

import base64
from importlib.util import find_spec
from typing import TYPE_CHECKING

from django.conf import settings

from .exceptions import ConfigurationError, FulfillmentError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

#: What brings the package.
EXTRA = "django-oscar-fulfillment[nfe]"
_CONTEXT = b"oscar_fulfillment.sealed.1:"


class SealBroken(FulfillmentError):
    """It was not sealed here for this purpose, was changed, or the key it was sealed under is gone."""


def missing_packages() -> tuple[str, ...]:
    """What has to be installed before anything can be sealed; empty when nothing is missing."""
    return tuple(name for name in ("cryptography",) if find_spec(name) is None)


def seal(text: str, *, purpose: str) -> str:
    """``text`` encrypted, in ASCII. :class:`ConfigurationError` names what to install where the package is missing."""
    return _keys(purpose).encrypt(text.encode()).decode()


def unseal(sealed: str, *, purpose: str) -> str:
    """What was sealed for the same purpose; :class:`SealBroken` for anything else."""
    keys = _keys(purpose)
    from cryptography.fernet import InvalidToken

    try:
        return keys.decrypt(sealed.encode()).decode()
    except (InvalidToken, ValueError) as error:
        raise SealBroken("the seal is broken, or its key is gone") from error


def _keys(purpose: str) -> MultiFernet:
    if missing := missing_packages():
        raise ConfigurationError(
            f'Secrets cannot be kept: {", ".join(missing)} is missing. Install it with: pip install "{EXTRA}"'
        )
    from cryptography.fernet import Fernet, MultiFernet
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    def fernet(secret: str | bytes) -> Fernet:
        material = secret if isinstance(secret, bytes) else secret.encode()
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_CONTEXT + purpose.encode()).derive(material)
        return Fernet(base64.urlsafe_b64encode(derived))

    # The first seals, any of them opens.
    return MultiFernet([fernet(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS) if secret])
