"""System checks of webhooks: settings that would send them astray or for ever, and keys that are lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, router

from .conf import DEFAULTS
from .conf import settings as fulfillment_settings
from .core import public_address, public_http
from .services.webhook_settings import option

_KEY = "OSCAR_FULFILLMENT['WEBHOOKS_OUT']"


def _number(value: Any, least: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= least


def _strings(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(each, str) and each for each in value)


def _ports(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(each, int) and 0 < each < 65536 for each in value)


#: key -> whether a value will do, and what is asked for.
_WANTED: dict[str, tuple[Any, str]] = {
    "allow_hosts": (_strings, 'a list of hosts, such as "10.0.0.5:8080"'),
    "allow_http": (lambda value: isinstance(value, bool), "True or False"),
    "ports": (_ports, "a list of port numbers"),
    "timeout": (lambda value: _number(value, 1), "at least 1 second"),
    "schedule": (
        lambda value: isinstance(value, (list, tuple)) and bool(value) and all(_number(each, 0) for each in value),
        "a list of pauses in seconds",
    ),
    "disable_after": (lambda value: _number(value, 1), "at least 1"),
    "key_hours": (lambda value: _number(value, 0), "a number of hours"),
    "keep_days": (lambda value: _number(value, 1), "at least 1 day"),
}


@register()
def check_webhooks(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Keys of WEBHOOKS_OUT that nobody reads, values of the wrong kind, and tries that outlast a worker's task."""
    declared = fulfillment_settings.WEBHOOKS_OUT
    if not isinstance(declared, dict):
        return []  # check_settings says so
    return list(_wrong(declared)) or list(_too_slow())


def _wrong(declared: dict[str, Any]) -> Iterator[CheckMessage]:
    for key, value in declared.items():
        if key not in _WANTED:
            known = ", ".join(DEFAULTS["WEBHOOKS_OUT"])
            yield Error(f"{_KEY}[{key!r}] is unknown.", hint=f"Known: {known}.", id="oscar_fulfillment.E060")
        elif not _WANTED[key][0](value):
            yield Error(f"{_KEY}[{key!r}] must be {_WANTED[key][1]}.", id="oscar_fulfillment.E061")


def _too_slow() -> Iterator[CheckMessage]:
    limit = getattr(django_settings, "Q_CLUSTER", {}).get("timeout")
    longest = option("timeout") + public_address.PATIENCE + public_http.BODY + fulfillment_settings.DRAIN_BUDGET
    if _number(limit, 1) and limit <= longest:
        yield Warning(
            f"Q_CLUSTER['timeout'] ({limit}) ends workers that wait for a webhook: they may take {longest:g} s.",
            hint=f"A smaller {_KEY}['timeout'] or DRAIN_BUDGET, or a larger timeout.",
            id="oscar_fulfillment.W062",
        )


@register(Tags.database)
def check_webhook_keys(app_configs: Any = None, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Webhooks whose key was made by a SECRET_KEY that the project does not have any more."""
    from .models import WebhookEndpoint
    from .services.webhook_keys import KeyLost, raw_key

    alias = router.db_for_read(WebhookEndpoint)
    if alias not in (databases or ()):
        return []
    try:
        endpoints = list(WebhookEndpoint._default_manager.using(alias).filter(is_active=True))
    except DatabaseError:
        return []  # before the first migrate there is nothing to look at
    lost = []
    for endpoint in endpoints:
        try:
            raw_key(endpoint.keys[0])
        except (KeyLost, LookupError):
            lost.append(endpoint)
    return [
        Warning(
            f"The webhook {endpoint} ({endpoint.host}) cannot be signed: SECRET_KEY was changed.",
            hint="Put the old key into SECRET_KEY_FALLBACKS, or make a new key in the dashboard under Webhooks.",
            id="oscar_fulfillment.W063",
        )
        for endpoint in lost
    ]
