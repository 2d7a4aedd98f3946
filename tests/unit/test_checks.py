"""System checks: each unsafe value is named, with its remedy; the safe ones pass."""

from __future__ import annotations

import sqlite3

import pytest
from django.db import connections

from oscar_fulfillment import checks
from oscar_fulfillment.core import sqlite

SAFE = {
    "orm": "default",
    "workers": 2,
    "queue_limit": 2,
    "timeout": 60,
    "retry": 300,
    "max_attempts": 3,
    "save_limit": -1,
    "catch_up": False,
}


def ids(found):
    return [message.id.removeprefix("oscar_fulfillment.") for message in found]


def test_the_settings_of_the_tests_pass(settings):
    assert checks.check_settings() == []
    assert checks.check_queue() == []


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({}, []),
        ([], ["E001"]),
        ({"FLOWW": "x"}, ["E002"]),
        ({"PAGE_SIZE": "50"}, ["E003"]),
        ({"PAGE_SIZE": True}, ["E003"]),
        ({"SQLITE_TUNING": 1}, ["E003"]),
        ({"CARRIERS": []}, ["E003"]),
        ({"OPERATOR_EMAILS": "a@b.c"}, ["E003"]),
        ({"OPERATOR_EMAILS": ("a@b.c",)}, []),
        ({"FLOW": print}, []),
        ({"FLOW": 3}, ["E003"]),
        ({"OUTBOX_BACKOFF": []}, ["E004"]),
        ({"INBOX_BACKOFF": [1, "2"]}, ["E004"]),
        ({"INBOX_BACKOFF": [1, -2]}, ["E004"]),
        ({"PAYMENT_CHECKS": []}, ["E004"]),
        ({"PAYMENT_CHECKS": [0]}, ["E004"]),
        ({"OPERATION_GIVE_UP": 0}, ["E006"]),
        ({"DUNNING_DAYS": 0}, ["E006"]),
        ({"DUNNING_REMINDERS": -1}, ["E006"]),
        ({"WEBHOOK_MAX_BYTES": -5}, ["E006"]),
        ({"NFE_MAX_FILES": 0}, ["E006"]),
        ({"NFE_TOLERANCE": -1}, ["E006"]),
        ({"NFE_ENVIRONMENT": "prod"}, ["E060"]),
        ({"NFE_CA_BUNDLE": "/nowhere/icp.pem"}, ["E061"]),
        ({"WATCHDOG_TIMEOUT": 61}, ["W005"]),
    ],
)
def test_settings(settings, declared, expected):
    settings.OSCAR_FULFILLMENT = declared
    assert ids(checks.check_settings()) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"timeout": None}, ["E011"]),
        ({"timeout": 0}, ["E011"]),
        ({"retry": 180}, ["E012"]),
        ({"retry": 181}, []),
        ({"queue_limit": 50}, ["E012"]),
        ({"timeout": 300, "retry": 9999}, ["E013"]),
        ({"timeout": 20}, ["E014"]),
        ({"bulk": 3}, ["E015"]),
        ({"max_attempts": 0}, ["E016"]),
        ({"save_limit": 0}, ["W017"]),
        ({"save_limit": 250}, ["W017"]),
        ({"catch_up": True}, ["W018"]),
        ({"orm": "other"}, ["E019"]),
        ({"orm": None, "redis": {"host": "x"}}, []),
    ],
)
def test_queue(settings, change, expected):
    settings.Q_CLUSTER = {**SAFE, **change}
    assert ids(checks.check_queue()) == expected


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("timeout", "E011"), ("retry", "E012"), ("max_attempts", "E016"), ("save_limit", "W017"), ("catch_up", "W018")],
)
def test_the_defaults_of_the_queue_are_not_safe(settings, missing, expected):
    settings.Q_CLUSTER = {key: value for key, value in SAFE.items() if key != missing}
    assert ids(checks.check_queue()) == [expected]


def test_a_shop_without_the_queue_is_warned(settings):
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "django_q"]
    assert ids(checks.check_queue()) == ["W010"]


class FakeConnection:
    def __init__(self, name="/data/shop.sqlite3", vendor="sqlite", **options):
        self.vendor, self.alias = vendor, "default"
        self.settings_dict = {"NAME": name, "OPTIONS": options}


@pytest.mark.parametrize(
    ("connection", "tuning", "expected"),
    [
        (FakeConnection(transaction_mode="IMMEDIATE"), True, []),
        (FakeConnection(transaction_mode="immediate"), True, []),
        (FakeConnection(), True, ["W021"]),
        (FakeConnection(transaction_mode="DEFERRED"), True, ["W021"]),
        (FakeConnection(transaction_mode="IMMEDIATE"), False, ["W022", "W023"]),
        (FakeConnection(transaction_mode="IMMEDIATE", timeout=20), False, ["W022"]),
        (
            FakeConnection(transaction_mode="IMMEDIATE", timeout=20, init_command="PRAGMA journal_mode=WAL"),
            False,
            [],
        ),
        (FakeConnection(name=":memory:"), True, []),
        (FakeConnection(vendor="postgresql"), True, []),
    ],
)
def test_sqlite(settings, monkeypatch, connection, tuning, expected):
    settings.OSCAR_FULFILLMENT = {"SQLITE_TUNING": tuning}
    monkeypatch.setattr(checks, "connections", {"default": connection})
    assert ids(checks.check_sqlite()) == expected


@pytest.mark.parametrize(("tuning", "mode"), [(True, "wal"), (False, "delete")])
def test_a_file_of_ours_gets_the_write_ahead_log_and_patience(settings, tmp_path, tuning, mode):
    settings.OSCAR_FULFILLMENT = {"SQLITE_TUNING": tuning}
    path = tmp_path / "shop.sqlite3"
    raw = sqlite3.connect(path, isolation_level=None)

    class Connection(FakeConnection):
        def cursor(self):
            import contextlib

            return contextlib.closing(raw.cursor())

    sqlite.tune(sender=None, connection=Connection(str(path), timeout=30))
    assert raw.execute("PRAGMA journal_mode").fetchone() == (mode,)
    if tuning:
        assert raw.execute("PRAGMA busy_timeout").fetchone() == (30_000,)
        assert raw.execute("PRAGMA synchronous").fetchone() == (1,)
    other = Connection(str(tmp_path / "other"))
    other.alias = "elsewhere"
    sqlite.tune(sender=None, connection=other)
    assert "default" in connections


# Payment providers and methods


class NoUrls:
    urlpatterns: list = []


def test_providers_without_our_urls_are_named_with_the_line_to_add(settings):
    assert checks.check_gateways() == []
    settings.ROOT_URLCONF = NoUrls
    (found,) = checks.check_gateways()
    assert found.id == "oscar_fulfillment.W051"
    assert 'path("fulfillment/", include("oscar_fulfillment.urls"))' in found.hint
    settings.OSCAR_FULFILLMENT = {"GATEWAYS": {}}
    assert checks.check_gateways() == []


@pytest.mark.parametrize(
    "declared",
    [
        {"BACKEND": "oscar_fulfillment.test.gateways.Nobody"},
        {"BACKEND": "oscar_fulfillment.test.gateways.FakeGateway", "OPTIONS": {"colour": "s3cret"}},
        {},
    ],
)
def test_a_provider_that_cannot_be_built_is_an_error_without_its_secrets(settings, declared):
    settings.OSCAR_FULFILLMENT = {"GATEWAYS": {"shop": declared}}
    (found,) = checks.check_gateways()
    assert found.id == "oscar_fulfillment.E050"
    assert "shop" in found.msg
    assert "s3cret" not in f"{found.msg}{found.hint}"


@pytest.mark.django_db
def test_methods_whose_provider_is_gone_are_named(settings):
    from oscar_fulfillment.test import factories

    factories.gateway_method("card")
    factories.gateway_method("off", provider="gone", is_active=False)
    assert checks.check_payment_methods(databases=["default"]) == []
    factories.gateway_method("old", provider="gone")
    factories.gateway_method("odd", provider_method="cheque")
    found = checks.check_payment_methods(databases=["default"])
    assert ids(found) == ["W052", "W052"]
    assert "'old'" in found[0].msg
    assert "“cheque”" in found[1].msg
    assert checks.check_payment_methods() == [], "the database is looked at only when it is asked for"


@pytest.mark.django_db
def test_before_the_first_migrate_there_is_nothing_to_say(monkeypatch):
    from django.db import DatabaseError

    from oscar_fulfillment.models import PaymentMethod

    def no_table(*args, **kwargs):
        raise DatabaseError("no such table")

    monkeypatch.setattr(PaymentMethod._default_manager, "using", no_table)
    assert checks.check_payment_methods(databases=["default"]) == []
