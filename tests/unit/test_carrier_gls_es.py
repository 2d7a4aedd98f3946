"""GLS Spain: its documents read, every code mapped, clocks, hostile texts, options."""

from dataclasses import fields
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.carriers import soap
from oscar_fulfillment.carriers.base import Capability
from oscar_fulfillment.carriers.events import FINAL, MAX_TEXT, IncidentClass, Tracked, TrackingEvent, TrackingState
from oscar_fulfillment.carriers.gls_es import GlsSpain
from oscar_fulfillment.carriers.gls_es_codes import CODES, LINKS, REMARKS, TURNS
from oscar_fulfillment.carriers.gls_es_mapping import tracked_from
from oscar_fulfillment.core.exceptions import AdapterRejected, ConfigurationError
from oscar_fulfillment.core.registry import Registry

pytestmark = pytest.mark.feature("E13")
DATA = Path(__file__).parents[1] / "data" / "gls_es"
CODE = "61197140245758"
UID = "6BAB7A53-3B6D-4D5A-9450-702D2FAC0B11"


def recorded(name):
    return soap.child(soap.parse(soap.decoded((DATA / f"{name}.xml").read_bytes())), "Body")[0]


def answered(*shipments):
    body = "".join(shipments)
    return soap.parse(f"<r><GetExpCliResult><expediciones>{body}</expediciones></GetExpCliResult></r>")


def shipment(*rows, **names):
    head = "".join(f"<{name}>{value}</{name}>" for name, value in ({"codbar": CODE} | names).items())
    return f"<exp>{head}<tracking_list>{''.join(rows)}</tracking_list></exp>"


def row(kind="ESTADO", number="2", text="", moment="28/03/2026 09:02:00", place=""):
    values = {"fecha": moment, "tipo": kind, "codigo": number, "evento": text, "nombreplaza": place}
    return f"<tracking>{''.join(f'<{name}>{escape(value)}</{name}>' for name, value in values.items())}</tracking>"


def told(*rows):
    return tracked_from(CODE, answered(shipment(*rows))).events


# Documents


def test_the_story_of_a_parcel():
    tracked = tracked_from(CODE, recorded("getexpcli"))
    assert (tracked.code, tracked.problem) == (CODE, "")
    assert [(event.code, event.state, f"{event.occurred_at:%d %H:%M:%S}") for event in tracked.events] == [
        ("ESTADO/-10", TrackingState.PENDING, "27 18:05:11"),
        ("ESTADO/6", TrackingState.OUT_FOR_DELIVERY, "28 08:02:00"),
        ("INCIDENCIA/9", TrackingState.DELIVERY_FAILED, "28 12:40:00"),
        ("SOLUCION", TrackingState.INFO, "28 15:00:00"),
        ("ESTADO/7", TrackingState.DELIVERED, "29 10:15:00"),
        ("ENTREGA", TrackingState.INFO, "29 10:15:00"),
        ("NOVEDAD/4", TrackingState.UNKNOWN, "29 10:30:00"),
    ]
    absent = tracked.events[2]
    assert (absent.text, absent.note, absent.place) == ("AUSENTE", "EL PORTERO DICE <mañana>", "MADRID CENTRO")
    assert absent.incident == IncidentClass.ABSENT
    assert tracked.events[-2].text == "PEREZ, ANA"
    assert not any(event.is_return or "firma.jpg" in event.text for event in tracked.events)


def test_a_shipment_that_is_not_known():
    assert tracked_from(CODE, recorded("not_found")) == Tracked(CODE, problem="not_found")
    for answer in (answered(), soap.parse("<r/>"), soap.parse("<r><GetExpCliResult/></r>"), answered("<x/>")):
        assert tracked_from(CODE, answer).problem == "not_found"


def test_another_problem_is_a_refusal_in_their_words():
    with pytest.raises(AdapterRejected, match="GLS: Servicio no contratado"):
        tracked_from(CODE, answered("<Error>Servicio no contratado</Error>"))


def test_a_shipment_without_events_is_known():
    for answer in (answered(shipment()), answered(f"<exp><codbar>{CODE}</codbar></exp>")):
        assert tracked_from(CODE, answer) == Tracked(CODE, [])


@pytest.mark.parametrize("name", ["codbar", "codexp", "expedicion", "albaran", "uidExp", "refC", "refGlsN", "refGlsG"])
def test_of_several_shipments_the_one_that_bears_the_code_counts(name):
    ours = f"<exp><{name}>ref-1</{name}><tracking_list>{row(number='7')}</tracking_list></exp>"
    others = [shipment(row(number="5"), codbar="1"), shipment(row(number="6"), codbar="2")]
    [event] = tracked_from("REF-1", answered(others[0], ours, others[1])).events
    assert event.code == "ESTADO/7"


def test_a_reference_of_several_shipments_names_none(caplog):
    both = [shipment(row(number=number), refC="R1") for number in ("5", "7")]
    assert tracked_from("R1", answered(*both)).problem == "not_found"
    assert tracked_from("R2", answered(*both)).problem == "not_found"
    assert "R1 names 2 shipments" in caplog.text
    assert [event.code for event in tracked_from("R2", answered(both[1])).events] == ["ESTADO/7"]


@pytest.mark.parametrize("moment", ["", "ayer", "2026-03-28T10:00:00", "31/02/2026 10:00:00", "01/01/1900 0:00:00"])
def test_what_has_no_time_is_no_event(moment):
    assert [event.code for event in told(row(moment=moment), row(number="7"))] == ["ESTADO/7"]


def test_hostile_texts_are_kept_short_and_on_one_line():
    nasty = "<script>alert(1)</script>\r\n\u202e " + "y" * 100_000
    [event] = told(row(kind="<INCIDENCIA>", number='9"><b>', text=f"A -- {nasty}", place=nasty))
    assert (event.code, event.state) == ("INCIDENCIA/9b", TrackingState.UNKNOWN)
    for field in fields(TrackingEvent):
        value = getattr(event, field.name)
        if isinstance(value, str):
            assert len(value) <= MAX_TEXT
            assert value.isprintable()
    [long] = told(row(kind="A" * 1_000, number="1" * 1_000))
    assert len(long.code) <= 64


@given(st.text(max_size=40), st.text(max_size=30), st.text(max_size=30))
def test_whatever_stands_in_a_row_is_an_event_or_none(kind, number, text):
    for event in told(row(kind=kind, number=number, text=text)):
        assert event.code.isascii()
        assert event.state in TrackingState


# Codes


@pytest.mark.parametrize("code", [code for code in CODES if "/" in code])
def test_every_code_has_one_meaning(code):
    kind, number = code.split("/")
    [event] = told(row(kind=kind, number=number))
    meaning = CODES[code]
    assert (event.code, event.state, event.text, event.incident) == (
        code,
        meaning.state,
        meaning.text,
        meaning.incident,
    )


def test_the_tables_are_complete():
    kinds = [code.partition("/")[0] for code in CODES]
    assert (kinds.count("ESTADO"), kinds.count("INCIDENCIA")) == (28, 48)
    assert set(CODES) >= TURNS


def test_delivered_is_one_code_alone():
    assert [code for code, meaning in CODES.items() if meaning.state == TrackingState.DELIVERED] == ["ESTADO/7"]
    assert {code for code, meaning in CODES.items() if meaning.state in FINAL} == {
        "ESTADO/5",
        "ESTADO/7",
        "ESTADO/12",
        "ESTADO/17",
    }
    [shop] = told(row(number="22", text="ENTREGADO EN PARCELSHOP"))
    assert shop.state == TrackingState.READY_FOR_PICKUP


@pytest.mark.parametrize(
    ("kind", "number", "code"),
    [
        ("ESTADO", "77", "ESTADO/77"),
        ("ESTADO", "", "ESTADO/?"),
        ("ESTADO", "-0", "ESTADO/-0"),
        ("INCIDENCIA", "999", "INCIDENCIA/999"),
        ("", "7", "?/7"),
        ("NOVEDAD", "", "NOVEDAD/?"),
    ],
)
def test_an_unknown_code_is_kept_and_not_guessed(kind, number, code):
    [event] = told(row(kind=kind, number=number, text="ALGO"))
    assert (event.code, event.state, event.text) == (code, TrackingState.UNKNOWN, "ALGO")
    assert event.incident == IncidentClass.UNKNOWN


@pytest.mark.parametrize(("number", "code"), [("7", "7"), ("07", "7"), (" 7 ", "7"), ("-10", "-10"), ("000", "0")])
def test_numbers_are_read_however_they_are_filled(number, code):
    assert told(row(number=number))[0].code == f"ESTADO/{code}"


@pytest.mark.parametrize("kind", sorted(REMARKS))
def test_remarks_move_nothing(kind):
    [event] = told(row(kind=kind, number="7", text="SE ENTREGARA A LAS 5"))
    assert (event.code, event.state, event.incident) == (kind, TrackingState.INFO, None)


@pytest.mark.parametrize("kind", sorted(LINKS))
def test_links_are_no_events(kind):
    assert told(row(kind=kind, text="https://example.com/firma.jpg")) == []


# The way back


@pytest.mark.parametrize("turn", ["10", "12", "15", "51"])
def test_nothing_is_delivered_on_the_way_back(turn):
    events = told(
        row(number="6", moment="01/04/2026 10:00:00"),
        row(number=turn, moment="02/04/2026 10:00:00"),
        row(number="8", moment="03/04/2026 10:00:00"),
        row(number="7", moment="04/04/2026 10:00:00"),
    )
    assert [event.is_return for event in events] == [False, True, True, True]
    assert [event.state for event in events[2:]] == [TrackingState.RETURNING, TrackingState.RETURNED]


def test_newest_first_is_read_as_well():
    events = told(
        row(number="7", moment="04/04/2026 10:00:00"),
        row(number="15", moment="02/04/2026 10:00:00"),
        row(number="6", moment="01/04/2026 10:00:00"),
    )
    assert [event.code for event in events] == ["ESTADO/6", "ESTADO/15", "ESTADO/7"]
    assert events[2].state == TrackingState.RETURNED


@pytest.mark.parametrize(("kind", "number"), [("ESTADO", "13"), ("ESTADO", "14"), ("INCIDENCIA", "80")])
def test_a_return_that_is_only_asked_for_turns_nothing(kind, number):
    events = told(
        row(kind=kind, number=number, moment="01/04/2026 10:00:00"), row(number="7", moment="02/04/2026 10:00:00")
    )
    assert events[0].incident == IncidentClass.RETURNING
    assert (events[1].state, events[1].is_return) == (TrackingState.DELIVERED, False)


# Clocks and options


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("15/01/2026 12:00:00", datetime(2026, 1, 15, 11, tzinfo=UTC)),  # winter
        ("15/07/2026 12:00:00", datetime(2026, 7, 15, 10, tzinfo=UTC)),  # summer
        ("29/03/2026 1:59:59", datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)),
        ("29/03/2026 03:00", datetime(2026, 3, 29, 1, tzinfo=UTC)),
        ("25/10/2026 2:30:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("01/12/2026 0:00:00", datetime(2026, 11, 30, 23, tzinfo=UTC)),  # day first
    ],
)
def test_clocks_are_madrids(written, utc):
    assert told(row(moment=written))[0].occurred_at == utc


def test_what_it_can_do():
    carrier = GlsSpain(alias="gls_es", uid=UID)
    assert carrier.capabilities == {Capability.TRACK, Capability.TRACKING_URL}
    assert carrier.tracking_url(CODE) == f"https://gls-group.eu/track/{CODE}"
    assert carrier.matches("gls-24h", "") is True
    with pytest.raises(AdapterRejected):
        carrier.create_order(None, key="1")


@pytest.mark.parametrize(
    "wrong",
    [{"uid": ""}, {"uid": "  "}, {"uid": None}, {"uid": 7}, {"base_url": "x"}, {"like": "x"}, {"password": "y"}],
)
def test_wrong_options_are_a_configuration_error(settings, wrong):
    options = {"uid": UID, **wrong}
    settings.OSCAR_FULFILLMENT = {
        **settings.OSCAR_FULFILLMENT,
        "CARRIERS": {"gls": {"BACKEND": "oscar_fulfillment.carriers.gls_es.GlsSpain", "OPTIONS": options}},
    }
    with pytest.raises(ConfigurationError) as caught:
        Registry("CARRIERS").get("gls")
    assert UID not in str(caught.value)


def test_nothing_of_it_shows_the_uid():
    carrier = GlsSpain(alias="gls_es", uid=UID)
    assert UID not in repr(carrier) + repr(carrier._soap) + repr(carrier._http)
