"""Tracking codes by CSV and occurrences by OCOREN: a verdict for each row, then each row applied once."""

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oscar_fulfillment import tasks
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.imports.tracking_csv import CodeRow
from oscar_fulfillment.models import (
    BulkJob,
    Invoice,
    OrderFulfillment,
    OutboundMessage,
    Parcel,
    Shipment,
    StatusChange,
    TrackingEvent,
    TrackingImport,
    TrackingImportRow,
    UnmappedCode,
)
from oscar_fulfillment.selectors.code_verdicts import CodeJudge
from oscar_fulfillment.services import bulk, holds, invoicing, release, shipping, tracking_imports
from oscar_fulfillment.statements.layout import Layout
from oscar_fulfillment.test import factories
from tests.integration.supply import set_stock
from tests.many import copies

from .imports import (
    CNPJ,
    CODES,
    apply,
    codes,
    csv_of,
    file3,
    outcomes,
    record3,
    said,
    status,
    take,
    take_ocoren,
    verdicts,
)

pytestmark = [pytest.mark.django_db, pytest.mark.feature("A12", "E4", "Z6")]

TEAM = factories.TEAM


def ready(**options):
    """An order whose goods may leave."""
    return factories.invoiced_order(**options)


def parts():
    """An order with two shipments that may leave."""
    mug, plate = factories.product("Mug", stock=9), factories.product("Plate", stock=9)
    order = factories.paid_order(currency="CHF", lines=[(mug, 1), (plate, 1)])
    first, second = order.lines.order_by("pk")
    release.release_order(order=order, actor=TEAM, quantities={first.pk: 1})
    release.release_order(order=order, actor=TEAM, quantities={second.pk: 1})
    return order


# ---- Verdicts of codes ----


def test_a_code_for_an_order_that_may_leave_sends_it():
    order = ready()
    source = take(csv_of((order.number, CODES[0])))
    assert (source.status, source.counts, source.read_count) == ("ready", {"dispatch": 1}, 1)
    assert said(source) == ("dispatch", "")
    assert status(order) == "invoiced"  # nothing is done yet
    assert bytes(source.content) == b""


def test_each_row_has_the_verdict_that_fits():
    sent, other = factories.dispatched_order(carrier="correios", tracking_code=CODES[1]), ready()
    bare = factories.dispatched_order()
    new, held, unpaid = ready(), ready(), factories.placed_order()
    holds.place_hold(order=held, actor=TEAM, code="other")
    source = take(
        csv_of(
            (new.number, CODES[0]),
            (sent.number, CODES[1]),
            (sent.number, CODES[2]),
            (bare.number, CODES[3]),
            (other.number, CODES[1]),
            (other.number, CODES[0]),
            (new.number, CODES[0]),
            ("999", CODES[4]),
            (held.number, CODES[4]),
            (unpaid.number, "SS123456785BR"),
            (other.number, "AA123456780BR"),
            (other.number, "AA12"),
            (other.number, ""),
        )
    )
    assert verdicts(source) == [
        (2, "dispatch"), (3, "same"), (4, "change"), (5, "add"), (6, "other_order"), (7, "doubled"), (8, "doubled"),
        (9, "unknown"), (10, "blocked"), (11, "blocked"), (12, "wrong_code"), (13, "wrong_code"), (14, "unreadable"),
    ]  # fmt: skip
    words = dict(source.rows.values_list("line", "message"))
    assert words[4] == f"Instead of {CODES[1]}."
    assert words[6] == f"This code is on order {sent.number}."
    assert words[7] == f"Line 2 gives this code to order {new.number}."
    assert words[8] == "As in line 2."
    assert words[9] == "There is no order 999."
    assert "The order is on hold." in words[10]
    assert "Not possible while the status is" in words[11]
    assert "check digit is wrong" in words[12]
    assert "13 characters" in words[13]
    assert words[14] == "The tracking code is missing."
    assert sum(source.counts.values()) == source.read_count == 13


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("correios", "dispatch"),
        ("CORREIOS", "dispatch"),
        ("Sedex", "dispatch"),
        ("Pombo", "no_carrier"),
        ("", "dispatch"),
    ],
)
def test_the_carrier_is_known_by_its_short_name_its_name_or_its_services(text, verdict):
    order = ready()
    source = take(csv_of((order.number, CODES[0], text), heading="Pedido;Rastreio;Transportadora"))
    assert source.rows.get().verdict == verdict


def test_without_any_carrier_the_orders_shipping_method_says_it_or_nothing_does():
    plain, postal = ready(), ready()
    postal.shipping_method = "PAC"
    postal.save()
    source = take(csv_of((plain.number, CODES[0]), (postal.number, CODES[1])), carrier="")
    assert verdicts(source) == [(2, "no_carrier"), (3, "dispatch")]
    assert source.rows.last().data["carrier"] == "correios"


def test_days_are_read_and_the_future_is_refused():
    order, other = ready(), ready()
    soon = timezone.localdate().replace(year=timezone.localdate().year + 1, day=1)
    source = take(
        csv_of((order.number, CODES[0], "01/02/2026"), (other.number, CODES[1], f"{soon:%d/%m/%Y}"),
               heading="Pedido;Rastreio;Data de envio")
    )  # fmt: skip
    assert verdicts(source) == [(2, "dispatch"), (3, "unreadable")]
    apply(source)
    assert "01/02/2026" in StatusChange.objects.get(fulfillment=order.pk, action="dispatch").reason


def test_a_delivered_or_cancelled_order_takes_no_code():
    arrived, cancelled = factories.delivered_order(), factories.cancelled_order()
    source = take(csv_of((arrived.number, CODES[0]), (cancelled.number, CODES[1])))
    assert verdicts(source) == [(2, "blocked"), (3, "blocked")]
    assert "“Delivered”" in source.rows.first().message
    assert "“Cancelled”" in source.rows.last().message


def test_several_shipments_need_the_files_word_which_code_is_whose():
    order = parts()
    source = take(csv_of((order.number, CODES[0]), (order.number, CODES[1])))
    assert verdicts(source) == [(2, "blocked"), (3, "blocked")]
    rows = [(order.number, CODES[0], "1"), (order.number, CODES[1], "#2"), (order.number, CODES[2], "3")]
    source = take(csv_of(*rows, heading="Pedido;Rastreio;Remessa"))
    assert verdicts(source) == [(2, "dispatch"), (3, "dispatch"), (4, "blocked")]
    assert apply(source).done_count == 1
    assert status(order) == "dispatched"
    assert [(s.number, s.parcels.get().tracking_code) for s in Shipment.objects.all()] == [(1, CODES[0]), (2, CODES[1])]


def test_the_rest_of_an_order_whose_first_part_has_left_is_sent_and_not_renamed():
    order = parts()
    first = Shipment.objects.get(number=1)
    shipping.dispatch_order(order=order, actor=TEAM, shipment=first.pk, carrier="correios", tracking_code=CODES[0])
    source = take(csv_of((order.number, CODES[1])))
    assert said(source) == ("dispatch", "")
    apply(source)
    assert codes(order) == [CODES[0], CODES[1]]
    assert status(order) == "dispatched"


# ---- Applying codes ----


def test_codes_are_applied_with_mails_history_and_parcels():
    one, two = ready(), ready()
    user = factories.staff_user("*", first_name="Wanda", last_name="Ferraz")
    source = take(csv_of((one.number, CODES[0]), (two.number, CODES[1]), (two.number, CODES[2])))
    job = apply(source, user)
    assert (job.action, job.total, job.done_count, job.refused_count) == ("import_codes", 2, 2, 0)
    assert (status(one), status(two)) == ("dispatched", "dispatched")
    assert codes(two) == [CODES[1], CODES[2]]
    change = StatusChange.objects.get(fulfillment=two.pk, action="dispatch")
    assert change.actor_label == "Wanda Ferraz"
    assert change.data["tracking_code"] == f"{CODES[1]}, {CODES[2]}"
    assert OutboundMessage.objects.filter(kind="FULFILLMENT_ORDER_DISPATCHED").count() == 2
    assert outcomes(source) == [("done", "")] * 3
    source.refresh_from_db()
    assert source.job == job


def test_customers_are_not_mailed_where_the_person_said_so():
    order = ready()
    apply(take(csv_of((order.number, CODES[0])), notify=False))
    assert status(order) == "dispatched"
    assert not OutboundMessage.objects.filter(kind="FULFILLMENT_ORDER_DISPATCHED").exists()


@pytest.mark.parametrize(("replaces", "expected"), [(True, [CODES[1]]), (False, [CODES[0], CODES[1]])])
def test_a_code_takes_the_place_of_another_or_is_one_more_parcel(replaces, expected):
    order = factories.dispatched_order(carrier="correios", tracking_code=CODES[0])
    source = take(csv_of((order.number, CODES[1])), replaces=replaces)
    assert said(source)[0] == ("change" if replaces else "add")
    assert apply(source).done_count == 1
    assert codes(order) == expected


def test_a_parcel_that_its_carrier_has_told_something_of_is_not_replaced():
    order = factories.dispatched_order(carrier="correios", tracking_code=CODES[0])
    Parcel.objects.update(tracking_state="in_transit")
    source = take(csv_of((order.number, CODES[1])))
    assert said(source)[0] == "add"
    apply(source)
    assert codes(order) == [CODES[0], CODES[1]]


def test_a_shipment_that_left_without_a_code_gets_it():
    order = factories.dispatched_order()
    source = take(csv_of((order.number, CODES[0])))
    apply(source)
    assert codes(order) == [CODES[0]]
    assert Parcel.objects.get().tracking_url


def test_what_changed_since_the_look_is_refused_and_retried_alone():
    one, two, three = ready(), ready(), ready()
    source = take(csv_of(*((order.number, code) for order, code in zip((one, two, three), CODES, strict=False))))
    holds.place_hold(order=two, actor=TEAM, code="other")
    user = factories.staff_user("*")
    job = apply(source, user)
    assert (job.done_count, job.refused_count) == (2, 1)
    assert [outcome for outcome, _problem in outcomes(source)] == ["done", "failed", "done"]
    assert "The order is on hold." in outcomes(source)[1][1]
    holds.release_hold(order=two, actor=TEAM, hold=two.fulfillment.holds.get().pk)
    assert tracking_imports.open_count(source) == 1
    again = apply(source, user)
    assert (again.total, again.done_count) == (1, 1)
    assert outcomes(source) == [("done", "")] * 3
    assert tracking_imports.open_count(source) == 0
    with pytest.raises(InvalidInput, match="Nothing of this file is left"):
        apply(source, user)


def test_a_code_that_went_to_another_order_meanwhile_is_refused():
    one, two = ready(), ready()
    source = take(csv_of((one.number, CODES[0])))
    shipping.dispatch_order(order=two, actor=TEAM, carrier="correios", tracking_code=CODES[0])
    assert apply(source).refused_count == 1
    assert outcomes(source) == [("failed", f"This code is on order {two.number}.")]
    assert status(one) == "invoiced"


def test_goods_that_are_not_there_are_refused_and_nothing_of_the_order_is_half_done():
    mug = factories.product("Mug", stock=9)
    order = ready(lines=[(mug, 2)])
    source = take(csv_of((order.number, CODES[0])))
    set_stock(mug, 1)
    assert apply(source).refused_count == 1
    assert "Not enough in stock: Mug." in outcomes(source)[0][1]
    assert not Parcel.objects.exists()


def test_a_double_click_and_a_second_person_apply_once():
    order = ready()
    source = take(csv_of((order.number, CODES[0])))
    user = factories.staff_user("*")
    first = apply(source, user, "same")
    assert apply(source, user, "same") == first
    assert BulkJob.objects.count() == 1
    assert StatusChange.objects.filter(fulfillment=order.pk, action="dispatch").count() == 1


def test_the_same_file_again_finds_everything_done():
    order = ready()
    content = csv_of((order.number, CODES[0]))
    apply(take(content))
    assert said(take(content))[0] == "same"


def test_the_permission_is_asked_again_when_it_is_applied():
    order = ready()
    user = factories.staff_user("annotate_order")
    source = take(csv_of((order.number, CODES[0])))
    assert apply(source, user).refused_count == 1
    assert outcomes(source)[0][0] == "failed"
    assert status(order) == "invoiced"


def test_an_import_that_was_deleted_meanwhile_does_nothing(monkeypatch):
    order = ready()
    source = take(csv_of((order.number, CODES[0])))
    monkeypatch.setattr(bulk, "run_job", lambda *args, **kwargs: None)
    job = apply(source)
    monkeypatch.undo()
    TrackingImport.objects.all().delete()
    bulk.run_job(job.pk)
    assert job.items.get().reasons[0]["code"] == "gone"
    assert status(order) == "invoiced"


# ---- Files ----


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"%PDF-1.4", "PDF"),
        (b"PK\x03\x04", "zip or Excel"),
        (b"Order,Tracking\n1,\0\n", "zero bytes"),
        (b"hello", "No table was found"),
        (b"a,b\n1,2\n", "which the tracking code"),
        (file3().encode(), "no occurrence"),
    ],
)
def test_bad_files_are_refused_and_leave_nothing(content, words):
    with pytest.raises(InvalidInput, match=words):
        take(content)
    assert not TrackingImport.objects.exists()


def test_too_many_lines_too_many_bytes_and_an_unknown_carrier(settings):
    ours = {**settings.OSCAR_FULFILLMENT}
    settings.OSCAR_FULFILLMENT = {**ours, "IMPORT_MAX_ROWS": 10}
    with pytest.raises(InvalidInput, match="more than 10 lines"):
        take(csv_of(*((n, "x") for n in range(30))))
    settings.OSCAR_FULFILLMENT = {**ours, "STATEMENT_MAX_BYTES": 1_000_000}
    with pytest.raises(InvalidInput, match="larger than 1 MB"):
        take(b"x" * 1_000_001)
    settings.OSCAR_FULFILLMENT = ours
    with pytest.raises(InvalidInput, match="one of the shop's carriers"):
        take(csv_of((1, "x")), carrier="pombo")


def test_the_layout_of_a_file_is_remembered():
    content = csv_of(("AA", "1"), heading="x;y")
    layout = Layout(("code", "order"))
    source = take(content, layout=layout)
    assert tracking_imports.last_layout(source.layout_of) == layout
    assert tracking_imports.last_layout("other") is None


def test_a_file_that_breaks_off_in_the_middle_offers_none_of_its_rows(queued):
    order = ready()
    rows = "".join(f"{order.number};{CODES[0]}\n" for _n in range(800))
    source = take(f'Pedido;Rastreio\n{rows}9;"AA'.encode())
    tracking_imports.read_import(source.pk)
    source.refresh_from_db()
    assert source.status == "failed"
    assert "quotation marks" in source.problem
    assert not TrackingImportRow.objects.exists()
    with pytest.raises(InvalidInput, match="still being read"):
        apply(source)


# ---- In the background ----


@pytest.fixture
def queued(monkeypatch):
    """The queue as a list."""
    found = []
    monkeypatch.setattr(
        "oscar_fulfillment.core.queue.run_later", lambda dotted, *args, key="": found.append((dotted, args))
    )
    return found


def many(order, count):
    return csv_of(*((order.number, f"X{n}") for n in range(count)))


def test_large_files_are_read_in_the_background_and_small_ones_at_once(queued):
    order = ready()
    assert take(many(order, 150), carrier="other").status == "ready"
    assert queued == []
    source = take(many(order, 1200), carrier="other")
    assert (source.status, source.read_count) == ("reading", 0)
    assert queued == [(tracking_imports.TASK, (source.pk,))]
    tasks.read_tracking_import(source.pk)
    source.refresh_from_db()
    assert (source.status, source.read_count) == ("ready", 1200)
    tasks.read_tracking_import(source.pk)  # once more is nothing to do
    assert source.rows.count() == 1200


def test_reading_goes_on_where_it_was_left(queued):
    order = ready()
    source = take(many(order, 1200), carrier="other")
    tracking_imports.read_import(source.pk, budget=-1)  # one chunk, then to the end of the queue
    source.refresh_from_db()
    assert (source.status, source.read_count, source.rows.count()) == ("reading", 500, 500)
    assert len(queued) == 2
    tracking_imports.read_import(source.pk)
    source.refresh_from_db()
    assert (source.status, source.read_count, source.rows.count()) == ("ready", 1200, 1200)
    assert list(source.rows.values_list("line", flat=True)) == list(range(2, 1202))


def test_a_file_whose_worker_died_is_taken_up_by_the_sweep(queued):
    source = take(many(ready(), 300), carrier="other")
    queued.clear()
    tasks.sweep()
    assert queued == []
    TrackingImport.objects.update(touched_at=timezone.now() - timezone.timedelta(seconds=500))
    assert tracking_imports.resume_reading() == 1
    assert queued == [(tracking_imports.TASK, (source.pk,))]
    assert tracking_imports.resume_reading() == 0


def test_codes_that_are_doubled_across_chunks_are_found(queued, monkeypatch):
    monkeypatch.setattr(tracking_imports, "CHUNK", 2)
    one, two = ready(), ready()
    source = take(
        csv_of((one.number, CODES[0]), ("9", "x"), ("9", "y"), (two.number, CODES[0]), (one.number, CODES[0]))
    )
    assert [verdict for _line, verdict in verdicts(source)] == ["dispatch", "unknown", "unknown", "doubled", "doubled"]
    assert source.counts == {"dispatch": 1, "unknown": 2, "doubled": 2}


def test_judging_takes_as_many_queries_for_many_rows_as_for_one():
    def count(size):
        orders = [factories.dispatched_order() for _n in range(size)]
        rows = [CodeRow(n + 2, order.number, f"X{n}-{size}", "other") for n, order in enumerate(orders)]
        source = TrackingImport(kind="codes")
        source.save()
        with CaptureQueriesContext(connection) as captured:
            found = CodeJudge(source).judge(rows)
        assert {verdict.code for verdict in found} == {"add"}
        return len(captured)

    assert count(1) == count(8) <= 6


def test_a_hundred_thousand_rows_are_judged_with_bounded_memory(queued):
    template = factories.paid_order(currency="CHF")
    known = [order.number for order in copies(template, 300)]
    body = "".join(f"{known[n % 300]};C{n:06d}\n" if n % 100 == 0 else f"{n}X;C{n:06d}\n" for n in range(100_000))
    content = f"Pedido;Rastreio\n{body}".encode()
    source = take(content, carrier="other")
    began = time.perf_counter()
    tracking_imports.read_import(source.pk)
    took = time.perf_counter() - began
    source.refresh_from_db()
    print(f"{connection.vendor}: {source.read_count} rows in {took:.1f} s")
    assert source.counts == {"unknown": 99_000, "blocked": 1000}
    assert took < 240


# ---- OCOREN ----


def sent(number="40935", series="1", **options):
    """An order that left with this invoice."""
    order = factories.released_order(**options)
    kind = {"kind": "other", "number": number, "series": series}
    invoicing.invoice_order(order=order, actor=TEAM, **kind)
    shipping.dispatch_order(order=order, actor=TEAM, carrier="other")
    return order


def test_an_occurrence_finds_its_order_by_the_invoice_and_delivers_it():
    order = sent()
    source = take_ocoren(record3("40935", "00", "01022026"), record3("40935", "01", "02022026", text="JOSÉ"))
    assert source.kind == "ocoren"
    assert verdicts(source) == [(4, "event"), (5, "event")]
    assert source.rows.first().number == "40935/1"
    job = apply(source)
    assert (job.action, job.total, job.done_count) == ("import_events", 1, 1)
    assert status(order) == "delivered"
    assert list(TrackingEvent.objects.order_by("occurred_at").values_list("code", "note")) == [
        ("OCO/00", ""), ("OCO/01", "JOSÉ"),
    ]  # fmt: skip
    assert outcomes(source) == [("done", "")] * 2
    assert verdicts(take_ocoren(record3("40935", "01", "02022026", text="JOSÉ"))) == [(4, "same")]


@pytest.mark.parametrize(
    ("record", "verdict", "words"),
    [
        (record3("999", "01", "02022026"), "unknown", "No order has the invoice 999/1."),
        (record3("40935", "01", "02022026", series="2"), "unknown", "No order has the invoice 40935/2."),
        (record3("40935", "01", "02022099"), "unreadable", "The day is in the future."),
        (record3("40935", "01", "99022026"), "unreadable", "is not a day and time"),
        (record3("40935", "01", "02022026")[:30], "unreadable", "cut off"),
        (record3("40935", "77", "02022026"), "event", "Destinatário mudou de endereço"),
    ],
)
def test_occurrences_have_the_verdict_that_fits(record, verdict, words):
    sent()
    found, message = said(take_ocoren(record))
    assert found == verdict
    assert words in message


def test_a_series_that_one_side_does_not_name_is_not_compared():
    sent(series="")
    assert said(take_ocoren(record3("040935", "01", "02022026", series="7")))[0] == "event"


def test_the_senders_tax_number_must_be_ours(settings):
    sent()
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "ISSUER_TAX_IDS": ["99999999000191"]}
    source = take_ocoren(record3("40935", "01", "02022026"))
    assert said(source) == ("not_ours", f"{CNPJ} is not one of this shop's tax numbers.")


def test_an_invoice_of_another_issuer_is_not_meant():
    sent()
    Invoice.objects.update(issuer_tax_id="99999999000191")
    assert said(take_ocoren(record3("40935", "01", "02022026")))[0] == "unknown"


def test_two_orders_with_the_same_invoice_number_are_not_guessed():
    sent(), sent()
    assert "Several orders" in said(take_ocoren(record3("40935", "01", "02022026")))[1]


def test_goods_that_have_not_left_are_not_delivered():
    order = factories.released_order()
    invoicing.invoice_order(order=order, actor=TEAM, kind="other", number="40935", series="1")
    verdict, words = said(take_ocoren(record3("40935", "01", "02022026"), carrier="other"))
    assert verdict == "blocked"
    assert "have not left yet" in words


def test_goods_that_left_without_a_box_get_one_of_the_chosen_carrier():
    order = sent()
    Parcel.objects.all().delete()
    assert "choose the carrier" in said(take_ocoren(record3("40935", "46", "02022026")))[1]
    source = take_ocoren(record3("40935", "46", "02022026"), record3("40935", "01", "03022026"), carrier="other")
    assert verdicts(source) == [(4, "event"), (5, "event")]
    apply(source)
    box = Parcel.objects.get()
    assert (box.carrier, box.tracking_code, box.tracking_state) == ("other", "", "delivered")
    assert status(order) == "delivered"


def test_the_parcels_of_another_carrier_are_left_alone():
    sent()
    assert "another carrier" in said(take_ocoren(record3("40935", "01", "02022026"), carrier="correios"))[1]


def test_an_unknown_code_is_kept_counted_and_moves_nothing():
    order = sent()
    record = "542" + CNPJ + "1  " + "000040935" + "110" + "02022026" + "1200" + "00"
    source = take(("000".ljust(60) + "\n" + record.ljust(250)).encode(), carrier="")
    assert "Nobody knows this code" in said(source)[1]
    apply(source)
    assert UnmappedCode.objects.get().code == "OCO/110"
    assert status(order) == "dispatched"


def test_occurrences_twice_in_the_file_and_out_of_order():
    order = sent()
    source = take_ocoren(
        record3("40935", "01", "03022026"), record3("40935", "46", "02022026"), record3("40935", "01", "03022026")
    )
    assert verdicts(source) == [(4, "event"), (5, "event"), (6, "doubled")]
    apply(source)
    assert status(order) == "delivered"
    assert Parcel.objects.get().tracking_state == "delivered"


def test_all_parcels_of_the_invoice_are_told():
    order = factories.released_order()
    invoicing.invoice_order(order=order, actor=TEAM, kind="other", number="40935", series="1")
    boxes = [{"carrier": "other", "tracking_code": code} for code in ("A1", "A2")]
    shipping.dispatch_order(order=order, actor=TEAM, boxes=boxes)
    apply(take_ocoren(record3("40935", "01", "02022026")))
    assert set(Parcel.objects.values_list("tracking_state", flat=True)) == {"delivered"}
    assert status(order) == "delivered"


def test_occurrences_of_many_orders_cost_few_statements(django_assert_max_num_queries):
    orders = [sent(str(100 + n)) for n in range(6)]
    source = take_ocoren(*[record3(str(100 + n), "98", "02022026") for n in range(6)])
    user = factories.staff_user("*")
    with django_assert_max_num_queries(45):
        apply(source, user)
    assert TrackingEvent.objects.count() == len(orders) == OrderFulfillment.objects.count()
