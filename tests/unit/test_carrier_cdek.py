"""CDEK: its documented documents read, every code mapped, bodies of orders, hostile input, options."""

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from gocream_pycdek import statuses as theirs
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from oscar_fulfillment.carriers.base import Capability, TrackingCodeError
from oscar_fulfillment.carriers.cdek import Cdek
from oscar_fulfillment.carriers.cdek_answers import explained, request_of, words
from oscar_fulfillment.carriers.cdek_codes import PROBLEMS, REASONS, STATUSES
from oscar_fulfillment.carriers.cdek_mapping import (
    events_from,
    form_of,
    hint_from,
    order_from,
    printed_form,
    return_orders,
)
from oscar_fulfillment.carriers.cdek_orders import OrderRules, order_body, phone_of
from oscar_fulfillment.carriers.cdek_wire import Memory, Tokens
from oscar_fulfillment.carriers.events import (
    FINAL,
    Address,
    CarrierOrderRequest,
    CarrierOrderState,
    IncidentClass,
    Package,
    PackedItem,
    ParcelHint,
    TrackingState,
)
from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
    ConfigurationError,
    WebhookVerificationFailed,
)
from oscar_fulfillment.core.registry import Registry

DATA = Path(__file__).parents[1] / "data" / "cdek"
D = Decimal
S, I = TrackingState, IncidentClass  # noqa: E741
TOKEN = "0123456789abcdef"
OPTIONS = {"account": "account", "password": "password"}
SENDER = {"shipment_point": "NSK33"}


def recorded(name):
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def raw(name):
    return (DATA / f"{name}.json").read_bytes()


def carrier(**options):
    return Cdek(alias="cdek", **{**OPTIONS, **options})


def order(**changes):
    """An order document with one status."""
    status = {"code": "DELIVERED", "name": "Вручен", "date_time": "2026-02-10T04:10:34+0000", "deleted": False}
    entity = {"uuid": "72753031-826d-4ef7-b127-1074f405b269", "is_return": False, "statuses": [{**status, **changes}]}
    return {"entity": entity, "requests": [], "related_entities": []}


# Events


@pytest.mark.feature("E14")
def test_the_events_of_an_order_in_our_words():
    events = events_from(recorded("order_not_delivered"))
    assert [(event.code, event.state, event.incident) for event in events] == [
        ("ACCEPTED", S.PENDING, None),
        ("CREATED", S.PENDING, None),
        ("RECEIVED_AT_SHIPMENT_WAREHOUSE", S.PICKED_UP, None),
        ("SENT_TO_RECIPIENT_CITY", S.IN_TRANSIT, None),
        ("TAKEN_BY_COURIER", S.OUT_FOR_DELIVERY, None),
        ("PROBLEM/13", S.DELIVERY_FAILED, I.ABSENT),
        ("PROBLEM/77", S.UNKNOWN, I.UNKNOWN),
        ("RETURNED_TO_RECIPIENT_CITY_WAREHOUSE", S.DELIVERY_FAILED, I.DELIVERY_FAILED),
        ("NOT_DELIVERED/11", S.RETURNING, I.REFUSED),
    ]
    assert events[3].occurred_at == datetime(2026, 2, 11, 4, 10, 34, tzinfo=UTC)  # told with +0700
    assert events[3].place == "Новосибирск"
    assert events[-1].text == "Не вручен: отказ от получения: без объяснения"
    assert events[5].text == "Контактное лицо отсутствует"
    assert not any(event.is_return or event.retracts for event in events)


def test_what_was_not_handed_over_has_an_order_for_the_way_back():
    assert return_orders(recorded("order_not_delivered")) == ["72753031-aaaa-4ef7-b127-1074f405b269"]
    assert return_orders(recorded("order_return")) == []
    assert return_orders({"related_entities": [{"type": "return_order", "uuid": "../../x"}, None, {}]}) == []


def test_delivered_on_the_way_back_is_back_at_the_shop():
    events = events_from(recorded("order_return"))
    assert [(event.code, event.state) for event in events] == [
        ("RETURN/CREATED", S.INFO),
        ("RETURN/SENT_TO_RECIPIENT_CITY", S.RETURNING),
        ("RETURN/ACCEPTED_AT_PICK_UP_POINT", S.RETURNING),
        ("RETURN/DELIVERED", S.RETURNED),
    ]
    assert all(event.is_return for event in events)


@pytest.mark.parametrize("flag", ["is_return", "is_reverse", "is_client_return"])
@pytest.mark.parametrize("code", STATUSES)
def test_no_status_of_a_way_back_says_that_the_buyer_has_it(flag, code):
    document = order(code=code)
    document["entity"][flag] = True
    [event] = events_from(document)
    assert event.is_return
    assert event.state not in (S.DELIVERED, S.DELIVERED_IN_PART, S.CANCELLED, S.READY_FOR_PICKUP)
    assert (event.state == S.RETURNED) == (code in ("DELIVERED", "POSTOMAT_RECEIVED"))


def test_only_handing_over_is_delivered():
    assert {code for code, meaning in STATUSES.items() if meaning.state == S.DELIVERED} == {
        "DELIVERED",
        "POSTOMAT_RECEIVED",
    }
    assert {code for code, meaning in STATUSES.items() if meaning.state in FINAL} == {
        "DELIVERED", "POSTOMAT_RECEIVED", "REMOVED", "INVALID",
    }  # fmt: skip


def test_every_code_of_the_lists_is_known():
    known = {value for name, value in vars(theirs).items() if name.startswith("ORDER_")}
    assert len(known) >= 35
    assert known - set(STATUSES) == set()
    assert set(STATUSES) - known == {"READY_TO_SHIP_AT_SENDING_OFFICE"}
    assert set(REASONS) == {str(number) for number in (*range(1, 28), *range(31, 35))}
    assert set(PROBLEMS) == {str(n) for n in (1, 9, 11, 13, 17, 19, *range(35, 50), *range(52, 58))}
    for table in (STATUSES, REASONS, PROBLEMS):
        assert all(meaning.text and meaning.state != S.UNKNOWN for meaning in table.values())
        assert all(meaning.incident is not I.UNKNOWN for meaning in table.values())
    assert all(meaning.incident for meaning in (*REASONS.values(), *PROBLEMS.values()))


@pytest.mark.parametrize(
    ("code", "reason", "state", "incident"),
    [
        ("NOT_DELIVERED", "1", S.RETURNING, I.ADDRESS_WRONG),
        ("NOT_DELIVERED", 9, S.RETURNING, I.DAMAGED),
        ("NOT_DELIVERED", "23", S.RETURNING, I.PICKUP_EXPIRED),
        ("NOT_DELIVERED", "26", S.LOST, I.LOST),
        ("NOT_DELIVERED", "27", S.LOST, I.PICKUP_EXPIRED),
        ("NOT_DELIVERED", "99", S.RETURNING, I.UNKNOWN),
        ("NOT_DELIVERED", None, S.RETURNING, I.RETURNING),
        ("NOT_DELIVERED", "20", S.RETURNING, I.PARTIAL_DELIVERY),
        ("DELIVERED", "20", S.DELIVERED_IN_PART, I.PARTIAL_DELIVERY),
        ("DELIVERED", "", S.DELIVERED, None),
        ("DELIVERED", "11", S.DELIVERED, I.REFUSED),
        ("DELIVERED", "99", S.DELIVERED, I.UNKNOWN),
        ("SENT_TO_TRANSIT_CITY", "11", S.IN_TRANSIT, None),
        ("TELEPORTED", "11", S.UNKNOWN, I.UNKNOWN),
    ],
)
def test_the_reason_says_why_and_never_that_it_was_handed_over(code, reason, state, incident):
    [event] = events_from(order(code=code, reason_code=reason))
    assert (event.state, event.incident) == (state, incident)
    assert event.code == (f"{code}/{reason}" if reason else code)


def test_an_unknown_status_is_kept_and_logged(caplog):
    [event] = events_from(order(code="TELEPORTED", name="Телепортирован"))
    assert (event.code, event.state, event.text) == ("TELEPORTED", S.UNKNOWN, "Телепортирован")
    assert "TELEPORTED" in caplog.text


def test_the_number_beside_the_code_is_not_read():
    [event] = events_from(order(code="SENT_TO_TRANSIT_CITY", status_code="4"))
    assert event.state == S.IN_TRANSIT


def test_a_status_that_cdek_deleted_moves_nothing_and_retracts_what_was_stored():
    first = events_from(order())
    [told, retraction] = events_from(order(deleted=True))
    assert (told.code, told.occurred_at) == (first[0].code, first[0].occurred_at)
    assert (told.state, told.retracts) == (S.INFO, False)
    assert (retraction.code, retraction.state, retraction.incident) == ("DELIVERED/DELETED", S.INFO, I.CORRECTION)
    assert retraction.retracts
    assert retraction.occurred_at > told.occurred_at


def test_events_come_once_and_in_their_order():
    document = order()
    late = document["entity"]["statuses"][0]
    early = {**late, "code": "CREATED", "date_time": "2026-02-01T00:00:00+0000"}
    future = {**late, "code": "SENT_TO_TRANSIT_CITY", "date_time": "2099-02-01T00:00:00+0000"}
    document["entity"]["statuses"] = [future, late, early, late, {**late, "name": "Другими словами"}]
    events = events_from(document)
    assert [event.code for event in events] == ["CREATED", "DELIVERED", "SENT_TO_TRANSIT_CITY"]
    assert events[1].text == "Вручен"


@pytest.mark.parametrize(
    "told", [None, "", "soon", 1_700_000_000, "0001-01-01T00:00:00+0700", "9999-12-31T23:59:59-0700", ["2026"], {}]
)
def test_a_status_without_a_time_is_left_out_and_logged(told, caplog):
    assert events_from(order(date_time=told)) == []
    assert "left out" in caplog.text


def test_a_time_without_its_offset_counts_as_utc():
    [event] = events_from(order(date_time="2026-02-10T04:10:34"))
    assert event.occurred_at == datetime(2026, 2, 10, 4, 10, 34, tzinfo=UTC)


@pytest.mark.parametrize("document", [None, [], "x", {}, {"entity": []}, {"entity": {}}, {"entity": {"uuid": "x"}}])
def test_what_is_no_order_is_no_news(document):
    with pytest.raises(AdapterUnavailable):
        events_from(document)
    with pytest.raises(AdapterUnanswered):
        order_from(document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(("code", "name", "date_time", "reason_code", "city", "deleted", "create_date"), JSON))), JSON, JSON)  # fmt: skip
@given_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_document_breaks_the_reading(entries, requests, related):
    document = order()
    document["entity"].update(statuses=entries, delivery_problem=entries, cdek_number=related, number=requests)
    document.update(requests=requests, related_entities=related)
    for event in events_from(document):
        assert event.occurred_at.tzinfo is not None
        assert len(event.text) <= 500
    assert order_from(document).state in CarrierOrderState
    assert return_orders(document) == []
    document.update(requests=entries)
    assert len(order_from(document).problem) <= 500


# Orders


@pytest.mark.feature("E14")
def test_an_order_as_it_goes_on():
    accepted = order_from(recorded("order_accepted"))
    assert (accepted.state, accepted.tracking_code) == (CarrierOrderState.ACCEPTED, "")
    created = order_from(recorded("order_not_delivered"))
    assert created == replace(
        accepted,
        state=CarrierOrderState.CREATED,
        tracking_code="1105088384",
        reference="T100017-1",
        raw_status="SUCCESSFUL",
    )
    deleted = order_from(recorded("order_deleted"))
    assert (deleted.state, deleted.tracking_code) == (CarrierOrderState.CANCELLED, "1105088384")


def test_an_invalid_order_says_why():
    invalid = order_from(recorded("order_invalid"))
    assert (invalid.state, invalid.tracking_code) == (CarrierOrderState.INVALID, "")
    assert invalid.problem == (
        "При режиме «до склада» ПВЗ для доставки обязателен (ve_receiver_pickup_point_empty); "
        "По данному направлению при заданных условиях выбранный тариф недоступен (err_result_service_empty); "
        "The recipients email anna@ is incorrect and will be ignored (v2_recipient_email_ignored)"
    )


def test_an_order_whose_number_is_taken_is_not_called_invalid():
    doubled = order_from(recorded("order_duplicate"))
    assert doubled.state == CarrierOrderState.UNKNOWN
    assert "не уникальный" in doubled.problem


def test_states_that_cdek_has_not_named_yet():
    document = recorded("order_accepted")
    document["requests"][0]["state"] = "WAITING"
    assert order_from(document).state == CarrierOrderState.ACCEPTED
    document["requests"][0]["state"] = "PONDERING"
    assert order_from(document).state == CarrierOrderState.UNKNOWN
    document["requests"] = []
    assert order_from(document).state == CarrierOrderState.ACCEPTED
    document["entity"]["statuses"] = [{"code": "REMOVED"}]
    assert order_from(document).state == CarrierOrderState.CANCELLED
    document["entity"].update(cdek_number=1105088384, statuses=[])
    assert order_from(document).tracking_code == "1105088384"


def test_the_newest_request_counts_wherever_it_stands():
    document = recorded("order_deleted")
    refused = {"type": "DELETE", "date_time": "2026-02-10T04:30:00+0000", "state": "INVALID", "errors": []}
    for requests in ([*document["requests"], refused], [refused, *document["requests"]]):
        assert request_of({"requests": requests}, "DELETE") == ("SUCCESSFUL", [])
    assert (
        request_of({"requests": [{"type": "DELETE"}, {"type": "DELETE", "state": "ACCEPTED"}]}, "DELETE")[0]
        == "ACCEPTED"
    )


def test_a_form_stands_as_its_newest_status_says():
    assert form_of(recorded("barcode_ready")) == ("72753034-c617-46ef-b70a-8f5f520b6be4", "READY")
    assert form_of({"entity": {"uuid": "72753034-c617-46ef-b70a-8f5f520b6be4"}})[1] == ""
    with pytest.raises(AdapterUnavailable):
        form_of({"entity": {"uuid": "../x"}})
    assert printed_form(recorded("order_not_delivered"), "barcode") == "72753034-c617-46ef-b70a-8f5f520b6be4"
    assert printed_form(recorded("order_not_delivered"), "waybill") == ""


# Notifications


def test_notifications_name_the_parcel_and_prove_nothing():
    assert hint_from(raw("webhook_status")) == ParcelHint(
        tracking_code="1100285492", external_id="72753031-1820-4f99-9240-aab139f05ca5", kind="ORDER_STATUS"
    )
    assert hint_from(raw("webhook_problem")).tracking_code == "10000077777"
    assert hint_from(raw("webhook_print")) == ParcelHint(kind="PRINT_FORM")
    assert hint_from(raw("webhook_return")) == ParcelHint(
        tracking_code="1100285492", external_id="72753031-1820-4f99-9240-aab139f05ca5", kind="ORDER_STATUS"
    )


def test_a_way_back_without_its_parcel_is_named_by_itself():
    document = recorded("webhook_return")
    document["attributes"]["related_entities"] = None
    assert hint_from(json.dumps(document).encode()).tracking_code == "1100299999"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"type":"ORDER_STATUS"}',
        b'{"type":["ORDER_STATUS"],"attributes":{}}',
        b'{"type":"ORDER_STATUS","uuid":"../x","attributes":{"cdek_number":"<b>"}}',
        b'{"type":"DELIV_PROBLEM","uuid":null,"attributes":{"cdek_number":null}}',
        b'{"type":"ORDER_STATUS","uuid":"\xd1\x84","attributes":{"cdek_number":' + b"1" * 5000 + b"}}",
        b"[" * 100_000,
    ],
)
def test_a_notification_that_makes_no_sense_is_rejected(body):
    with pytest.raises(AdapterRejected):
        hint_from(body)


def test_a_strange_kind_is_kept_as_a_key():
    hint = hint_from(json.dumps({"type": "<b>новое</b>" * 100, "attributes": {}}).encode())
    assert hint == ParcelHint(kind="b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_")


@pytest.mark.parametrize("given_token", ["", "0123456789abcdeF", "0123456789abcde", TOKEN * 2])
def test_only_the_token_in_the_address_counts(given_token):
    ours = carrier(webhook_tokens=["another-token-of-ours", TOKEN])
    ours.verify({}, raw("webhook_status"), {"token": TOKEN})
    with pytest.raises(WebhookVerificationFailed):
        ours.verify({"x-token": TOKEN}, TOKEN.encode(), {"token": given_token})
    with pytest.raises(WebhookVerificationFailed):
        ours.verify({}, b"", {})


def test_without_a_token_nothing_is_taken():
    ours = carrier()
    assert Capability.WEBHOOK not in ours.capabilities
    for query in ({}, {"token": ""}, {"token": TOKEN}):
        with pytest.raises(AdapterRejected):
            ours.verify({}, raw("webhook_status"), query)
    with pytest.raises(AdapterRejected):
        ours.parse_notification({}, raw("webhook_status"), {})


# Refusals


def refusal(name="", status=400, body=None):
    return explained(AdapterRejected("x", status=status, body=raw(name) if name else body or b""))


def test_refusals_are_explained():
    found = refusal("error_im_number")
    assert isinstance(found, AdapterRejected)
    assert (found.status, str(found)) == (404, "CDEK has no such order.")
    assert str(refusal("error_field")) == (
        "CDEK refused: [recipient.phones] is empty (v2_field_is_empty); "
        "Invalid value [x] in [number] parameter (v2_invalid_format)"
    )
    assert "account and the password" in str(refusal("error_token", status=401))
    assert str(refusal(body=b"<html>")) == "CDEK refused: 400"
    assert (
        str(refusal(body=b'{"errors":[null,{"code":null,"message":"<b>\\u0000no</b>"}]}')) == "CDEK refused: <b> no</b>"
    )


def test_later_and_perhaps_are_told_apart_from_no():
    later = refusal(body=b'{"errors":[{"code":"v2_entity_not_ready","message":"v2_entity_not_ready"}]}')
    assert type(later) is AdapterUnavailable
    perhaps = refusal(body=b'{"requests":[{"errors":[{"code":"v2_internal_error","message":"Internal error"}]}]}')
    assert isinstance(perhaps, AdapterUnanswered)


def test_words_are_short_and_said_once():
    assert words([("", "a"), ("b", ""), ("", "a")]) == "a; b"
    assert len(words([("c" * 90, "m" * 290)] * 3 + [("d", "n" * 290)] * 2)) <= 500


# Bodies of orders


def rules(**options):
    return OrderRules(**{"tariffs": {"": 137}, "sender": SENDER, **options})


def request(**changes):
    person = Address(
        name="Анна Иванова", line1="ул. Ленина, 1", line2="кв. 5", city="Москва", state="Москва", postcode="101000",
        country="RU", phone="8 (999) 000-00-00 доб. 12", email="anna@example.com",
    )  # fmt: skip
    values = {
        "reference": "T100017-1",
        "order_number": "100017",
        "recipient": person,
        "packages": (Package(1, 700, 20, 15, 10, (PackedItem("Чайник", "T-1", 2, D("1000.00"), 300),)),),
        "currency": "RUB",
        "comment": "Хрупкое",
    }
    return CarrierOrderRequest(**{**values, **changes})


def test_the_body_of_an_order_to_the_door():
    assert order_body(rules(sender={**SENDER, "company": "Shop", "phone": "+7 383 000-00-00"}), request()) == {
        "type": 1,
        "number": "T100017-1",
        "tariff_code": 137,
        "comment": "Хрупкое",
        "shipment_point": "NSK33",
        "sender": {"company": "Shop", "phones": [{"number": "+73830000000"}]},
        "recipient": {
            "name": "Анна Иванова",
            "email": "anna@example.com",
            "phones": [{"number": "+79990000000", "additional": "12"}],
        },
        "to_location": {
            "country_code": "RU", "region": "Москва", "city": "Москва", "postal_code": "101000",
            "address": "ул. Ленина, 1, кв. 5",
        },
        "packages": [
            {
                "number": "1", "weight": 700, "length": 20, "width": 15, "height": 10,
                "items": [
                    {
                        "name": "Чайник", "ware_key": "T-1", "payment": {"value": 0.0}, "cost": 1000.0,
                        "weight": 300, "amount": 2,
                    }
                ],
            }
        ],
    }  # fmt: skip


def test_an_order_to_an_office_from_the_shops_door():
    location = {"code": 270, "address": "ул. Мира, 2"}
    body = order_body(rules(sender={"location": location}), request(pickup_point="MSK67"))
    assert (body["delivery_point"], body["from_location"]) == ("MSK67", location)
    assert not {"to_location", "shipment_point", "sender"} & set(body)


@pytest.mark.parametrize(
    ("code", "name", "tariff"),
    [
        ("cdek-pvz", "", 136),
        ("x", "СДЭК курьер", 139),
        ("x", "Экспресс", 480),
        ("cdek-pvz-old", "Неведомо", 136),
        ("other", "Other", 137),
    ],
)
def test_the_shipping_method_names_the_tariff(code, name, tariff):
    made = rules(tariffs={"cdek-pvz": 136, "курьер": 139, "Экспресс": 480, "": 137})
    assert order_body(made, request(shipping_code=code, shipping_name=name))["tariff_code"] == tariff


def test_a_shipping_method_without_a_tariff_is_refused():
    with pytest.raises(AdapterRejected, match="Почта"):
        order_body(rules(tariffs={"cdek": 136}), request(shipping_name="Почта"))


def test_what_nobody_measured_takes_the_settings_and_else_is_refused():
    items = (PackedItem("Чашка", "", 3, D("10.00")), PackedItem("Блюдце", "S 1<2>", 1, D("5.00"), 120))
    boxes = request(packages=(Package(1, items=items),))
    with pytest.raises(AdapterRejected, match="Weigh package 1"):
        order_body(rules(), boxes)
    [box] = order_body(rules(weight=900, dimensions=(30, 20, 10)), boxes)["packages"]
    assert (box["weight"], box["length"], box["width"], box["height"]) == (900, 30, 20, 10)
    assert [(line["weight"], line["ware_key"]) for line in box["items"]] == [(225, "1"), (120, "S 1<2>")]
    weighed = (PackedItem("Чашка", "C", 3, D("10.00"), 200),)
    [box] = order_body(rules(weight=900), request(packages=(Package(1, items=weighed),)))["packages"]
    assert box["weight"] == 600
    assert "length" not in box


def test_cash_is_that_of_the_goods_and_the_rest_is_for_the_carriage():
    body = order_body(rules(vat_rate=22), request(cash_on_delivery=D("2300.00")))
    assert body["packages"][0]["items"][0]["payment"] == {"value": 1000.0, "vat_rate": 22, "vat_sum": 180.33}
    assert body["delivery_recipient_cost"] == {"value": 300.0, "vat_rate": 22, "vat_sum": 54.1}


@given(
    st.lists(st.tuples(st.decimals(0, 5000, places=2), st.integers(1, 9)), min_size=1, max_size=6),
    st.decimals(0, 60_000, places=2),
)
@given_settings(deadline=None)
def test_cash_adds_up_to_the_kopeck(lines, cash):
    goods = tuple(PackedItem("Вещь", f"S{n}", quantity, value) for n, (value, quantity) in enumerate(lines))
    asked = request(
        cash_on_delivery=cash, packages=(Package(1, 700, 1, 1, 1, goods[:2]), Package(2, 700, 1, 1, 1, goods[2:]))
    )
    if cash and not any(item.value for item in goods):
        with pytest.raises(AdapterRejected):
            order_body(rules(), asked)
        return
    body = order_body(rules(), asked)
    sent = [line for box in body["packages"] for line in box["items"]]
    collected = sum(D(str(line["payment"]["value"])) * line["amount"] for line in sent)
    collected += D(str(body.get("delivery_recipient_cost", {}).get("value", 0)))
    assert collected == cash
    assert sum(line["amount"] for line in sent) == sum(item.quantity for item in goods)
    for line in sent:
        assert 0 <= line["payment"]["value"] <= line["cost"]


@pytest.mark.parametrize(
    ("typed", "country", "number"),
    [
        ("8 (999) 000-00-00", "RU", "+79990000000"),
        ("9990000000", "RU", "+79990000000"),
        ("+7 999 000 00 00", "RU", "+79990000000"),
        ("+41 44 668 18 00", "CH", "+41446681800"),
        ("87010000000", "KZ", "+77010000000"),
        ("80290000000", "BY", "+80290000000"),
        ("9" * 50, "RU", "+" + "9" * 23),
    ],
)
def test_phone_numbers_in_international_form(typed, country, number):
    assert phone_of(typed, country) == {"number": number}


@pytest.mark.parametrize("typed", ["", "нет", "+", "доб. 5", "<script>"])
def test_what_is_no_phone_number_is_refused_before_the_call(typed):
    with pytest.raises(AdapterRejected, match="phone"):
        order_body(rules(), request(recipient=replace(request().recipient, phone=typed)))


@pytest.mark.parametrize(
    "changes",
    [
        {"reference": ""},
        {"reference": "З-1"},
        {"reference": "x" * 41},
        {"reference": "a\r\nb"},
        {"currency": "BRL"},
        {"cash_on_delivery": D("-1")},
    ],
)
def test_what_cdek_could_not_take_is_refused(changes):
    with pytest.raises(AdapterRejected):
        order_body(rules(), request(**changes))


def test_hostile_texts_are_cut_and_plain():
    nasty = "<b>\x00\r\n'\";--]]>\u202e" + "x" * 10_000
    person = replace(request().recipient, name=nasty, line1=nasty, city=nasty, company=nasty)
    goods = (PackedItem(nasty, nasty, 1, D("1.00"), 1),)
    body = order_body(
        rules(), request(recipient=person, comment=nasty, pickup_point="", packages=(Package(1, 1, 1, 1, 1, goods),))
    )

    def texts(value):
        if isinstance(value, dict):
            return [text for inner in value.values() for text in texts(inner)]
        if isinstance(value, list):
            return [text for inner in value for text in texts(inner)]
        return [value] if isinstance(value, str) else []

    assert all(text.isprintable() and len(text) <= 255 for text in texts(body))
    assert len(body["packages"][0]["items"][0]["ware_key"]) <= 50


# Tokens


def test_a_token_is_kept_until_shortly_before_its_end(monkeypatch):
    now, asked, tokens = [1000.0], [], Tokens()
    monkeypatch.setattr("oscar_fulfillment.carriers.cdek_wire.time.monotonic", lambda: now[0])

    def ask():
        asked.append(now[0])
        return f"token-{len(asked)}", 3600.0

    assert tokens.get("a", ask) == tokens.get("a", ask) == "token-1"
    assert tokens.get("b", ask) == "token-2"
    now[0] += 3539
    assert tokens.get("a", ask) == "token-1"
    now[0] += 2
    assert tokens.get("a", ask) == "token-3"
    assert tokens.get("a", ask, refused="token-3") == "token-4"
    assert tokens.get("a", ask, refused="token-3") == "token-4"
    tokens.forget()
    assert tokens.get("a", ask) == "token-5"


@pytest.mark.parametrize(("seconds", "lasts"), [(30.0, 15.0), (119.0, 59.5), (86_400.0, 3540.0)])
def test_a_short_life_is_used_in_part_and_a_long_one_is_not_believed(seconds, lasts, monkeypatch):
    now, tokens = [0.0], Tokens()
    monkeypatch.setattr("oscar_fulfillment.carriers.cdek_wire.time.monotonic", lambda: now[0])
    tokens.get("a", lambda: ("old", seconds))
    now[0] = lasts - 1
    assert tokens.get("a", lambda: ("new", seconds)) == "old"
    now[0] = lasts + 1
    assert tokens.get("a", lambda: ("new", seconds)) == "new"


def test_a_memory_keeps_the_newest():
    memory = Memory(most=2)
    for name in ("a", "b", "a", "c"):
        memory.put(name, name.upper())
    assert [memory.get(name) for name in ("a", "b", "c")] == ["A", "", "C"]
    memory.drop("a")
    memory.drop("never")
    assert memory.get("a") == ""


# Options


def test_codes_are_digits():
    ours = carrier()
    assert ours.normalise_tracking_code(" 110 508 8384 ") == "1105088384"
    for wrong in ("AA123456785BR", "12", "1105088384-1", "1" * 21):
        with pytest.raises(TrackingCodeError):
            ours.normalise_tracking_code(wrong)
    assert ours.tracking_url("1105088384", "ru") == "https://www.cdek.ru/ru/tracking/?order_id=1105088384"


def test_it_knows_its_shipping_methods():
    assert carrier().matches("cdek-door", "")
    assert carrier().matches("", "СДЭК до пункта")
    assert not carrier().matches("post", "Почта")
    assert carrier(shipping_methods=["посылка"]).matches("", "Посылка")


def test_what_it_can_do_follows_from_its_settings():
    links = {Capability.TRACKING_URL, Capability.TRACK}
    orders = {Capability.CREATE_ORDER, Capability.FIND_ORDER, Capability.CANCEL_ORDER, Capability.LABEL}
    assert carrier().capabilities == links
    assert carrier(webhook_tokens=[TOKEN]).capabilities == links | {Capability.WEBHOOK}
    assert carrier(tariffs={"": 136}, sender=SENDER).capabilities == links | orders


@pytest.mark.parametrize(
    "options",
    [
        {"account": ""},
        {"password": ""},
        {"base_url": "ftp://api.cdek.ru"},
        {"webhook_tokens": TOKEN},
        {"webhook_tokens": ["short"]},
        {"webhook_tokens": [""]},
        {"creates_orders": True},
        {"label": "poster"},
        {"label_format": "A0"},
        {"tariffs": {"": "136"}, "sender": SENDER},
        {"tariffs": {"": 136}},
        {"tariffs": {"": 136}, "sender": {**SENDER, "location": {"address": "x"}}},
        {"tariffs": {"": 136}, "sender": {"location": {"city": "Москва"}}},
        {"tariffs": {"": 136}, "sender": {"location": {"address": "x", "planet": "Earth"}}},
        {"tariffs": {"": 136}, "sender": {**SENDER, "colour": "green"}},
        {"tariffs": {"": 136}, "sender": SENDER, "weight": -1},
        {"tariffs": {"": 136}, "sender": SENDER, "dimensions": (1, 2)},
        {"tariffs": {"": 136}, "sender": SENDER, "vat_rate": 21},
    ],
)
def test_wrong_settings_are_told_at_once(options):
    with pytest.raises(ConfigurationError):
        carrier(**options)


def test_an_unknown_setting_is_told_by_the_registry(settings):
    settings.OSCAR_FULFILLMENT = {
        "CARRIERS": {"cdek": {"BACKEND": "oscar_fulfillment.carriers.cdek.Cdek", "OPTIONS": {**OPTIONS, "tarifs": {}}}}
    }
    with pytest.raises(ConfigurationError, match="tarifs"):
        Registry("CARRIERS").get("cdek")


def test_no_secret_is_shown(caplog):
    caplog.set_level(logging.DEBUG)
    ours = carrier(password="very-secret", webhook_tokens=[TOKEN])
    assert "very-secret" not in repr(ours) + repr(ours._wire)
    assert TOKEN not in repr(ours)
