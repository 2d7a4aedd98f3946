"""System checks of webhooks."""

import pytest
from django.db import DatabaseError

from oscar_fulfillment import webhook_checks
from oscar_fulfillment.models import WebhookEndpoint
from oscar_fulfillment.services.webhook_settings import option, rules
from tests.integration.webhooks import make

pytestmark = pytest.mark.feature("Z15")


def ids(found):
    return [message.id.removeprefix("oscar_fulfillment.") for message in found]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({}, []),
        ({"allow_hosts": ["erp.example", "10.0.0.5:80"]}, []),
        ({"allow_hosts": ()}, []),
        ({"allow_host": []}, ["E060"]),
        ({"allow_hosts": "erp.example"}, ["E061"]),
        ({"allow_hosts": [""]}, ["E061"]),
        ({"allow_hosts": [7]}, ["E061"]),
        ({"allow_http": "no"}, ["E061"]),
        ({"ports": [443, 8443]}, []),
        ({"ports": [0]}, ["E061"]),
        ({"ports": ["443"]}, ["E061"]),
        ({"timeout": 0}, ["E061"]),
        ({"timeout": True}, ["E061"]),
        ({"timeout": 33}, ["W062"]),
        ({"schedule": []}, ["E061"]),
        ({"schedule": [5, -1]}, ["E061"]),
        ({"schedule": [5, 60]}, []),
        ({"disable_after": 0}, ["E061"]),
        ({"key_hours": -1}, ["E061"]),
        ({"keep_days": 0, "ports": 5}, ["E061", "E061"]),
    ],
)
def test_settings(settings, declared, expected):
    settings.OSCAR_FULFILLMENT = {"WEBHOOKS_OUT": declared}
    assert ids(webhook_checks.check_webhooks()) == expected


def test_what_is_no_dict_is_left_to_the_other_check(settings):
    settings.OSCAR_FULFILLMENT = {"WEBHOOKS_OUT": []}
    assert webhook_checks.check_webhooks() == []


def test_the_defaults_and_what_is_left_out(settings):
    assert webhook_checks.check_webhooks() == []
    settings.OSCAR_FULFILLMENT = {"WEBHOOKS_OUT": {"allow_hosts": ["ERP"]}}
    assert option("timeout") == 15
    assert rules().allow_hosts == {"erp"}
    assert rules().ports == {443}


@pytest.mark.django_db
def test_a_lost_key_is_told(settings):
    assert webhook_checks.check_webhook_keys(databases=["default"]) == []
    make(description="ERP")
    assert webhook_checks.check_webhook_keys(databases=["default"]) == []
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert webhook_checks.check_webhook_keys(databases=["default"]) == []
    settings.SECRET_KEY_FALLBACKS = []
    (found,) = webhook_checks.check_webhook_keys(databases=["default"])
    assert ids([found]) == ["W063"]
    assert "ERP (erp.example)" in found.msg
    assert webhook_checks.check_webhook_keys(databases=[]) == []
    assert webhook_checks.check_webhook_keys() == []
    WebhookEndpoint.objects.update(is_active=False)
    assert webhook_checks.check_webhook_keys(databases=["default"]) == []


def test_before_the_first_migrate_there_is_nothing_to_say(monkeypatch):
    def fail(alias):
        raise DatabaseError("no such table")

    monkeypatch.setattr(WebhookEndpoint._default_manager, "using", fail)
    assert webhook_checks.check_webhook_keys(databases=["default"]) == []
