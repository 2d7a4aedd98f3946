"""The vendors' accounts of the demo shop: the credentials that the simulators know."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _


def gateways(simulators: str) -> dict[str, Any]:
    """The setting GATEWAYS, with each provider at its simulator."""
    from .simulators import datatrans, mercadopago, pagarme, yookassa

    return {
        "yookassa": {
            "BACKEND": "oscar_fulfillment.gateways.yookassa.YooKassa",
            "OPTIONS": {
                "shop_id": yookassa.SHOP_ID,
                "secret_key": yookassa.SECRET_KEY,
                "base_url": f"{simulators}/yookassa/v3",
                "receipts": {"vat_code": 11},
            },
        },
        "mercadopago": {
            "BACKEND": "oscar_fulfillment.gateways.mercadopago.MercadoPago",
            "OPTIONS": {
                "access_token": mercadopago.ACCESS_TOKEN,
                "webhook_secrets": [mercadopago.WEBHOOK_SECRET],
                "base_url": f"{simulators}/mercadopago",
            },
        },
        "pagarme": {
            "BACKEND": "oscar_fulfillment.gateways.pagarme.PagarMe",
            "OPTIONS": {
                "secret_key": pagarme.SECRET_KEY,
                "webhook_credentials": [f"{pagarme.HOOK_USER}:{pagarme.HOOK_PASSWORD}"],
                "base_url": f"{simulators}/pagarme/core/v5",
            },
        },
        "datatrans": {
            "BACKEND": "oscar_fulfillment.gateways.datatrans.DatatransGateway",
            "OPTIONS": {
                "merchant_id": datatrans.MERCHANT_ID,
                "password": datatrans.PASSWORD,
                "sign_keys": [datatrans.SIGN_KEY],
                "currencies": ["CHF", "EUR"],
                "base_url": f"{simulators}/datatrans",
            },
        },
    }


def nfe(folder: Path, address: str) -> dict[str, Any]:
    """The setting NFE: the demo shop's issuer at the simulated tax office; nobody where its certificates were not made."""
    from .simulators.sefaz_pki import PASSWORD, Pki

    pki = Pki(folder)
    if not address or not pki.is_there:
        return {}
    return {
        "BRL": {
            "certificate": str(pki.a1),
            "password": PASSWORD,
            "ca_bundle": str(pki.authority),
            "uf": "SP",
            "crt": 1,
            "ie": "111111111111",
            "district": "Consolação",
            "phone": "+55 11 5555-0123",
            "text": "Documento emitido por ME ou EPP optante pelo Simples Nacional.",
            "contingency": True,
            "mails": True,
            "timeout": 20,
            "addresses": {"normal": f"{address}/ws/{{service}}", "contingency": f"{address}/svc/{{service}}"},
        }
    }


def carriers(simulators: str) -> dict[str, Any]:
    """Those of the setting CARRIERS that have an account, each at its simulator."""
    from .simulators import cdek_wire as cdek
    from .simulators import correios, gls_es, melhor_envio, tipsa

    return {
        "correios": {
            "BACKEND": "oscar_fulfillment.carriers.correios.Correios",
            "OPTIONS": {
                "user": correios.USER,
                "access_code": correios.ACCESS_CODE,
                "card": correios.CARD,
                "base_url": f"{simulators}/correios",
            },
        },
        "melhor_envio": {
            "BACKEND": "oscar_fulfillment.carriers.melhor_envio.MelhorEnvio",
            "OPTIONS": {
                "token": melhor_envio.TOKEN,
                "contact": "Demo shop (operator@example.com)",
                "webhook_secrets": [melhor_envio.SECRET],
                "base_url": f"{simulators}/melhor_envio",
            },
        },
        "cdek": {
            "BACKEND": "oscar_fulfillment.carriers.cdek.Cdek",
            "OPTIONS": {
                "account": cdek.ACCOUNT,
                "password": cdek.PASSWORD,
                "webhook_tokens": [cdek.WEBHOOK_TOKEN],
                "base_url": f"{simulators}/cdek/v2",
                "tariffs": {"cdek-pvz": 136, "cdek-door": 137},
                "sender": {"shipment_point": "NSK33", "company": "Ponto & Vírgula", "phone": "+7 383 000-00-00"},
                "weight": 500,
                "dimensions": (20, 15, 10),
            },
        },
        "tipsa": {
            "BACKEND": "oscar_fulfillment.carriers.tipsa.Tipsa",
            "OPTIONS": {
                "agency": tipsa.AGENCY,
                "customer": tipsa.CUSTOMER,
                "password": tipsa.PASSWORD,
                "base_url": f"{simulators}/tipsa",
            },
        },
        "gls_es": {
            "BACKEND": "oscar_fulfillment.carriers.gls_es.GlsSpain",
            "OPTIONS": {"uid": gls_es.UID, "base_url": f"{simulators}/gls_es"},
        },
    }


def connectors(simulators: str) -> dict[str, Any]:
    """The setting CONNECTORS: the systems beside the demo shop, each for the orders of its country.

    A further ERP fetches Brazil's orders by the API, see demo/api_keys.
    """
    from .simulators import abaninja, bling, erp, onec
    from .simulators import bitrix24_rules as bitrix24

    return {
        "abaninja": {
            "BACKEND": "oscar_fulfillment.connectors.abaninja.AbaNinja",
            "OPTIONS": {
                "account": abaninja.ACCOUNT,
                "api_key": abaninja.API_KEY,
                "currencies": ["CHF"],
                "payments": {"card-ch": "DEBIT_CREDIT_CARD", "twint": "TWINT"},
                "qr_iban": "CH44 3199 9123 0008 8901 2",
                "language": "fr",
                "webhook_secrets": [abaninja.SIGNATURE_KEY],
                "signature_header": abaninja.SIGNATURE_HEADER,
                "app_url": f"{simulators}/abaninja",
                "base_url": f"{simulators}/abaninja",
            },
        },
        "bitrix24": {
            "BACKEND": "oscar_fulfillment.connectors.bitrix24.Bitrix24",
            "OPTIONS": {
                "webhook_url": f"{simulators}/bitrix24/rest/{bitrix24.USER}/{bitrix24.CODE}",
                "application_tokens": [bitrix24.APPLICATION_TOKEN],
                "currencies": ["RUB"],
                "pipelines": {"RUB": 5},
            },
        },
        "bling": {
            "BACKEND": "oscar_fulfillment.connectors.bling.Bling",
            "OPTIONS": {
                "client_id": bling.CLIENT_ID,
                "client_secret": bling.CLIENT_SECRET,
                "store": bling.STORE,
                "flows": ["BRAZIL"],
                "currencies": ["BRL"],
                "base_url": f"{simulators}/bling/Api/v3",
                "authorize_url": f"{simulators}/bling/Api/v3/oauth/authorize",
                "page_url": f"{simulators}/bling/#order-{{id}}",
                # Two workers, and what Bling allows is for both.
                "per_second": 2,
                "poll_every": 1,
            },
        },
        "lagoa": {
            "BACKEND": "oscar_fulfillment.connectors.webhook_erp.SignedWebhook",
            "OPTIONS": {
                "name": "Lagoa ERP",
                "url": f"{simulators}/erp/orders",
                "secrets": [erp.SECRET],
                "allow_hosts": [urlsplit(simulators).netloc],
                # Switzerland and the euro countries: the accounts get the Swiss orders beside it.
                "currencies": ["CHF", "EUR"],
            },
        },
        "onec": {
            "BACKEND": "oscar_fulfillment.connectors.commerceml.CommerceML",
            "OPTIONS": {
                "user": onec.USER,
                "password": onec.PASSWORD,
                "encoding": "windows-1251",
                "currencies": ["RUB"],
                # The demo shop runs on this machine only.
                "allow_http": True,
            },
        },
    }


def counters() -> dict[str, Any]:
    """The stores' own counters, as carriers: the customer comes for the goods."""
    places = {
        "br": _("Rua Augusta 1500, São Paulo. Monday to Friday, 9 am to 6 pm."),
        "ch": _("Rue de Bourg 12, 1003 Lausanne. Monday to Saturday, 10 am to 7 pm."),
        "ru": _("Pokrovka 17, Moscow. Every day, 10 am to 9 pm."),
        "eu": _("Rue Mercière 8, 69002 Lyon. Tuesday to Saturday, 10 am to 7 pm."),
    }
    return {
        f"{store}-pickup": {
            "BACKEND": "oscar_fulfillment.carriers.pickup.PickUp",
            "OPTIONS": {"shipping_methods": [f"{store}-pickup"], "place": place},
        }
        for store, place in places.items()
    }
