"""Orders in Bling: handed over when released, once whatever is lost; notes, parcels and situations that come back."""

from __future__ import annotations

import threading
import time
from decimal import Decimal as D

import pytest
from django.db import connections

from oscar_fulfillment.core import inbox
from oscar_fulfillment.models import (
    ConnectorState,
    FollowUp,
    Invoice,
    NfeFile,
    OutsideChange,
    Parcel,
    StatusChange,
    StatusRule,
)
from oscar_fulfillment.services import connector_exports, connector_rules, connector_watch, release
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.nfe import BUYER
from sandbox.simulators.bling import STORE

from .bling import bling, connect, handed_over, heard, inbound, paid, post, stands
from .connectors import due_now, ledger, send

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("A8", "A10")]
TEAM = factories.TEAM
CODE = "AA000000014BR"


@pytest.fixture
def erp():
    with bling() as account:
        yield account


# ---- Out ----


@pytest.mark.feature("A8")
def test_the_release_makes_the_order_and_its_buyer_in_bling(erp):
    order = paid()
    send("bling")
    assert erp.orders() == []
    release.release_order(order=order, actor=TEAM)
    send("bling")
    (theirs,) = erp.orders()
    line = order.lines.get()
    assert (theirs["numeroLoja"], theirs["loja"]["id"]) == (order.number, STORE)
    assert D(str(theirs["total"])) == order.total_incl_tax
    assert [(item["codigo"], item["quantidade"]) for item in theirs["itens"]] == [(line.partner_sku, line.quantity)]
    assert theirs["contato"]["numeroDocumento"] == BUYER
    (contact,) = erp.vendor.books.all("contact")
    assert contact["tipo"] == "F"
    assert contact["endereco"]["geral"]["cep"]
    (row,) = ledger("bling")
    assert (row.status, row.external_id, row.external_number) == ("acknowledged", str(theirs["id"]), "1001")
    assert row.link == f"https://www.bling.com.br/vendas.php#edit/{theirs['id']}"
    assert row.outside_state == "6"


def test_the_second_order_of_a_buyer_finds_the_contact(erp):
    handed_over()
    handed_over()
    assert erp.vendor.books.count("contact") == 1
    assert len(erp.orders()) == 2
    assert erp.paths("POST").count("/contatos") == 1


@pytest.mark.parametrize("accident", ["cut_after", "error_after", "garbage"])
@pytest.mark.parametrize("path", ["POST /Api/v3/pedidos/vendas", "POST /Api/v3/contatos"])
def test_a_lost_answer_makes_no_second_order(erp, accident, path):
    erp.vendor.fail_next(accident, path=path)
    order = handed_over()
    (row,) = ledger("bling")
    assert row.status == "sending"
    due_now("bling")
    send("bling")
    (row,) = ledger("bling")
    assert (row.status, row.error) == ("acknowledged", "")
    assert [one["numeroLoja"] for one in erp.orders()] == [order.number]
    assert erp.vendor.books.count("contact") == 1
    # The one that is there was looked for, not made and refused.
    assert erp.paths("POST").count("/pedidos/vendas") == 1


@pytest.mark.parametrize("accident", ["cut_before", "error_before"])
def test_a_lost_question_is_asked_again(erp, accident):
    erp.vendor.fail_next(accident, path="POST /Api/v3/pedidos/vendas")
    handed_over()
    due_now("bling")
    send("bling")
    assert ledger("bling")[0].status == "acknowledged"
    assert len(erp.orders()) == 1


def test_a_number_that_bling_has_already_is_taken_as_found(erp):
    order = handed_over()
    row = ledger("bling")[0]
    # The shop forgot, as after a restored backup.
    row.status, row.external_id, row.data = "waiting", "", {}
    row.save()
    connector_exports.run(row.pk)
    assert ledger("bling")[0].status == "acknowledged"
    assert ledger("bling")[0].external_id == str(erp.vendor.order_by_number(order.number)["id"])
    assert len(erp.orders()) == 1


def test_another_buyers_order_under_our_number_is_not_ours(erp):
    order = paid()
    with erp.vendor.books.lock:
        erp.vendor.books.put("contact", "5", {"id": 5, "nome": "Outro", "numeroDocumento": "11122233396"})
        body = {"data": "2026-01-01", "itens": [{"descricao": "x", "quantidade": 1, "valor": 1}], "contato": {"id": 5},
                "numeroLoja": order.number, "loja": {"id": STORE}}  # fmt: skip
        erp.vendor.books.put("order", "77", erp.vendor._document(body, 77, 77))
    release.release_order(order=order, actor=TEAM)
    send("bling")
    (row,) = ledger("bling")
    assert row.status == "failed"
    assert "another buyer" in row.error
    assert len(erp.orders()) == 1


def test_bling_says_in_its_words_what_is_wrong(erp):
    order = handed_over(fulfillment={"tax_id": "11111111112", "tax_id_kind": "cpf"})
    (row,) = ledger("bling")
    assert row.status == "failed"
    assert "O CPF ou CNPJ informado é inválido" in row.error
    assert FollowUp.objects.get(kind="export_failed").fulfillment_id == order.pk


def test_without_a_cpf_nothing_is_asked(erp):
    handed_over(fulfillment={})
    assert "CPF or CNPJ" in ledger("bling")[0].error
    assert erp.paths("POST") == ["/oauth/token"]


def test_an_order_that_is_asked_for_again_is_changed_there(erp):
    order = handed_over()
    row = ledger("bling")[0]
    connector_exports.Export.objects.filter(pk=row.pk).update(status="waiting")
    erp.vendor.fail_next("cut_after", path="PUT /Api/v3/pedidos/vendas")
    with pytest.raises(connector_exports.AdapterUnanswered):
        connector_exports.run(row.pk)
    connector_exports.run(row.pk)
    assert len(erp.bodies("PUT", f"/{row.external_id}")) == 2
    assert ledger("bling")[0].status == "acknowledged"
    assert [one["numeroLoja"] for one in erp.orders()] == [order.number]


def test_what_is_in_no_line_arrives_to_the_cent():
    with bling(payments={"transfer": 7}, services={"free-shipping": "PAC_CONTRATO"}) as erp:
        plain = handed_over()
        dearer, cheaper = paid(), paid()
        for order, by in ((dearer, D("3.10")), (cheaper, D("-0.07"))):
            type(order).objects.filter(pk=order.pk).update(
                total_incl_tax=order.total_incl_tax + by, total_excl_tax=order.total_excl_tax + by
            )
            release.release_order(order=order, actor=TEAM)
        send("bling")
        for order in (plain, dearer, cheaper):
            order.refresh_from_db()
            assert D(str(erp.vendor.order_by_number(order.number)["total"])) == order.total_incl_tax
        assert erp.vendor.order_by_number(dearer.number)["outrasDespesas"] == 3.1
        assert erp.vendor.order_by_number(cheaper.number)["desconto"] == {"valor": 0.07, "unidade": "REAL"}


@pytest.mark.feature("A8")
def test_rules_show_our_status_there_and_take_theirs(erp):
    rules = [
        {"direction": "out", "outside": "15", "shipping": "released"},
        {"direction": "out", "outside": "12", "shipping": "cancelled"},
        {"direction": "in", "outside": "12", "step": "cancel"},
    ]
    connector_rules.save_rules(connector="bling", rules=rules)
    order = handed_over()
    (theirs,) = erp.orders()
    assert theirs["situacao"]["id"] == 15
    assert ledger("bling")[0].outside_state == "15"
    factories.cancelling.cancel_order(order=order, actor=TEAM, reason="No")
    send("bling")
    assert erp.vendor.order_by_number(order.number)["situacao"]["id"] == 12
    assert {state.code: state.label for state in erp.adapter.states()}["24"] == "Verificado"


def test_their_situation_moves_the_order_by_a_rule(erp, client):
    connector_rules.save_rules(connector="bling", rules=[{"direction": "in", "outside": "12", "step": "cancel"}])
    order = handed_over()
    assert erp.hear(client) == [200]
    assert heard()[-1][1] in ("echo", "nothing")
    erp.vendor.move(order.number, 12)
    erp.hear(client)
    assert stands(order) == "cancelled"
    assert StatusRule.objects.count() == 1


# ---- Back ----


@pytest.mark.feature("A10")
def test_the_story_from_release_to_the_door(erp, client):
    order = handed_over()
    erp.hear(client)
    erp.vendor.issue(order.number)
    assert erp.hear(client) == [200]
    assert stands(order) == "invoiced"
    invoice = Invoice.objects.get(fulfillment=order.pk)
    note = erp.vendor.books.all("note")[0]
    assert (invoice.access_key, invoice.number, invoice.series) == (note["chaveAcesso"], "1", "2")
    # Its file was checked like any other, and is filed.
    file = NfeFile.objects.get()
    assert (file.status, file.invoice_id) == ("applied", invoice.pk)
    assert StatusChange.objects.filter(fulfillment=order.pk, action="invoice").get().actor_label
    erp.vendor.post(order.number, CODE)
    erp.hear(client)
    assert stands(order) == "dispatched"
    box = Parcel.objects.get(shipment__fulfillment=order.pk)
    assert box.tracking_code == CODE
    assert set(inbound()) <= {"processed", "ignored"}


def test_a_webhook_before_the_answer_was_settled(erp, client):
    erp.vendor.fail_next("cut_after", path="POST /Api/v3/pedidos/vendas")
    order = handed_over()
    assert ledger("bling")[0].status == "sending"
    erp.vendor.issue(order.number)
    erp.hear(client)
    assert stands(order) == "invoiced"
    due_now("bling")
    send("bling")
    (row,) = ledger("bling")
    assert (row.status, row.external_id) == ("acknowledged", str(erp.orders()[0]["id"]))
    assert len(erp.orders()) == 1


def test_two_webhooks_and_a_repetition_are_one_invoice(erp, client):
    order = handed_over()
    erp.vendor.issue(order.number, "twice")
    note = erp.vendor.books.all("note")[0]
    erp.vendor._hint_note("updated", note, "once")
    erp.hear(client)
    assert Invoice.objects.filter(fulfillment=order.pk).count() == 1
    assert StatusChange.objects.filter(fulfillment=order.pk, action="invoice").count() == 1
    assert OutsideChange.objects.filter(key__startswith="nfe:").count() == 1


def test_a_forged_signature_and_another_body_are_refused(erp, client):
    order = handed_over()
    erp.letters()
    erp.vendor.issue(order.number, "never")
    note = erp.vendor.books.all("note")[0]
    forged = erp.vendor.letter("invoice.created", {"id": note["id"]}, secret="guessed")
    assert post(client, forged) == 401
    real = erp.vendor.letter("invoice.created", {"id": note["id"]})
    changed = type(real)(real.url, real.body.replace(b"v1", b"v2"), real.headers)
    assert post(client, changed) == 401
    unsigned = type(real)(real.url, real.body, {})
    assert post(client, unsigned) == 401
    assert inbound() == []
    inbox.process()
    assert stands(order) == "released"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"event": 5}', b"[" * 5000, b'{"event": "invoice.created", "data": []}']
)
def test_what_is_signed_and_cannot_be_read_does_nothing(erp, client, body):
    import hashlib
    import hmac

    from sandbox.simulators.base import Notification
    from sandbox.simulators.bling import CLIENT_SECRET

    digest = hmac.new(CLIENT_SECRET.encode(), body, hashlib.sha256).hexdigest()
    answered = post(client, Notification("", body, {"X-Bling-Signature-256": f"sha256={digest}"}))
    assert answered in (200, 400)
    inbox.process()
    assert set(inbound()) <= {"ignored"}


def test_the_answer_to_a_webhook_waits_for_nobody(erp, client):
    order = handed_over()
    erp.letters()
    erp.vendor.issue(order.number)
    erp.vendor.mood = "slow"
    began = time.monotonic()
    assert [post(client, letter) for letter in erp.letters()] == [200]
    assert time.monotonic() - began < 1.5


def test_a_note_that_waits_for_the_tax_office_is_none_yet(erp, client):
    order = handed_over()
    note = erp.vendor.issue(order.number, situation=1)
    erp.hear(client)
    assert stands(order) == "released"
    erp.vendor.authorise(note["id"])
    erp.hear(client)
    assert stands(order) == "invoiced"


def test_a_cancelled_note_takes_the_order_back(erp, client):
    order = handed_over()
    note = erp.vendor.issue(order.number)
    erp.hear(client)
    erp.vendor.cancel_note(note["id"])
    erp.hear(client)
    assert stands(order) == "released"
    assert Invoice.objects.get(fulfillment=order.pk).cancelled_at
    # And the next note counts.
    erp.vendor.issue(order.number)
    erp.hear(client)
    assert stands(order) == "invoiced"
    assert Invoice.objects.filter(fulfillment=order.pk, cancelled_at=None).count() == 1


def test_a_note_over_another_sum_is_refused_and_shown(erp, client):
    order = handed_over()
    erp.vendor.issue(order.number, total=order.total_incl_tax + 10)
    erp.hear(client)
    assert stands(order) == "released"
    (row,) = [row for row in heard() if row[0] == "nfe"]
    assert row[1] == "refused"
    assert row[2]
    assert FollowUp.objects.get(kind="outside_refused").fulfillment_id == order.pk


def test_without_its_file_a_note_over_another_sum_is_refused_too(client):
    with bling(fetch_xml=False) as erp:
        order = handed_over()
        erp.vendor.issue(order.number, total=order.total_incl_tax + 10)
        erp.hear(client)
        assert stands(order) == "released"
        assert "The document is about" in next(row for row in heard() if row[0] == "nfe")[2]
        good = handed_over()
        erp.vendor.issue(good.number)
        erp.hear(client)
        assert stands(good) == "invoiced"
        assert not any("nfe.xml" in path for path in erp.paths("GET"))


def test_a_file_that_is_another_orders_note_is_refused(erp, client):
    order, other = handed_over(), handed_over()
    erp.vendor.issue(order.number, order_number=other.number)
    erp.hear(client)
    assert stands(order) == stands(other) == "released"
    assert [row[1] for row in heard() if row[0] == "nfe"] == ["refused"]


def test_notes_of_other_channels_and_of_goods_that_come_in_are_none_of_ours(erp, client):
    order = handed_over()
    erp.letters()
    for fields in ({"loja": {"id": 9}}, {"tipo": 0}, {"finalidade": 4}, {"numeroPedidoLoja": ""}, {"chaveAcesso": "x"}):
        erp.vendor.issue(order.number, fields=fields)
    erp.hear(client)
    assert stands(order) == "released"
    assert not OutsideChange.objects.filter(key__startswith="nfe:").exists()


def test_a_deleted_note_and_events_of_other_things_do_nothing(erp, client):
    for event, data in (
        ("invoice.deleted", {"id": 1}),
        ("product.updated", {"id": 1}),
        ("invoice.updated", {"id": "../1"}),
    ):
        assert post(client, erp.vendor.letter(event, data)) == 200
    inbox.process()
    assert inbound() == ["ignored"] * 3


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/x.xml",
        "http://169.254.169.254/latest/meta-data",
        "https://www.bling.com.br@evil.example/x",
        "file:///etc/passwd",
        "https://www.bling.com.br.evil.example/x",
        "//evil.example/x",
    ],
)
def test_a_files_address_that_leads_elsewhere_is_not_followed(erp, client, url):
    order = handed_over()
    erp.letters()
    erp.vendor.issue(order.number, xml=url)
    erp.hear(client)
    # The note itself is known from the API: its key and sum count.
    assert stands(order) == "invoiced"
    assert NfeFile.objects.count() == 0


def test_what_is_no_note_is_not_taken_for_its_file(erp, client):
    order = handed_over()
    erp.letters()
    erp.vendor.issue(order.number, xml=f"{erp.address}/relatorios/nfe.xml.php?chaveAcesso=none")
    erp.hear(client)
    assert stands(order) == "invoiced"
    assert NfeFile.objects.count() == 0


def test_a_file_that_is_not_there_now_is_fetched_later(erp, client):
    order = handed_over()
    erp.letters()
    erp.vendor.issue(order.number)
    erp.vendor.fail_next("error_after", path="nfe.xml.php")
    erp.hear(client)
    assert stands(order) == "released"
    from oscar_fulfillment.models import InboundMessage, LaneHealth

    LaneHealth.objects.all().delete()
    InboundMessage.objects.update(next_attempt_at="2000-01-01T00:00Z")
    inbox.process()
    assert stands(order) == "invoiced"
    assert NfeFile.objects.count() == 1


def test_tracking_codes_wait_for_the_note(erp, client):
    order = handed_over()
    erp.vendor.post(order.number, CODE)
    erp.hear(client)
    assert stands(order) == "released"
    assert not OutsideChange.objects.filter(status="refused").exists()
    erp.vendor.issue(order.number)
    erp.hear(client)
    assert stands(order) == "dispatched"
    assert Parcel.objects.get(shipment__fulfillment=order.pk).tracking_code == CODE


def test_each_volume_is_a_parcel(erp, client):
    order = handed_over()
    erp.vendor.issue(order.number)
    erp.vendor.post(order.number, CODE, "AA123456785BR", carrier="Jadlog")
    erp.hear(client)
    erp.hear(client)
    boxes = Parcel.objects.filter(shipment__fulfillment=order.pk).order_by("number")
    assert [box.tracking_code for box in boxes] == [CODE, "AA123456785BR"]
    assert stands(order) == "dispatched"
    assert {row[1] for row in heard() if row[0] == "order"} <= {"applied", "echo"}
    assert StatusChange.objects.filter(fulfillment=order.pk, action="dispatch").count() == 1


def test_a_consumer_note_counts_as_well(erp, client):
    order = handed_over()
    erp.letters()
    erp.vendor.issue(order.number, kind="nfce")
    erp.hear(client)
    assert [row[0] for row in heard()] == ["nfce"]


# ---- Asked, for what was not told ----


@pytest.mark.feature("A10")
def test_what_no_webhook_told_is_found_by_asking(erp):
    order, other = handed_over(), handed_over()
    erp.vendor.issue(order.number, "never")
    erp.vendor.post(order.number, CODE, notify="never")
    connector_watch.ask(erp.adapter, force=True)
    assert stands(order) == "dispatched"
    assert stands(other) == "released"
    before = len(erp.vendor.calls)
    connector_watch.ask(erp.adapter, force=True)
    # The lists overlap; what they show again is not read again, but for orders that changed just now.
    assert not any(path.startswith("/nfe/") for path in [p for _m, p, _h, _b in erp.vendor.calls[before:]])
    note = erp.vendor.issue(other.number, "never")
    connector_watch.ask(erp.adapter, force=True)
    assert stands(other) == "invoiced"
    erp.vendor.cancel_note(note["id"], "never")
    connector_watch.ask(erp.adapter, force=True)
    assert stands(other) == "released"


def test_a_list_of_many_pages_is_read_to_its_end(erp):
    orders = [handed_over() for _one in range(3)]
    erp.letters()
    from oscar_fulfillment.connectors import bling_pull

    pages, bling_pull.SIZE = bling_pull.SIZE, 2
    try:
        for order in orders:
            erp.vendor.issue(order.number, "never")
        connector_watch.ask(erp.adapter, force=True)
    finally:
        bling_pull.SIZE = pages
    assert [stands(order) for order in orders] == ["invoiced"] * 3


def test_a_worker_that_dies_on_a_page_gets_it_again(erp):
    order = handed_over()
    connector_watch.ask(erp.adapter, force=True)
    erp.vendor.issue(order.number, "never")
    adapter, cursor = erp.adapter, ConnectorState.objects.get().cursor
    while not (page := adapter.pull(cursor)).changes:
        cursor = page.cursor
    # The page was handed out, and nobody noted that it was dealt with.
    again = adapter.pull(cursor)
    assert [change.key for change in again.changes] == [change.key for change in page.changes]
    following = adapter.pull(again.cursor)
    assert following.cursor != again.cursor


@pytest.mark.parametrize(
    "cursor", ["nonsense", "{}", '{"since": "x", "began": "y", "step": 1, "page": 1}', '{"since": 1}']
)
def test_a_cursor_that_cannot_be_read_begins_anew(erp, cursor):
    page = erp.adapter.pull(cursor)
    assert (page.changes, page.more) == ((), False)
    assert erp.adapter.pull(page.cursor).cursor != page.cursor


# ---- Limits ----


def test_no_more_than_three_calls_in_any_second():
    with bling(per_second=3) as erp:
        from oscar_fulfillment.connectors.pacing import Pace

        erp.adapter.wire._pace = Pace(3, 120_000)
        began = time.monotonic()
        for _one in range(2):
            handed_over()
        assert len(erp.orders()) == 2
        assert erp.vendor.refused_for_pace == 0
        assert time.monotonic() - began > 1


def test_a_refusal_for_too_many_calls_is_waited_out():
    # Another process has the turns: ours alone would be too fast.
    with bling(per_second=3) as erp:
        for _one in range(3):
            handed_over()
        assert erp.vendor.refused_for_pace > 0
        assert [row.status for row in ledger("bling")] == ["acknowledged"] * 3
        assert len(erp.orders()) == 3


def test_when_the_days_calls_are_used_up_the_order_waits_for_tomorrow(erp):
    erp.vendor.left_today = 0
    handed_over()
    (row,) = ledger("bling")
    assert (row.status, row.error) == ("waiting", "Bling takes no more calls today")
    erp.vendor.left_today = 100
    due_now("bling")
    send("bling")
    assert ledger("bling")[0].status == "acknowledged"


def test_a_shop_that_is_not_connected_keeps_its_orders_waiting():
    with bling(connected=False) as erp:
        handed_over()
        (row,) = ledger("bling")
        assert row.status == "waiting"
        assert "has to be connected" in row.error
        assert erp.vendor.calls == []
        connect(erp)
        due_now("bling")
        send("bling")
        assert ledger("bling")[0].status == "acknowledged"


# ---- At once, and among others ----


@pytest.mark.postgres
def test_a_webhook_and_a_question_at_once_enter_one_note(erp, client):
    order = handed_over()
    erp.letters()
    erp.vendor.issue(order.number)
    erp.vendor.post(order.number, CODE)
    for letter in erp.letters():
        post(client, letter)
    together, errors = threading.Barrier(3), []

    def work(do):
        try:
            together.wait()
            do()
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    ways = [inbox.process, inbox.process, lambda: connector_watch.ask(erp.adapter, force=True)]
    threads = [threading.Thread(target=work, args=[way]) for way in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert stands(order) == "dispatched"
    assert Invoice.objects.filter(fulfillment=order.pk).count() == 1
    assert Parcel.objects.filter(shipment__fulfillment=order.pk).count() == 1
    assert not OutsideChange.objects.filter(status="refused").exists()


def test_without_a_channel_of_its_own_another_ones_order_under_the_number_is_left_alone(client):
    with bling(store=0) as erp:
        order = handed_over()
        theirs = erp.vendor.order_by_number(order.number)
        erp.vendor.issue(order.number, fields={"numeroPedidoLoja": "SHOPEE-1"})
        # Another channel's order that happens to have our number, and a number that nobody has here.
        erp.vendor.books.put("order", "88", {**theirs, "id": 88, "numeroLoja": "SHOPEE-2"})
        erp.letters()
        for event, key in (("order.updated", 88), ("invoice.created", erp.vendor.books.all("note")[0]["id"])):
            post(client, erp.vendor.letter(event, {"id": key}))
        inbox.process()
        assert stands(order) == "released"
        assert heard() == []
        erp.vendor.books.put("order", "99", {**theirs, "id": 99, "situacao": {"id": 12}})
        post(client, erp.vendor.letter("order.updated", {"id": 99}))
        inbox.process()
        assert ledger("bling")[0].outside_state == "6"
        erp.vendor.issue(order.number)
        erp.hear(client)
        assert stands(order) == "invoiced"
