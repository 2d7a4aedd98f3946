"""System checks: settings that would lose, repeat or delay messages are refused at start-up, with the remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from multiprocessing import cpu_count
from typing import Any, TypeGuard

from django.apps import apps
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections, router
from django.urls import NoReverseMatch, reverse

from .conf import DEFAULTS
from .conf import settings as fulfillment_settings
from .core import sqlite
from .gateways import gateways

#: Numbers that may be None: "no limit".
_LIMITS = frozenset({"RETURN_DAYS"})


def _number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@register()
def check_settings(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Keys of OSCAR_FULFILLMENT that nobody reads, and values of the wrong kind."""
    declared = getattr(django_settings, "OSCAR_FULFILLMENT", {})
    if not isinstance(declared, Mapping):
        return [Error("OSCAR_FULFILLMENT is not a dict.", id="oscar_fulfillment.E001")]
    found: list[CheckMessage] = []
    for key, value in declared.items():
        if key not in DEFAULTS:
            known = ", ".join(sorted(DEFAULTS))
            found.append(
                Error(f"OSCAR_FULFILLMENT[{key!r}] is unknown.", hint=f"Known: {known}.", id="oscar_fulfillment.E002")
            )
        elif not _same_kind(value, DEFAULTS[key]) and not (value is None and key in _LIMITS):
            kind = type(DEFAULTS[key]).__name__
            found.append(Error(f"OSCAR_FULFILLMENT[{key!r}] must be a {kind}.", id="oscar_fulfillment.E003"))
    return found + (list(_ranges()) if not found else [])


def _same_kind(value: Any, default: Any) -> bool:
    if isinstance(default, bool):
        return isinstance(value, bool)
    if _number(default):
        return _number(value)
    if isinstance(default, list):
        return isinstance(value, (list, tuple))
    if isinstance(default, dict):
        return isinstance(value, Mapping)
    return default is None or isinstance(value, str) or callable(value)


def _ranges() -> Iterator[CheckMessage]:
    for key in ("OUTBOX_BACKOFF", "INBOX_BACKOFF"):
        pauses = getattr(fulfillment_settings, key)
        if not pauses or not all(_number(pause) and pause >= 0 for pause in pauses):
            yield Error(f"OSCAR_FULFILLMENT[{key!r}] must list pauses in seconds.", id="oscar_fulfillment.E004")
    asks = fulfillment_settings.PAYMENT_CHECKS
    if not asks or not all(_number(pause) and pause > 0 for pause in asks):
        yield Error("OSCAR_FULFILLMENT['PAYMENT_CHECKS'] must list pauses above zero.", id="oscar_fulfillment.E004")
    for key, least in (
        ("OPERATION_GIVE_UP", 1),
        ("DUNNING_DAYS", 1),
        ("DUNNING_REMINDERS", 0),
        ("WEBHOOK_MAX_BYTES", 1),
        ("RETURN_DAYS", 0),
        ("DOCUMENT_ORDERS", 1),
    ):
        value = getattr(fulfillment_settings, key)
        if value is not None and value < least:
            yield Error(f"OSCAR_FULFILLMENT[{key!r}] must be at least {least}.", id="oscar_fulfillment.E006")
    if fulfillment_settings.WATCHDOG_TIMEOUT > 60:
        yield Warning(
            "OSCAR_FULFILLMENT['WATCHDOG_TIMEOUT'] is above 60 seconds: a wedged cluster stays unnoticed for longer.",
            id="oscar_fulfillment.W005",
        )


@register()
def check_queue(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Values of Q_CLUSTER under which django-q2 repeats, hammers or loses tasks."""
    if not apps.is_installed("django_q"):
        return [
            Warning(
                "django_q is not installed: messages wait until somebody calls oscar_fulfillment.tasks.sweep().",
                hint='Add "django_q" to INSTALLED_APPS and run manage.py fulfillment_watchdog.',
                id="oscar_fulfillment.W010",
            )
        ]
    return list(_queue(getattr(django_settings, "Q_CLUSTER", {})))


def _queue(conf: Mapping[str, Any]) -> Iterator[CheckMessage]:
    timeout, retry = conf.get("timeout"), conf.get("retry", 60)
    if not _number(timeout) or timeout <= 0:
        yield Error(
            "Q_CLUSTER has no timeout: a hanging task holds its worker for ever.",
            hint='"timeout": 60',
            id="oscar_fulfillment.E011",
        )
    else:
        workers = conf.get("workers") or cpu_count()
        limit = conf.get("queue_limit", workers**2)
        least = timeout * (2 + limit / workers)
        if retry <= least:
            yield Error(
                f"Q_CLUSTER['retry'] is {retry}, so a task may run again while it still runs or waits in memory.",
                hint=f"More than timeout * (2 + queue_limit / workers) = {least:g}. A small queue_limit helps.",
                id="oscar_fulfillment.E012",
            )
        lease = min(fulfillment_settings.OUTBOX_LEASE, fulfillment_settings.INBOX_LEASE)
        if lease <= timeout:
            yield Error(
                f"OSCAR_FULFILLMENT's OUTBOX_LEASE and INBOX_LEASE must be above Q_CLUSTER['timeout'] ({timeout}): "
                "a message would be sent again while it is being sent.",
                id="oscar_fulfillment.E013",
            )
        if timeout <= fulfillment_settings.DRAIN_BUDGET:
            yield Error(
                f"OSCAR_FULFILLMENT['DRAIN_BUDGET'] must be below Q_CLUSTER['timeout'] ({timeout}).",
                id="oscar_fulfillment.E014",
            )
        if conf.get("bulk", 1) > max(limit, 1):
            yield Error(
                "Q_CLUSTER['bulk'] is above queue_limit: fetched tasks wait, locked, outside the count.",
                id="oscar_fulfillment.E015",
            )
    if not conf.get("max_attempts"):
        yield Error(
            "Q_CLUSTER has no max_attempts: a failing task runs again for ever.",
            hint='"max_attempts": 3. Our own retries, with back-off, do not depend on it.',
            id="oscar_fulfillment.E016",
        )
    save_limit = conf.get("save_limit", 250)
    if not _number(save_limit) or save_limit >= 0:
        yield Warning(
            "Q_CLUSTER['save_limit'] keeps successes: acknowledging gets slow, and a lag beyond retry repeats tasks.",
            hint='"save_limit": -1. What was sent is noted in our own tables.',
            id="oscar_fulfillment.W017",
        )
    if conf.get("catch_up", True):
        yield Warning(
            "Q_CLUSTER['catch_up'] is on: after a pause every missed minute of every schedule runs.",
            hint='"catch_up": False',
            id="oscar_fulfillment.W018",
        )
    orm = conf.get("orm")
    ours = router.db_for_write(apps.get_model("oscar_fulfillment", "OutboundMessage"))
    if orm and orm != ours:
        yield Error(
            f"Q_CLUSTER['orm'] is {orm!r}, but our tables are in {ours!r}: tasks would not roll back with our changes.",
            hint=f'"orm": {ours!r}',
            id="oscar_fulfillment.E019",
        )


@register()
def check_sqlite(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """What SQLite needs when a web process and workers write to it."""
    return list(_sqlite())


def _sqlite() -> Iterator[CheckMessage]:
    connection = connections[router.db_for_write(apps.get_model("oscar_fulfillment", "OutboundMessage"))]
    if connection.vendor != "sqlite" or sqlite.is_memory(connection):
        return
    options = connection.settings_dict.get("OPTIONS", {})
    if str(options.get("transaction_mode", "")).upper() != "IMMEDIATE":
        yield Warning(
            'SQLite begins transactions as readers; two that turn into writers fail with "database is locked".',
            hint='DATABASES[...]["OPTIONS"]["transaction_mode"] = "IMMEDIATE"',
            id="oscar_fulfillment.W021",
        )
    if fulfillment_settings.SQLITE_TUNING:
        return
    if "journal_mode" not in str(options.get("init_command", "")).lower():
        yield Warning(
            "SQLite without write-ahead log: every reader waits for every writer.",
            hint='OSCAR_FULFILLMENT["SQLITE_TUNING"] = True, or PRAGMA journal_mode=WAL in OPTIONS["init_command"].',
            id="oscar_fulfillment.W022",
        )
    if float(options.get("timeout", 5)) < 10:
        yield Warning(
            'SQLite waits at most 5 s for another writer before it says "database is locked".',
            hint='DATABASES[...]["OPTIONS"]["timeout"] = 20',
            id="oscar_fulfillment.W023",
        )


@register()
def check_sellers(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Sellers that could not sign an invoice: better known at deployment than at the first order."""
    from .documents.sellers import read_seller

    found: list[CheckMessage] = []
    sellers = fulfillment_settings.SELLERS
    for key, given in sellers.items() if isinstance(sellers, Mapping) else ():
        try:
            read_seller(key, given)
        except ImproperlyConfigured as error:
            found.append(Error(str(error), hint="See docs/documents.md.", id="oscar_fulfillment.E041"))
    engine = fulfillment_settings.DOCUMENTS.get("default", {}).get("BACKEND")
    if sellers and engine == DEFAULTS["DOCUMENTS"]["default"]["BACKEND"] and find_spec("typst") is None:
        hint = "pip install django-oscar-fulfillment[documents]"
        found.append(Warning("SELLERS is set, but nothing can draw invoices.", hint=hint, id="oscar_fulfillment.W042"))
    return found


@register()
def check_document_hooks(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Callables of the shop that documents ask: better known at deployment than at the first parcel."""
    from .services.document_hooks import hook

    found: list[CheckMessage] = []
    for name in ("DOCUMENT_BIN", "DOCUMENT_CUSTOMS"):
        try:
            hook(name)
        except ImproperlyConfigured as error:
            found.append(Error(str(error), hint="See docs/documents.md.", id="oscar_fulfillment.E043"))
    return found


@register()
def check_mails(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Somebody must get the mail with everything at each order."""
    if fulfillment_settings.OPERATOR_EMAILS or django_settings.MANAGERS:
        return []
    return [
        Warning(
            "Nobody gets the mail with everything at each order.",
            hint='Name addresses in OSCAR_FULFILLMENT["OPERATOR_EMAILS"] or in MANAGERS.',
            id="oscar_fulfillment.W030",
        )
    ]


@register()
def check_suppliers(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Addresses of suppliers that no mail would reach."""
    from .services.post import is_address

    given = fulfillment_settings.SUPPLIER_EMAILS
    wrong = [code for code, address in given.items() if not is_address(str(address))] if given else []
    return [
        Error(f"OSCAR_FULFILLMENT['SUPPLIER_EMAILS'][{code!r}] is no e-mail address.", id="oscar_fulfillment.E031")
        for code in wrong
    ]


@register(Tags.urls)
def check_gateways(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Payment providers that cannot be built from their settings, or that have no address to tell us anything at."""
    found: list[CheckMessage] = []
    for alias in gateways:
        try:
            gateways.get(alias)
        except ImproperlyConfigured as error:
            found.append(Error(f"{error}", hint="Orders by this provider cannot be paid.", id="oscar_fulfillment.E050"))
    if list(gateways) and getattr(django_settings, "ROOT_URLCONF", None) and not _has_our_urls():
        found.append(
            Warning(
                "OSCAR_FULFILLMENT['GATEWAYS'] names payment providers, but the shop's URLs lack ours: buyers have no "
                "page to pay at, and no notification arrives.",
                hint='Outside i18n_patterns: path("fulfillment/", include("oscar_fulfillment.urls"))',
                id="oscar_fulfillment.W051",
            )
        )
    return found


def _has_our_urls() -> bool:
    try:
        reverse("fulfillment:webhook", kwargs={"family": "payments", "name": "x"})
    except NoReverseMatch:
        return False
    return True


@register(Tags.database)
def check_payment_methods(app_configs: Any = None, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Active payment methods that the checkout does not offer, because their provider is not there."""
    from .models import PaymentMethod
    from .selectors.payment_methods import provider_problem

    alias = router.db_for_read(PaymentMethod)
    if alias not in (databases or ()):
        return []
    try:
        methods = list(PaymentMethod._default_manager.using(alias).filter(is_active=True))
    except DatabaseError:
        return []  # before the first migrate there is nothing to look at
    return [
        Warning(
            f"The payment method {method.code!r} is not offered in the checkout: {problem}",
            hint="Configure its provider in OSCAR_FULFILLMENT['GATEWAYS'], or withdraw the method in the dashboard.",
            id="oscar_fulfillment.W052",
        )
        for method in methods
        if (problem := provider_problem(method))
    ]
