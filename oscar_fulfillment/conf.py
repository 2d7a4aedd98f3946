"""The app's settings: one dict, ``OSCAR_FULFILLMENT``, read when used.

``settings.FLOW`` looks into ``django.conf.settings.OSCAR_FULFILLMENT`` first and into :data:`DEFAULTS` second,
so tests may override the dict and nothing is read at import. Unknown keys are refused by a system check.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings

DEFAULTS: dict[str, Any] = {
    # Which flow a new order follows: the name of one of FLOWS, or the dotted path of ``callable(order) -> name``.
    "FLOW": "STANDARD",
    # The flows of this shop, added to the built-in BRAZIL and STANDARD: name -> dotted path of a ``Flow``, or a
    # declaration ``{"BASE": "STANDARD", "LABEL": ..., "LABELS": {...}, "STATES": {...}, "TRANSITIONS": [...]}``.
    "FLOWS": {},
    # What Oscar's own ``Order.status`` shows for each pair of ours (see ``flows.project``).
    "ORDER_STATUS": {
        "received": "Received",
        "in_process": "In process",
        "sent": "Sent",
        "completed": "Completed",
        "cancelled": "Cancelled",
    },
    # Carriers, configured like CACHES: alias -> {"BACKEND": dotted path, "OPTIONS": {...}}.
    "CARRIERS": {
        "correios": {"BACKEND": "oscar_fulfillment.carriers.correios.Correios"},
        "other": {"BACKEND": "oscar_fulfillment.carriers.manual.Manual"},
    },
    # Dotted path of ``callable(order) -> str``: where the buyer collects the parcel, in the carrier's own code of its
    # office or locker; empty: always to the door.
    "PICKUP_POINT": "",
    # Payment providers, configured like CACHES: alias -> {"BACKEND": dotted path, "OPTIONS": {...}}.
    "GATEWAYS": {},
    # ERP, accounts and CRM, configured like CACHES: alias -> {"BACKEND": dotted path, "OPTIONS": {...}}, see
    # docs/connectors.md.
    "CONNECTORS": {},
    # The engine of the PDF documents, configured like CACHES: "default" -> {"BACKEND": dotted path, "OPTIONS": {...}}.
    # Options of the built-in one: "templates" (folders searched before ours, for your templates and pictures),
    # "fonts" (folders with more fonts), "font" (the families to use). It needs the extra [documents].
    "DOCUMENTS": {"default": {"BACKEND": "oscar_fulfillment.documents.typst_engine.TypstEngine"}},
    # Where goods lie, for packing slips and picking lists: dotted path of ``callable(stockrecord) -> str``, asked for
    # each line with the stock record that was read with it; empty: the documents have no column for it.
    "DOCUMENT_BIN": "",
    # What customs want to know of a product: dotted path of ``callable(product) -> {"hs_code": ..., "origin": country
    # code, "weight_grams": ...}``; empty: its attributes hs_code, country_of_origin and weight (in kg).
    "DOCUMENT_CUSTOMS": "",
    # The most orders in one PDF; the papers of more come in parts, so that none takes longer than a few seconds.
    "DOCUMENT_ORDERS": 300,
    # Who sells, for invoices: the key is the country shipped to ("CH"), else the order's currency ("CHF"), else its
    # flow, else "default"; the value {"name": ..., "street": ..., "postcode": ..., "city": ..., "country": ...,
    # "tax_ids": {label: number}, "contact": [...], "logo": file, "payment": {"kind": "swiss_qr" | "russian_qr" |
    # "pix" | "transfer", ...}, ...}, see docs/documents.md.
    "SELLERS": {},
    # Seconds between two questions to a provider about a payment it should have told us about; the last one repeats.
    "PAYMENT_CHECKS": [120, 600, 3600, 21600, 86400],
    # Hours after which an operation that a provider never confirmed is not repeated by itself any more but waits for a
    # person: providers forget idempotency keys (YooKassa and Mercado Pago after 24 hours).
    "OPERATION_GIVE_UP": 20,
    # The largest notification that is taken, in bytes.
    "WEBHOOK_MAX_BYTES": 1_000_000,
    # Webhooks that tell other systems (see docs/webhooks.md). What a shop leaves out of the dict stays as it is here.
    # "allow_hosts": names of hosts ("erp.example", "10.0.0.5:8080") to which the rules for addresses do not apply:
    # without them only public addresses, https (or "allow_http") and the "ports" are called. "timeout": seconds for a
    # whole try. "schedule": seconds between the tries of a message. "disable_after": so many given up in a row, and the
    # webhook is switched off. "key_hours": for how long the old key signs beside a new one. "keep_days": after which
    # what was sent is deleted.
    "WEBHOOKS_OUT": {
        "allow_hosts": [],
        "allow_http": False,
        "ports": [443],
        "timeout": 15,
        "schedule": [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400],
        "disable_after": 3,
        "key_hours": 24,
        "keep_days": 30,
    },
    # The REST API (see docs/connectors/api.md). What a shop leaves out of the dict stays as it is here. "rate": calls a
    # minute of one key in the long run; "burst": how many may come at once. "max_bytes": the largest body. "page": how
    # many orders are on a page, and "largest_page" at most. "bulk": the most items of one call. "keep_hours": for how
    # long the answer to a write with an Idempotency-Key is kept; "key_hours": for how long an old key works beside a
    # new one.
    "API": {
        "rate": 300,
        "burst": 60,
        "max_bytes": 2_000_000,
        "page": 20,
        "largest_page": 100,
        "bulk": 500,
        "keep_hours": 24,
        "key_hours": 24,
    },
    # Days between two reminders of an overdue invoice, and how many there are before a person is asked to call.
    "DUNNING_DAYS": 7,
    "DUNNING_REMINDERS": 2,
    # The shop's own accounts (IBAN, or account number); statements of others are refused. Empty: of any account.
    "BANK_ACCOUNTS": [],
    # The largest bank statement or payout file, in bytes, and the most movements in one.
    "STATEMENT_MAX_BYTES": 30_000_000,
    "STATEMENT_MAX_ENTRIES": 50_000,
    # The most rows of one file of tracking codes or carriers' occurrences (its bytes: STATEMENT_MAX_BYTES).
    "IMPORT_MAX_ROWS": 200_000,
    # Who gets the mail with everything at each order; empty: settings.MANAGERS.
    "OPERATOR_EMAILS": [],
    # Where orders of missing goods are mailed: code of the Oscar partner -> address. Offered in the form, which else
    # offers the address of the partner's first user.
    "SUPPLIER_EMAILS": {},
    # The CNPJs (or CPFs) that may issue the shop's NF-e; empty: the key's issuer is not compared.
    "ISSUER_TAX_IDS": [],
    # Who issues NF-e from here (needs the extra [nfe-emit]): the keys are those of SELLERS, or others with "seller"
    # naming one; the value {"certificate": path of the A1 file (.pfx), "password": ..., "uf": "SP", "crt": 1 | 3,
    # "ie": ..., "district": ..., "series": 1, "environment": "homologation" | "production", ...}, see docs/nfe.md.
    "NFE": {},
    # Hours after its authorisation within which a note is cancelled by its issuer; states may allow another time.
    "NFE_CANCEL_HOURS": 24,
    # Dotted path of ``callable(product) -> dict`` with what the tax profile does not know of an article: "ncm", "cest",
    # "origin", "gtin". Default: the product's attributes of these names, and its UPC as GTIN.
    "NFE_PRODUCT": "",
    # Which notes are taken from files: "production", or "homologation" (test notes, which have no fiscal value).
    "NFE_ENVIRONMENT": "production",
    # By how much a note's sum may differ from the order's (or the shipment's), in reais.
    "NFE_TOLERANCE": 0.01,
    # A PEM file with the roots of ICP-Brasil and the authorities below them; empty: whoever signed a note, the
    # signature is checked, but not whether its certificate is to be trusted.
    "NFE_CA_BUNDLE": "",
    # The largest file of one note, and what an upload may hold in all (unpacked), in bytes; the most files in it.
    "NFE_MAX_BYTES": 3_000_000,
    "NFE_MAX_UPLOAD": 50_000_000,
    "NFE_MAX_FILES": 2000,
    # Counts in lists stop here and show as "1,000+": a full COUNT(*) costs a scan (see docs).
    "CAPPED_COUNT": 1000,
    # Rows of the order list.
    "PAGE_SIZE": 50,
    # Bulk actions on more orders than this run in the background, with a progress bar.
    "BULK_INLINE_LIMIT": 50,
    # The most orders that one bulk action takes; more are refused before anything is done.
    "BULK_LIMIT": 10_000,
    # Seconds after which a bulk job that nobody works on is taken up again by the sweep.
    "BULK_STALE": 120,
    # Seconds between two tries of an outgoing message; after the last the message is dead and waits for a person.
    "OUTBOX_BACKOFF": [5, 30, 120, 600, 3600, 21600],
    # Seconds after which a message that is "being sent" by nobody is taken up again.
    "OUTBOX_LEASE": 300,
    # The same two for messages that came in.
    "INBOX_BACKOFF": [5, 30, 120, 600, 3600, 21600],
    "INBOX_LEASE": 300,
    # So many "unavailable" in a row and a destination rests; one message at a time then probes whether it is back.
    "CIRCUIT_FAILURES": 3,
    # Longest rest of a destination that is down, in seconds.
    "CIRCUIT_MAX_PAUSE": 600,
    # Seconds a worker stays with one destination before it turns to the next, and with one task in all. The latter
    # plus one slow message must stay below Q_CLUSTER["timeout"].
    "DRAIN_TURN": 5,
    "DRAIN_BUDGET": 20,
    # Seconds without any sign of life of idle workers after which the watchdog restarts the cluster (at most 60).
    "WATCHDOG_TIMEOUT": 30,
    # Set WAL, synchronous=NORMAL and a busy time-out on SQLite files that hold our tables.
    "SQLITE_TUNING": True,
    # Which tax numbers the checkout asks for, by the country shipped to: {"BR": {"kinds": [...], "required": bool}}.
    # Kinds are those of fiscal/taxids.py; a country that is not named is not asked.
    "CHECKOUT_TAX_IDS": {
        "BR": {"kinds": ["cpf", "cnpj"], "required": True},
        "CH": {"kinds": ["uid"], "required": False},
        "FR": {"kinds": ["siret", "siren"], "required": False},
        "RU": {"kinds": ["inn"], "required": False},
    },
    # Dotted path of ``callable(request, methods) -> list``: which active payment methods this visitor may choose;
    # empty: all of them.
    "CHECKOUT_PAYMENT_METHODS": "",
    # Dotted path of ``callable(request) -> list of ISO codes``: where the shop ships for this visitor; empty: to all of
    # Oscar's shipping countries.
    "CHECKOUT_COUNTRIES": "",
    # Days after their delivery in which customers may ask to send goods back; staff may at any time. None: no limit,
    # 0: customers do not ask by themselves.
    "RETURN_DAYS": 30,
    # Largest text a person may type into a note or a reason (characters).
    "MAX_TEXT": 4000,
}


class FulfillmentSettings:
    """Attribute access to ``OSCAR_FULFILLMENT`` with the defaults above."""

    def __getattr__(self, name: str) -> Any:
        if name not in DEFAULTS:
            raise AttributeError(f"OSCAR_FULFILLMENT has no setting {name!r}")
        return getattr(django_settings, "OSCAR_FULFILLMENT", {}).get(name, DEFAULTS[name])


settings = FulfillmentSettings()
