"""Bank statements: imported once, proposed to orders, booked on a person's word."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.models import BankEntry, BankStatement, ImportDraft, OutboundMessage, StatusChange
from oscar_fulfillment.selectors import bank_matching
from oscar_fulfillment.selectors.names import names_agree
from oscar_fulfillment.services import bank, cancelling, import_drafts, messages, receipts
from oscar_fulfillment.test import factories
from tests.many import copies

from .bank import ACCOUNT, RITA, content, entry, lines, take, text_file, unpaid
from .payments import money, open_kinds, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D6", "E10")]


def matches(statement=None, **options):
    rows = BankEntry.objects.filter(state="new")
    rows = rows.filter(statement=statement) if statement else rows
    return bank_matching.find_matches(list(rows), **options)


def best(amount):
    found = entry(amount)
    return bank_matching.find_matches([found])[found.pk].best


# ---- Import ----


def test_a_file_is_taken_in_once_with_what_went_out_set_aside():
    (statement,) = take("camt053_v02_collective.xml")
    assert (statement.entry_count, statement.new_count, statement.known_count) == (4, 4, 0)
    assert (statement.account, statement.format, statement.imported_by_label) == (ACCOUNT, "camt.053", "Rita")
    fee = entry("-3.20")
    assert (fee.state, fee.why) == ("ignored", "outgoing")
    assert BankEntry.objects.filter(state="new").count() == 3
    assert entry("100.00").payer_account == "CH••••8172"
    with pytest.raises(InvalidInput, match="imported before: .* by Rita"):
        take("camt053_v02_collective.xml")
    assert BankStatement.objects.count() == 1


def test_movements_of_an_earlier_file_are_known():
    take("camt053_v02_collective.xml")
    text = content("camt053_v02_collective.xml").replace(b"20261102375204000102618", b"another-message-same-day")
    (again,) = bank.import_statement(content=text, file_name="again.xml", actor=RITA)
    assert (again.new_count, again.known_count) == (0, 4)
    assert BankEntry.objects.count() == 4


def test_equal_payments_of_a_day_stay_two_and_files_that_overlap_add_none():
    first = lines(("05.11.2026", "Ana", "coffee", "5.00"), ("05.11.2026", "Ana", "coffee", "5.00"))
    assert first.new_count == 2
    more = lines(
        ("05.11.2026", "Ana", "coffee", "5.00"), ("05.11.2026", "Ana", "coffee", "5.00"),
        ("05.11.2026", "Ana", "coffee", "5.00"), ("06.11.2026", "Bob", "tea", "4.00"),
    )  # fmt: skip
    assert (more.new_count, more.known_count) == (2, 2)


def test_two_accounts_in_one_file_are_two_statements():
    francs, euros = take("camt053_v08.xml")
    assert (francs.currency, euros.currency, euros.account) == ("CHF", "EUR", "40-123.456.7")
    assert francs.pending_count == 1
    # What the bank took back needs a person, and can be booked for nobody.
    back = entry("-35.00")
    assert (back.state, back.is_reversal) == ("new", True)
    with pytest.raises(InvalidInput, match="Only money that came in"):
        bank.confirm_entry(entry=back, order=unpaid("100"), actor=RITA)


def test_a_broken_file_leaves_nothing_behind():
    for text in (content("camt053_v08.xml")[:-60], content("entities.xml"), b"PK\x03\x04zip", b"", b"a;b;c\nd;e;f\n"):
        with pytest.raises(InvalidInput):
            bank.import_statement(content=text, file_name="x", actor=RITA)
    assert not BankStatement.objects.exists()
    assert not BankEntry.objects.exists()


def test_the_same_csv_file_for_another_account_is_a_slip():
    lines(("05.11.2026", "Ana", "coffee", "5.00"))
    with pytest.raises(InvalidInput, match="imported before"):
        lines(("05.11.2026", "Ana", "coffee", "5.00"), account="DE89370400440532013000")


def test_only_the_shops_own_accounts(settings):
    settings.OSCAR_FULFILLMENT = settings.OSCAR_FULFILLMENT | {"BANK_ACCOUNTS": ["CH02 0070 0110 0003 8789 6"]}
    take("camt053_v02_collective.xml")
    with pytest.raises(InvalidInput, match="not one of the shop’s accounts"):
        take("1c_utf8.txt")
    with pytest.raises(InvalidInput, match="not one of the shop’s accounts"):
        lines(("05.11.2026", "Ana", "x", "5.00"), account="DE89370400440532013000")
    assert list(bank.known_accounts()) == [ACCOUNT]


def test_drafts_are_forgotten(django_user_model):
    owner = factories.staff_user("import_statements")
    options = {"kind": "bank", "content": b"a;b;c", "file_name": "a.csv", "owner": owner, "answers": {}}
    old = import_drafts.keep_draft(**options)
    new = import_drafts.keep_draft(**options)
    assert list(ImportDraft.objects.all()) == [new]
    ImportDraft.objects.filter(pk=new.pk).update(created_at="2026-01-01T00:00Z")
    assert import_drafts.drop_old_drafts() == 1
    assert old.pk != new.pk


# ---- Proposals ----


def test_the_reference_finds_the_order_and_is_exact():
    unpaid("100123")
    unpaid("100124", "50.50", name="Someone Else")
    take("camt053_v02_collective.xml")
    by_qr, by_rf = best("100.00"), best("50.50")
    assert (by_qr.order.number, by_qr.why, by_qr.is_exact, by_qr.name_fits) == ("100123", "reference", True, True)
    assert (by_rf.order.number, by_rf.why, by_rf.is_exact, by_rf.difference) == ("100124", "reference", True, 0)


def test_the_number_in_the_text_finds_the_order_short_or_over():
    unpaid("100125", "25.00", name="Urs Zürcher")
    unpaid("100126", "100.00", name="Celine Dubois")
    take("camt053_v02_collective.xml")
    take("camt053_v04_prefixed.xml")
    short, over = best("20.00"), best("119.00")
    assert (short.why, short.difference, short.is_exact) == ("number", Decimal("-5.00"), False)
    assert (over.order.number, over.difference, over.is_exact) == ("100126", Decimal("19.00"), False)


def test_payer_and_sum_come_before_the_sum_alone():
    stranger = unpaid("900001", "42.00", name="Otto Meier")
    hers = unpaid("900002", "42.00", name="Maria da Silva Souza")
    unpaid("900003", "42.00", currency="EUR")
    lines(("05.11.2026", "SOUZA MARIA", "merci", "42.00"))
    found = matches()
    (one,) = found.values()
    assert [(p.order.number, p.why) for p in one.proposals] == [(hers.number, "name"), (stranger.number, "sum")]
    assert one.exact is None


def test_what_was_paid_already_counts():
    order = unpaid("900001", "100.00")
    receipts.receive_money(order=order, actor=RITA, amount=Decimal("60.00"))
    lines(("05.11.2026", "X", "rest", "40.00"), ("05.11.2026", "X", "order 900001", "100.00"))
    assert (best("40.00").order.number, best("40.00").outstanding) == ("900001", Decimal("40.00"))
    over = best("100.00")
    assert (over.why, over.difference) == ("number", Decimal("60.00"))


def test_paid_and_cancelled_orders_are_proposed_with_a_warning_never_as_exact():
    unpaid("900001")
    paid = unpaid("900002")
    receipts.receive_money(order=paid, actor=RITA, amount=Decimal("100.00"))
    off = unpaid("900003")
    cancelling.cancel_order(order=off, actor=RITA, reason="changed mind")
    lines(("05.11.2026", "X", "900002", "100.00"), ("06.11.2026", "X", "900003", "100.00"))
    twice, late = (found.proposals[0] for found in matches().values())
    assert (twice.order.number, twice.outstanding, twice.is_exact) == ("900002", 0, False)
    assert (late.order.number, late.is_late, late.is_exact) == ("900003", True, False)


def test_two_payments_for_one_order_are_both_looked_at():
    unpaid("900001")
    lines(("05.11.2026", "X", "900001", "100.00"), ("06.11.2026", "X", "900001", "100.00"))
    assert [found.exact for found in matches().values()] == [None, None]


def test_a_number_within_another_word_is_no_number():
    unpaid("9001", "33.00")
    lines(("05.11.2026", "X", "customer 390018 9001x", "12.00"))
    assert best("12.00") is None
    lines(("06.11.2026", "X", "Bestellung9001/2026", "13.00"))
    assert best("13.00").order.number == "9001"


def test_the_same_payment_in_a_file_of_another_kind_is_pointed_out():
    unpaid("100126", "119.00", name="Celine Dubois")
    take("camt053_v04_prefixed.xml")
    first = entry("119.00")
    lines(("04.11.2026", "DUBOIS CELINE", "Commande 100126", "119.00"))
    second = BankEntry.objects.exclude(pk=first.pk).get()
    found = bank_matching.find_matches([second])[second.pk]
    assert found.twin == first
    assert found.exact is None
    assert found.best.order.number == "100126"


def test_names_in_any_order_and_spelling():
    assert names_agree("Kuznetsov Petr", "Petr Kuznetsov")
    assert names_agree("КУЗНЕЦОВ ПЁТР ИЛЬИЧ", "Пётр Кузнецов")
    assert names_agree("ООО Ромашка", "Ромашка")
    assert names_agree("Joao da Conceicao", "João da Conceição Lima")
    assert names_agree("Schmitt Johannes", "Johannes Schmidt")
    assert not names_agree("Ana Souza", "Ana Lima")
    assert not names_agree("", "Ana")
    assert not names_agree("GmbH", "GmbH")
    assert not names_agree("Li", "Li Wei")


def test_two_hundred_movements_cost_the_same_statements_as_one():
    order = unpaid("800000", "12.00")
    copies(order, 200, prefix="90")
    rows = [("05.11.2026", "Ana", f"Order 90{i:05d}", "12.00") for i in range(200)]
    lines(*rows)
    entries = list(BankEntry.objects.order_by("pk"))

    def statements(listed):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            found = bank_matching.find_matches(listed)
        assert all(found[one.pk].best.why == "number" for one in listed)
        return len(captured)

    assert statements(entries[:1]) == statements(entries) <= 6


# ---- Confirming ----


def test_an_exact_payment_approves_the_order_and_mails_once(django_capture_on_commit_callbacks):
    order = unpaid("100123")
    take("camt053_v02_collective.xml")
    found = entry("100.00")
    bank.confirm_entry(entry=found, order=order, actor=RITA)
    found.refresh_from_db()
    assert statuses(order)[0] == "paid"
    assert money(order) == (Decimal("100.00"), Decimal("100.00"), 0)
    assert (found.state, found.fulfillment_id, found.decided_by_label) == ("matched", order.pk, "Rita")
    mails = OutboundMessage.objects.filter(order=order, kind=messages.PAYMENT_APPROVED)
    assert mails.count() == 1
    history = StatusChange.objects.get(fulfillment=order.pk, action="receive_money")
    assert history.data["reference"] == "070001020261102000000001#1"
    assert history.actor_label == "Rita"
    with pytest.raises(bank.EntryDecided, match="Rita has booked this movement for order 100123"):
        bank.confirm_entry(entry=found, order=unpaid("7"), actor=RITA)
    assert money(order)[1] == Decimal("100.00")


def test_short_waits_on_and_over_is_told():
    short, over = unpaid("100125", "25.00"), unpaid("100126", "100.00")
    take("camt053_v02_collective.xml")
    take("camt053_v04_prefixed.xml")
    bank.confirm_entry(entry=entry("20.00"), order=short, actor=RITA)
    bank.confirm_entry(entry=entry("119.00"), order=over, actor=RITA)
    assert (statuses(short)[0], open_kinds(short)) == ("awaiting_payment", ["underpaid"])
    assert (statuses(over)[0], open_kinds(over)) == ("paid", ["overpaid"])


def test_late_money_becomes_a_follow_up():
    order = unpaid("100123")
    cancelling.cancel_order(order=order, actor=RITA, reason="not paid")
    take("camt053_v02_collective.xml")
    bank.confirm_entry(entry=entry("100.00"), order=order, actor=RITA)
    assert open_kinds(order) == ["late_money"]


def test_another_currency_is_refused():
    order = unpaid("100123", currency="EUR")
    take("camt053_v02_collective.xml")
    with pytest.raises(InvalidInput, match="in CHF, the order in EUR"):
        bank.confirm_entry(entry=entry("100.00"), order=order, actor=RITA)
    assert money(order) == (0, 0, 0)
    assert entry("100.00").state == "new"


def test_setting_aside_and_taking_up_again():
    order = unpaid("100123")
    take("camt053_v02_collective.xml")
    found = bank.ignore_entry(entry=entry("100.00"), actor=RITA, note="deposit of the owner")
    assert (found.state, found.why, found.note) == ("ignored", "by_hand", "deposit of the owner")
    with pytest.raises(bank.EntryDecided, match="set this movement aside"):
        bank.confirm_entry(entry=found, order=order, actor=RITA)
    bank.reopen_entry(entry=found, actor=RITA)
    bank.confirm_entry(entry=found, order=order, actor=RITA)
    with pytest.raises(bank.EntryDecided, match="refund it there"):
        bank.reopen_entry(entry=found, actor=RITA)
    with pytest.raises(bank.EntryDecided, match="The import has set"):
        bank.reopen_entry(entry=entry("-3.20"), actor=RITA)


def test_many_are_booked_each_with_its_own_result():
    first, second = unpaid("100123"), unpaid("100124", "50.50", currency="EUR")
    take("camt053_v02_collective.xml")
    pairs = [(entry("100.00").pk, first.pk), (entry("50.50").pk, second.pk), (999_999, first.pk)]
    done, refused = bank.confirm_many(pairs=pairs, actor=RITA)
    assert (done.number, done.error) == ("100123", "")
    assert "in CHF, the order in EUR" in refused.error
    assert "in CHF" in entry("50.50").problem
    assert statuses(first)[0] == "paid"
    for wrong in ([], [(1, 1)] * 201):
        with pytest.raises(InvalidInput):
            bank.confirm_many(pairs=wrong, actor=RITA)


def test_a_russian_payment_by_the_1c_file():
    order = unpaid("100129", "12500.00", currency="RUB", name="Пётр Кузнецов")
    take("1c_windows.txt")
    found = best("12500.00")
    assert (found.order.number, found.is_exact, found.name_fits) == ("100129", True, True)
    bank.confirm_entry(entry=entry("12500.00"), order=order, actor=RITA)
    assert statuses(order)[0] == "paid"


def test_the_columns_are_remembered():
    statement = text_file("Data;Quem;Pedido;Valor\n05.11.2026;Ana;1;5,00\n")
    kept = bank.last_layout(BankStatement, statement.layout_of)
    assert kept["mark"] == ","
    assert bank.last_layout(BankStatement, "unknown") == {}


def test_among_many_orders_of_one_sum_the_payer_is_found():
    copies(unpaid("800000", "12.00", name="Nobody Known"), 60, prefix="90")
    hers = unpaid("700000", "12.00", name="Beatriz Carvalho")
    lines(("05.11.2026", "CARVALHO BEATRIZ", "merci", "12.00"))
    found = best("12.00")
    assert (found.order.number, found.why) == (hers.number, "name")
