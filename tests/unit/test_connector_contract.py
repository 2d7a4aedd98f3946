"""The shipped contract of connectors: a right one passes, and each kind of wrong one is caught."""

import inspect
import json

import pytest

from oscar_fulfillment.connectors.base import Capability, Connector
from oscar_fulfillment.connectors.records import Notice, Page, Pushed
from oscar_fulfillment.core.exceptions import AdapterUnanswered, AdapterUnavailable, ConfigurationError
from oscar_fulfillment.test.connector_contract import ConnectorContract, order_record
from oscar_fulfillment.test.connectors import TOKEN, FakeConnector

pytestmark = pytest.mark.feature("Z15")


class FakeDriver:
    def __init__(self, connector):
        self.connector = connector

    def orders(self):
        return sum(kind == "order" for kind, _number in self.connector.effects)

    def lose_answers(self, number):
        self.connector.lose_answers(number)

    def change(self, number):
        self.connector.move(number, "WORK")

    def notification(self):
        body = json.dumps({"event": "e1", "id": self.connector.changes[-1].external_id}).encode()
        return {"x-demo-token": TOKEN}, body, {}


class Down(FakeConnector):
    def push(self, task):
        raise AdapterUnavailable("nobody is there")


class TestAble(ConnectorContract):
    secrets = (TOKEN,)

    @pytest.fixture
    def connector(self):
        return FakeConnector(alias="fake")

    @pytest.fixture
    def nowhere(self):
        return Down(alias="fake")

    @pytest.fixture
    def driver(self, connector):
        return FakeDriver(connector)


class TestOnlyFinds(TestAble):
    @pytest.fixture
    def connector(self):
        return FakeConnector(alias="fake", able=[Capability.FIND, Capability.PULL, Capability.NOTIFIES])


class Fetched(Connector):
    name = "Fetched"
    extra_capabilities = frozenset({Capability.FETCHED})


class NoOrders(FakeDriver):
    def orders(self):
        return 0


class TestFetched(ConnectorContract):
    @pytest.fixture
    def connector(self):
        return Fetched(alias="fetched")

    nowhere = connector

    @pytest.fixture
    def driver(self, connector):
        return NoOrders(connector)


class Doubles(FakeConnector):
    def push(self, task):
        self.things.clear()
        return super().push(task)


class Nameless(FakeConnector):
    def push(self, task):
        return Pushed(state=super().push(task).state)


class Vague(FakeConnector):
    def push(self, task):
        raise AdapterUnanswered("perhaps")


class Takes(FakeConnector):
    def push(self, task):
        self.effects.append(("order", task.order.number))
        return Pushed("1")


class Forgets(FakeConnector):
    def pull(self, cursor):
        return Page((), "0")


class Believes(FakeConnector):
    def verify(self, headers, body, query):
        return None


class Reads(FakeConnector):
    def parse_notification(self, headers, body, query):
        return Notice("1", read_again=("1",))


def run(name, connector, *more):
    contract = TestAble()
    test = getattr(contract, name)
    given = {"connector": connector, "driver": FakeDriver(connector), "nowhere": connector}
    wanted = [value for key, value in given.items() if key in inspect.signature(test).parameters]
    test(*wanted, *more)


@pytest.mark.parametrize(
    ("wrong", "name", "more"),
    [
        (Doubles, "test_the_same_key_twice_is_one_where_it_says_so", ()),
        (Nameless, "test_an_order_arrives_once_and_is_called_something", ()),
        (Takes, "test_what_it_does_not_take_is_refused", ()),
        (Forgets, "test_what_changed_is_told_page_by_page_and_again_from_the_same_place", ()),
        (Believes, "test_a_notification_has_to_prove_itself", ()),
        (Reads, "test_what_cannot_be_read_is_refused", (b"[]",)),
    ],
)
def test_a_wrong_connector_is_caught(wrong, name, more):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        run(name, wrong(alias="wrong"), *more)


def test_one_that_says_perhaps_where_it_did_nothing_is_caught(caplog):
    with pytest.raises(AssertionError):
        TestAble().test_who_cannot_be_reached_has_certainly_done_nothing(Vague(alias="wrong"), caplog)


def test_the_orders_of_the_contract_add_up():
    order = order_record()
    assert sum(line.total_incl_tax for line in order.lines) + order.shipping_incl_tax == order.total_incl_tax


@pytest.mark.parametrize("options", [{"order_at": "never"}, {"flows": "BRAZIL"}, {"currencies": "BRL"}])
def test_wrong_options_are_refused(options):
    with pytest.raises(ConfigurationError):
        FakeConnector(alias="fake", **options)
