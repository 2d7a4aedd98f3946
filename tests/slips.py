"""Packing slips of the demo's sellers, without a database."""

from datetime import date

from oscar_fulfillment.documents import scan_codes
from oscar_fulfillment.documents.packing_slip import ReturnForm, SlipData, SlipLine
from oscar_fulfillment.documents.parties import Party
from oscar_fulfillment.documents.sellers import read_seller
from sandbox.sellers import SELLERS

LANGUAGES = {"CHF": "fr", "RUB": "ru", "BRL": "pt", "EUR": "en-gb"}
BUYERS = {
    "CHF": Party("Zoé Müller", lines=("Grosse Marktgasse 28", "9400 Rorschach"), contact=("+41 71 555 01 23",)),
    "RUB": Party("Щербакова Ольга Юрьевна", lines=("ул. Мясницкая, д. 1, кв. 5", "Москва", "101000")),
    "BRL": Party("Ana Souza", lines=("Rua A, 1", "Consolação", "01310-100 São Paulo - SP"), contact=("+55 11 5555-0000",)),
    "EUR": Party("Jeanne Dupont", lines=("8 rue de la Paix", "75002 Paris", "France")),
}  # fmt: skip
REASONS = {
    "fr": ("Ne convient plus", "Non conforme à la description", "Mauvais article", "Arrivé endommagé"),
    "ru": ("Передумал(а)", "Не соответствует описанию", "Прислали не тот товар", "Повреждено при доставке"),
    "pt": ("Desisti da compra", "Diferente da descrição", "Produto errado", "Chegou danificado"),
    "en-gb": ("No longer wanted", "Not as described", "Wrong article delivered", "Arrived damaged"),
}
ARTICLES = {
    "fr": "Tasse en porcelaine, bleu nuit",
    "ru": "Кружка фарфоровая, тёмно-синяя",
    "pt": "Caneca de porcelana, azul-noite",
    "en-gb": "Porcelain mug, midnight blue",
}
#: Texts that would be something else than text in a template, in markup, in a formula.
HOSTILE = ("#panic()", "$ @ \\ ]", "*bold* <b>", "Ёлка", "😀", "שלום", "a\x00\x1b\u202eb", "x" * 3_000)


def slip_line(title="Mug", quantity=2, sku="MUG-1", bin="A-01"):
    return SlipLine(title, quantity, sku, bin)


def return_form(currency, **given):
    language = LANGUAGES[currency]
    seller = read_seller(currency, SELLERS[currency])
    fields = {"address": seller.party, "reasons": REASONS[language], "url": f"https://shop.example.com/{language}/r/7/"}
    return ReturnForm(**fields | given)


def slip(currency="CHF", number=7, **given):
    language = given.pop("language", LANGUAGES[currency])
    lines = tuple(slip_line(f"{ARTICLES[language]} {n}", n + 1, f"MUG-{n}", f"A-0{n}") for n in range(1, 5))
    fields = {
        "number": f"1000{number:02}", "placed": date(2026, 11, 26), "language": language,
        "seller": read_seller(currency, SELLERS[currency]), "code": scan_codes.shipment_code(number), "lines": lines,
        "delivery": BUYERS[currency], "shipment": (1, 2), "shipping_method": "Post", "returns": return_form(currency),
    }  # fmt: skip
    return SlipData(**fields | given)
