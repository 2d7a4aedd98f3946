"""Payout files: a card order is completed once its money has been paid out."""

import pathlib
from decimal import Decimal

import pytest

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.models import OrderFulfillment, Payout, PayoutLine, ProviderPayment
from oscar_fulfillment.selectors import payouts
from oscar_fulfillment.services import payout_imports, release, shipping
from oscar_fulfillment.statements.base import StatementError
from oscar_fulfillment.statements.layout import Layout
from oscar_fulfillment.statements.payout_file import guess_layout, problems, read_payout
from oscar_fulfillment.statements.table import read_table
from oscar_fulfillment.test import factories

from .bank import RITA
from .payments import demo, oscar_status, paid

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D13")]

DATA = pathlib.Path(__file__).parents[1] / "data" / "payouts"


def read(name, currency="BRL"):
    table = read_table((DATA / name).read_bytes(), most=1000)
    return *read_payout(table, guess_layout(table), currency=currency), guess_layout(table)


def card():
    return factories.gateway_method("card-payout", name="Card", awaits_payout=True)


def waiting(**options):
    """A delivered order of 20.00 whose payout is awaited."""
    order, payment, _provider = paid(method=card(), **{"currency": "CHF", **options})
    release.release_order(order=order, actor=RITA)
    shipping.dispatch_order(order=order, actor=RITA)
    shipping.deliver_order(order=order, actor=RITA)
    return order, ProviderPayment.objects.get(pk=payment.pk)


def take(*rows, name="payout.csv", reference="PO-1", provider="demo"):
    """Import a file of (provider's number, our reference, kind, gross, fee)."""
    text = "id,reference,type,gross,fee,payout date\n"
    text += "".join(",".join(map(str, row)) + ",2026-11-05\n" for row in rows)
    table = read_table(text.encode(), most=1000)
    return payout_imports.import_payout(
        content=text.encode(), file_name=name, actor=RITA, provider=provider, layout=guess_layout(table),
        currency="CHF", reference=reference,
    )  # fmt: skip


def codes(payout):
    return [verdict.code for verdict in payouts.judge(payouts.lines_of(payout))]


# ---- Reading ----


def test_the_released_money_of_mercado_pago():
    entries, left_out, layout = read("mercadopago_released.csv")
    assert [(e.external_id, e.reference, e.kind, e.gross, e.fee, e.net) for e in entries] == [
        ("112233", "REF-1", "payment", Decimal("20.00"), Decimal("1.00"), Decimal("19.00")),
        ("112234", "REF-2", "payment", Decimal("40.00"), Decimal("2.00"), Decimal("38.00")),
        ("112235", "REF-3", "refund", Decimal("-20.00"), Decimal("0.00"), Decimal("-20.00")),
    ]
    # The withdrawal itself and the balances are no payments; they are counted.
    assert sum(left_out.values()) == 3
    assert entries[0].day.isoformat() == "2026-11-05"
    assert (layout.mark, layout.order) == (".", "ymd")


def test_the_account_balance_of_mercado_pago():
    (entry,), left_out, _layout = read("mercadopago_settlement.csv")
    assert (entry.external_id, entry.reference, entry.gross, entry.net) == ("112233", "REF-1", 20, Decimal("19.00"))
    assert (entry.currency, entry.fee, dict(left_out)) == ("BRL", 1, {"withdrawal": 1})


def test_the_register_of_yookassa():
    (entry,), _left_out, _layout = read("yookassa.csv", "RUB")
    assert entry.external_id == "2f3b588d-000f-5000-8000-1d6e87c7fbde"
    assert (entry.gross, entry.net, entry.currency) == (Decimal("20.00"), Decimal("19.30"), "RUB")


def test_a_file_of_another_provider_by_its_headings():
    (entry,), _left_out, _layout = read("other.csv")
    assert (entry.external_id, entry.reference, entry.net) == ("260101120000000001", "REF-1", Decimal("19.40"))


def test_what_cannot_be_read_is_named():
    assert "number of the payment" in problems(Layout(("gross", "fee")))[0]
    assert "sum of the payment" in problems(Layout(("external_id", "fee")))[0]
    assert not problems(Layout(("external_id", "net")))
    for rows, words in (
        ([("a", "", "payment", "x", "0")], "line 2 .*is not a sum"),
        ([("a", "", "payment", "", "0")], "line 2 .no sum"),
        ([("", "", "total", "1.00", "0")], "no payment"),
    ):
        with pytest.raises(InvalidInput, match=words):
            take(*rows)
    with pytest.raises(InvalidInput, match="one of the providers"):
        take(("a", "b", "payment", "1.00", "0"), provider="nobody")
    assert not Payout.objects.exists()
    table = read_table((DATA / "other.csv").read_bytes(), most=10)
    with pytest.raises(StatementError, match="Only one column"):
        read_payout(table, Layout(("external_id", "external_id", "gross", "", "", "")), currency="CHF")


# ---- Confirming ----


def test_a_delivered_order_is_completed_by_its_payout():
    order, payment = waiting()
    assert (OrderFulfillment.objects.get(pk=order.pk).awaits_payout, oscar_status(order)) == (True, "Sent")
    payout = take((payment.external_id, "", "payment", "20.00", "0.60"))
    assert (payout.gross, payout.fee, payout.net) == (Decimal("20.00"), Decimal("0.60"), Decimal("19.40"))
    assert codes(payout) == ["ready"]
    (outcome,) = payout_imports.confirm_lines(payout=payout, actor=RITA)
    assert (outcome.number, outcome.error) == (order.number, "")
    row = OrderFulfillment.objects.get(pk=order.pk)
    assert (row.awaits_payout, oscar_status(order)) == (False, "Completed")
    assert codes(payout) == ["settled"]
    assert row.history.filter(action="confirm_payout").get().data == {"reference": "PO-1"}
    assert payout_imports.confirm_lines(payout=payout, actor=RITA) == []


def test_lines_are_found_by_our_reference_and_by_the_order_number():
    first, payment = waiting()
    second, _payment = waiting(fresh=False)
    payout = take(
        ("other-1", payment.reference, "payment", "20.00", "0"), ("other-2", second.number, "payment", "20.00", "0")
    )
    assert codes(payout) == ["ready", "ready"]
    assert [outcome.number for outcome in payout_imports.confirm_lines(payout=payout, actor=RITA)] == [
        first.number, second.number,
    ]  # fmt: skip


def test_unknown_differing_refunded_and_parts_are_told():
    _order, payment = waiting()
    _other, second = waiting(fresh=False)
    payout = take(
        ("nobody", "", "payment", "20.00", "0"),
        (payment.external_id, "", "payment", "25.00", "0"),
        (second.external_id, "", "payment", "12.00", "0"),
        (second.external_id, "", "refund", "-3.00", "0"),
        (second.external_id, "", "chargeback", "-3.00", "0"),
    )
    assert codes(payout) == ["unknown", "differs", "part", "taken_back", "taken_back"]
    # In bulk only what is complete; a line that a person chooses is taken at their word.
    assert payout_imports.confirm_lines(payout=payout, actor=RITA) == []
    chosen = payout.lines.get(payment=payment)
    (outcome,) = payout_imports.confirm_lines(payout=payout, actor=RITA, lines=[chosen.pk])
    assert outcome.error == ""
    rest = take((second.external_id, "", "payment", "8.00", "0"), name="second.csv")
    assert codes(rest) == ["ready"]


def test_an_order_that_waits_for_nothing_is_nothing_to_do():
    _order, payment, _provider = paid(currency="CHF")
    payout = take((payment.external_id, "", "payment", "20.00", "0"))
    assert codes(payout) == ["in_already"]
    assert payout_imports.confirm_lines(payout=payout, actor=RITA, lines=[payout.lines.get().pk]) == []


def test_another_currency_differs():
    _order, payment = waiting(currency="EUR")
    payout = take((payment.external_id, "", "payment", "20.00", "0"))
    assert codes(payout) == ["differs"]


def test_the_same_file_and_the_same_line_are_taken_once():
    _order, payment = waiting()
    line = (payment.external_id, "", "payment", "20.00", "0.60")
    take(line)
    with pytest.raises(InvalidInput, match="imported before"):
        take(line)
    again = take(line, ("new", "", "payment", "1.00", "0"))
    assert (again.line_count, again.known_count) == (1, 1)
    assert PayoutLine.objects.count() == 2


def test_a_payment_that_came_later_is_found_again():
    payout = take(("REMOTE-9", "", "payment", "20.00", "0"))
    order, payment = waiting()
    ProviderPayment.objects.filter(pk=payment.pk).update(external_id="REMOTE-9")
    assert payout_imports.find_again(payout=payout) == 1
    assert codes(payout) == ["ready"]
    assert payout.lines.get().payment.fulfillment_id == order.pk


def test_an_order_with_two_payments_waits_for_both():
    order, payment = waiting()
    second = ProviderPayment.objects.get(pk=payment.pk)
    second.pk, second.reference, second.external_id, second.source = None, "second", "second", None
    second.save()
    payout = take((payment.external_id, "", "payment", "20.00", "0"), ("second", "", "payment", "20.00", "0"))
    first_line, second_line = payout.lines.order_by("pk")
    payout_imports.confirm_lines(payout=payout, actor=RITA, lines=[first_line.pk])
    assert OrderFulfillment.objects.get(pk=order.pk).awaits_payout
    payout_imports.confirm_lines(payout=payout, actor=RITA, lines=[second_line.pk])
    assert not OrderFulfillment.objects.get(pk=order.pk).awaits_payout


def test_who_waits_longest_comes_first():
    demo()
    orders = [waiting(fresh=False)[0] for _i in range(3)]
    rows = list(payouts.awaiting_payout())
    assert [row.pk for row in rows] == [order.pk for order in orders]
    found = payouts.with_since(rows)
    assert {one.providers for one in found} == {"demo"}
    assert all(one.since for one in found)
