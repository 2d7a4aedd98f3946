"""Bling does what every connector has to do."""

import pytest

from oscar_fulfillment.connectors.bling import Bling
from oscar_fulfillment.connectors.oauth import Tokens
from oscar_fulfillment.services.connector_tokens import DatabaseTokens
from oscar_fulfillment.test.connector_contract import ConnectorContract
from sandbox.simulators.bling import CLIENT_ID, CLIENT_SECRET

from .bling import bling

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("A8", "A10")]


class Driver:
    def __init__(self, account):
        self.account, self.vendor = account, account.vendor

    def orders(self):
        return len(self.account.orders())

    def lose_answers(self, number):
        self.vendor.forget_accidents()
        self.vendor.fail_next(*["cut_after"] * number, path="POST /Api/v3/pedidos")

    def change(self, number):
        self.vendor.issue(number)

    def notification(self):
        letter = self.account.letters()[-1]
        return {name.lower(): value for name, value in letter.headers.items()}, letter.body, {}


class TestBling(ConnectorContract):
    secrets = (CLIENT_SECRET,)

    @pytest.fixture
    def account(self):
        with bling() as account:
            yield account

    @pytest.fixture
    def connector(self, account):
        return account.adapter

    @pytest.fixture
    def nowhere(self):
        now = 2_000_000_000.0
        DatabaseTokens("nowhere").save(Tokens("a", "b", now, now + 21_600))
        return Bling(
            alias="nowhere", client_id=CLIENT_ID, client_secret=CLIENT_SECRET, base_url="http://127.0.0.1:9/Api/v3"
        )

    @pytest.fixture
    def driver(self, account):
        return Driver(account)
