"""AbaNinja's codes: payment types, how an invoice stands, words on documents, cantons.

Sources: the models of two public PHP clients (``php-core/abaninja-sdk``, MIT; ``stuii/abaninja-sdk``, facts only) and
what public integrations report. One code, one meaning; what is unknown stays :data:`UNKNOWN`.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

#: How an invoice stands, in our words: AbaNinja says it by four fields, see :func:`.abaninja_mapping.state_of`.
OPEN, SENT, NOT_SENT, REMINDER, FIRST_DUNNING, FINAL_DUNNING, PART_PAID, PAID, CANCELLED, UNKNOWN = (
    "open", "sent", "not_sent", "reminder", "first_dunning", "final_dunning", "part_paid", "paid", "cancelled",
    "unknown",
)  # fmt: skip
STATES: dict[str, Any] = {
    OPEN: _("Draft invoice"),
    SENT: _("Invoice sent"),
    NOT_SENT: _("Invoice could not be sent"),
    REMINDER: _("Customer reminded"),
    FIRST_DUNNING: _("First demand for payment"),
    FINAL_DUNNING: _("Last demand for payment"),
    PART_PAID: _("Invoice paid in part"),
    PAID: _("Invoice paid"),
    CANCELLED: _("Invoice cancelled"),
    UNKNOWN: _("Unknown status"),
}
SENT_STATUS = {"OPEN": OPEN, "SENT": SENT, "ERROR": NOT_SENT}
DUNNING_LEVEL = {
    "NO_DUNNING": "",
    "REMINDER": REMINDER,
    "FIRST_DUNNING": FIRST_DUNNING,
    "FINAL_DUNNING": FINAL_DUNNING,
}

#: ``paymentType`` of a payment.
PAYMENT_TYPES = frozenset({
    "BANK", "BITPAY", "CARD_TERMINAL", "CASH", "CASH_ON_DELIVERY", "INSTANT_TRANSFER", "PAYPAL", "TWINT", "WIR",
    "VOUCHER_OWN", "VOUCHER_THIRD_PARTY", "DEBIT_CREDIT_CARD", "DISCOUNT", "DONATION", "CARD_COMMISSIONS", "DEBIT_LOSS",
    "CURRENT_ACCOUNT", "PREPAYMENT", "STRIPE_CREDIT_CARD", "STRIPE_TWINT",
})  # fmt: skip

#: Swiss VAT since 2024, in per cent: normal, reduced, accommodation, none.
VAT_RATES = ("8.1", "2.6", "3.8", "0")

#: Languages of an account's documents.
LANGUAGES = ("de", "fr", "it", "en")
#: What stands on documents, in the customer's language: title, rounding, surcharge, discount.
WORDS = {
    "de": ("Bestellung {number}", "Rundungsdifferenz", "Zuschlag", "Abzug"),
    "fr": ("Commande {number}", "Différence d'arrondi", "Supplément", "Déduction"),
    "it": ("Ordine {number}", "Differenza di arrotondamento", "Supplemento", "Deduzione"),
    "en": ("Order {number}", "Rounding difference", "Surcharge", "Deduction"),
}

#: The beginning of a postcode -> canton; the longest one counts. AbaNinja takes no Swiss address without a canton,
#: which no Swiss address shows: it is coarse where a postcode's area crosses a border.
_CANTONS = {
    "VD": "10 11 126 127 13 14 15 180 181 182 183 184 185 186",
    "GE": "12",
    "FR": "148 156 158 16 17 3175 3178 318 321 3280",
    "VS": "187 189 19 39",
    "NE": "20 21 22 23 24",
    "BE": "2500 25 26 27 3 49",
    "JU": "28 29",
    "SO": "254 45 46 412 4143 4206 4208 422 423 424",
    "BS": "400 401 402 403 404 405 406 407 408 409 4125",
    "BL": "41 42 44",
    "AG": "43 48 50 51 52 53 54 55 56 57 895 896",
    "LU": "60 61 62",
    "ZG": "630 631 633 634",
    "NW": "605 637 638 636",
    "OW": "606 607 639",
    "SZ": "640 641 642 643 644 8806 8807 8808 883 884 885 886",
    "UR": "645 646 647 648 649",
    "TI": "65 66 67 68 69",
    "GR": "653 654 655 656 70 71 72 73 74 75 76 77",
    "ZH": "80 81 83 84 86 87 88 89",
    "SH": "82",
    "TG": "85 825 826 837 8355 8360 93 950 953 954 955 956",
    "GL": "875 876 877 878",
    "SG": "871 872 873 874 888 889 90 92 94 9300 951 952 96",
    "AR": "904 9053 9055 9056 9057 9063 91",
    "AI": "9050 9054 9058 9108",
}
_BY_POSTCODE = {start: canton for canton, starts in _CANTONS.items() for start in starts.split()}


def canton_of(postcode: str, state: str = "") -> str:
    """The canton of a Swiss address: as it says itself, else by its postcode; "" for neither."""
    if (said := state.strip().upper()) in _CANTONS:
        return said
    code = postcode.strip().upper().removeprefix("CH-")
    return next((_BY_POSTCODE[code[:size]] for size in (4, 3, 2, 1) if code[:size] in _BY_POSTCODE), "")
