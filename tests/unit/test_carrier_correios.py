"""Correios' codes and documents in our words, without a network."""

import csv
import json
import pathlib
import zoneinfo
from datetime import UTC, datetime, timedelta

import pytest
from django.utils.translation import override
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oscar_fulfillment.carriers.correios_codes import ATTEMPTS, CODES, WAY_BACK
from oscar_fulfillment.carriers.correios_mapping import explained, token_from, tracked_from
from oscar_fulfillment.carriers.events import IncidentClass, TrackingState
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable
from oscar_fulfillment.core.http import Answer
from oscar_fulfillment.selectors.tracking import sum_up
from oscar_fulfillment.test.carrier_case import CarrierCase

pytestmark = pytest.mark.feature("A13")

DATA = pathlib.Path(__file__).parent.parent / "data" / "correios"
BRASILIA = zoneinfo.ZoneInfo("America/Sao_Paulo")
S, I = TrackingState, IncidentClass  # noqa: E741
CODE = "AA123456785BR"
ROWS = list(csv.DictReader((DATA / "codes.csv").open(encoding="utf-8")))


def recorded(name):
    return Answer(200, {}, (DATA / name).read_bytes()).json()


def event(code, text="", detail="", at="2026-03-02T10:00:00", **more):
    kind, _slash, number = code.partition("/")
    return {"codigo": kind, "tipo": number, "descricao": text, "detalhe": detail, "dtHrCriado": at, **more}


def read(*events, code=CODE):
    [answer] = tracked_from({"objetos": [{"codObjeto": code, "eventos": list(events)}]}, [code], BRASILIA)
    return answer.events


def meant(*arguments):
    [found] = read(event(*arguments))
    return found.state, found.incident


# Codes


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["code"])
def test_every_code_is_in_the_table_with_its_class(row):
    meaning = CODES[row["code"]]
    assert meaning.text
    if row["code"].endswith("/79"):
        # "Contratante" is who has the contract: no proof that the recipient has it.
        assert (row["class"], meaning.state, meaning.incident) == ("delivered", S.INFO, I.UNKNOWN)
    elif row["kind"] == "status":
        assert (str(meaning.state), meaning.incident) == (row["class"], None)
    else:
        assert str(meaning.incident) == row["class"]
        assert meaning.state not in (S.DELIVERED, S.UNKNOWN)
    assert meaning.retracts == row["code"].startswith("EST/")


def test_the_table_has_no_codes_of_its_own_but_the_types():
    assert len(ROWS) == 323
    extra = set(CODES) - {row["code"] for row in ROWS}
    assert extra == {"CD", "CMT", "CO", "DO", "EST", "LDI", "OEC", "PO", "RO", "TRI"}
    assert not [code for code in extra if CODES[code].state == S.DELIVERED]
    assert set(CODES) >= ATTEMPTS | WAY_BACK


def test_delivered_are_four_numbers_of_the_last_round_and_nothing_else():
    delivered = {code for code, meaning in CODES.items() if meaning.state == S.DELIVERED}
    assert delivered == {f"{kind}/{number}" for kind in ("BDE", "BDI", "BDR") for number in ("00", "01", "67", "70")}


@pytest.mark.parametrize(
    ("code", "state"),
    [("RO/01", S.IN_TRANSIT), ("DO/2", S.IN_TRANSIT), ("PO/77", S.PICKED_UP), ("OEC/55", S.OUT_FOR_DELIVERY),
     ("LDI/88", S.READY_FOR_PICKUP), ("EST/77", S.INFO), ("BDE/97", S.UNKNOWN), ("PAR/99", S.UNKNOWN),
     ("BLQ/99", S.UNKNOWN), ("XYZ/01", S.UNKNOWN), ("XYZ", S.UNKNOWN), ("/01", S.UNKNOWN)],
)  # fmt: skip
def test_a_number_that_is_not_in_the_table_means_what_its_type_means_or_nothing(code, state):
    assert meant(code)[0] == state
    [found] = read(event(code))
    assert found.retracts == code.startswith("EST")


@pytest.mark.parametrize(
    ("number", "code"), [("1", "BDE/01"), (1, "BDE/01"), ("01", "BDE/01"), ("001", "BDE/001"), (" 01 ", "BDE/01")]
)
def test_numbers_are_written_with_two_digits(number, code):
    [found] = read(event("BDE/01") | {"tipo": number})
    assert found.code == code


# Words that decide


ATTEMPT = "Carteiro não atendido - Entrega não realizada"


@pytest.mark.parametrize("code", ["BDE/02", "BDI/20", "BDR/21"])
@pytest.mark.parametrize(
    ("detail", "state", "incident"),
    [
        (
            "Aguarde: objeto estará disponível para retirada na unidade a ser informada.",
            S.DELIVERY_FAILED,
            I.AWAITING_PICKUP,
        ),
        ("Será realizada nova tentativa de entrega", S.DELIVERY_FAILED, I.ABSENT),
        ("SERÁ REALIZADA NOVA TENTATIVA DE ENTREGA NO SÁBADO", S.DELIVERY_FAILED, I.ABSENT),
        ("Objeto será devolvido ao remetente", S.RETURNING, I.ABSENT),
        ("Objeto em devolução: será devolvido  ao  remetente", S.RETURNING, I.ABSENT),
    ],
)
def test_under_one_headline_the_detail_line_decides(code, detail, state, incident):
    assert meant(code, ATTEMPT, detail) == (state, incident)


@pytest.mark.parametrize(
    ("code", "state", "incident"),
    [
        ("BDE/02", S.DELIVERY_FAILED, I.AWAITING_PICKUP),
        ("BDE/20", S.DELIVERY_FAILED, I.ABSENT),
        ("BDE/21", S.RETURNING, I.ABSENT),
    ],
)
def test_without_a_detail_line_the_code_decides(code, state, incident):
    assert meant(code, ATTEMPT) == meant(code, ATTEMPT, "Olá") == (state, incident)


def test_other_codes_are_not_read_by_their_words():
    assert meant("BDE/22", "Objeto devolvido aos Correios") == (S.IN_TRANSIT, I.CARRIER_DELAY)
    assert meant("BDE/07", "Endereço incorreto", "Objeto sujeito a atraso na entrega ou a devolução ao remetente") == (
        S.DELIVERY_FAILED,
        I.ADDRESS_WRONG,
    )


@pytest.mark.parametrize(
    ("text", "detail", "state"),
    [
        ("Objeto entregue ao destinatário", "", S.DELIVERED),
        (
            "Objeto entregue ao destinatário",
            "Entrega realizada em endereço vizinho, conforme autorizado pelo remetente",
            S.DELIVERED,
        ),
        ("Objeto entregue ao destinatário", "Recebido por: DEVOLVIDA DA SILVA", S.DELIVERED),
        ("", "", S.DELIVERED),
        ("Objeto entregue ao remetente", "", S.RETURNED),
        ("OBJETO ENTREGUE AO REMETENTE", "", S.RETURNED),
        ("Objeto devolvido", "", S.RETURNED),
        ("Entrega não realizada", "", S.UNKNOWN),
    ],
)
def test_delivered_needs_a_headline_that_does_not_say_otherwise(text, detail, state):
    for code in ("BDE/01", "BDR/67"):
        [found] = read(event(code, text, detail))
        assert found.state == state
        assert found.is_return == (state == S.RETURNED)


def test_out_for_delivery_to_the_sender_is_a_way_back():
    assert meant("OEC/01", "Objeto saiu para entrega ao remetente") == (S.RETURNING, I.RETURNING)
    assert meant("OEC/09", "Objeto saiu para entrega ao remetente") == (S.RETURNING, I.RETURNING)
    assert meant("LDI/01", "Objeto aguardando retirada pelo remetente")[0] == S.RETURNING


def test_the_proof_of_delivery_moves_nothing():
    assert meant("PMT/01", "Comprovante de entrega disponível")[0] == S.INFO
    assert meant("PMT/01", "Objeto encaminhado para")[0] == S.IN_TRANSIT


@pytest.mark.parametrize("code", sorted(WAY_BACK))
def test_what_happens_to_the_sender_is_of_the_way_back(code):
    [found] = read(event(code))
    assert found.is_return
    assert sum_up([found], datetime.now(UTC)).state in (S.RETURNING, S.RETURNED)


def test_a_delivery_to_the_recipient_stands_whatever_was_planned():
    events = read(event("BDE/21", at="2026-03-01T10:00:00"), event("BDE/01", "Objeto entregue ao destinatário"))
    assert sum_up(events, datetime.now(UTC)).state == S.DELIVERED
    events = read(event("BDE/21", at="2026-03-01T10:00:00"), event("BDE/01"))
    assert sum_up(events, datetime.now(UTC)).state == S.RETURNED


# Documents


def test_a_recorded_answer_is_read():
    known, unknown, none = tracked_from(recorded("objects.json"), [CODE, "AA000000014BR", "AA999999995BR"], BRASILIA)
    told = [(e.code, e.state, e.incident, e.retracts) for e in known.events]
    assert told == [
        ("PO/01", S.PICKED_UP, None, False),
        ("RO/01", S.IN_TRANSIT, None, False),
        ("BDE/20", S.DELIVERY_FAILED, I.ABSENT, False),
        ("EST/01", S.INFO, I.CORRECTION, True),
        ("OEC/01", S.OUT_FOR_DELIVERY, None, False),
        ("BDE/01", S.DELIVERED, None, False),
    ]
    assert known.events[-1].occurred_at == datetime(2022, 5, 31, 17, 26, 30, tzinfo=UTC)
    assert known.events[1].place == "Unidade de Tratamento, CAJAMAR/SP → CURITIBA/PR"
    assert (unknown.problem, unknown.events, none.problem) == ("not_found", (), "not_found")


def test_each_code_is_answered_in_its_order_and_strangers_are_passed_over():
    document = {
        "objetos": [{"codObjeto": "AA000000028BR", "eventos": [event("PO/01")]}, {"codObjeto": "ZZ1"}, 7, None, {}]
    }
    found = tracked_from(document, [CODE, "AA000000028BR"], BRASILIA)
    assert [(answer.code, answer.problem, len(answer.events)) for answer in found] == [
        (CODE, "not_found", 0),
        ("AA000000028BR", "", 1),
    ]


@pytest.mark.parametrize("document", [None, [], {}, "x", 7, {"objetos": {}}, {"objetos": None}, {"objetos": "x"}])
def test_what_is_no_list_of_objects_is_no_news(document):
    with pytest.raises(AdapterUnavailable):
        tracked_from(document, [CODE], BRASILIA)


def test_an_event_without_a_time_is_left_out_and_said_so(caplog):
    assert [e.code for e in read(event("PO/01"), event("BDE/01", at="ontem"), event("BDE/02", at=None))] == ["PO/01"]
    assert "event BDE/01 has no time" in caplog.text


def test_an_event_told_twice_is_one():
    assert len(read(event("PO/01"), event("PO/01"), event("PO/01", at="2026-03-02T10:00:01"))) == 2


def test_another_message_than_unknown_is_said(caplog):
    answers = tracked_from(
        {"objetos": [{"codObjeto": CODE, "mensagem": "SRO-999: <b>Manutenção</b>\n"}]}, [CODE], BRASILIA
    )
    assert answers[0].problem == "not_found"
    assert f"Correios says of {CODE}: SRO-999" in caplog.text


def test_the_hours_of_a_clock_that_was_put_forward_are_read_too():
    # Brazil had summer time until 2019: this hour did not exist, and one of the other end existed twice.
    first, second = read(event("PO/01", at="2018-02-17T23:30:00"), event("RO/01", at="2018-11-04T00:30:00"))
    assert first.occurred_at < second.occurred_at


def test_a_recorded_token_is_good_until_its_end_in_brasilia():
    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # 9:00 there
    token, seconds = token_from(recorded("token.json"), now, BRASILIA)
    assert token.startswith("eyJ")
    assert seconds == timedelta(hours=23, minutes=59, seconds=59).total_seconds()


@pytest.mark.parametrize(
    ("end", "seconds"),
    [("2026-03-02T09:10:00", 600.0), ("2026-03-02T12:10:00+00:00", 600.0), ("2020-01-01T00:00:00", 0.0),
     ("2030-01-01T00:00:00", 86_400.0), (None, 3600.0), ("", 3600.0), (17, 3600.0)],
)  # fmt: skip
def test_the_life_of_a_token(end, seconds):
    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert token_from({"token": "t", "expiraEm": end}, now, BRASILIA) == ("t", seconds)


@pytest.mark.parametrize(
    "document", [None, [], {}, {"token": None}, {"token": ""}, {"token": "a\nb"}, {"token": ["t"]}]
)
def test_what_holds_no_token_is_no_token(document):
    with pytest.raises(AdapterUnavailable):
        token_from(document, datetime.now(UTC), BRASILIA)


def test_refusals_are_explained_in_the_words_of_correios():
    body = (DATA / "error_language.json").read_bytes()
    with override("en"):
        assert str(explained(AdapterRejected("x", status=400, body=body))).startswith("Correios refused: SRO-018")
        for status in (401, 403):
            assert "posting card" in str(explained(AdapterRejected("x", status=status, body=body)))


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"null", b'{"msgs": 7}', b'{"msgs": [7, null]}', b'{"msgs": {}}', b"[" * 100_000, b"\xff"],
)
def test_a_refusal_without_words_shows_its_number(body):
    with override("en"):
        assert str(explained(AdapterRejected("x", status=422, body=body))) == "Correios refused: 422"


def test_hostile_words_of_a_refusal_are_cut_and_cleaned():
    body = json.dumps({"msgs": ["<script>\x00\r\n" + "x" * 10_000] * 9}).encode()
    message = str(explained(AdapterRejected("x", status=400, body=body)))
    assert message.isprintable()
    assert len(message) < 1_000


# Hostile input


# The machines that run this are busy.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
odd_event = st.fixed_dictionaries(
    {},
    optional={
        "codigo": anything | st.sampled_from(["BDE", "EST", "OEC", "PMT"]),
        "tipo": anything | st.sampled_from(["01", "20", "9"]),
        "descricao": anything | st.text(max_size=2_000),
        "detalhe": anything,
        "dtHrCriado": anything | st.datetimes().map(lambda at: at.isoformat()),
        "unidade": anything | st.fixed_dictionaries({"tipo": anything, "endereco": anything}),
        "unidadeDestino": anything,
    },
)


@PATIENT
@given(st.lists(odd_event | anything, max_size=6), anything)
def test_whatever_correios_says_is_read_as_sound_events(events, message):
    answers = tracked_from({"objetos": [{"codObjeto": CODE, "eventos": events, "mensagem": message}]}, [CODE], BRASILIA)
    assert [answer.code for answer in answers] == [CODE]
    CarrierCase().sound(answers[0])
    sum_up(answers[0].events, datetime.now(UTC))


@PATIENT
@given(anything)
def test_whatever_comes_is_an_answer_or_tried_later(document):
    try:
        answers = tracked_from(document, [CODE], BRASILIA)
    except AdapterUnavailable:
        answers = []
    for answer in answers:
        CarrierCase().sound(answer)
    try:
        token, seconds = token_from(document, datetime.now(UTC), BRASILIA)
    except AdapterUnavailable:
        token, seconds = "t", 0.0
    assert token.isascii()
    assert 0 <= seconds <= 86_400
