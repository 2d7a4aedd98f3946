"""What the tests of statements share: orders that wait for their money, and files about them."""

from __future__ import annotations

import pathlib
from decimal import Decimal

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import BankEntry
from oscar_fulfillment.services import bank
from oscar_fulfillment.statements.csv_file import guess_layout
from oscar_fulfillment.statements.table import read_table
from oscar_fulfillment.test import factories

RITA = Actor.system("Rita")
DATA = pathlib.Path(__file__).parents[1] / "data"
ACCOUNT = "CH0200700110000387896"


def content(name):
    return (DATA / "bank" / name).read_bytes()


def unpaid(number, price="100.00", currency="CHF", name="Pia Rutschmann", **options):
    """An order of this sum that waits for a transfer."""
    first, _space, last = name.rpartition(" ")
    address = factories.address(first_name=first, last_name=last)
    return factories.placed_order(
        number=number, currency=currency, lines=[(factories.product(price=price), 1)], shipping_address=address,
        **options,
    )  # fmt: skip


def take(name, **options):
    """Import a CAMT or 1C file."""
    return bank.import_statement(content=content(name), file_name=name, actor=RITA, **options)


def lines(*rows, account=ACCOUNT, currency="CHF", name="bank.csv", actor=RITA):
    """Import a CSV file of (date, payer, text, sum)."""
    text = "Date;Name;Text;Amount\n" + "".join(";".join(map(str, row)) + "\n" for row in rows)
    return text_file(text, account=account, currency=currency, name=name, actor=actor)


def text_file(text, *, account=ACCOUNT, currency="CHF", name="bank.csv", actor=RITA):
    table = read_table(text.encode(), most=50_000)
    return bank.import_statement(
        content=text.encode(), file_name=name, actor=actor, account=account, currency=currency,
        layout=guess_layout(table),
    )[0]  # fmt: skip


def entry(amount, statement=None):
    rows = BankEntry.objects.filter(amount=Decimal(amount))
    return (rows.filter(statement=statement) if statement else rows).get()
