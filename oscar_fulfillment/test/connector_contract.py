"""What every connector has to do, as a pytest class to subclass: one subclass per way it can be configured.

    class TestMine(ConnectorContract):
        secrets = ("token",)

        @pytest.fixture
        def connector(self): return MyErp(alias="mine", token="token", base_url=...)

        @pytest.fixture
        def nowhere(self): return MyErp(alias="mine", token="token", base_url="http://127.0.0.1:9")

        @pytest.fixture
        def driver(self): return MyDriver(...)  # plays the other system: a simulator

What the connector can do is read from its capabilities; what it cannot do must be refused, so nothing is left out: each
test asserts the one or the other. For readable failures register the module in the conftest, before it is imported:
``pytest.register_assert_rewrite("oscar_fulfillment.test.connector_contract")``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

import pytest

from oscar_fulfillment.connectors.base import ORDER, Capability, Connector
from oscar_fulfillment.connectors.records import Contact, OrderLine, OrderRecord, Task
from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
    WebhookVerificationFailed,
)

#: Texts that people type and vendors choke on.
HOSTILE = ("<b>&amp;\"'", "a\x0bb", "'; DROP TABLE x; --", "Ж" * 400, "{{7*7}}", "\u202eevil", "=1+1")


class Driver(Protocol):
    """The other system, as the contract plays it."""

    def orders(self) -> int:
        """How many orders are there."""

    def lose_answers(self, number: int) -> None:
        """So many of the next calls that write are done, and not answered."""

    def change(self, number: str) -> None:
        """Something happens there to this order of ours."""

    def notification(self) -> tuple[Mapping[str, str], bytes, Mapping[str, str]]:
        """What it would send now: header names in lower case, body, query. With NOTIFIES."""


def order_record(number: str = "100042", **values: Any) -> OrderRecord:
    """An order with two lines, shipping and a buyer, sums that add up, in Brazilian reais."""
    buyer = Contact(
        "Ana Souza", "ana@example.com", "+5511987654321", "Rua A, 1", "Apto 2", "Centro", "São Paulo", "SP",
        "01310-100", "BR", "cpf", "52998224725",
    )  # fmt: skip
    lines = (
        OrderLine(1, "MUG", "7891000315507", "Mug", 2, Decimal("10.00"), Decimal("10.00"), Decimal("20.00"),
                  Decimal("20.00"), Decimal("0.0")),
        OrderLine(2, "TEE", "", "T-shirt", 1, Decimal("30.00"), Decimal("30.00"), Decimal("30.00"),
                  Decimal("30.00"), Decimal("0.0")),
    )  # fmt: skip
    made = OrderRecord(
        id=42, number=number, version=3, placed_at=datetime(2026, 11, 20, 12, tzinfo=UTC), flow="BRAZIL",
        language="pt", currency="BRL", payment_status="paid", shipping_status="released", lines=lines, buyer=buyer,
        receiver=buyer, total_incl_tax=Decimal("55.00"), total_excl_tax=Decimal("55.00"),
        shipping_incl_tax=Decimal("5.00"), shipping_excl_tax=Decimal("5.00"), shipping_code="sedex",
        shipping_name="SEDEX", payment_code="pix", payment_name="Pix", received=Decimal("55.00"),
        link="https://shop.example/dashboard/orders/100042/",
    )  # fmt: skip
    return replace(made, **values)


def order_task(number: str = "100042", **values: Any) -> Task:
    """The task of sending such an order."""
    return Task(ORDER, order_record(number, **values), f"{number}:order:0")


class ConnectorContract:
    """Subclass it in a test module; override the fixtures and what of the attributes is different."""

    #: What must show nowhere.
    secrets: tuple[str, ...] = ()

    @pytest.fixture
    def connector(self) -> Connector:
        raise NotImplementedError

    @pytest.fixture
    def nowhere(self) -> Connector:
        """The same connector, for a system that cannot be reached."""
        raise NotImplementedError

    @pytest.fixture
    def driver(self) -> Driver:
        raise NotImplementedError

    def task(self, number: str = "100042", **values: Any) -> Task:
        """An order that the system takes; override it where it wants another country or currency."""
        return order_task(number, **values)

    def can(self, connector: Connector, capability: Capability) -> bool:
        return capability in connector.capabilities

    def sends(self, connector: Connector) -> bool:
        return not self.can(connector, Capability.FETCHED)

    def test_it_says_what_it_is(self, connector: Connector) -> None:
        assert connector.alias
        assert str(connector.name)
        assert connector.kind
        assert connector.capabilities <= set(Capability)
        for secret in self.secrets:
            assert secret not in repr(connector)
            assert secret not in str(vars(connector).get("name", ""))

    def test_an_order_arrives_once_and_is_called_something(self, connector: Connector, driver: Driver) -> None:
        if not self.sends(connector):
            with pytest.raises(AdapterRejected):
                connector.push(self.task())
            return
        pushed = connector.push(self.task())
        assert driver.orders() == 1
        if pushed.acknowledged:
            assert pushed.external_id
        if self.can(connector, Capability.FIND):
            found = connector.find(self.task())
            assert found is not None
            assert found.external_id == pushed.external_id
            assert connector.find(self.task("100099")) is None

    def test_a_lost_answer_says_so_and_makes_no_second_order(self, connector: Connector, driver: Driver) -> None:
        if not self.sends(connector):
            return self.test_an_order_arrives_once_and_is_called_something(connector, driver)
        driver.lose_answers(1)
        with pytest.raises(AdapterUnanswered):
            connector.push(self.task())
        driver.lose_answers(0)
        if self.can(connector, Capability.FIND):
            if connector.find(self.task()) is None:
                connector.push(self.task())
        elif self.can(connector, Capability.IDEMPOTENT):
            connector.push(self.task())
        assert driver.orders() == 1
        return None

    def test_the_same_key_twice_is_one_where_it_says_so(self, connector: Connector, driver: Driver) -> None:
        if self.sends(connector) and self.can(connector, Capability.IDEMPOTENT):
            assert connector.push(self.task()).external_id == connector.push(self.task()).external_id
            assert driver.orders() == 1
        else:
            assert self.can(connector, Capability.FIND) or not self.sends(connector)

    def test_who_cannot_be_reached_has_certainly_done_nothing(self, nowhere: Connector, caplog: Any) -> None:
        caplog.set_level(logging.DEBUG)
        wanted = AdapterUnavailable if self.sends(nowhere) else AdapterRejected
        with pytest.raises(wanted) as error:
            nowhere.push(self.task())
        assert not isinstance(error.value, AdapterUnanswered)
        for secret in self.secrets:
            assert secret not in f"{error.value!r} {caplog.text}"

    def test_what_it_does_not_take_is_refused(self, connector: Connector, driver: Driver) -> None:
        task = self.task()
        with pytest.raises(AdapterRejected):
            connector.push(replace(task, kind="no such thing"))
        assert driver.orders() == 0

    @pytest.mark.parametrize("text", HOSTILE)
    def test_hostile_texts_arrive_as_text_or_are_refused(self, connector: Connector, driver: Driver, text: str) -> None:
        task = self.task()
        lines = tuple(replace(line, title=text) for line in task.order.lines)
        buyer = replace(task.order.buyer, name=text, line1=text, city=text[:40])
        order = replace(task.order, lines=lines, buyer=buyer, receiver=buyer)
        try:
            connector.push(replace(task, order=order))
        except AdapterRejected:
            assert driver.orders() == 0
        else:
            assert driver.orders() == 1

    def test_what_changed_is_told_page_by_page_and_again_from_the_same_place(
        self, connector: Connector, driver: Driver
    ) -> None:
        if not self.can(connector, Capability.PULL):
            with pytest.raises(NotImplementedError):
                connector.pull("")
            return
        start = connector.pull("")
        assert len(start.cursor) <= 500
        connector.push(self.task())
        driver.change("100042")
        page = connector.pull(start.cursor)
        again = connector.pull(start.cursor)
        assert page.changes
        assert [change.key for change in page.changes] == [change.key for change in again.changes]
        assert all(0 < len(change.key) <= 150 and (change.external_id or change.reference) for change in page.changes)
        assert all(change.at is None or change.at.tzinfo is not None for change in page.changes)

    def test_a_notification_has_to_prove_itself(self, connector: Connector, driver: Driver) -> None:
        if not self.can(connector, Capability.NOTIFIES):
            with pytest.raises(NotImplementedError):
                connector.verify({}, b"{}", {})
            return
        forged: dict[str, str] = {"authorization": "Bearer x"}
        for claimed, told in (({}, b"{}"), ({}, b""), (forged, b"\xff")):
            with pytest.raises((WebhookVerificationFailed, AdapterRejected)):
                connector.verify(claimed, told, {})
        connector.push(self.task())
        driver.change("100042")
        headers, body, query = driver.notification()
        connector.verify(headers, body, query)
        notice = connector.parse_notification(headers, body, query)
        assert notice.event_id
        assert connector.parse_notification(headers, body, query).event_id == notice.event_id
        assert notice.changes or notice.read_again
        assert not any(secret in notice.event_id for secret in self.secrets)

    @pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff\xfe", b'{"a":' * 2000, b"a=1&a=2"])
    def test_what_cannot_be_read_is_refused(self, connector: Connector, body: bytes) -> None:
        if not self.can(connector, Capability.NOTIFIES):
            with pytest.raises(NotImplementedError):
                connector.parse_notification({}, body, {})
            return
        with pytest.raises(AdapterRejected):
            connector.parse_notification({}, body, {})

    def test_its_statuses_are_codes_with_labels(self, connector: Connector, driver: Driver) -> None:
        states = list(connector.states())
        assert len({state.code for state in states}) == len(states)
        assert all(state.code and state.label and len(state.code) <= 100 for state in states)
        known = {state.code for state in states}
        assert not known or all(rule.outside in known for rule in connector.rules)
