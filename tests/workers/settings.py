"""``WORKERS_DB`` names the database (a file ending in .sqlite3, or PostgreSQL's), ``WORKERS_BOOKS`` the books."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, Q_CLUSTER

INSTALLED_APPS = [*INSTALLED_APPS, "tests.workers.apps.WorkersConfig"]

NAME = os.environ["WORKERS_DB"]
if NAME.endswith(".sqlite3"):
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": NAME,
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": NAME,
            "USER": os.environ.get("PGUSER", "postgres"),
            "PASSWORD": os.environ.get("PGPASSWORD", ""),
            "HOST": os.environ.get("PGHOST", "127.0.0.1"),
            "PORT": os.environ.get("PGPORT", "5432"),
        }
    }


class NoMigrations(dict):
    """Tables straight from the models: the tests of the workers are not about migrations."""

    def __contains__(self, app):
        return True

    def __getitem__(self, app):
        return None


MIGRATION_MODULES = NoMigrations()

# Short, so that a test of a death takes seconds: a lease still outlives the longest task.
OSCAR_FULFILLMENT = {
    "OUTBOX_LEASE": 6,
    "INBOX_LEASE": 6,
    "OUTBOX_BACKOFF": [1, 2, 4, 8, 8, 8],
    "DRAIN_BUDGET": 3,
    "DRAIN_TURN": 1,
    "WATCHDOG_TIMEOUT": float(os.environ.get("WORKERS_TIMEOUT", "30")),
}
if os.environ.get("WORKERS_PROVIDER"):  # simulators, see tests/integration/test_payment_kills.py, test_carrier_kills.py
    from sandbox.vendors import carriers, gateways

    OSCAR_FULFILLMENT["GATEWAYS"] = {"yookassa": gateways(os.environ["WORKERS_PROVIDER"])["yookassa"]}
    OSCAR_FULFILLMENT["CARRIERS"] = {"cdek": carriers(os.environ["WORKERS_PROVIDER"])["cdek"]}
    OSCAR_FULFILLMENT["INBOX_BACKOFF"] = OSCAR_FULFILLMENT["OUTBOX_BACKOFF"]
if os.environ.get("WORKERS_CRM"):  # see tests/integration/test_connector_kills.py
    from sandbox.vendors import connectors

    OSCAR_FULFILLMENT["CONNECTORS"] = {"bitrix24": connectors(os.environ["WORKERS_CRM"])["bitrix24"]}
    OSCAR_FULFILLMENT["INBOX_BACKOFF"] = OSCAR_FULFILLMENT["OUTBOX_BACKOFF"]
if os.environ.get("WORKERS_RECEIVER"):  # see tests/integration/test_webhook_kills.py
    OSCAR_FULFILLMENT["WEBHOOKS_OUT"] = {"allow_hosts": ["127.0.0.1"], "timeout": 1, "schedule": [1, 2, 4, 8, 8, 8]}
if os.environ.get("WORKERS_NFE"):  # the simulated tax office, see tests/integration/test_emission_kills.py
    from tests.nfe_settings import SELLER, issuer

    OSCAR_FULFILLMENT["FLOW"] = "BRAZIL"
    OSCAR_FULFILLMENT["SELLERS"] = {"BRL": SELLER}
    OSCAR_FULFILLMENT["NFE"] = {"BRL": issuer(os.environ["WORKERS_NFE"], folder=os.environ["WORKERS_PKI"])}
Q_CLUSTER = {**Q_CLUSTER, "name": "kills", "poll": 0.1, "timeout": 5, "retry": 20, "log_level": "WARNING"}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}

if os.environ.get("REDIS_URL"):  # the same kills with Redis as the broker: what it loses, the sweep finds
    del Q_CLUSTER["orm"]
    Q_CLUSTER["redis"] = os.environ["REDIS_URL"]
