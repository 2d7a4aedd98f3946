"""The REST API: released orders are fetched and acknowledged; who may call, how often, and what a stranger gets."""

import logging
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oscar_fulfillment.models import ApiKey, Export
from oscar_fulfillment.services import api_keys, api_systems, cancelling, notes, release
from oscar_fulfillment.test import factories

from .api import BASE, Caller, hand_over, problem

pytestmark = [pytest.mark.django_db, pytest.mark.feature("A8")]


@pytest.fixture
def erp(db):
    return Caller()


# ---- What is offered ----


def test_a_released_order_waits_until_it_is_acknowledged(erp):
    order = factories.paid_order()
    assert erp.offered() == []
    release.release_order(order=order, actor=factories.TEAM)
    assert erp.offered() == [order.number]
    assert erp.offered() == [order.number]
    assert Export.objects.get().status == Export.SENT
    answer = erp.post(f"/orders/{order.number}/acknowledge", {"external_id": "ERP-7"})
    assert (answer.status_code, answer.json()) == (200, {"number": order.number, "status": "acknowledged"})
    assert erp.offered() == []
    row = Export.objects.get()
    assert (row.status, row.external_id, row.connector) == ("acknowledged", "ERP-7", "erp")


def test_acknowledging_twice_is_harmless_and_another_id_is_refused(erp):
    order = factories.released_order()
    erp.offered()
    for _time in range(2):
        assert erp.post(f"/orders/{order.number}/acknowledge", {"external_id": "A"}).status_code == 200
    assert erp.post(f"/orders/{order.number}/acknowledge").status_code == 200
    found = problem(erp.post(f"/orders/{order.number}/acknowledge", {"external_id": "B"}), 409, "conflict")
    assert "another id" in found["detail"]
    assert Export.objects.get().external_id == "A"


def test_two_orders_cannot_have_one_id_over_there(erp):
    first, second = factories.released_order(), factories.released_order()
    erp.offered()
    assert erp.post(f"/orders/{first.number}/acknowledge", {"external_id": "A"}).status_code == 200
    problem(erp.post(f"/orders/{second.number}/acknowledge", {"external_id": "A"}), 409, "conflict")


def test_many_are_acknowledged_at_once_each_with_its_outcome(erp):
    orders = [factories.released_order() for _time in range(2)]
    erp.offered()
    asked = [{"number": orders[0].number, "external_id": "X"}, {"number": orders[1].number, "external_id": "X"}]
    answer = erp.post("/orders/acknowledge", {"orders": [*asked, {"number": "nobody"}]}).json()["orders"]
    assert [each["status"] for each in answer] == ["acknowledged", "refused", "refused"]
    assert erp.offered() == [orders[1].number]


def test_what_was_not_handed_over_cannot_be_acknowledged(erp):
    order = factories.placed_order()
    found = problem(erp.post(f"/orders/{order.number}/acknowledge"), 409, "conflict")
    assert "not handed" in found["detail"]


def test_pages_by_cursor_leave_out_nothing(erp):
    orders = [factories.released_order() for _time in range(5)]
    hand_over()
    seen, cursor = [], ""
    while cursor is not None:
        answer = erp.get(f"/orders?limit=2&cursor={cursor}").json()
        seen += [order["number"] for order in answer["orders"]]
        cursor = answer["next_cursor"]
    assert seen == [order.number for order in orders]


def test_an_order_that_is_cancelled_before_it_is_fetched_is_not_offered(erp):
    order = factories.released_order()
    hand_over()
    cancelling.cancel_order(order=order, actor=factories.TEAM, reason="Out of fashion")
    assert erp.offered() == []


def test_the_order_says_what_an_erp_needs(erp):
    order = factories.released_order(fulfillment={"tax_id_kind": "cpf", "tax_id": "52998224725"})
    found = erp.get(f"/orders/{order.number}").json()
    assert found["number"] == order.number
    assert (found["shipping_status"], found["total_incl_tax"]) == ("released", str(order.total_incl_tax))
    assert found["customer"]["tax_id"] == "52998224725"
    assert found["customer"]["shipping_address"]["line1"] == "Rua A, 1"
    assert found["lines"][0]["quantity"] == 2
    assert found["shipments"][0]["lines"] == [{"line": found["lines"][0]["id"], "quantity": 2}]


def test_each_system_has_its_own_ledger(erp):
    warehouse = Caller("warehouse")
    order = factories.released_order()
    assert erp.offered() == warehouse.offered() == [order.number]
    erp.post(f"/orders/{order.number}/acknowledge")
    assert (erp.offered(), warehouse.offered()) == ([], [order.number])


def test_two_keys_of_one_system_share_the_ledger(erp):
    other = Caller("erp", name="the new one")
    order = factories.released_order()
    erp.offered()
    other.post(f"/orders/{order.number}/acknowledge")
    assert erp.offered() == []
    assert Export.objects.count() == 1


def test_a_system_without_a_working_key_is_told_nothing(erp):
    api_keys.set_active(key=erp.key, active=False, actor=factories.TEAM)
    factories.released_order()
    assert hand_over() == {}
    assert not Export.objects.exists()


def test_what_is_kept_in_memory_costs_a_step_no_query(erp):
    order = factories.placed_order()
    api_systems.systems.prime()
    with CaptureQueriesContext(connection) as queries:
        notes.add_note(order=order, actor=factories.TEAM, text="hello")
    assert not [q for q in queries if "apikey" in q["sql"]]


# ---- Reach ----


def test_a_key_for_one_flow_reaches_no_other():
    erp = Caller(flows=["STANDARD"])
    brazilian, swiss = factories.released_order(), factories.released_order(currency="CHF")
    assert erp.offered() == [swiss.number]
    problem(erp.get(f"/orders/{brazilian.number}"), 404, "not-found")
    problem(erp.post(f"/orders/{brazilian.number}/invoice", {"number": "1"}), 404, "not-found")
    problem(erp.post(f"/orders/{brazilian.number}/tracking", {"delivered": True}), 404, "not-found")
    answer = erp.post("/orders/acknowledge", {"orders": [{"number": brazilian.number}]}).json()
    assert answer["orders"][0]["status"] == "refused"


def test_a_key_of_a_partner_reaches_orders_that_are_wholly_theirs():
    ours, theirs = factories.product(partner="Ours"), factories.product(partner="Theirs")
    erp = Caller(partner=ours.stockrecords.get().partner)
    mine = factories.released_order(lines=[(ours, 1)])
    mixed = factories.released_order(lines=[(ours, 1), (theirs, 1)])
    other = factories.released_order(lines=[(theirs, 1)])
    assert erp.offered() == [mine.number]
    assert Export.objects.count() == 1
    assert erp.get(f"/orders/{mine.number}").status_code == 200
    for order in (mixed, other):
        problem(erp.get(f"/orders/{order.number}"), 404, "not-found")


# ---- Who ----


def test_without_a_key_nobody_gets_anything(erp):
    for given in (None, "", "Basic abc", "Bearer", "Bearer nonsense", f"Bearer ofk_{'a' * 12}_{'b' * 43}",
                  f"Token {erp.token}", "Bearer \x00"):  # fmt: skip
        answer = erp.get("/orders", Authorization=given)
        problem(answer, 401, "unauthorized")
        assert answer["WWW-Authenticate"].startswith("Bearer ")
    assert erp.get(f"/orders?access_token={erp.token}", Authorization=None).status_code == 401


def test_a_key_is_only_good_as_a_whole(erp):
    problem(erp.get("/orders", Authorization=f"Bearer {erp.token[:-1]}"), 401, "unauthorized")
    problem(erp.get("/orders", Authorization=f"Bearer {erp.token}x"), 401, "unauthorized")


def test_one_that_is_switched_off_or_over_opens_nothing(erp):
    api_keys.set_active(key=erp.key, active=False, actor=factories.TEAM)
    problem(erp.get("/orders"), 401, "unauthorized")
    other = Caller("other")
    ApiKey.objects.filter(pk=other.key.pk).update(expires_at=timezone.now())
    problem(other.get("/orders"), 401, "unauthorized")


def test_the_old_key_works_beside_the_new_one_for_a_while(erp):
    old = erp.token
    _row, erp.token = api_keys.rotate(key=erp.key, actor=factories.TEAM)
    assert erp.get("/orders").status_code == 200
    assert erp.get("/orders", Authorization=f"Bearer {old}").status_code == 200
    ApiKey.objects.update(old_until=timezone.now() - timedelta(seconds=1))
    problem(erp.get("/orders", Authorization=f"Bearer {old}"), 401, "unauthorized")


def test_a_key_that_leaked_ends_at_once(erp):
    old = erp.token
    _row, erp.token = api_keys.rotate(key=erp.key, actor=factories.TEAM, at_once=True)
    problem(erp.get("/orders", Authorization=f"Bearer {old}"), 401, "unauthorized")
    assert erp.get("/orders").status_code == 200


@pytest.mark.parametrize(
    ("scope", "method", "path", "body"),
    [
        ("orders:read", "GET", "/orders", None),
        ("orders:read", "GET", "/orders/1", None),
        ("orders:ack", "POST", "/orders/1/acknowledge", {}),
        ("orders:ack", "POST", "/orders/acknowledge", {"orders": [{"number": "1"}]}),
        ("invoices:write", "POST", "/orders/1/invoice", {"number": "1"}),
        ("tracking:write", "PATCH", "/orders/1/invoice/1", {"trackingNumber": "1"}),
        ("tracking:write", "PUT", "/orders/1/invoice/1/tracking", {"isDelivered": True}),
        ("tracking:write", "POST", "/orders/1/tracking", {"delivered": True}),
        ("stock:write", "GET", "/stock/1", None),
        ("stock:write", "PUT", "/stock/1", {"num_in_stock": 1}),
        ("stock:write", "POST", "/stock", {"items": [{"sku": "1", "num_in_stock": 1}]}),
    ],
)
def test_each_call_needs_its_scope(scope, method, path, body):
    without = Caller("without", scopes=[name for name in api_keys.SCOPES if name != scope])
    assert scope in problem(without.call(method, path, body), 403, "forbidden")["detail"]
    alone = Caller("alone", scopes=[scope])
    assert alone.call(method, path, body).status_code in (200, 404, 409)


def test_a_logged_in_clerk_is_nobody_here(client):
    client.force_login(factories.staff_user("*", is_superuser=True))
    assert client.get(f"{BASE}/orders").status_code == 401


def test_no_session_no_cookie_and_nothing_kept_by_caches(erp):
    answer = erp.get("/orders")
    assert not answer.cookies
    assert answer["Cache-Control"] == "no-store"


def test_the_key_is_in_no_log_and_not_in_the_table(erp, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("oscar_fulfillment.api.orders.get_order", lambda call: 1 / 0)
    found = problem(erp.get("/orders/1"), 500, "internal")
    assert "detail" not in found
    secret = erp.token.rpartition("_")[2]
    assert "ZeroDivisionError" in caplog.text
    assert secret not in caplog.text
    stored = ApiKey.objects.values().get()
    assert secret not in str(stored)
    assert re.fullmatch(r"[0-9a-f]{64}", stored["digest"])


# ---- How often ----


def test_too_many_calls_are_asked_to_wait(erp, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "API": {"rate": 60, "burst": 3}}
    left = [erp.get("/orders")["RateLimit"] for _time in range(3)]
    assert [re.search(r"r=(\d+)", each)[1] for each in left] == ["2", "1", "0"]
    answer = erp.get("/orders")
    problem(answer, 429, "rate-limited")
    assert answer["Retry-After"] == "1"
    assert answer["RateLimit-Policy"] == '"key";q=3;w=3'
    assert Caller("other").get("/orders").status_code == 200


def test_an_allowance_grows_again_and_never_beyond_the_burst(erp, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "API": {"rate": 60, "burst": 2}}

    def calls(moment):
        return [api_keys.pay(ApiKey.objects.get(), moment=moment).wait for _time in range(3)]

    assert calls(1000.0) == [0, 0, 1]
    assert calls(1001.0) == [0, 1, 1]
    assert calls(5000.0) == [0, 0, 1]


def test_when_a_key_was_used_is_noted(erp):
    assert erp.key.last_used_at is None
    erp.get("/orders")
    assert ApiKey.objects.get().last_used_at is not None


def test_a_page_costs_the_same_number_of_statements_for_one_order_and_for_ten(erp):
    for _time in range(10):
        factories.released_order()
    hand_over()
    counts = []
    for limit in (1, 10):
        with CaptureQueriesContext(connection) as queries:
            assert len(erp.get(f"/orders?limit={limit}").json()["orders"]) == limit
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 12, counts
