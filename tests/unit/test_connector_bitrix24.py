"""Bitrix24's words in ours and back: pure functions."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_fulfillment.connectors import bitrix24_mapping as mapping
from oscar_fulfillment.connectors.base import MOMENTS
from oscar_fulfillment.connectors.bitrix24 import Bitrix24
from oscar_fulfillment.connectors.bitrix24_wire import Bucket, DealNotFound, pairs, refusal
from oscar_fulfillment.connectors.records import Contact, OrderLine, OrderRecord
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable, ConfigurationError
from oscar_fulfillment.services.connector_rules import steps
from sandbox.simulators.bitrix24_rules import STAGES, query

pytestmark = pytest.mark.feature("E9")
HOOK = "https://shop.bitrix24.example/rest/1/abcdef0123456789/"


def record(**changes):
    line = OrderLine(1, "S1", "U1", "Чашка", 3, Decimal("33.33"), Decimal("27.32"), Decimal("100.00"), Decimal("81.97"),
                     Decimal("22.0"))  # fmt: skip
    values = {
        "id": 1, "number": "100042", "version": 3, "placed_at": datetime(2026, 5, 1, tzinfo=UTC), "flow": "STANDARD",
        "language": "ru", "currency": "RUB", "payment_status": "paid", "shipping_status": "received", "lines": (line,),
        "buyer": Contact("Иван Петров", "ivan@example.net", "+79001234567", city="Казань", country="RU"),
        "receiver": None, "total_incl_tax": Decimal("360.00"), "total_excl_tax": Decimal("300.00"),
        "shipping_incl_tax": Decimal("250.00"), "shipping_excl_tax": Decimal("204.92"), "shipping_code": "cdek-door",
        "shipping_name": "СДЭК", "payment_code": "sbp", "payment_name": "СБП", "extra_incl_tax": Decimal("10.00"),
        "link": "https://shop.example/dashboard/orders/100042/",
    }  # fmt: skip
    return OrderRecord(**{**values, **changes})


def test_rows_say_what_was_sold_the_carriage_and_the_surcharges():
    rows = mapping.product_rows(record())
    assert [(row["PRODUCT_NAME"], row["PRICE"], row["QUANTITY"]) for row in rows] == [
        ("Чашка", "33.33", "3"), ("СДЭК", "250.00", "1"), ("Surcharges", "10.00", "1"),
    ]  # fmt: skip
    assert rows[0]["TAX_RATE"] == "22.0"
    assert {row["TAX_INCLUDED"] for row in rows} == {"Y"}


def test_the_deal_costs_what_the_order_costs_whatever_its_rows_are_rounded_to():
    fields = mapping.deal_fields(record(), {"UF_CRM_1": "{shipping}, {city}"}, "")
    assert (fields["OPPORTUNITY"], fields["IS_MANUAL_OPPORTUNITY"]) == ("360.00", "Y")
    assert fields["TITLE"] == "Order 100042"
    assert fields["UF_CRM_1"] == "СДЭК, Казань"
    assert "dashboard/orders/100042" in fields["COMMENTS"]
    assert "STAGE_ID" not in fields


@given(st.text(max_size=300))
def test_nothing_typed_is_a_reference_or_breaks_a_command(typed):
    found = mapping.text(f"$result[deal] {typed} $result[contact]")
    assert "$result[" not in found
    assert found.isprintable() or not found
    assert query(urlencode(pairs({"fields": {"NAME": found}}))) == {"fields": {"NAME": found}}


def test_nested_parameters_are_written_as_php_reads_them():
    given_ = {"a": {"b": [1, "x y&z"], ">=c": "d"}, "e": None, "f": 0}
    assert pairs(given_) == [("a[b][0]", "1"), ("a[b][1]", "x y&z"), ("a[>=c]", "d"), ("f", "0")]


@pytest.mark.feature("E10")
@pytest.mark.parametrize(
    ("stage", "pipeline", "full"),
    [("WON", 0, "WON"), ("WON", 5, "C5:WON"), ("C7:WON", 5, "C7:WON"), ("", 5, ""), ("C7:WON", 0, "C7:WON")],
)
def test_a_stage_is_named_in_its_pipeline(stage, pipeline, full):
    assert mapping.in_pipeline(stage, pipeline) == full
    assert mapping.plain(full) == mapping.plain(stage)


def deal(**changes):
    return {
        "ID": "7", "STAGE_ID": "C5:EXECUTING", "CATEGORY_ID": "5", "ORIGINATOR_ID": "oscar", "ORIGIN_ID": "100042",
        "DATE_CREATE": "2026-05-01T10:00:00+03:00", "DATE_MODIFY": "2026-05-02T10:00:05+03:00",
        "MOVED_TIME": "2026-05-02T09:00:00+03:00", **changes,
    }  # fmt: skip


@pytest.mark.feature("E10")
def test_a_change_is_named_by_deal_time_and_stage_whatever_the_zone():
    change = mapping.change_of(deal(), "oscar", {"C5:EXECUTING": "В работе"})
    assert (change.key, change.external_id, change.reference) == ("7:20260502T070005:C5:EXECUTING", "7", "100042")
    assert (change.state, change.label) == ("C5:EXECUTING", "В работе")
    assert change.at == datetime(2026, 5, 2, 6, tzinfo=UTC)
    assert mapping.change_of(deal(DATE_MODIFY="2026-05-02T07:00:05+00:00"), "oscar", {}).key == change.key
    assert mapping.change_of(deal(MOVED_TIME=None), "oscar", {}).at == datetime(2026, 5, 2, 7, 0, 5, tzinfo=UTC)


@pytest.mark.feature("E10")
@pytest.mark.parametrize(
    "odd",
    [None, [], 5, deal(ORIGINATOR_ID="other"), deal(ORIGINATOR_ID=None), deal(ID="x"), deal(ID=[]), deal(STAGE_ID=""),
     deal(STAGE_ID="<script>"), deal(STAGE_ID=None), deal(DATE_MODIFY="yesterday"), deal(DATE_MODIFY="2026-05-02")],
)  # fmt: skip
def test_what_is_no_deal_of_the_shop_is_no_change(odd):
    assert mapping.change_of(odd, "oscar", {}) is None


@pytest.mark.feature("E10")
def test_events_of_the_same_moment_are_one_and_old_hooks_have_ids_too():
    form = {"event": "onCrmDealUpdate", "data[FIELDS][ID]": "7", "ts": "1736405807"}
    old, new = (mapping.notice_of(urlencode(form | more).encode()) for more in ({}, {"event_handler_id": "201"}))
    assert old.read_again == new.read_again == ("7",)
    assert (old.event_id, new.event_id) == ("ONCRMDEALUPDATE:7:1736405807:", "ONCRMDEALUPDATE:7:1736405807:201")
    assert mapping.notice_of(b"event=ONCRMLEADADD&data[FIELDS][ID]=1").read_again == ()


@pytest.mark.feature("E10")
@given(st.binary(max_size=300))
def test_no_bytes_break_the_reading_of_events(body):
    with contextlib.suppress(AdapterRejected):
        mapping.notice_of(body)


@pytest.mark.feature("E10")
def test_the_rules_it_brings_name_stages_and_steps_that_exist():
    known = {"release", "dispatch", "deliver", "cancel"}
    assert {rule.step for rule in mapping.RULES if rule.direction == "in"} == known <= set(steps())
    assert {rule.outside for rule in mapping.RULES} <= set(STAGES)
    out = [(rule.payment, rule.shipping) for rule in mapping.RULES if rule.direction == "out"]
    assert len(out) == len(set(out))


def test_the_oldest_contact_is_taken_and_the_phone_goes_before_the_mailbox():
    assert mapping.contact_found({"CONTACT": [9, 4]}, {"CONTACT": [1]}) == "4"
    assert mapping.contact_found([], {"CONTACT": ["12"]}) == "12"
    assert mapping.contact_found(None, {"CONTACT": "x"}, {"CONTACT": [None, "<b>"]}) == ""


def test_a_bucket_lets_through_what_fits_and_says_when_the_rest_may_come():
    bucket = Bucket(depth=2, leak=0.1)
    bucket.take()
    bucket.take()
    with pytest.raises(AdapterUnavailable) as error:
        bucket.take()
    assert 9 < error.value.retry_after <= 10
    other = Bucket(depth=2, leak=0.1)
    other.fill()
    with pytest.raises(AdapterUnavailable):
        other.take()


@pytest.mark.parametrize(
    ("document", "status", "kind"),
    [
        ({"error": "", "error_description": "Not found"}, 400, DealNotFound),
        ({"error": "NOT_FOUND"}, 400, DealNotFound),
        ({"error": "INVALID_CREDENTIALS"}, 401, AdapterRejected),
        ({"error": "insufficient_scope"}, 403, AdapterRejected),
        ({"error": [], "error_description": {"a": "\x00" * 9000}}, 400, AdapterRejected),
        ({}, 400, AdapterRejected),
    ],
)
def test_errors_are_told_apart_and_told_short(document, status, kind):
    found = refusal(document, status, b"")
    assert type(found) is kind
    assert len(str(found)) < 700
    assert str(found).isprintable()


@pytest.mark.parametrize(
    "options",
    [
        {"webhook_url": "ftp://x/rest/1/abcdef0123456789"}, {"webhook_url": "https://x.example/"},
        {"webhook_url": "https://x.example/rest/1/secretsecret?a=1"}, {"webhook_url": "secretsecret"},
        {"webhook_url": HOOK, "application_tokens": "token"}, {"webhook_url": HOOK, "application_tokens": [""]},
        {"webhook_url": HOOK, "order_at": "never"},
    ],
)  # fmt: skip
def test_wrong_settings_are_refused_without_telling_the_secret(options):
    with pytest.raises(ConfigurationError) as error:
        Bitrix24(alias="crm", **options)
    assert "secretsecret" not in str(error.value)


def test_the_address_of_the_webhook_is_never_shown():
    crm = Bitrix24(alias="crm", webhook_url=HOOK, application_tokens=["sesame"])
    assert "abcdef" not in repr(crm) + repr(crm._wire) + repr(crm._wire._http)
    assert crm._wire.portal == "https://shop.bitrix24.example"
    assert crm.order_at in MOMENTS
