"""AbaNinja keeps what every connector promises, for each kind of document it makes."""

from __future__ import annotations

import pytest

from oscar_fulfillment.connectors.abaninja import AbaNinja
from oscar_fulfillment.test.connector_contract import ConnectorContract, order_task
from sandbox.simulators import abaninja as simulation
from sandbox.simulators.base import serve

pytestmark = pytest.mark.feature("D4", "Z15")

POST = "POST /accounts/" + simulation.ACCOUNT + "/documents/v2/invoices"


class Vendor(simulation.AbaNinja):
    """The simulator, as the contract plays it."""

    def __init__(self, **options):
        self.letters = []
        super().__init__(deliver=lambda letter: self.letters.append(letter) or 200,
                         notification_url="https://shop.example/hook", **options)  # fmt: skip

    def orders(self):
        return len([each for each in self.books.all("invoices") if not each["isCancelled"]])

    def lose_answers(self, number):
        self.forget_accidents()
        self.fail_next(*["cut_after"] * number, path=POST)

    def change(self, number):
        (found,) = [each for each in self.books.all("invoices") if each["reference"] == number]
        self.happen(found, "paid")

    def notification(self):
        letter = self.letters[-1]
        return {name.lower(): value for name, value in letter.headers.items()}, letter.body, {}


class Contract(ConnectorContract):
    secrets = (simulation.API_KEY, simulation.SIGNATURE_KEY)
    options: dict = {}

    def task(self, number="100042", **values):
        return order_task(number, **{"currency": "CHF", **values})

    def made(self, address):
        values = {"account": simulation.ACCOUNT, "api_key": simulation.API_KEY, "read_timeout": 1.0,
                  "webhook_secrets": [simulation.SIGNATURE_KEY], "signature_header": simulation.SIGNATURE_HEADER}  # fmt: skip
        return AbaNinja(alias="abaninja", base_url=address, **{**values, **self.options})

    @pytest.fixture
    def driver(self):
        return Vendor()

    @pytest.fixture
    def connector(self, driver):
        with serve(driver) as address:
            yield self.made(address)

    @pytest.fixture
    def nowhere(self):
        return self.made("http://127.0.0.1:9")


class TestInvoices(Contract):
    pass


class TestDrafts(Contract):
    options = {"document": "draft", "paid_drafts": True, "prices_include_vat": False}


class TestMailed(Contract):
    options = {"document": "email", "reference_prefix": ""}


class TestWithoutWebhooks(Contract):
    options = {"webhook_secrets": [], "signature_header": ""}
