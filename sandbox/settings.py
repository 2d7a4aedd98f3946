"""Settings of the demo shop. It is a shop to play with: every password is in these files.

Two switches: ``DATABASE_URL=postgres://...`` (default: SQLite in sandbox/var) and ``REDIS_URL=redis://...`` for the
queue of the background worker (default: the database).
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _
from oscar.defaults import *  # noqa: F403

from oscar_fulfillment.defaults import *  # noqa: F403

from .databases import database
from .sellers import SELLERS
from .vendors import carriers, connectors, counters, gateways, nfe

HERE = Path(__file__).resolve().parent
BASE_DIR = HERE.parent
VAR = Path(os.environ.get("SANDBOX_VAR", HERE / "var"))
VAR.mkdir(parents=True, exist_ok=True)

DEBUG = os.environ.get("DEBUG", "") == "1"
SECRET_KEY = "a demo shop has no secrets"
ALLOWED_HOSTS = ["*"]
SITE_ID = 1
ROOT_URLCONF = "sandbox.urls"
WSGI_APPLICATION = "sandbox.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = {"default": database(os.environ.get("DATABASE_URL", ""), VAR / "shop.sqlite3")}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

USE_TZ = True
TIME_ZONE = "America/Sao_Paulo"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("pt", "Português"), ("fr", "Français"), ("ru", "Русский")]
# The library's own words first: the shop must not change what a status is called.
LOCALE_PATHS = [BASE_DIR / "locale", HERE / "locale"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.sites",
    "django.contrib.flatpages",
    "django.contrib.humanize",
    "sandbox.shop.apps.ShopConfig",
    "oscar_fulfillment.apps.FulfillmentConfig",
    "oscar_incidents.apps.IncidentsConfig",
    "oscar_disputes.apps.DisputesConfig",
    "oscar.config.Shop",
    "oscar.apps.analytics.apps.AnalyticsConfig",
    "oscar_fulfillment.checkout.apps.CheckoutConfig",
    "oscar.apps.address.apps.AddressConfig",
    "sandbox.shipping.apps.ShippingConfig",
    "oscar.apps.catalogue.apps.CatalogueConfig",
    "oscar.apps.catalogue.reviews.apps.CatalogueReviewsConfig",
    "oscar.apps.communication.apps.CommunicationConfig",
    "sandbox.partner.apps.PartnerConfig",
    "oscar.apps.basket.apps.BasketConfig",
    "oscar.apps.payment.apps.PaymentConfig",
    "oscar.apps.offer.apps.OfferConfig",
    "oscar_fulfillment.order.apps.OrderConfig",
    "oscar.apps.customer.apps.CustomerConfig",
    "oscar.apps.search.apps.SearchConfig",
    "oscar.apps.voucher.apps.VoucherConfig",
    "oscar.apps.wishlists.apps.WishlistsConfig",
    "oscar.apps.dashboard.apps.DashboardConfig",
    "oscar.apps.dashboard.reports.apps.ReportsDashboardConfig",
    "oscar.apps.dashboard.users.apps.UsersDashboardConfig",
    "oscar_fulfillment.orders_dashboard.apps.OrdersDashboardConfig",
    "oscar.apps.dashboard.catalogue.apps.CatalogueDashboardConfig",
    "oscar.apps.dashboard.offers.apps.OffersDashboardConfig",
    "oscar.apps.dashboard.partners.apps.PartnersDashboardConfig",
    "oscar.apps.dashboard.pages.apps.PagesDashboardConfig",
    "oscar.apps.dashboard.ranges.apps.RangesDashboardConfig",
    "oscar.apps.dashboard.reviews.apps.ReviewsDashboardConfig",
    "oscar.apps.dashboard.vouchers.apps.VouchersDashboardConfig",
    "oscar.apps.dashboard.communications.apps.CommunicationsDashboardConfig",
    "oscar.apps.dashboard.shipping.apps.ShippingDashboardConfig",
    "widget_tweaks",
    "haystack",
    "treebeard",
    "sorl.thumbnail",
    "django_tables2",
    "django_q",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "oscar.apps.basket.middleware.BasketMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.template.context_processors.i18n",
                "django.contrib.messages.context_processors.messages",
                "oscar.apps.search.context_processors.search_form",
                "oscar.apps.checkout.context_processors.checkout",
                "oscar.apps.communication.notifications.context_processors.notifications",
                "oscar.core.context_processors.metadata",
                "sandbox.shop.context_processors.shop",
            ]
        },
    }
]

AUTHENTICATION_BACKENDS = [
    "oscar.apps.customer.auth_backends.EmailBackend",
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_REDIRECT_URL = "/"
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
HAYSTACK_SIGNAL_PROCESSOR = "haystack.signals.BaseSignalProcessor"

STATIC_URL = "/static/"
STATICFILES_DIRS = [HERE / "static"]
WHITENOISE_USE_FINDERS = True
MEDIA_URL = "/media/"
MEDIA_ROOT = VAR / "media"
THUMBNAIL_FORMAT = "WEBP"

EMAIL_BACKEND = "sandbox.mail.EmailBackend"
SANDBOX_MAILS = VAR / "mails"
DEFAULT_FROM_EMAIL = "Ponto & Vírgula <shop@example.com>"
OSCAR_FROM_EMAIL = DEFAULT_FROM_EMAIL

OSCAR_SHOP_NAME = "Ponto & Vírgula"
OSCAR_SHOP_TAGLINE = _("good things for the table, the desk and the road")
OSCAR_ALLOW_ANON_CHECKOUT = True
OSCAR_DEFAULT_CURRENCY = "BRL"
OSCAR_PRODUCTS_PER_PAGE = 24
OSCAR_HIDDEN_FEATURES = ["reviews", "wishlists"]
OSCAR_SEND_REGISTRATION_EMAIL = False
OSCAR_GOOGLE_ANALYTICS_ID = None

OSCAR_FULFILLMENT = {
    "FLOW": "sandbox.shop.flows.choose_flow",
    "CARRIERS": {
        "correios": {"BACKEND": "oscar_fulfillment.carriers.correios.Correios"},
        "swiss_post": {"BACKEND": "oscar_fulfillment.carriers.known.Known"},
        "cdek": {"BACKEND": "oscar_fulfillment.carriers.known.Known"},
        "tipsa": {"BACKEND": "oscar_fulfillment.carriers.known.Known"},
        "other": {"BACKEND": "oscar_fulfillment.carriers.manual.Manual"},
    },
    "DOCUMENTS": {
        "default": {
            "BACKEND": "oscar_fulfillment.documents.typst_engine.TypstEngine",
            "OPTIONS": {"templates": [HERE / "static" / "shop"]},
        }
    },
    "SELLERS": SELLERS,
    "DOCUMENT_BIN": "sandbox.shop.warehouse.bin_of",
    "DOCUMENT_CUSTOMS": "sandbox.shop.warehouse.customs_of",
    "OPERATOR_EMAILS": ["operator@example.com"],
    "PICKUP_POINT": "sandbox.shop.stores.pickup_point",
    "SUPPLIER_EMAILS": {code: f"supplies.{code}@example.com" for code in ("br", "ch", "ru", "eu")},
    "CHECKOUT_COUNTRIES": "sandbox.shop.stores.checkout_countries",
    "CHECKOUT_PAYMENT_METHODS": "sandbox.shop.stores.checkout_payment_methods",
}

# The vendors of ``sandbox/simulators``: adapters run against them unmodified, only their address differs.
SIMULATORS_URL = os.environ.get("SIMULATORS_URL", "http://127.0.0.1:8001")
OSCAR_FULFILLMENT["GATEWAYS"] = gateways(SIMULATORS_URL)
OSCAR_FULFILLMENT["CONNECTORS"] = connectors(SIMULATORS_URL)
OSCAR_FULFILLMENT["CARRIERS"] |= carriers(SIMULATORS_URL) | counters()
# Webhooks go to public addresses by https alone; the simulated receiver is neither.
OSCAR_FULFILLMENT["WEBHOOKS_OUT"] = {"allow_hosts": [urlsplit(SIMULATORS_URL).netloc]}
OSCAR_FULFILLMENT["NFE"] = nfe(VAR / "sefaz", os.environ.get("SEFAZ_URL", ""))

Q_CLUSTER = {
    "name": "sandbox",
    "workers": 2,
    "queue_limit": 2,
    "bulk": 1,
    "timeout": 60,
    "retry": 300,
    "max_attempts": 3,
    "save_limit": -1,
    "catch_up": False,
    "poll": 0.5,
}
if os.environ.get("REDIS_URL"):
    Q_CLUSTER["redis"] = os.environ["REDIS_URL"]
else:
    Q_CLUSTER["orm"] = "default"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s", "datefmt": "%H:%M:%S"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    # A page's pictures come all at once: that some wait for a thread is no news.
    "loggers": {"waitress.queue": {"level": "ERROR"}},
}
