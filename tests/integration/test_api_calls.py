"""The REST API: Idempotency-Key, what hostile bodies get, stock, and the OpenAPI document."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_fulfillment.models import ApiCall, Invoice, OutsideChange
from oscar_fulfillment.services import api_calls
from oscar_fulfillment.services.api_keys import find_key
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key

from .api import BASE, Caller, problem

pytestmark = [pytest.mark.django_db, pytest.mark.feature("A10")]


@pytest.fixture
def erp(db):
    return Caller()


def record(product):
    return product.stockrecords.get()


# ---- Idempotency-Key ----


def test_the_same_key_and_body_is_done_once_and_answered_the_same(erp):
    item = record(factories.product(stock=5))
    first = erp.put(f"/stock/{item.partner_sku}", {"num_in_stock": 9}, Idempotency_Key="a")
    get_model("partner", "StockRecord").objects.update(num_in_stock=1)
    again = erp.put(f"/stock/{item.partner_sku}", {"num_in_stock": 9}, Idempotency_Key="a")
    assert (again.status_code, again.json()) == (200, first.json())
    assert again["Idempotent-Replayed"] == "true"
    item.refresh_from_db()
    assert item.num_in_stock == 1


def test_the_same_key_with_another_body_or_path_is_refused(erp):
    item = record(factories.product(stock=5))
    erp.put(f"/stock/{item.partner_sku}", {"num_in_stock": 9}, Idempotency_Key="a")
    problem(erp.put(f"/stock/{item.partner_sku}", {"num_in_stock": 8}, Idempotency_Key="a"), 422, "key-reused")
    problem(erp.put("/stock/other", {"num_in_stock": 9}, Idempotency_Key="a"), 422, "key-reused")


def test_one_that_is_under_way_asks_to_come_back(erp):
    begun = api_calls.begin(erp.key, "a", api_calls.fingerprint_of("PUT", f"{BASE}/stock/x", b'{"num_in_stock": 1}'))
    answer = erp.put("/stock/x", {"num_in_stock": 1}, Idempotency_Key="a")
    problem(answer, 409, "in-progress")
    assert answer["Retry-After"] == "1"
    # Whoever began it died: after a while somebody else does it.
    ApiCall.objects.filter(pk=begun.pk).update(claimed_until=timezone.now() - timedelta(seconds=1))
    problem(erp.put("/stock/x", {"num_in_stock": 1}, Idempotency_Key="a"), 404, "not-found")
    # And the one that was presumed dead keeps nothing.
    api_calls.end(begun, 200, {"late": True})
    assert not ApiCall.objects.exists()


def test_what_was_refused_or_broke_may_be_tried_again(erp, monkeypatch):
    problem(erp.put("/stock/x", {"num_in_stock": 1}, Idempotency_Key="a"), 404, "not-found")
    monkeypatch.setattr("oscar_fulfillment.api.stock.put_stock", lambda call: 1 / 0)
    problem(erp.put("/stock/x", {"num_in_stock": 1}, Idempotency_Key="a"), 500, "internal")
    assert not ApiCall.objects.exists()


def test_keys_are_each_callers_own_and_forgotten_in_time(erp):
    item = record(factories.product(stock=5))
    other = Caller("other")
    erp.put(f"/stock/{item.partner_sku}", {"num_in_stock": 9}, Idempotency_Key="a")
    assert "Idempotent-Replayed" not in other.put(
        f"/stock/{item.partner_sku}", {"num_in_stock": 8}, Idempotency_Key="a"
    )
    ApiCall.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    answer = erp.put(f"/stock/{item.partner_sku}", {"num_in_stock": 7}, Idempotency_Key="a")
    assert answer.json()["num_in_stock"] == 7
    assert api_calls.tidy() == 1
    assert ApiCall.objects.count() == 1


@pytest.mark.parametrize("name", ["", "x" * 256, "ü"])
def test_a_key_that_cannot_be_one_is_refused(erp, name):
    problem(erp.put("/stock/x", {"num_in_stock": 1}, Idempotency_Key=name), 400, "unreadable")


# ---- Hostile bodies ----


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"{", 400), (b"", 400), (b"null", 422), (b"[]", 422), (b'"x"', 422), (b"\xff\xfe{}", 400),
        (b'{"num_in_stock": NaN}', 400), (b'{"num_in_stock": Infinity}', 400), (b'{"num_in_stock": 1e999}', 422),
        (b'{"num_in_stock": ' + b"9" * 6000 + b"}", 400), (b'{"num_in_stock": 99999999999999999999}', 422),
        (b'{"num_in_stock": -1}', 422), (b'{"num_in_stock": 1.5}', 422), (b'{"num_in_stock": "1"}', 422),
        (b'{"num_in_stock": true}', 422), (b'{"num_in_stock": null}', 422), (b'{"num_in_stock": 1, "x": 2}', 422),
        (b'{"num_in_stock": 1, "partner": "\\u0000"}', 422), (b'{"num_in_stock": 1, "partner": "\\ud800"}', 422),
        (b'{"num_in_stock": 1, "\\u0000\\ud800/~": 2}', 422), (b'{"num_in_stock": 1, "partner": [[]]}', 422),
        (b"[" * 200_000, 400), (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
    ],
)  # fmt: skip
def test_bodies_that_are_none(erp, raw, status):
    item = record(factories.product(stock=5))
    answer = erp.call("PUT", f"/stock/{item.partner_sku}", raw=raw)
    problem(answer, status, "unreadable" if status == 400 else "invalid")
    item.refresh_from_db()
    assert item.num_in_stock == 5


def test_errors_point_to_what_they_are_about(erp):
    body = {"items": [{"sku": "a", "num_in_stock": 1}, {"num_in_stock": "x", "sku": ""}]}
    found = problem(erp.post("/stock", body), 422, "invalid")
    assert {error["pointer"] for error in found["errors"]} == {"#/items/1/num_in_stock", "#/items/1/sku"}


def test_a_body_that_is_too_large_or_no_json(erp, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "API": {"max_bytes": 100}}
    problem(erp.call("PUT", "/stock/x", raw=b'{"num_in_stock": 1, "partner": "' + b"x" * 100 + b'"}'), 413, "too-large")
    answer = erp.client.put(
        f"{BASE}/stock/x", b"num_in_stock=1", content_type="application/x-www-form-urlencoded",
        headers={"Authorization": f"Bearer {erp.token}"},
    )  # fmt: skip
    problem(answer, 415, "unsupported-media-type")


def test_hostile_paths_and_parameters(erp):
    for path in (
        "/orders/%00",
        f"/orders/{'9' * 200}",
        "/stock/%00",
        f"/stock/{'x' * 300}",
        "/nothing",
        "/stock/",
        "/",
    ):
        problem(erp.get(path), 404, "not-found")
    for query in ("limit=0", "limit=101", "limit=x", "limit=9999999999999", "limit=", "cursor=x", "cursor=e", "status=x",
                  "cursor=e99999999999999999999", "cursor=%00", "cursor=e%D9%A3"):  # fmt: skip
        problem(erp.get(f"/orders?{query}"), 400, "unreadable")
    answer = erp.call("DELETE", "/orders")
    problem(answer, 405, "method-not-allowed")
    assert answer["Allow"] == "GET"


def test_huge_numbers_in_a_document(erp):
    order = factories.released_order()
    for body in ({"invoiceValue": "9" * 15}, {"value": "9" * 13}, {"value": "1e9"}, {"value": "-1"}, {"value": 5},
                 {"items": [{"sku": "x", "quantity": 10**30}]}, {"number": "9" * 33}):  # fmt: skip
        problem(erp.post(f"/orders/{order.number}/invoice", {"access_key": make_key(number=7), **body}), 422, "invalid")
    assert not Invoice.objects.exists()


# ---- Stock ----


def test_stock_is_read_and_set(erp):
    order = factories.placed_order()
    item = record(order.lines.get().product)
    found = erp.get(f"/stock/{item.partner_sku}").json()
    assert found == {
        "sku": item.partner_sku, "partner": item.partner.code, "num_in_stock": 20, "num_allocated": 2, "available": 18,
        "short_by": 0,
    }  # fmt: skip
    assert erp.put(f"/stock/{item.partner_sku}", {"num_in_stock": 2}).json()["available"] == 0
    row = OutsideChange.objects.get()
    assert (row.connector, row.status, row.facts["stock"]["before"], row.facts["stock"]["now"]) == (
        "erp",
        "applied",
        20,
        2,
    )
    erp.put(f"/stock/{item.partner_sku}", {"num_in_stock": 2})
    assert OutsideChange.objects.count() == 1


def test_less_than_is_reserved_is_only_set_by_whoever_says_so(erp):
    order = factories.placed_order()
    item = record(order.lines.get().product)
    problem(erp.put(f"/stock/{item.partner_sku}", {"num_in_stock": 1}), 409, "conflict")
    item.refresh_from_db()
    assert item.num_in_stock == 20
    found = erp.put(f"/stock/{item.partner_sku}", {"num_in_stock": 1, "even_if_short": True}).json()
    assert (found["num_in_stock"], found["num_allocated"], found["short_by"]) == (1, 2, 1)


def test_many_are_set_all_or_none(erp):
    items = [record(factories.product(stock=5)) for _time in range(3)]
    skus = [item.partner_sku for item in items]
    answer = erp.post("/stock", {"items": [{"sku": sku, "num_in_stock": 7} for sku in skus]})
    assert [each["num_in_stock"] for each in answer.json()["items"]] == [7, 7, 7]
    body = {"items": [{"sku": skus[0], "num_in_stock": 1}, {"sku": "none", "num_in_stock": 1},
                      {"sku": skus[0], "num_in_stock": 2}]}  # fmt: skip
    found = problem(erp.post("/stock", body), 409, "conflict")
    assert [(e["pointer"], e["code"]) for e in found["errors"]] == [("#/items/1", "unknown"), ("#/items/2", "twice")]
    assert erp.get(f"/stock/{skus[0]}").json()["num_in_stock"] == 7


def test_a_sku_of_several_partners_is_asked_about(erp):
    first = record(factories.product(sku="SAME", partner="One"))
    second = record(factories.product(sku="SAME", partner="Two"))
    problem(erp.get("/stock/SAME"), 409, "conflict")
    problem(erp.put("/stock/SAME", {"num_in_stock": 1}), 409, "conflict")
    assert erp.get(f"/stock/SAME?partner={second.partner.code}").json()["partner"] == second.partner.code
    assert erp.put("/stock/SAME", {"num_in_stock": 1, "partner": first.partner.code}).status_code == 200
    second.refresh_from_db()
    assert second.num_in_stock == 20


def test_a_partners_key_reaches_no_stock_of_others():
    ours, theirs = record(factories.product(partner="Ours")), record(factories.product(partner="Theirs"))
    erp = Caller(partner=ours.partner)
    assert erp.put(f"/stock/{ours.partner_sku}", {"num_in_stock": 1}).status_code == 200
    problem(erp.get(f"/stock/{theirs.partner_sku}"), 404, "not-found")
    problem(erp.put(f"/stock/{theirs.partner_sku}", {"num_in_stock": 1}), 404, "not-found")
    body = {"items": [{"sku": theirs.partner_sku, "partner": theirs.partner.code, "num_in_stock": 1}]}
    problem(erp.post("/stock", body), 409, "conflict")


# ---- The document ----


def test_the_openapi_document_is_open_and_says_what_there_is(client):
    found = client.get(f"{BASE}/openapi.json").json()
    assert found["openapi"] == "3.1.0"
    assert found["servers"] == [{"url": f"http://testserver{BASE}"}]
    assert set(found["paths"]) == {
        "/orders", "/orders/acknowledge", "/orders/{number}", "/orders/{number}/acknowledge", "/orders/{number}/invoice",
        "/orders/{number}/invoice/{invoice}", "/orders/{number}/invoice/{invoice}/tracking", "/orders/{number}/tracking",
        "/stock", "/stock/{sku}",
    }  # fmt: skip
    assert "ofk_" not in json.dumps(found)


def test_nothing_but_a_whole_key_is_found():
    assert find_key("", timezone.now()) is None
    assert find_key("ofk_" + "a" * 500, timezone.now()) is None
