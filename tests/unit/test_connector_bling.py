"""Bling's documents written and read, its pace and its refusals."""

import contextlib
import json
from datetime import UTC, datetime
from decimal import Decimal as D
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.connectors import bling_mapping as mapping
from oscar_fulfillment.connectors.bling import Bling
from oscar_fulfillment.connectors.bling_mapping import Terms
from oscar_fulfillment.connectors.bling_wire import seconds_of_today
from oscar_fulfillment.connectors.pacing import Pace, pace_of
from oscar_fulfillment.connectors.records import Contact, OrderLine, OrderRecord, TrackingFacts
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable, ConfigurationError
from oscar_fulfillment.test.fiscal import make_key

pytestmark = pytest.mark.feature("A8", "A10")

BUYER = Contact(
    name="Ana Souza", email="ana@example.com", phone="+5511987654321", line1="Rua das Flores, 12 - ap. 3", line2="Fundos",
    line3="Centro", city="Campinas", state="sp", postcode="13010000", country="BR", tax_id_kind="cpf",
    tax_id="529.982.247-25",
)  # fmt: skip


def line(sku="A1", quantity=2, unit="10.00"):
    total = D(unit) * quantity
    return OrderLine(1, sku, "", "Caneca", quantity, D(unit), D(unit), total, total)


def record(*lines, total=None, shipping="0.00", **values):
    lines = lines or (line(),)
    goods = sum(one.total_incl_tax for one in lines)
    facts = {
        "id": 1, "number": "100042", "version": 3, "placed_at": datetime(2026, 3, 2, 1, 30, tzinfo=UTC), "flow": "BRAZIL",
        "language": "pt", "currency": "BRL", "payment_status": "approved", "shipping_status": "released", "lines": lines,
        "buyer": BUYER, "receiver": BUYER, "total_incl_tax": D(total) if total else goods + D(shipping),
        "total_excl_tax": goods, "shipping_incl_tax": D(shipping), "shipping_excl_tax": D(shipping),
        "shipping_code": "pac", "shipping_name": "PAC", "payment_code": "pix", "payment_name": "Pix",
    }  # fmt: skip
    return OrderRecord(**{**facts, **values})


def total_there(body):
    goods = sum(D(str(item["valor"])) * item["quantidade"] for item in body["itens"])
    off = D(str(body.get("desconto", {}).get("valor", 0)))
    return goods - off + D(str(body["transporte"]["frete"])) + D(str(body.get("outrasDespesas", 0)))


# ---- Orders ----


def test_an_order_in_their_words():
    terms = Terms(store=7, payments={"pix": 55}, services={"pac": "PAC CONTRATO"})
    body = mapping.order_body(record(shipping="15.90"), 99, terms)
    assert body["numeroLoja"] == "100042"
    # Half past one in the morning in London is the evening before in Brasília.
    assert body["data"] == "2026-03-01"
    assert body["contato"] == {"id": 99}
    assert body["loja"] == {"id": 7}
    assert body["itens"] == [{"codigo": "A1", "descricao": "Caneca", "unidade": "UN", "quantidade": 2, "valor": 10.0}]
    assert body["parcelas"] == [{"dataVencimento": "2026-03-01", "valor": 35.9, "formaPagamento": {"id": 55}}]
    assert body["transporte"] == {
        "fretePorConta": 0,
        "frete": 15.9,
        "etiqueta": {
            "nome": "Ana Souza", "endereco": "Rua das Flores", "numero": "12", "complemento": "ap. 3, Fundos",
            "bairro": "Centro", "municipio": "Campinas", "uf": "SP", "cep": "13010-000", "nomePais": "BRASIL",
        },
        "volumes": [{"servico": "PAC CONTRATO"}],
    }  # fmt: skip
    assert "desconto" not in body
    assert "outrasDespesas" not in body


def test_what_the_settings_do_not_say_is_left_out():
    body = mapping.order_body(record(receiver=None), 1, Terms())
    assert not {"loja", "parcelas"} & set(body)
    assert set(body["transporte"]) == {"fretePorConta", "frete"}


@given(
    st.lists(st.tuples(st.integers(1, 20), st.integers(1, 99_999)), min_size=1, max_size=6),
    st.integers(0, 9_999),
    st.integers(-50, 500),
)
def test_their_total_is_ours_to_the_cent(lines, shipping, rest):
    rows = [line(quantity=quantity, unit=f"{D(cents) / 100:.2f}") for quantity, cents in lines]
    goods = sum(row.total_incl_tax for row in rows)
    total = goods + D(shipping) / 100 + D(rest) / 100
    body = json.loads(json.dumps(mapping.order_body(
        record(*rows, shipping=f"{D(shipping) / 100:.2f}", total=f"{total:.2f}"), 1, Terms()
    )))  # fmt: skip
    assert total_there(body) == total


def test_a_contact_in_their_words():
    body = mapping.contact_body(BUYER, None)
    assert (body["tipo"], body["numeroDocumento"], body["celular"]) == ("F", "52998224725", "11987654321")
    assert body["endereco"]["geral"]["municipio"] == "Campinas"
    firm = Contact(name="Loja", tax_id_kind="cnpj", tax_id="12.ABC.345/01DE-35")
    made = mapping.contact_body(firm, BUYER)
    assert (made["tipo"], made["numeroDocumento"]) == ("J", "12ABC34501DE35")
    # Without an address of the buyer, the one where the goods go.
    assert made["endereco"]["geral"]["endereco"] == "Rua das Flores"


# ---- Notes ----

KEY = make_key(number=42, series=2)


def note(**changes):
    return {
        "id": 77, "tipo": 1, "situacao": 5, "numero": "000042", "serie": 2, "chaveAcesso": KEY, "valorNota": "35.90",
        "numeroPedidoLoja": "100042", **changes,
    }  # fmt: skip


def test_an_issued_note_is_an_invoice_with_its_file():
    change = mapping.note_change("nfe", note(), reference="", xml=b"<NFe/>")
    facts = change.invoice
    assert (change.key, change.reference) == ("nfe:77:issued", "100042")
    assert (facts.number, facts.series, facts.access_key, facts.value) == ("42", "2", KEY, D("35.90"))
    assert (facts.xml, facts.cancelled) == (b"<NFe/>", False)


def test_printed_it_is_the_same_note_and_cancelled_another_word():
    assert mapping.note_change("nfe", note(situacao=6), reference="").key == "nfe:77:issued"
    gone = mapping.note_change("nfe", note(situacao=2), reference="", xml=b"x")
    assert (gone.key, gone.invoice.cancelled, gone.invoice.xml) == ("nfe:77:cancelled", True, b"")
    assert mapping.note_change("nfce", note(), reference="").key == "nfce:77:issued"


@pytest.mark.parametrize("situation", [0, 1, 3, 4, 7, 8, 9, 10, 11, 99, None, "5x", True, "", -5, 5.5, [], {}])
def test_what_is_not_authorised_says_nothing(situation):
    assert mapping.note_change("nfe", note(situacao=situation), reference="") is None


@pytest.mark.parametrize(
    "changes", [{"tipo": 0}, {"finalidade": 4}, {"chaveAcesso": ""}, {"chaveAcesso": "1" * 43}, {"chaveAcesso": None}]
)
def test_what_is_no_note_of_a_sale_says_nothing(changes):
    assert mapping.note_change("nfe", note(**changes), reference="x") is None


def test_a_key_with_letters_and_spaces_is_read():
    key = make_key(issuer="12ABC34501DE35")
    spaced = " ".join(key[i : i + 4] for i in range(0, 44, 4)).lower()
    assert mapping.note_change("nfe", note(chaveAcesso=spaced), reference="").invoice.access_key == key


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1", "x", None, [], "1e99"])
def test_a_sum_that_is_none_is_not_compared(value):
    assert mapping.note_change("nfe", note(valorNota=value), reference="").invoice.value is None


def test_codes_of_volumes_are_parcels_once_each():
    order = {"transporte": {"contato": {"nome": "Correios"}, "volumes": [
        {"codigoRastreamento": " AA1 "}, {"codigoRastreamento": ""}, {}, None, "x", {"codigoRastreamento": "AA1"},
        {"codigoRastreamento": ["x"]}, {"codigoRastreamento": "BB2"},
    ]}}  # fmt: skip
    assert mapping.parcels_of(order) == [TrackingFacts("AA1", "Correios"), TrackingFacts("BB2", "Correios")]
    for broken in ({}, {"transporte": []}, {"transporte": {"volumes": {}}}, {"transporte": {"volumes": None}}):
        assert mapping.parcels_of(broken) == []


def test_orders_of_other_channels_are_none_of_ours():
    order = {"numeroLoja": "100042", "loja": {"id": 5}}
    assert mapping.reference_of(order, Terms(store=5)) == "100042"
    assert mapping.reference_of(order, Terms(store=6)) == ""
    assert mapping.reference_of(order, Terms()) == "100042"
    assert mapping.reference_of({"numeroLoja": None}, Terms()) == ""


# ---- Webhooks ----


@pytest.mark.parametrize(
    ("event", "again"),
    [
        ("invoice.created", "nfe"), ("invoice.updated", "nfe"), ("invoice.deleted", "nfe"),
        ("consumer_invoice.updated", "nfce"), ("order.updated", "order"), ("order.created", "order"),
        ("product.updated", ""), ("stock.created", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_webhook_is_a_hint(event, again):
    body = json.dumps({"eventId": "e1", "event": event, "data": {"id": 7, "situacao": 5}}).encode()
    notice = mapping.notice_from(body)
    assert (notice.event_id, notice.changes) == ("e1", ())
    assert notice.read_again == ((f"{again}:7:e1",) if again else ())


@pytest.mark.parametrize("number", ["../x", "", None, -1, 0, "1" * 30, [1], True, 1.5])
def test_an_id_that_is_none_is_not_read(number):
    body = json.dumps({"event": "invoice.updated", "data": {"id": number}}).encode()
    assert mapping.notice_from(body).read_again == ()
    assert len(mapping.notice_from(body).event_id) == 64


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body):
    with contextlib.suppress(AdapterRejected):
        mapping.notice_from(body)
    mapping.explained(AdapterRejected("x", status=400, body=body))
    mapping.limit_period(body)
    mapping.error_kind(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(
    ["id", "tipo", "situacao", "numero", "serie", "chaveAcesso", "valorNota", "numeroPedidoLoja", "finalidade", "loja",
     "transporte", "numeroLoja", "notaFiscal"]), json_values))  # fmt: skip
def test_no_document_of_theirs_breaks_us(document):
    mapping.note_change("nfe", {**note(), **document}, reference="")
    mapping.parcels_of(document)
    mapping.situation_of(document)
    mapping.reference_of(document, Terms(store=1))


# ---- Refusals ----


def test_their_words_are_the_message():
    body = json.dumps({"error": {"type": "VALIDATION_ERROR", "description": "Não foi possível salvar", "fields": [
        {"code": 49, "msg": "CPF inválido"}, {"msg": "CPF inválido"}, {"msg": "Bairro\nvazio\x00"}]}}).encode()  # fmt: skip
    said = str(mapping.explained(AdapterRejected("x", status=400, body=body)))
    assert said == "Bling refused: Não foi possível salvar / CPF inválido / Bairro vazio"
    assert "400" in str(mapping.explained(AdapterRejected("x", status=400, body=b"<html>")))
    assert "scope" in str(mapping.explained(AdapterRejected("x", status=403)))


@pytest.mark.parametrize(
    ("error", "period"),
    [
        ({"period": "day"}, "day"), ({"period": "second"}, "second"), ({}, "second"),
        ({"description": "O limite de requisições por segundo foi atingido"}, "second"),
        ({"description": "O limite de requisições por dia foi atingido"}, "day"),
        ({"description": "O limite de requisições diárias foi atingido"}, "day"),
    ],
)  # fmt: skip
def test_of_what_there_were_too_many(error, period):
    assert mapping.limit_period(json.dumps({"error": error}).encode()) == period


def test_the_plain_form_of_oauth_is_read():
    assert mapping.error_kind(b'{"error": "invalid_grant", "error_description": "x"}') == "invalid_grant"
    assert mapping.error_kind(b'{"error": {"type": "invalid_grant"}}') == "invalid_grant"


def test_their_day_ends_at_midnight_in_brasilia():
    from zoneinfo import ZoneInfo

    assert seconds_of_today(datetime(2026, 3, 2, 23, 0, tzinfo=ZoneInfo(mapping.ZONE))) == 3600


# ---- The pace ----


class Clock(SimpleNamespace):
    now = 0.0

    def sleep(self, seconds):
        self.now += seconds


def paced(per_second=3, per_day=100):
    clock = Clock()
    return clock, Pace(per_second, per_day, clock=lambda: clock.now, sleep=clock.sleep)


def test_no_second_has_more_turns():
    clock, pace = paced()
    turns = []
    for _one in range(20):
        pace.wait()
        turns.append(clock.now)
        clock.now += 0.01
    assert all(later - earlier >= 1 for earlier, later in zip(turns, turns[3:], strict=False))
    assert turns[-1] < 8


def test_the_day_ends_and_a_new_one_begins():
    clock, pace = paced(per_day=5)
    for _one in range(5):
        pace.wait()
    with pytest.raises(AdapterUnavailable) as caught:
        pace.wait()
    assert caught.value.retry_after > 80_000
    clock.now += 86_400
    pace.wait()


def test_a_refusal_holds_all_and_a_long_queue_is_sent_home():
    clock, pace = paced()
    pace.hold(5)
    pace.wait()
    assert clock.now == 5
    pace.hold(100)
    with pytest.raises(AdapterUnavailable):
        pace.wait()
    assert pace_of("x", 3, 5) is pace_of("x", 3, 5) is not pace_of("y", 3, 5)


# ---- Settings ----


@pytest.mark.parametrize(
    "options", [{"client_id": ""}, {"client_secret": ""}, {"files_from": "www.bling.com.br"}, {"per_second": 0}]
)
def test_settings_that_are_wrong_are_refused(options):
    with pytest.raises(ConfigurationError):
        Bling(**{"alias": "bling", "client_id": "a", "client_secret": "b", **options})


def test_nothing_secret_is_shown():
    found = Bling(alias="bling", client_id="the-id", client_secret="the-secret")
    assert "secret" not in repr(found) + repr(found.wire) + repr(vars(found.wire)["_http"])
    url = found.authorize_url(state="s&t", redirect_uri="https://shop.example/back/?a=b")
    assert url.startswith(
        "https://www.bling.com.br/Api/v3/oauth/authorize?response_type=code&client_id=the-id&state=s%26t"
    )
    assert "the-secret" not in url
