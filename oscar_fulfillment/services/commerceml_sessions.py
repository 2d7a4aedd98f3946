"""Sessions of an exchange with 1C: opened by a password, carried by a signed cookie, known to every web process."""

from __future__ import annotations

import hmac
import uuid
from datetime import timedelta
from typing import Any

from django.core.signing import BadSignature, Signer
from django.utils import timezone
from django.utils.crypto import salted_hmac

from oscar_fulfillment.connectors.commerceml import CommerceML
from oscar_fulfillment.core.exceptions import WebhookVerificationFailed
from oscar_fulfillment.models import ExchangeSession

#: The name of the cookie, which 1C reads from the body of the answer: browsers never hold it.
COOKIE = "oscar_exchange"
_SALT = "oscar_fulfillment.commerceml"
#: What ended is deleted after so many hours, with its files: they hold people's orders.
KEEP_HOURS = 24


def open_session(connector: CommerceML) -> ExchangeSession:
    """A new session, after the password was right."""
    now = timezone.now()
    return ExchangeSession._default_manager.create(
        id=uuid.uuid4().hex, connector=connector.alias, created_at=now, expires_at=now + _life(connector)
    )


def cookie_of(session: ExchangeSession) -> str:
    """The cookie's value: the session's name with a signature."""
    return Signer(salt=_SALT, sep=".").sign(session.pk)


def sessid_of(session: ExchangeSession) -> str:
    """The key that 1C puts into its addresses beside the cookie."""
    return salted_hmac(f"{_SALT}.sessid", session.pk, algorithm="sha256").hexdigest()[:32]


def find_session(connector: CommerceML, cookie: str, sessid: str | None) -> ExchangeSession:
    """The session of a call, which lives on by it. WebhookVerificationFailed: none, ended, forged, another system's.

    ``sessid`` None: versions of 1C from before it send the cookie alone.
    """
    try:
        key = Signer(salt=_SALT, sep=".").unsign(cookie)
    except BadSignature as error:
        raise WebhookVerificationFailed("the cookie of the exchange is missing or forged") from error
    now = timezone.now()
    session = ExchangeSession._default_manager.filter(
        pk=key, connector=connector.alias, expires_at__gt=now
    ).first()  # fmt: skip
    if session is None:
        raise WebhookVerificationFailed("the exchange has ended")
    if sessid is not None and not hmac.compare_digest(sessid.encode(), sessid_of(session).encode()):
        raise WebhookVerificationFailed("the sessid does not fit")
    if session.expires_at - now < _life(connector) / 2:
        ExchangeSession._default_manager.filter(pk=key).update(expires_at=now + _life(connector))
    return session


def set_version(session: ExchangeSession, version: str) -> None:
    """Which schema this exchange speaks."""
    session.version = version
    ExchangeSession._default_manager.filter(pk=session.pk).update(version=version)


def tidy() -> int:
    """Delete what ended a while ago, with its files; how many rows."""
    from oscar_fulfillment.models import ExchangeFile

    limit = timezone.now() - timedelta(hours=KEEP_HOURS)
    old: Any = ExchangeSession._default_manager.filter(expires_at__lt=limit)
    # A file that is still being entered keeps its session.
    busy = ExchangeFile._default_manager.filter(status=ExchangeFile.READY).values("session")
    return old.exclude(pk__in=busy).delete()[0]


def _life(connector: CommerceML) -> timedelta:
    return timedelta(minutes=connector.session_minutes)
