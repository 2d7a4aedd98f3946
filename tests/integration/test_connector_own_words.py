"""What comes back of our own words, and what another system holds beside the shop's orders."""

from __future__ import annotations

from decimal import Decimal

import pytest

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.records import Change, Pushed, Rule
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import AdapterRejected
from oscar_fulfillment.models import Export, FollowUp, OutboundMessage, OutsideChange
from oscar_fulfillment.services import connector_changes, payments, receipts
from oscar_fulfillment.test import factories

from .connectors import configured, ledger, send
from .payments import money, statuses

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("D7")]
FAKE = "oscar_fulfillment.test.connectors.FakeConnector"
TEAM = factories.TEAM


@pytest.fixture
def books():
    """Accounts that are told of payments, and whose "PAID" releases an order."""
    with configured(books=(FAKE, {"order_at": "placed", "told": ["payment"]})):
        found = connectors.get("books")
        found.rules = [Rule("in", "PAID", step="release")]
        found.leads_to = {"payment": "PAID"}
        yield found


def told(**values):
    return connector_changes.take("books", Change(**{"key": f"k{OutsideChange.objects.count()}", **values}))


def kinds():
    return sorted(OutboundMessage.objects.filter(destination="connector:books").values_list("kind", flat=True))


def test_a_payment_that_we_told_of_comes_back_as_an_echo(books):
    order = factories.paid_order()
    send("books")
    assert [row.pushed_state for row in ledger("books", kind="order")] == ["PAID"]
    assert told(external_id="D1", state="PAID", paid=order.total_incl_tax).status == "echo"
    assert statuses(order) == ("paid", "received")
    assert money(order)[1] == order.total_incl_tax


def test_money_that_they_told_of_is_not_told_back(books):
    order = factories.placed_order()
    send("books")
    assert told(external_id="D1", state="PAID", paid=order.total_incl_tax).status == "applied"
    assert statuses(order) == ("paid", "released")
    assert kinds() == ["order"]


def test_a_refused_payment_leads_to_nothing(books):
    order = factories.placed_order()
    send("books")
    books.refuse("no")
    payments.approve_payment(order=order, actor=TEAM)
    send("books")
    assert [row.status for row in ledger("books", kind="payment")] == ["failed"]
    assert [row.pushed_state for row in ledger("books", kind="order")] == [""]
    assert told(external_id="D1", state="PAID").status == "applied"


def test_a_connector_says_which_messages_it_wants(books):
    books.wants = lambda kind, payment: kind != "payment" or payment == "card"
    factories.paid_order()
    assert kinds() == ["order"]
    order = factories.placed_order(method=factories.gateway_method())
    payments.approve_payment(order=order, actor=Actor.provider("demo"))
    assert kinds() == ["order", "order", "payment"]


def test_what_is_heard_while_an_order_is_sent_stays_heard(books):
    order = factories.placed_order()

    def push(task):
        told(external_id="X1", reference=order.number, state="PAID", paid=order.total_incl_tax)
        return Pushed("X1", state="NEW")

    books.push = push
    send("books")
    (row,) = ledger("books", kind="order")
    assert (row.status, row.external_id, row.outside_state) == ("acknowledged", "X1", "PAID")
    assert statuses(order) == ("paid", "released")


def test_what_was_not_acknowledged_is_when_they_speak_of_it(books):
    order = factories.placed_order()
    books.push = lambda task: Pushed(acknowledged=False)
    send("books")
    assert [row.status for row in ledger("books")] == ["sent"]
    told(external_id="X1", reference=order.number, state="NEW")
    assert [(row.status, row.external_id) for row in ledger("books")] == [("acknowledged", "X1")]


def test_what_is_not_the_shops_is_left_alone(books):
    order = factories.placed_order()
    send("books")
    foreign = {"state": "PAID", "paid": Decimal("5.00"), "foreign": True}
    assert told(external_id="other", reference="2026-17", **foreign).status == "nothing"
    # A document of theirs that happens to have our number: the order is there under another id.
    assert told(external_id="other", reference=order.number, **foreign).status == "nothing"
    assert not OutsideChange.objects.exists()
    assert statuses(order) == ("awaiting_payment", "received")
    # It is taken as soon as it turns out to be the shop's.
    Export.objects.filter(fulfillment=order.pk).update(external_id="other")
    assert told(external_id="other", reference=order.number, **foreign).status == "refused"
    assert money(order)[1] == Decimal("5.00")


def test_money_in_another_currency_is_not_entered(books):
    order = factories.placed_order()
    send("books")
    row = told(external_id="D1", state="PAID", paid=order.total_incl_tax, paid_currency="EUR")
    assert (row.status, money(order)[1]) == ("refused", 0)
    assert "EUR" in row.problem
    assert FollowUp.objects.get(kind="outside_refused").fulfillment_id == order.pk
    again = connector_changes.look_again(change=row)
    assert (again.status, money(order)[1]) == ("refused", 0)


def test_paid_after_it_was_sent_has_nothing_left_to_release(books):
    order = factories.dispatched_order(currency="CHF")
    receipts.note_refund(order=order, actor=TEAM, amount=Decimal("1.00"), reason="Broken")
    send("books")
    assert told(external_id="D1", state="PAID").status in ("nothing", "echo")
    books.leads_to = {}
    Export.objects.update(pushed_state="")
    assert told(external_id="D1", state="NEW").status == "nothing"
    assert told(external_id="D1", state="PAID").status == "nothing"
    assert not FollowUp.objects.filter(kind="outside_refused").exists()


def test_a_refusal_keeps_what_was_expected_before(books):
    order = factories.paid_order()
    send("books")
    books.told = {**books.told, "credit_note": frozenset({"refund_payment"})}
    books.leads_to = {"payment": "PAID", "credit_note": "LOST"}

    def push(task):
        raise AdapterRejected("no")

    books.push = push
    receipts.note_refund(order=order, actor=TEAM, amount=order.total_incl_tax, reason="Broken")
    send("books")
    assert [row.pushed_state for row in ledger("books", kind="order")] == ["PAID"]
