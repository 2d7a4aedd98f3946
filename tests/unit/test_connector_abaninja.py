"""AbaNinja's mapping, pure: sums to the centime, states, customers, hints, settings."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from oscar_fulfillment.connectors import abaninja_codes as codes
from oscar_fulfillment.connectors.abaninja import AbaNinja, _read_cursor
from oscar_fulfillment.connectors.abaninja_customers import (
    address_body,
    address_uuid,
    body_of,
    clean,
    is_same,
    number_of,
)
from oscar_fulfillment.connectors.abaninja_hints import notice_of
from oscar_fulfillment.connectors.abaninja_mapping import (
    Paper,
    amount_of,
    change_of,
    digest_of,
    invoice_of,
    paid_of,
    positions_of,
    state_of,
    uuid_of,
)
from oscar_fulfillment.connectors.abaninja_settings import is_iban, paper_from
from oscar_fulfillment.connectors.abaninja_wire import documents_in, explained, queue_of, words_of
from oscar_fulfillment.connectors.base import Capability
from oscar_fulfillment.connectors.records import Contact, OrderLine, OrderRecord
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable, ConfigurationError
from sandbox.simulators.abaninja_rules import check_invoice

pytestmark = pytest.mark.feature("D4", "D7")

UUID, OTHER = "0b9cd2f8-5d5c-4f0e-a7aa-111111111111", "0b9cd2f8-5d5c-4f0e-a7aa-222222222222"
LUC = Contact(name="Luc Favre", email="luc@example.com", line1="Rue du Lac 3", city="Lausanne", postcode="1003",
              country="CH", phone="+41791234567")  # fmt: skip
PAPER = Paper()
RECEIVER = {"personUuid": UUID, "addressUuid": OTHER}


def line(total, net, quantity=1, unit=None, **fields):
    total, net = Decimal(total), Decimal(net)
    values = {"id": 1, "sku": "A-1", "upc": "", "title": "Mug", "quantity": quantity, "total_incl_tax": total,
              "total_excl_tax": net, "unit_incl_tax": Decimal(unit) if unit else (total / max(quantity, 1)).quantize(Decimal("0.01")),
              "unit_excl_tax": (net / max(quantity, 1)).quantize(Decimal("0.01"))}  # fmt: skip
    return OrderLine(**{**values, **fields})


def an_order(*lines, shipping=("0", "0"), extra=("0", "0"), **fields):
    lines = lines or (line("20.00", "18.50", 2),)
    ship, more = [Decimal(each) for each in shipping], [Decimal(each) for each in extra]
    incl = sum((each.total_incl_tax for each in lines), ship[0] + more[0])
    excl = sum((each.total_excl_tax for each in lines), ship[1] + more[1])
    values = {"id": 1, "number": "100042", "version": 1, "placed_at": datetime(2026, 3, 2, 23, 30, tzinfo=UTC),
              "flow": "STANDARD", "language": "fr", "currency": "CHF", "payment_status": "awaiting_payment",
              "shipping_status": "received", "lines": lines, "buyer": LUC, "receiver": LUC, "total_incl_tax": incl,
              "total_excl_tax": excl, "shipping_incl_tax": ship[0], "shipping_excl_tax": ship[1], "shipping_code": "post",
              "shipping_name": "La Poste", "payment_code": "prepayment", "payment_name": "Prepayment",
              "extra_incl_tax": more[0], "extra_excl_tax": more[1]}  # fmt: skip
    return OrderRecord(**{**values, **fields})


# An order as an invoice


def test_an_invoice_says_what_the_order_says():
    body = invoice_of(an_order(shipping=("7.90", "7.31")), RECEIVER, replace(PAPER, account={"qrIban": "CH44"}))
    assert body["reference"] == "100042"
    assert body["title"] == "Commande 100042"
    # Half past eleven in the evening of the second in London is the third in Zurich.
    assert (body["invoiceDate"], body["dueDate"]) == ("2026-03-03", "2026-04-02")
    assert (body["currencyCode"], body["documentTotal"], body["pricesIncludeVat"]) == ("CHF", 27.9, True)
    assert body["paymentInstructions"] == {"qrIban": "CH44"}
    assert body["positions"] == [
        {"kind": "product", "positionNumber": 1, "productNumber": "A-1", "productDescription": "Mug", "quantity": 2,
         "singlePrice": 10.0, "positionTotal": 20.0, "vat": {"percentage": 8.1, "amount": 1.5}},
        {"kind": "product", "positionNumber": 2, "productDescription": "La Poste", "quantity": 1, "singlePrice": 7.9,
         "positionTotal": 7.9, "vat": {"percentage": 8.1, "amount": 0.59}},
    ]  # fmt: skip
    check_invoice(body)


ORDERS = {
    "one rate": an_order(),
    "two rates and a book": an_order(line("24.90", "23.03", 1), line("12.00", "11.70", 3), line("3.60", "3.51", 1)),
    "a third of ten": an_order(line("10.00", "9.25", 3)),
    "rounded down to five": an_order(line("23.43", "21.67", 1), extra=("-0.03", "-0.03")),
    "rounded up to five": an_order(line("23.43", "21.67", 1), extra=("0.02", "0.02")),
    "surcharge": an_order(extra=("5.00", "4.63")),
    "deduction": an_order(extra=("-5.00", "-4.63")),
    "cents": an_order(line("0.05", "0.05", 1), line("1.00", "0.93", 1), line("0.99", "0.93", 3, unit="0.33")),
    "untaxed": an_order(line("20.00", "20.00", 2)),
    "a free gift": an_order(line("20.00", "18.50", 2), line("0.00", "0.00", 1)),
    "large": an_order(line("123456.75", "114206.06", 7)),
    "given back": an_order(line("20.00", "18.50", 2), line("0.00", "0.00", 0)),
}


@pytest.mark.parametrize("with_vat", [True, False])
@pytest.mark.parametrize("name", ORDERS)
def test_sums_are_right_to_the_centime(name, with_vat):
    order, paper = ORDERS[name], replace(PAPER, with_vat=with_vat)
    body = json.loads(json.dumps(invoice_of(order, RECEIVER, paper)))
    check_invoice(body)  # the vendor's own rules: each sum follows from the others
    tax = 0 if with_vat else sum(Decimal(str(each["vat"]["amount"])) for each in body["positions"])
    assert sum(Decimal(str(each["positionTotal"])) for each in body["positions"]) + tax == order.total_incl_tax
    assert Decimal(str(body["documentTotal"])) == order.total_incl_tax


def test_rates_are_those_of_the_law_although_cents_say_otherwise():
    found = positions_of(ORDERS["two rates and a book"], PAPER)
    assert [each["vat"]["percentage"] for each in found] == [8.1, 2.6, 2.6]
    assert [each["vat"]["percentage"] for each in positions_of(ORDERS["cents"], PAPER)] == [0, 8.1, 8.1]
    (_goods, rounding) = positions_of(ORDERS["rounded down to five"], PAPER)
    assert (rounding["productDescription"], rounding["positionTotal"], rounding["vat"]["percentage"]) == (
        "Différence d'arrondi", -0.03, 0,
    )  # fmt: skip


def test_what_no_price_of_a_piece_explains_is_one_lot():
    (found,) = positions_of(ORDERS["a third of ten"], PAPER)
    assert (found["quantity"], found["singlePrice"], found["productDescription"]) == (1, 10.0, "3 × Mug")


@pytest.mark.parametrize(
    "order",
    [an_order(line("20.00", "17.00", 2)), an_order(line("20.00", "21.00", 2)), an_order(extra=("5.00", "4.00"))],
)
def test_a_tax_that_no_rate_explains_is_refused(order):
    with pytest.raises(AdapterRejected, match="no VAT rate"):
        positions_of(order, PAPER)


def test_an_order_that_does_not_add_up_is_refused():
    with pytest.raises(AdapterRejected, match="do not add up"):
        positions_of(replace(an_order(), total_incl_tax=Decimal("20.01")), PAPER)
    with pytest.raises(AdapterRejected, match="nothing"):
        positions_of(an_order(line("0.00", "0.00", 0)), PAPER)


def test_other_languages_get_the_accounts_own():
    assert invoice_of(an_order(language="pt"), RECEIVER, replace(PAPER, language="it"))["title"] == "Ordine 100042"
    assert invoice_of(an_order(language="en-gb"), RECEIVER, PAPER)["title"] == "Order 100042"


def test_another_version_of_an_order_has_another_digest():
    same = {digest_of(an_order(), PAPER), digest_of(an_order(version=9), PAPER)}
    assert len(same) == 1
    assert digest_of(an_order(line("20.00", "18.50", 2, title="Cup")), PAPER) not in same


# An invoice, as what it means


def document(**fields):
    return {"uuid": UUID, "invoiceNumber": "R0001", "reference": "100042", "documentTotal": "20.00", "openAmount": "20.00",
            "currencyCode": "CHF", "sentStatus": "SENT", "isCancelled": False, "dunningLevel": "NO_DUNNING",
            "updatedAt": "2026-03-03T10:00:00+01:00", **fields}  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "state", "paid"),
    [
        ({}, codes.SENT, "0.00"),
        ({"sentStatus": "OPEN"}, codes.OPEN, "0.00"),
        ({"sentStatus": "ERROR"}, codes.NOT_SENT, "0.00"),
        ({"dunningLevel": "REMINDER"}, codes.REMINDER, "0.00"),
        ({"dunningLevel": "FIRST_DUNNING"}, codes.FIRST_DUNNING, "0.00"),
        ({"dunningLevel": "FINAL_DUNNING"}, codes.FINAL_DUNNING, "0.00"),
        ({"dunningLevel": None}, codes.SENT, "0.00"),
        ({"openAmount": "12.50"}, codes.PART_PAID, "7.50"),
        ({"openAmount": "12.50", "sentStatus": "OPEN"}, codes.PART_PAID, "7.50"),
        ({"openAmount": "0.00"}, codes.PAID, "20.00"),
        ({"openAmount": 0, "dunningLevel": "FINAL_DUNNING"}, codes.PAID, "20.00"),
        ({"openAmount": "-1.00"}, codes.PAID, "21.00"),
        ({"openAmount": "0.00", "sentStatus": "OPEN"}, codes.OPEN, None),
        ({"openAmount": "0.00", "isCancelled": True}, codes.CANCELLED, None),
        ({"openAmount": ""}, codes.SENT, None),
        ({"openAmount": None}, codes.SENT, None),
        ({"openAmount": "NaN"}, codes.SENT, None),
        ({"openAmount": [1]}, codes.SENT, None),
        ({"documentTotal": "0.00", "openAmount": "0.00"}, codes.SENT, None),
        ({"documentTotal": None, "openAmount": "0.00"}, codes.SENT, None),
        ({"sentStatus": "TELEPORTED"}, codes.UNKNOWN, "0.00"),
        ({"dunningLevel": "LAWYER"}, codes.UNKNOWN, "0.00"),
    ],
)
def test_how_an_invoice_stands(fields, state, paid):
    assert state_of(document(**fields)) == state
    assert paid_of(document(**fields)) == (None if paid is None else Decimal(paid))
    change = change_of(document(**fields), PAPER)
    assert (change.state, change.paid, change.foreign, change.at) == (
        state, None if paid is None else Decimal(paid), True, None,
    )  # fmt: skip


def test_a_draft_counts_as_paid_only_where_the_shop_says_so():
    draft = document(openAmount="0.00", sentStatus="OPEN")
    assert state_of(draft, paid_drafts=True) == codes.PAID
    assert paid_of(draft, paid_drafts=True) == Decimal("20.00")


def test_a_change_names_invoice_and_order_and_each_news_once():
    change = change_of(document(openAmount="0.00"), PAPER)
    assert (change.external_id, change.reference, change.paid_reference, change.paid_currency) == (
        UUID, "100042", "R0001", "CHF",
    )  # fmt: skip
    keys = {change_of(document(**fields), PAPER).key for fields in (
        {}, {}, {"openAmount": "0.00"}, {"openAmount": "0.00", "updatedAt": "later"}, {"isCancelled": True})}  # fmt: skip
    assert len(keys) == 4
    assert all(len(key) <= 100 for key in keys)
    assert len(change_of(document(updatedAt="x" * 5_000, openAmount="y" * 5_000), PAPER).key) <= 100


def test_a_prefix_tells_whose_reference_it_is():
    paper = replace(PAPER, prefix="WEB-")
    assert invoice_of(an_order(), RECEIVER, paper)["reference"] == "WEB-100042"
    assert change_of(document(reference="WEB-100042"), paper).reference == "100042"
    assert change_of(document(reference="100042"), paper).reference == ""


@pytest.mark.parametrize("uuid", [None, "", 7, "x", f"{UUID}/../x", UUID[:-1], f"{UUID}\n"])
def test_an_invoice_without_an_id_says_nothing(uuid):
    assert change_of(document(uuid=uuid), PAPER) is None
    assert uuid_of(uuid) == ""


@pytest.mark.parametrize(
    ("value", "amount"),
    [("12.5", "12.50"), (12, "12.00"), ("-3", "-3.00"), (True, None), ("1e400", None), ("Infinity", None), ({}, None),
     ("9" * 30, None), ("", None), (None, None), ("1'000", None)],
)  # fmt: skip
def test_sums_of_theirs(value, amount):
    assert amount_of(value) == (None if amount is None else Decimal(amount))


# Customers


def test_a_buyer_is_a_person_with_a_number_that_is_always_the_same():
    number = number_of(LUC, "W-", "100042")
    assert number == number_of(replace(LUC, email="LUC@example.com ", name="luc  Favré"), "W-", "other")
    assert number != number_of(replace(LUC, name="Eva Favre"), "W-", "100042")
    assert number_of(replace(LUC, email=""), "W-", "100042") == "W-100042"
    body = body_of(LUC, number=number, language="fr", currency="CHF")
    assert (body["type"], body["first_name"], body["last_name"]) == ("person", "Luc", "Favre")
    assert body["contacts"] == [
        {"type": "email", "value": "luc@example.com", "primary": True},
        {"type": "phone", "value": "+41791234567", "primary": False},
    ]
    assert body["addresses"] == [
        {"address": "Rue du Lac", "street_number": "3", "extension": "", "additional_field": "", "city": "Lausanne",
         "zip_code": "1003", "country_code": "CH", "state": "VD"}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("Cher", "-", "Cher"), ("", "-", "-"), ("Anna Maria von Arx", "Anna", "Maria von Arx"), ("\u202e\x00", "-", "-")],
)
def test_names_that_are_not_two(name, first, last):
    body = body_of(replace(LUC, name=name), number="1", language="fr", currency="CHF")
    assert (body["first_name"], body["last_name"]) == (first, last)


@pytest.mark.parametrize(
    ("street", "parts"),
    [("Bahnhofstrasse 12a", ("Bahnhofstrasse", "12a")), ("Postfach", ("Postfach", "")), ("12 Main St", ("12 Main St", "")),
     ("Chemin du 1er Août", ("Chemin du 1er Août", "")), ("", ("", ""))],
)  # fmt: skip
def test_streets_and_their_numbers(street, parts):
    body = address_body(replace(LUC, line1=street))
    assert (body["address"], body["street_number"]) == parts


@pytest.mark.parametrize(
    ("postcode", "canton"),
    [("1003", "VD"), ("1201", "GE"), ("1700", "FR"), ("1950", "VS"), ("2000", "NE"), ("2800", "JU"), ("3000", "BE"),
     ("3900", "VS"), ("4051", "BS"), ("4410", "BL"), ("4500", "SO"), ("5000", "AG"), ("6003", "LU"), ("6300", "ZG"),
     ("6370", "NW"), ("6060", "OW"), ("6430", "SZ"), ("6460", "UR"), ("6900", "TI"), ("7000", "GR"), ("8001", "ZH"),
     ("8200", "SH"), ("8500", "TG"), ("8750", "GL"), ("9000", "SG"), ("9100", "AR"), ("9050", "AI"), ("CH-8001", "ZH"),
     ("0000", ""), ("", ""), ("abc", "")],
)  # fmt: skip
def test_cantons_by_postcode(postcode, canton):
    assert codes.canton_of(postcode) == canton


def test_an_address_that_says_its_canton_is_believed():
    assert codes.canton_of("8001", " ge ") == "GE"
    assert codes.canton_of("8001", "Zürich") == "ZH"
    assert address_body(replace(LUC, country="DE", state="Bayern"))["state"] == "Bayern"


def test_who_is_the_same_customer():
    theirs = {"type": "person", "customer_number": "K-1", "first_name": "LUC", "last_name": "Favré",
              "contacts": [{"type": "email", "value": "Luc@Example.com"}], "addresses": None}  # fmt: skip
    assert is_same(theirs, LUC, "W-X")
    assert is_same({"customer_number": "W-X"}, LUC, "W-X")
    assert not is_same({**theirs, "last_name": "Meier"}, LUC, "W-X")
    assert not is_same({**theirs, "contacts": [{"type": "email", "value": "other@example.com"}]}, LUC, "W-X")
    assert not is_same({**theirs, "contacts": "luc@example.com"}, LUC, "W-X")
    assert not is_same({**theirs, "contacts": [{"type": "email", "value": ""}]}, replace(LUC, email=""), "W-X")
    assert address_uuid(theirs, LUC) == ""
    entry = {"uuid": UUID, "address": "rue du lac 3", "city": "LAUSANNE", "zip_code": "1003", "country_code": "ch"}
    assert address_uuid({"addresses": [{**entry, "zip_code": "1004"}, entry]}, LUC) == UUID


def test_texts_are_one_plain_line():
    assert clean("  a\r\n\tb\u2028c\x00\u202ed\ud800 ") == "a b c d"
    assert clean(None) == ""
    assert len(clean("x" * 500)) == 100


# Answers


def test_documents_however_they_are_wrapped():
    one = {"uuid": UUID}
    for envelope in (
        {"data": one},
        {"data": [one]},
        {"data": {"documents": [one]}},
        {"data": [{"documents": [one]}]},
        [one],
    ):
        assert documents_in(envelope) == [one]
    for envelope in (None, 7, "x", {"data": None}, {"data": [None, 7, {}]}, {"data": {"documents": "x"}}):
        assert documents_in(envelope) == []
    assert queue_of({"data": {"uuid": UUID}}) == queue_of({"data": [{"queueUuid": UUID}]}) == UUID
    assert queue_of({"data": {"uuid": "../x"}}) == ""


def test_refusals_in_words():
    body = json.dumps(
        {"message": "The given data was invalid.\x00", "errors": {"city": ["is required"], "x": 7}}
    ).encode()
    assert words_of(body) == "The given data was invalid.; city: is required; x: 7"
    assert words_of(b"<html>") == words_of(b"[]") == words_of(b"[" * 100_000) == ""
    assert "is required" in str(explained(AdapterRejected("no", status=400, body=body), "AbaNinja"))
    assert isinstance(explained(AdapterRejected("no", status=401), "AbaNinja"), AdapterUnavailable)


@pytest.mark.parametrize(
    ("document", "ids"),
    [
        ({"eventType": "invoice-paid", "data": {"uuid": UUID}}, [UUID]),
        ({"event": "invoice-paid", "invoiceUuid": UUID}, [UUID]),
        ({"type": "payment-received", "data": {"uuid": OTHER, "processing": {"documentUuid": UUID}}}, [UUID]),
        ({"type": "payment-received", "data": {"uuid": OTHER}}, [f"payment:{OTHER}"]),
        ({"type": "payment-received", "data": {"invoice": {"uuid": UUID}}}, [UUID]),
        ({"payment": {"uuid": OTHER}}, [f"payment:{OTHER}"]),
        ({"data": [{"document_uuid": UUID}, {"document_uuid": UUID.upper()}]}, [UUID]),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"g": {"uuid": UUID}}}}}}}}, []),
        ({"uuid": "../x", "type": ["x"], "data": {"uuid": 7}}, []),
        ({}, []),
    ],
)
def test_what_a_webhook_is_about(document, ids):
    notice = notice_of(json.dumps(document).encode())
    assert list(notice.read_again) == ids
    assert notice.changes == ()


def test_the_same_bytes_are_the_same_webhook_and_many_ids_are_cut():
    assert notice_of(b"{}").event_id == notice_of(b"{}").event_id != notice_of(b"{ }").event_id
    many = {"data": {f"x{n}": {"uuid": f"{UUID[:-3]}{n:03d}"} for n in range(90)}}
    assert len(notice_of(json.dumps(many).encode()).read_again) == 20


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"null", b"<html>", b"\xff", b"[" * 100_000])
def test_what_is_no_webhook_is_rejected(body):
    with pytest.raises(AdapterRejected):
        notice_of(body)


# Settings


def account(**options):
    return AbaNinja(**{"alias": "abaninja", "account": UUID, "api_key": "a-secret", **options})


def test_what_it_can_do_follows_from_what_it_was_given():
    assert account().capabilities == {Capability.FIND, Capability.REVISE, Capability.PULL}
    told = account(webhook_secrets=["k"], signature_header="X-Signature")
    assert Capability.NOTIFIES in told.capabilities
    assert account().kinds_for("place", moves=False) == ["order"]
    assert account(order_at="released").kinds_for("release", moves=True) == ["order"]
    assert account().kinds_for("dispatch", moves=True) == ["delivery_note"]
    assert account(delivery_notes=False).kinds_for("dispatch", moves=True) == []
    assert account().kinds_for("approve_payment", moves=True) == []
    cards = account(payments={"card": "TWINT"})
    assert cards.kinds_for("capture_payment", moves=True) == ["payment"]
    assert (cards.wants("payment", "card"), cards.wants("payment", "other"), cards.wants("order", "other")) == (
        True, False, True,
    )  # fmt: skip
    assert (account().concerns("STANDARD", "CHF"), account().concerns("STANDARD", "EUR")) == (True, False)
    assert {state.code for state in account().states()} >= {"paid", "cancelled", "reminder"}


def test_no_secret_is_shown():
    shown = repr(account(webhook_secrets=["hidden"], signature_header="X-Signature")) + repr(vars(account()))
    assert "a-secret" not in shown
    assert "hidden" not in shown


@pytest.mark.parametrize(
    "options",
    [
        {"account": "x"}, {"api_key": ""}, {"api_key": "a\r\nb"}, {"document": "letter"}, {"payments": {"card": "GOLD"}},
        {"webhook_secrets": ["k"]}, {"webhook_secrets": "k", "signature_header": "X"}, {"signature_header": "X"},
        {"webhook_secrets": [""], "signature_header": "X"}, {"language": "pt"}, {"due_days": -1}, {"due_days": "30"},
        {"vat_rates": "8.1"}, {"vat_rates": []}, {"vat_rates": ["x"]}, {"vat_rates": [810]}, {"iban": "CH00"},
        {"qr_iban": "CH93 0076 2011 6238 5295 7"}, {"iban": "CH44 3199 9123 0008 8901 2"}, {"reference_prefix": "a\nb"},
        {"iban": "CH93 0076 2011 6238 5295 7", "qr_iban": "CH44 3199 9123 0008 8901 2"}, {"order_at": "never"},
        {"base_url": "api.abaninja.ch"}, {"currencies": "CHF"},
    ],
)  # fmt: skip
def test_wrong_settings_are_refused_at_once(options):
    with pytest.raises(ConfigurationError):
        account(**options)


def test_accounts_are_checked():
    paper, rest = paper_from("a", {"iban": "ch93 0076 2011 6238 5295 7", "flows": ["STANDARD"], "terms": "30 days"})
    assert (paper.account, paper.texts["terms"], rest) == (
        {"iban": "CH9300762011623852957"}, "30 days", {"flows": ["STANDARD"]},
    )  # fmt: skip
    assert is_iban("CH4431999123000889012")
    for wrong in (
        "CH4431999123000889013",
        "DE4431999123000889012",
        "CH44319991230008890",
        "CH44319991230008890!2",
        "²" * 21,
    ):
        assert not is_iban(wrong)


@pytest.mark.parametrize("cursor", ["", "x", "2026-13-01|1|", "2026-03-01|x|", "|||", "\x00"])
def test_a_cursor_that_cannot_be_read_begins_anew(cursor):
    now = datetime(2026, 3, 31, 12, tzinfo=UTC)
    assert _read_cursor(cursor, now, 30) == ("2026-03-01", 1, "2026-03-30")
    assert _read_cursor("2026-03-05|2|2026-03-20", now, 30) == ("2026-03-05", 2, "2026-03-20")
    assert _read_cursor("2026-03-05|1|", now, 30) == ("2026-03-05", 1, "2026-03-30")
