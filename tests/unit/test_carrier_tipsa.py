"""TIPSA: its documents read, every code mapped, clocks of winter and summer, hostile texts, options."""

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from html import escape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.carriers import soap
from oscar_fulfillment.carriers.base import Capability, TrackingCodeError
from oscar_fulfillment.carriers.events import (
    FINAL,
    MAX_TEXT,
    Distance,
    IncidentClass,
    TrackingEvent,
    TrackingState,
)
from oscar_fulfillment.carriers.timeline import in_order, local_time
from oscar_fulfillment.carriers.tipsa import Tipsa
from oscar_fulfillment.carriers.tipsa_codes import CODES, INCIDENTS, STATUSES, TURNS
from oscar_fulfillment.carriers.tipsa_mapping import (
    ZONE,
    Reference,
    asked,
    distance_from,
    incidents_from,
    merged,
    reference_from,
    statuses_from,
)
from oscar_fulfillment.core.exceptions import AdapterUnanswered, ConfigurationError
from oscar_fulfillment.core.registry import Registry
from oscar_fulfillment.selectors.tracking import sum_up

pytestmark = pytest.mark.feature("E13")
DATA = Path(__file__).parents[1] / "data" / "tipsa"
OPTIONS = {"agency": "028002", "customer": "33333", "password": "secret"}


def inside(name, field):
    document = soap.parse(soap.decoded((DATA / f"{name}.xml").read_bytes()))
    return soap.raw(soap.child(document, "Body")[0], field)


def statuses(*rows):
    found = "".join(
        f'<ENV_ESTADOS I_ID="{number}" V_COD_TIPO_EST="{escape(code)}" D_FEC_HORA_ALTA="{moment}"/>'
        for number, (code, moment) in enumerate(rows, 1)
    )
    return statuses_from(f"<CONSULTA>{found}</CONSULTA>")


def incident(code="AS", note="", opened="02/06/2025 17:29:43", closed="", solved="False", **more):
    row = {
        "I_ID": "1",
        "V_COD_TIPO_INC": code,
        "T_OBS": note,
        "D_FEC_HORA_ALTA": opened,
        "D_FEC_HORA_CIERRE": closed,
        "B_RESUELTA": solved,
        **more,
    }
    attributes = " ".join(f'{name}="{escape(value)}"' for name, value in row.items())
    return incidents_from(f"<CONSULTA><ENV_INCIDENCIAS><INC {attributes}/></ENV_INCIDENCIAS></CONSULTA>")


# Documents


def test_the_story_of_a_parcel():
    events = merged(
        statuses_from(inside("estados", "strEnvEstados")), incidents_from(inside("incidencias", "strEnvIncidencias"))
    )
    assert [(event.code, event.external_id, event.state, f"{event.occurred_at:%H:%M:%S}") for event in events] == [
        ("EST/1", "EST/1", TrackingState.IN_TRANSIT, "16:28:02"),
        ("INC/AS", "INC/1", TrackingState.DELIVERY_FAILED, "16:29:43"),
        ("INC/FL", "INC/2", TrackingState.ON_HOLD, "16:30:01"),
        ("EST/2", "EST/4", TrackingState.OUT_FOR_DELIVERY, "16:30:13"),
        ("INC/AS/RESUELTA", "INC/1/RESUELTA", TrackingState.INFO, "16:30:13"),
        ("EST/3", "EST/5", TrackingState.DELIVERED, "16:30:19"),
    ]
    absent = events[1]
    assert (absent.note, absent.text, absent.incident) == (
        "no había nadie & el portal cerrado",
        "Ausente",
        IncidentClass.ABSENT,
    )
    assert not any(event.is_return for event in events)


def test_a_document_that_is_escaped_instead_of_quoted_is_read_as_well():
    [event] = statuses_from(inside("estados_escaped", "strEnvEstados"))
    assert (event.code, event.incident) == ("EST/4", IncidentClass.DELIVERY_FAILED)
    assert event.occurred_at == datetime(2024, 11, 28, 16, 50, 44, tzinfo=UTC)


@pytest.mark.parametrize("document", ["", "  \n", "<CONSULTA/>", "<CONSULTA></CONSULTA>", "<CONSULTA><X/></CONSULTA>"])
def test_an_empty_document_has_no_events(document):
    assert statuses_from(document) == incidents_from(document) == []


@pytest.mark.parametrize(
    "document", ["<CONSULTA>", "text", '<!DOCTYPE x [<!ENTITY a "b">]><CONSULTA/>', "<CONSULTA>&a;</CONSULTA>"]
)
def test_a_document_that_cannot_be_read_is_no_answer(document):
    with pytest.raises(AdapterUnanswered):
        statuses_from(document)
    with pytest.raises(AdapterUnanswered):
        incidents_from(document)


def test_events_of_one_second_stay_in_tipsas_order():
    document = (
        '<CONSULTA><ENV_ESTADOS I_ID="10" V_COD_TIPO_EST="3" D_FEC_HORA_ALTA="02/06/2025 17:00:00"/>'
        '<ENV_ESTADOS I_ID="9" V_COD_TIPO_EST="2" D_FEC_HORA_ALTA="02/06/2025 17:00:00"/></CONSULTA>'
    )
    assert [event.code for event in merged(statuses_from(document), [])] == ["EST/2", "EST/3"]


@pytest.mark.parametrize("moment", ["", "soon", "2025-02-06 17:00:00", "13/13/2025 10:00:00", "12/30/1899 00:00:00"])
def test_what_has_no_time_is_no_event(moment):
    assert statuses(("3", moment), ("2", "02/06/2025 17:00:00"))[0].code == "EST/2"
    assert incident(opened=moment) == []


# Incidents


def test_a_status_that_only_says_incident_stays_where_no_incident_explains_it():
    told = merged(statuses(("4", "02/06/2025 17:29:43"), ("4", "02/06/2025 18:00:00")), incident())
    assert [(event.code, event.incident) for event in told] == [
        ("INC/AS", IncidentClass.ABSENT),
        ("EST/4", IncidentClass.DELIVERY_FAILED),
    ]


def test_two_incidents_of_one_second_take_the_place_of_two_statuses():
    both = [*incident(), *incident(code="DI", I_ID="2")]
    told = merged(statuses(*[("4", "02/06/2025 17:29:43")] * 3), both)
    assert sorted(event.code for event in told) == ["EST/4", "INC/AS", "INC/DI"]


def test_an_unknown_incident_is_kept_beside_the_status():
    told = merged(statuses(("4", "02/06/2025 17:29:43")), incident(code="XYZ", V_DES_TIPO_INC="ALGO NUEVO"))
    assert {(event.code, event.state, event.text, event.incident) for event in told} == {
        ("EST/4", TrackingState.DELIVERY_FAILED, "Incidencia", IncidentClass.DELIVERY_FAILED),
        ("INC/XYZ", TrackingState.UNKNOWN, "ALGO NUEVO", IncidentClass.UNKNOWN),
    }


def test_a_correction_takes_back_what_was_said_before():
    [event] = incident(code="MCC")
    assert (event.retracts, event.incident, event.state) == (True, IncidentClass.CORRECTION, TrackingState.INFO)


def test_what_was_corrected_is_taken_back_and_not_the_news_that_it_is_closed():
    closed = {"D_FEC_HORA_CIERRE": "02/06/2025 17:40:00", "B_RESUELTA": "True"}
    wrong = {"I_ID": "1", "V_COD_TIPO_INC": "AS", "D_FEC_HORA_ALTA": "02/06/2025 17:29:43", **closed}
    right = {"I_ID": "2", "V_COD_TIPO_INC": "MCC", "D_FEC_HORA_ALTA": "02/06/2025 17:40:00"}
    later = {"I_ID": "3", "V_COD_TIPO_INC": "DI", "D_FEC_HORA_ALTA": "02/06/2025 17:41:00", **closed}
    later["D_FEC_HORA_CIERRE"] = "02/06/2025 18:00:00"
    rows = (" ".join(f'{name}="{value}"' for name, value in row.items()) for row in (wrong, right, later))
    found = "".join(f"<ENV_INCIDENCIAS><INC {row}/></ENV_INCIDENCIAS>" for row in rows)
    told = merged([], incidents_from(f"<CONSULTA>{found}</CONSULTA>"))
    assert [event.code for event in told] == ["INC/AS", "INC/MCC", "INC/DI", "INC/DI/RESUELTA"]
    summary = sum_up(told, datetime(2025, 3, 1, tzinfo=UTC))
    assert (summary.state, summary.incident) == (TrackingState.DELIVERY_FAILED, "address_wrong")


@pytest.mark.parametrize(
    ("closed", "solved", "events"),
    [
        ("02/06/2025 18:00:00", "True", 2),
        ("02/06/2025 18:00:00", "true", 2),
        ("02/06/2025 18:00:00", "False", 1),
        ("", "True", 1),
        ("12/30/1899 00:00:00", "True", 1),
    ],
)
def test_an_incident_is_solved_when_tipsa_says_so_and_when(closed, solved, events):
    assert len(incident(closed=closed, solved=solved)) == events


def test_hostile_texts_are_kept_short_and_on_one_line():
    nasty = "<script>alert(1)</script>\r\n\x1b[31m\u202e Bcc: x " + "y" * 100_000
    [event] = incident(code='A"><b>&' + "S" * 100, note=nasty, V_DES_TIPO_INC=nasty, I_ID="<1>")
    assert event.note.startswith("<script>alert(1)</script> ")
    for field in fields(TrackingEvent):
        value = getattr(event, field.name)
        if isinstance(value, str):
            assert len(value) <= MAX_TEXT
            assert value.isprintable()
    assert (event.code, event.external_id) == ("INC/Ab" + "S" * 18, "INC/1")


@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_stands_in_a_row_is_an_event_or_none(code, moment):
    xml = f'<CONSULTA><ENV_ESTADOS V_COD_TIPO_EST="{escape(code)}" D_FEC_HORA_ALTA="{escape(moment)}"/></CONSULTA>'
    assert statuses_from(xml) == []
    [event] = statuses((code, "02/06/2025 17:00:00"))
    assert event.code.isascii()
    assert event.state in TrackingState


# Codes


@pytest.mark.parametrize(("code", "meaning"), STATUSES.items())
def test_every_status_has_one_meaning(code, meaning):
    [event] = statuses((code.removeprefix("EST/"), "02/06/2025 17:00:00"))
    assert (event.code, event.state, event.text, event.incident) == (
        code,
        meaning.state,
        meaning.text,
        meaning.incident,
    )


@pytest.mark.parametrize(("code", "meaning"), INCIDENTS.items())
def test_every_incident_has_one_meaning(code, meaning):
    [event] = incident(code=code.removeprefix("INC/"))
    assert (event.code, event.state, event.text, event.incident) == (
        code,
        meaning.state,
        meaning.text,
        meaning.incident,
    )
    assert event.incident is not None


def test_delivered_is_one_code_alone():
    assert [code for code, meaning in CODES.items() if meaning.state == TrackingState.DELIVERED] == ["EST/3"]
    assert {code for code, meaning in CODES.items() if meaning.state in FINAL} == {"EST/3", "EST/5", "EST/10"}
    assert [code for code, meaning in CODES.items() if meaning.retracts] == ["INC/MCC"]
    assert set(CODES) >= TURNS


@pytest.mark.parametrize("code", ["18", "99", "", "EST/3", "03", "entregado"])
def test_an_unknown_status_is_kept_and_not_guessed(code):
    [event] = statuses((code, "02/06/2025 17:00:00"))
    assert (event.state, event.incident) == (TrackingState.UNKNOWN, IncidentClass.UNKNOWN)
    assert event.code.startswith("EST/")
    assert len(event.code) > len("EST/")


# The way back


def test_nothing_is_delivered_on_the_way_back():
    told = merged(
        statuses(
            ("2", "02/06/2025 10:00:00"),
            ("5", "02/07/2025 10:00:00"),
            ("15", "02/08/2025 10:00:00"),
            ("3", "02/09/2025 10:00:00"),
        ),
        [],
    )
    assert [(event.state, event.is_return) for event in told] == [
        (TrackingState.OUT_FOR_DELIVERY, False),
        (TrackingState.RETURNED, True),
        (TrackingState.RETURNING, True),
        (TrackingState.RETURNED, True),
    ]


def test_a_courier_who_wants_to_send_it_back_does_not_turn_it():
    told = merged(
        statuses(("4", "02/06/2025 17:29:43"), ("3", "02/07/2025 10:00:00")), incident(code="DO", note="rechaza")
    )
    assert [(event.incident, event.is_return) for event in told] == [(IncidentClass.RETURNING, False), (None, False)]
    assert told[1].state == TrackingState.DELIVERED


def test_order_is_by_time_whatever_the_order_told():
    def event(code, hour, state=TrackingState.IN_TRANSIT):
        return TrackingEvent(code, datetime(2025, 2, 6, hour, tzinfo=UTC), state)

    told = in_order(
        [event("c", 12, TrackingState.DELIVERED), event("a", 9), event("b", 10)], lambda event: event.code == "b"
    )
    assert [(one.code, one.is_return) for one in told] == [("a", False), ("b", True), ("c", True)]
    assert told[2].state == TrackingState.RETURNED


# Clocks


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("01/15/2025 12:00:00", "2025-01-15T11:00:00+00:00"),  # winter
        ("07/15/2025 12:00:00", "2025-07-15T10:00:00+00:00"),  # summer
        ("03/30/2025 01:59:59", "2025-03-30T00:59:59+00:00"),
        ("03/30/2025 02:30:00", "2025-03-30T01:30:00+00:00"),  # an hour that was left out
        ("03/30/2025 03:00:00", "2025-03-30T01:00:00+00:00"),
        ("10/26/2025 02:30:00", "2025-10-26T00:30:00+00:00"),  # an hour that came twice: the first
        ("10/26/2025 03:00:00", "2025-10-26T02:00:00+00:00"),
        ("12/01/2025 00:00:00", "2025-11-30T23:00:00+00:00"),  # month first
    ],
)
def test_clocks_are_madrids(written, utc):
    [event] = statuses(("1", written))
    assert event.occurred_at.isoformat() == utc


def test_the_repeated_hour_keeps_the_order_of_events():
    told = statuses(("1", "10/26/2025 02:50:00"), ("2", "10/26/2025 02:10:00"), ("3", "10/26/2025 03:05:00"))
    assert [f"{event.occurred_at:%H:%M}" for event in told] == ["00:50", "01:10", "02:05"]


def test_an_earlier_event_outside_of_that_hour_stays_earlier():
    told = statuses(("1", "10/25/2025 12:00:00"), ("2", "10/25/2025 11:00:00"))
    assert told[0].occurred_at - told[1].occurred_at == timedelta(hours=1)


def test_questions_are_asked_year_first():
    assert asked(datetime(2025, 7, 1, 23, 30, tzinfo=UTC)) == "2025/07/02 01:30:00"
    assert asked(datetime(2025, 1, 1, 12, tzinfo=timezone(timedelta(hours=-3)))) == "2025/01/01 16:00:00"


def test_a_time_is_read_by_the_first_pattern_that_fits():
    assert local_time(" 01/02/2025 10:00 ", "%Y", "%d/%m/%Y %H:%M", zone=ZONE) == datetime(2025, 2, 1, 9, tzinfo=UTC)
    assert local_time("01/01/1999 10:00", "%d/%m/%Y %H:%M", zone=ZONE) is None
    assert local_time("", "%Y", zone=ZONE) is None


# References, distances, options


def test_a_reference_is_taken_apart():
    reference = reference_from("0990010280020000000017")
    assert reference == Reference("099001", "028002", "0000000017")
    assert str(reference) == "0990010280020000000017"
    assert reference.parameters == {
        "strCodAgeCargo": "099001",
        "strCodAgeOri": "028002",
        "strAlbaran": "0000000017",
    }


@pytest.mark.parametrize("code", ["", "1", "0" * 21, "0" * 23, "٠" * 22, "A" * 22, "0990010280020000000017\n"])
def test_what_is_no_reference(code):
    assert reference_from(code) is None


def test_a_waybill_alone_is_one_of_the_shops_agency():
    carrier = Tipsa(alias="tipsa", **OPTIONS)
    assert carrier.normalise_tracking_code(" 0000 000017 ") == "0280020280020000000017"
    assert carrier.normalise_tracking_code("0990010280020000000017") == "0990010280020000000017"
    assert carrier.tracking_url("0280020280020000000017").endswith("datos_env.php?id=0280020280020000000017")
    for wrong in ("000000017", "00000000017", "٠٠٠٠٠٠٠٠١٧", "0" * 10_000, None, 17):
        with pytest.raises(TrackingCodeError):
            carrier.normalise_tracking_code(wrong)


@pytest.mark.parametrize(
    ("text", "kilometres"),
    [("12.5", "12.5"), ("12,5", "12.5"), ("0", "0"), (" 91 ", "91"), ("1e1", "10")],
)
def test_a_distance(text, kilometres):
    assert distance_from(soap.parse(f"<r><dKms>{text}</dKms></r>")) == Distance(Decimal(kilometres))


@pytest.mark.parametrize("text", ["", "-1", "NaN", "Infinity", "20000", "far", "1.2.3", "1,000.5"])
def test_what_is_no_distance(text):
    assert distance_from(soap.parse(f"<r><dKms>{text}</dKms></r>")) is None
    assert distance_from(soap.parse("<r/>")) is None


def test_what_it_can_do():
    carrier = Tipsa(alias="express", **OPTIONS)
    assert carrier.capabilities == {Capability.TRACK, Capability.DISTANCE, Capability.TRACKING_URL}
    assert str(carrier.name) == "TIPSA"
    assert carrier.matches("tipsa-24", "") is True
    assert carrier.matches("", "Correos") is False


@pytest.mark.parametrize(
    "wrong",
    [
        {"agency": "28002"},
        {"agency": 28002},
        {"agency": "02800A"},
        {"agency": ""},
        {"customer": ""},
        {"customer": 33333},
        {"password": ""},
        {"password": None},
        {"base_url": "ftp://x"},
        {"like": "nobody"},
        {"url_template": "javascript:{code}"},
        {"no_such_option": 1},
    ],
)
def test_wrong_options_are_a_configuration_error(settings, wrong):
    settings.OSCAR_FULFILLMENT = {
        **settings.OSCAR_FULFILLMENT,
        "CARRIERS": {"tipsa": {"BACKEND": "oscar_fulfillment.carriers.tipsa.Tipsa", "OPTIONS": {**OPTIONS, **wrong}}},
    }
    with pytest.raises(ConfigurationError) as caught:
        Registry("CARRIERS").get("tipsa")
    assert "secret" not in str(caught.value)


def test_nothing_of_it_shows_the_password():
    carrier = Tipsa(alias="tipsa", **OPTIONS)
    shown = repr(carrier) + str(carrier) + repr(carrier.session) + json.dumps(vars(carrier), default=repr)
    assert "secret" not in shown
