"""The journal of the accounts: every payment, refund and document once, at its time, with what is known of it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_fulfillment.models import CreditNote, Invoice, Payout, PayoutLine
from oscar_fulfillment.selectors import reconciliation
from oscar_fulfillment.selectors.tax_rates import by_rate
from oscar_fulfillment.services import accounts, invoicing, ledger, payments, receipts
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key
from tests.many import copies

from .accounts import EVER, backdate, balances, brief, days, entries, journal_sums, lines, now_scope, today, told
from .accounts import ledger as ledger_sums
from .payments import TEAM, paid, refresh

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D17")]

D = Decimal


def approved(**options):
    order = factories.placed_order(**options)
    payments.approve_payment(order=order, actor=TEAM, reference="TED 77")
    return order


# ---- What is in it ----


def test_an_approval_of_an_order_with_other_money_has_its_own_moment():
    order = factories.placed_order()
    kind = get_model("payment", "SourceType").objects.create(name="Voucher")
    get_model("payment", "Source").objects.create(
        order=order, source_type=kind, currency="BRL", amount_allocated=5, amount_debited=5
    )
    before = [(e.uid, e.at) for e in entries()]
    payments.approve_payment(order=order, actor=TEAM)
    event = get_model("order", "PaymentEvent").objects.get(order=order)
    assert [(e.uid, e.at) for e in entries()][:1] == before == [(before[0][0], order.date_placed)]
    assert entries()[1].at == event.date_created


def test_an_approval_by_hand_is_a_payment_at_its_moment_though_it_has_no_transaction():
    order = approved()
    get_model("order", "Order").objects.filter(pk=order.pk).update(date_placed=timezone.now() - timedelta(days=40))
    (row,) = told(now_scope())
    assert (row.entry.kind, row.entry.amount, row.entry.uid[0]) == ("payment", D("20.00"), "S")
    assert (row.bank_reference, row.provider, row.method) == ("TED 77", "", "Deposit")
    event = get_model("order", "PaymentEvent").objects.get(order=order)
    assert row.entry.at == event.date_created


def test_money_that_no_event_dates_stands_at_the_orders_placing():
    order = factories.placed_order()
    kind = get_model("payment", "SourceType").objects.create(name="Voucher")
    get_model("payment", "Source").objects.create(
        order=order, source_type=kind, currency="BRL", amount_allocated=20, amount_debited=20, amount_refunded=5
    )
    assert [(e.kind, e.amount, e.at) for e in entries()] == [
        ("payment", D("20.00"), order.date_placed),
        ("refund", D("-5.00"), order.date_placed),
    ]
    assert len({entry.uid for entry in entries()}) == 2


def test_a_later_approval_does_not_move_an_earlier_one():
    order = factories.placed_order()
    receipts.receive_money(order=order, actor=TEAM, amount=D(8))
    payments.approve_payment(order=order, actor=TEAM)
    first = {e.uid: e.at for e in entries()}
    assert brief() == [("payment", D("8.00")), ("payment", D("12.00"))]
    get_model("order", "PaymentEvent").objects.create(
        order=order, amount=20, event_type=get_model("order", "PaymentEventType").objects.get(name="Paid")
    )
    assert {e.uid: e.at for e in entries()} == first


def test_a_payment_at_a_provider_and_its_refund_name_provider_and_fee():
    order, payment, provider = paid()
    refresh(payment)
    payout = Payout.objects.create(
        provider="demo", reference="PO-9", file_name="p.csv", sha256="1" * 64, imported_at=timezone.now()
    )
    PayoutLine.objects.create(
        payout=payout, fingerprint="a", kind="payment", gross=20, fee=D("0.98"), net=D("19.02"), currency="BRL",
        payment=payment,
    )  # fmt: skip
    (row,) = told()
    payment.refresh_from_db()
    assert (row.provider, row.provider_reference) == ("demo", payment.external_id)
    assert (row.fee, row.payout, row.method) == (D("0.98"), "PO-9", payment.payment_method.name)
    assert row.entry.uid.startswith("T")


def test_refunds_are_below_zero():
    order = approved()
    receipts.note_refund(order=order, actor=TEAM, amount=D(5), reason="Scratched", reference="TED 78")
    assert brief() == [("payment", D("20.00")), ("refund", D("-5.00"))]
    assert told()[1].bank_reference == "TED 78"


def test_documents_have_their_number_and_what_they_are_over():
    order = factories.released_order()
    key = make_key(number=12, series=3)
    invoicing.invoice_order(order=order, actor=TEAM, access_key=key)
    invoicing.cancel_invoice(order=order, actor=TEAM, reason="Typed wrongly")
    invoicing.invoice_order(order=order, actor=TEAM, kind="other", number="R-1")
    found = [row for row in lines() if row["Kind"] != "Payment"]
    assert [(row["Kind"], row["Document number"], row["Series"], row["Gross"]) for row in found] == [
        ("Invoice", "12", "3", "20.00"), ("Cancelled invoice", "12", "3", "-20.00"), ("Invoice", "R-1", "", "20.00"),
    ]  # fmt: skip
    assert found[0]["Access key"] == key
    assert found[0]["Entry"][1:] == found[1]["Entry"][1:], "a cancellation names its invoice"


def test_the_decision_for_no_document_is_none():
    order = factories.released_order()
    invoicing.invoice_order(order=order, actor=TEAM, kind="none")
    assert [entry.kind for entry in entries()] == ["payment"]


def test_documents_of_one_order_in_parts_add_up_to_it(monkeypatch):
    product, other = factories.product(price="10.00"), factories.product(price="3.50")
    order = factories.released_order(lines=[(product, 2), (other, 2)])
    line = order.lines.get(product=product)
    shipment = order.fulfillment.shipments.get()
    invoicing.invoice_order(
        order=order, actor=TEAM, kind="other", number="1", shipments=[shipment.pk], units={line.pk: 1}
    )
    invoicing.invoice_order(order=order, actor=TEAM, kind="other", number="2")
    amounts = [entry.amount for entry in entries() if entry.kind == "invoice"]
    assert amounts == [D("10.00"), D("17.00")]
    assert sum(amounts) == order.total_incl_tax
    invoicing.cancel_invoice(order=order, actor=TEAM, reason="No", invoice=Invoice.objects.get(number="2").pk)
    assert [e.amount for e in entries() if e.kind == "cancelled"] == [None]


def test_credit_notes():
    order = approved()
    CreditNote.objects.create(
        fulfillment=order.fulfillment, number="CR-1", key="k", amount=4, currency="BRL", created_at=timezone.now()
    )
    assert brief()[-1] == ("credit", D("-4.00"))
    assert lines()[-1]["Document number"] == "CR-1"


# ---- The file ----


def test_a_row_says_all_that_is_known(settings):
    order = approved(fulfillment={"tax_id": "52998224725", "tax_id_kind": "cpf"})
    (row,) = lines()
    moment = timezone.localtime(get_model("order", "PaymentEvent").objects.get(order=order).date_created)
    assert row["Date and time"] == moment.isoformat("T", "seconds")
    assert row["Date and time"].endswith("-03:00")
    assert (row["Order number"], row["Customer"], row["Country"]) == (order.number, "Ana Souza", "BR")
    assert (row["Tax number"], row["Currency"], row["Gross"], row["Net"]) == ("52998224725", "BRL", "20.00", "20.00")
    with timezone.override("Asia/Tokyo"):
        assert lines()[0]["Date and time"] == row["Date and time"], "the shop's time, whoever looks"


def test_tax_by_rate_where_the_whole_order_is_meant():
    order = factories.placed_order(lines=[(factories.product(price="10.00"), 2)])
    Line, Order = get_model("order", "Line"), get_model("order", "Order")
    Line.objects.filter(order=order).update(line_price_excl_tax=D("16.81"))
    Order.objects.filter(pk=order.pk).update(total_excl_tax=D("16.81"))
    order.refresh_from_db()
    payments.approve_payment(order=order, actor=TEAM)
    receipts.note_refund(order=order, actor=TEAM, amount=D(5), reason="Scratched")
    whole, part = lines()
    assert (whole["Net"], whole["Tax"], whole["Tax by rate"]) == ("16.81", "3.19", "19.0%: 16.81 / 3.19")
    assert (part["Net"], part["Tax"], part["Tax by rate"], part["Gross"]) == ("", "", "", "-5.00")


def test_rates_forgive_a_cent_of_rounding():
    found = by_rate(
        [(D("100.00"), D("108.10")), (D("0.37"), D("0.40")), (D("50.00"), D("51.30")), (D("4.00"), D("4.00"))]
    )
    assert [(g.rate, g.net, g.gross) for g in found] == [
        (D("8.1"), D("100.37"), D("108.50")), (D("2.6"), D("50.00"), D("51.30")), (D("0"), D("4.00"), D("4.00")),
    ]  # fmt: skip


def test_sums_are_written_as_asked_for():
    approved()
    text = "".join(accounts.stream_csv(EVER, language="pt", decimals="locale"))
    assert ";20,00;" in text
    text = "".join(accounts.stream_csv(EVER, language="pt", decimals="machine"))
    assert ",20.00," in text


@pytest.mark.parametrize("name", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", '=HYPERLINK("http://x")'])
def test_hostile_texts_reach_the_file_as_texts(name):
    order = factories.placed_order(shipping_address=factories.address(first_name=name, last_name="X"))
    payments.approve_payment(order=order, actor=TEAM, reference=name)
    receipts.note_refund(order=order, actor=TEAM, amount=D(5), reason="no")
    payment, refund = lines()
    assert payment["Bank reference"] == f"'{name}"
    assert payment["Customer"] == f"'{name} X"
    assert refund["Gross"] == "-5.00", "a sum of ours is no text"
    assert lines(what="orders")[0]["Customer"] == f"'{name} X"


def test_exported_twice_it_is_the_same(monkeypatch):
    for _n in range(3):
        order = approved()
        receipts.note_refund(order=order, actor=TEAM, amount=D(5), reason="no")
    first = lines()
    assert lines() == first
    assert len({row["Entry"] for row in first}) == len(first) == 6
    by_one = [entry.uid for entry in entries(page=1)]
    assert by_one == [row["Entry"] for row in first]


def test_what_happens_at_the_same_moment_is_neither_lost_nor_doubled_between_pages():
    order = factories.placed_order()
    kind = get_model("payment", "SourceType").objects.create(name="Till")
    source = get_model("payment", "Source").objects.create(
        order=order, source_type=kind, currency="BRL", amount_allocated=7, amount_debited=7
    )
    for _n in range(7):
        source.transactions.create(txn_type="Debit", amount=1)
    get_model("payment", "Transaction").objects.update(date_created=timezone.now())
    for page in (1, 2, 3, 7, 8):
        assert len({e.uid for e in entries(page=page)}) == len(entries(page=page)) == 7


# ---- What of it ----


def test_a_period_begins_and_ends_with_the_shops_day():
    order, _payment, _provider = paid()
    (entry,) = entries()
    Transaction = get_model("payment", "Transaction")
    for local in ("00:00:00", "23:59:59"):
        moment = timezone.make_aware(timezone.datetime.fromisoformat(f"2026-03-10T{local}"))
        Transaction.objects.filter(pk=entry.transaction_id).update(date_created=moment)
        ten = timezone.datetime(2026, 3, 10).date()
        nine, eleven = ten - timedelta(days=1), ten + timedelta(days=1)
        assert [len(entries(days(d, d))) for d in (nine, ten, eleven)] == [0, 1, 0]


def test_kinds_currency_and_flow():
    brazil = approved()
    approved(currency="CHF")
    invoicing_order = factories.invoiced_order()
    assert {e.order_id for e in entries(now_scope(currency="chf"))}.isdisjoint({brazil.pk, invoicing_order.pk})
    assert {e.kind for e in entries(now_scope(kinds=["invoice"]))} == {"invoice"}
    assert {e.kind for e in entries(now_scope(kinds=["refund"]))} == set()
    brazilian, standard = entries(now_scope(flow="BRAZIL")), entries(now_scope(flow="STANDARD"))
    assert (len(brazilian), len(standard)) == (3, 1)
    assert [balance.currency for balance in balances(now_scope(flow="STANDARD"))] == ["CHF"]


# ---- The orders ----


def reasons(scope=None):
    return {balance.number: (balance.closing, balance.reason) for balance in balances(scope or now_scope())}


def test_why_an_order_is_open():
    waiting, whole, part, over = factories.placed_order(), approved(), approved(), approved()
    receipts.note_refund(order=part, actor=TEAM, amount=D(5), reason="Scratched")
    receipts.receive_money(order=over, actor=TEAM, amount=D(3))
    before = factories.paid_order()
    get_model("payment", "Source").objects.filter(order=before).delete()
    short = approved()
    get_model("payment", "Source").objects.filter(order=short).update(amount_debited=15)
    books = approved()
    source = get_model("payment", "Source").objects.get(order=books)
    source.transactions.create(txn_type="Debit", amount=25)
    off = approved()
    off.fulfillment.__class__.objects.filter(pk=off.pk).update(shipping_status="cancelled")
    assert reasons() == {
        waiting.number: (D("20.00"), "waiting"), whole.number: (D("0.00"), ""), part.number: (D("5.00"), "in_part"),
        over.number: (D("-3.00"), "too_much"), before.number: (D("20.00"), "no_ledger"),
        short.number: (D("5.00"), "short"), books.number: (D("-5.00"), "books"), off.number: (D("-20.00"), "off"),
    }  # fmt: skip
    CreditNote.objects.create(
        fulfillment=over.fulfillment, number="CR-1", key="k", amount=3, currency="BRL", created_at=timezone.now()
    )
    assert reasons()[over.number] == (D("-3.00"), "credited")


def test_a_held_order_is_open_until_it_is_taken():
    from .payments import held

    order, _payment, _provider = held()
    assert reasons() == {order.number: (D("20.00"), "held")}


def test_what_was_paid_later_was_open_at_the_periods_end():
    order, _payment, _provider = paid()
    (entry,) = entries()
    Order = get_model("order", "Order")
    Order.objects.filter(pk=order.pk).update(date_placed=timezone.now() - timedelta(days=40))
    month = days(today() - timedelta(days=45), today() - timedelta(days=35))
    (balance,) = balances(month)
    assert (balance.opening, balance.billed, balance.received, balance.closing) == (0, D("20.00"), 0, D("20.00"))
    assert (balance.now, balance.reason) == (0, "later")
    (balance,) = balances(now_scope())
    assert (balance.opening, balance.billed, balance.received, balance.closing) == (D("20.00"), 0, D("20.00"), 0)
    backdate(entry, 40)
    assert balances(now_scope()) == []


def test_an_order_that_moves_often_is_told_once():
    order = approved()
    Order = get_model("order", "Order")
    Order.objects.filter(pk=order.pk).update(date_placed=timezone.now() - timedelta(days=40))
    for _n in range(4):
        receipts.note_refund(order=order, actor=TEAM, amount=D(1), reason="no")
    for page in (1, 2, 3, 100):
        (balance,) = reconciliation.balances(now_scope(), page)
        assert (balance.opening, balance.received, balance.refunded, balance.closing) == (20, 20, 4, 4)


def test_money_in_another_currency_is_a_line_of_its_own():
    order = factories.placed_order()
    kind = get_model("payment", "SourceType").objects.create(name="Till")
    get_model("payment", "Source").objects.create(
        order=order, source_type=kind, currency="EUR", amount_allocated=3, amount_debited=3
    )
    found = {b.currency: (b.billed, b.received, b.closing, b.reason) for b in balances()}
    assert found == {"BRL": (20, 0, 20, "waiting"), "EUR": (0, 3, -3, "too_much")}
    assert [b.currency for b in balances(now_scope(currency="BRL"))] == ["BRL"]


def test_an_order_without_a_row_of_ours_is_in_it():
    order = approved()
    ledger_before = ledger_sums()
    order.fulfillment.delete()
    assert journal_sums() == ledger_before
    assert lines()[0]["Order number"] == order.number
    assert [balance.number for balance in balances()] == [order.number]


# ---- What it costs ----


def test_statements_grow_with_the_pages_not_with_the_orders():
    order = approved()
    copies(order, 30)
    from oscar_fulfillment.selectors.journal import Scope

    scope = Scope(EVER.begin, EVER.end)

    def cost(count):
        for clone in get_model("order", "Order").objects.filter(sources=None)[:count]:
            ledger.receive([clone], {clone.pk: D(20)}, "Bank transfer", "x")
        with CaptureQueriesContext(connection) as journal:
            lines(scope)
        with CaptureQueriesContext(connection) as orders:
            lines(scope, what="orders")
        return len(journal), len(orders)

    assert cost(3) == cost(20)
