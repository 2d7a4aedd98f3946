"""Tokens that change at every use: renewed in time, by one worker, never lost; sealed under the shop's key."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection, connections
from django.test import override_settings

from oscar_fulfillment.connectors.oauth import GrantRefused, NotConnected, TokenHolder, Tokens
from oscar_fulfillment.core import sealed
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable, ConfigurationError
from oscar_fulfillment.models import ConnectorState
from oscar_fulfillment.services.connector_tokens import DatabaseTokens

from .bling import bling, connect, handed_over
from .connectors import due_now, ledger, send

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("A8")]


def tokens(number=1, *, life=21_600.0, age=0.0, **more):
    now = time.time() - age
    return Tokens(f"access{number}", f"refresh{number}", now, now + life, **more)


class Vendor:
    """Refresh tokens of one use."""

    def __init__(self, first, delay=0.0):
        self.good, self.delay, self.count, self.lock = first.refresh, delay, 1, threading.Lock()
        self.asked = []

    def renew(self, old):
        self.asked.append(old.refresh)
        with self.lock:
            if old.refresh != self.good:
                raise GrantRefused("no", status=400)
            self.count += 1
            new = tokens(self.count)
            self.good = new.refresh
        time.sleep(self.delay)
        return new


def holder(vendor):
    return TokenHolder("erp", "The ERP", vendor.renew)


# ---- Renewing ----


def test_a_good_token_is_used_and_an_old_one_renewed_before_its_end():
    first = tokens(age=21_600 - 700)
    DatabaseTokens("erp").save(first)
    vendor = Vendor(first)
    assert holder(vendor).call(lambda held: held.access) == "access1"
    DatabaseTokens("erp").save(tokens(age=21_600 - 500))
    assert holder(vendor).call(lambda held: held.access) == "access2"
    assert DatabaseTokens("erp").load().refresh == "refresh2"
    # A short life is used by half.
    DatabaseTokens("erp").save(tokens(2, life=100, age=40))
    assert holder(vendor).call(lambda held: held.access) == "access2"
    DatabaseTokens("erp").save(tokens(2, life=100, age=60))
    assert holder(vendor).call(lambda held: held.access) == "access3"


def test_a_token_that_is_refused_is_renewed_once():
    first = tokens()
    DatabaseTokens("erp").save(first)
    vendor, seen = Vendor(first), []

    def do(held):
        seen.append(held.access)
        raise AdapterRejected("no", status=401)

    with pytest.raises(AdapterRejected):
        holder(vendor).call(do)
    assert seen == ["access1", "access2"]
    with pytest.raises(AdapterRejected):
        holder(vendor).call(lambda held: (_ for _ in ()).throw(AdapterRejected("no", status=403)))
    assert vendor.asked == ["refresh1"]


@pytest.mark.postgres
@pytest.mark.parametrize("number", [2, 8])
def test_workers_that_renew_at_once_ask_once(number):
    first = tokens(age=30_000)
    DatabaseTokens("erp").save(first)
    vendor, found, errors = Vendor(first, delay=0.3), [], []
    together = threading.Barrier(number)

    def work():
        try:
            together.wait()
            found.append(holder(vendor).call(lambda held: held.access))
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _one in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert errors == []
    assert found == ["access2"] * number
    assert vendor.asked == ["refresh1"]
    assert DatabaseTokens("erp").load().refresh == "refresh2"
    assert ConnectorState.objects.get().sealed.startswith("|")


class Shelf:
    """A store in memory, that all workers share."""

    def __init__(self, first):
        self.held, self.until, self.lock = first, 0.0, threading.Lock()

    def load(self):
        with self.lock:
            return self.held

    def claim(self, seconds):
        with self.lock:
            if self.until > time.monotonic():
                return False
            self.until = time.monotonic() + seconds
            return True

    def release(self):
        with self.lock:
            self.until = 0.0

    def save(self, tokens, *, replaces=None):
        with self.lock:
            self.until = 0.0
            if replaces is not None and self.held.refresh != replaces.refresh:
                return False
            self.held = tokens
            return True


def test_threads_that_renew_at_once_ask_once():
    first = tokens(age=30_000)
    shelf, vendor, found = Shelf(first), Vendor(first, delay=0.2), []
    keeper = TokenHolder("erp", "The ERP", vendor.renew, store=lambda alias: shelf)
    together = threading.Barrier(8)

    def work():
        together.wait()
        found.append(keeper.call(lambda held: held.access))

    threads = [threading.Thread(target=work) for _one in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == ["access2"] * 8
    assert vendor.asked == ["refresh1"]


def test_while_another_renews_a_token_that_is_still_good_serves():
    first = tokens(age=21_600 - 100)
    DatabaseTokens("erp").save(first)
    assert DatabaseTokens("erp").claim(60)
    began = time.monotonic()
    assert holder(Vendor(first)).call(lambda held: held.access) == "access1"
    assert time.monotonic() - began < 1


def test_whoever_waits_in_vain_comes_back_later(monkeypatch):
    monkeypatch.setattr("oscar_fulfillment.connectors.oauth.PATIENCE", 0.3)
    DatabaseTokens("erp").save(tokens(age=30_000))
    assert DatabaseTokens("erp").claim(60)
    vendor = Vendor(tokens())
    with pytest.raises(AdapterUnavailable, match="another worker"):
        holder(vendor).call(lambda held: held.access)
    assert vendor.asked == []


def test_a_worker_that_dies_over_it_does_not_hold_it_for_ever():
    first = tokens(age=30_000)
    DatabaseTokens("erp").save(first)
    assert DatabaseTokens("erp").claim(0.05)
    time.sleep(0.1)
    assert holder(Vendor(first)).call(lambda held: held.access) == "access2"


def test_tokens_of_a_slow_worker_are_kept_though_its_claim_ran_out():
    """Its refresh token is spent: the tokens it comes back with are the only good ones."""
    first = tokens(age=30_000)
    DatabaseTokens("erp").save(first)
    slow = DatabaseTokens("erp")
    assert slow.claim(0.01)
    time.sleep(0.05)
    vendor = Vendor(first)
    vendor.good = "spent by the slow one"
    with pytest.raises(NotConnected):
        holder(vendor).call(lambda held: held.access)
    assert DatabaseTokens("erp").load().refused
    assert slow.save(tokens(7), replaces=first)
    assert holder(vendor).call(lambda held: held.access) == "access7"
    assert vendor.asked == ["refresh1"]


def test_what_a_person_connected_meanwhile_counts():
    first = tokens(age=30_000)
    DatabaseTokens("erp").save(first)

    def renew(old):
        DatabaseTokens("erp").save(tokens(50))
        return tokens(2)

    assert TokenHolder("erp", "The ERP", renew).call(lambda held: held.access) == "access50"
    assert DatabaseTokens("erp").load().access == "access50"

    def refuse(old):
        DatabaseTokens("erp").save(tokens(60))
        raise GrantRefused("no", status=400)

    DatabaseTokens("erp").save(first)
    assert TokenHolder("erp", "The ERP", refuse).call(lambda held: held.access) == "access60"


def test_a_refused_grant_is_not_asked_again_until_a_person_connects_it():
    first = tokens(age=30_000)
    DatabaseTokens("erp").save(first)
    vendor = Vendor(first)
    vendor.good = "another"
    for _time in range(3):
        with pytest.raises(NotConnected, match="has to be connected"):
            holder(vendor).call(lambda held: held.access)
    assert vendor.asked == ["refresh1"]
    DatabaseTokens("erp").save(tokens(9))
    assert holder(vendor).call(lambda held: held.access) == "access9"


def test_while_the_vendor_is_down_the_tokens_stay_and_the_claim_ends():
    DatabaseTokens("erp").save(tokens(age=30_000))

    def renew(old):
        raise AdapterUnavailable("down")

    for _time in range(2):
        with pytest.raises(AdapterUnavailable, match="down"):
            TokenHolder("erp", "The ERP", renew).call(lambda held: held.access)
    assert DatabaseTokens("erp").load().refresh == "refresh1"
    assert ConnectorState.objects.get().sealed.startswith("|")


def test_no_transaction_is_open_while_the_vendor_is_asked():
    DatabaseTokens("erp").save(tokens(age=30_000))
    seen = []

    def renew(old):
        seen.append(connection.in_atomic_block)
        return tokens(2)

    TokenHolder("erp", "The ERP", renew).call(lambda held: held.access)
    assert seen == [False]


# ---- At Bling ----


def test_a_token_that_ends_in_mid_flight_is_renewed_and_the_order_made_once():
    with bling() as erp:
        erp.vendor.end_tokens("access")
        handed_over()
        assert ledger("bling")[0].status == "acknowledged"
        assert len(erp.orders()) == 1
        assert erp.paths("POST").count("/oauth/token") == 2


@pytest.mark.postgres
def test_many_workers_at_bling_spend_one_refresh_token():
    with bling() as erp:
        first = DatabaseTokens("bling").load()
        erp.vendor.end_tokens("access")
        together, errors = threading.Barrier(6), []

        def work():
            try:
                together.wait()
                erp.adapter.wire.listed("/contatos", {})
            except Exception as error:
                errors.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work) for _one in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert errors == []
        assert erp.paths("POST").count("/oauth/token") == 2
        assert DatabaseTokens("bling").load().refresh != first.refresh


def test_when_bling_forgets_the_shop_its_orders_wait_for_a_person():
    with bling() as erp:
        erp.vendor.end_tokens("access", "refresh")
        handed_over()
        (row,) = ledger("bling")
        assert (row.status, "has to be connected" in row.error) == ("waiting", True)
        asked = erp.paths("POST").count("/oauth/token")
        due_now("bling")
        send("bling")
        assert erp.paths("POST").count("/oauth/token") == asked
        connect(erp)
        due_now("bling")
        send("bling")
        assert ledger("bling")[0].status == "acknowledged"


def test_a_lost_answer_to_a_renewal_is_the_worst_and_is_said():
    """The new refresh token was told once, and nobody heard it."""
    with bling() as erp:
        erp.vendor.end_tokens("access")
        erp.vendor.fail_next("cut_after", path="oauth/token")
        handed_over()
        assert ledger("bling")[0].status == "waiting"
        due_now("bling")
        send("bling")
        assert "has to be connected" in ledger("bling")[0].error


def test_a_wrong_secret_of_the_application_spends_nothing():
    with bling() as erp:
        tokens_before = DatabaseTokens("bling").load()
        erp.vendor.end_tokens("access")
        erp.adapter.wire._login["Authorization"] = "Basic d3Jvbmc="
        handed_over()
        assert (
            "As credenciais do aplicativo são inválidas" in ledger("bling")[0].error
            or "does not accept" in ledger("bling")[0].error
        )
        assert DatabaseTokens("bling").load() == tokens_before


# ---- The seal ----


def test_what_is_sealed_opens_under_the_shops_key_alone():
    with override_settings(SECRET_KEY="one", SECRET_KEY_FALLBACKS=[]):
        text = sealed.seal("refresh", purpose="connector:a")
        assert "refresh" not in text
        assert sealed.unseal(text, purpose="connector:a") == "refresh"
        with pytest.raises(sealed.SealBroken):
            sealed.unseal(text, purpose="connector:b")
        for broken in (text[:-2], text[:20] + ("B" if text[20] == "A" else "A") + text[21:], "", "é", "a" * 1000):
            with pytest.raises(sealed.SealBroken):
                sealed.unseal(broken, purpose="connector:a")
    with override_settings(SECRET_KEY="two", SECRET_KEY_FALLBACKS=["one"]):
        assert sealed.unseal(text, purpose="connector:a") == "refresh"
        newer = sealed.seal("refresh", purpose="connector:a")
    with override_settings(SECRET_KEY="two", SECRET_KEY_FALLBACKS=[]):
        assert sealed.unseal(newer, purpose="connector:a") == "refresh"
        with pytest.raises(sealed.SealBroken):
            sealed.unseal(text, purpose="connector:a")


def test_without_the_package_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr(sealed, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install .*\[nfe\]"):
        sealed.seal("x", purpose="y")


def test_tokens_whose_key_is_gone_are_none():
    DatabaseTokens("erp").save(tokens())
    with override_settings(SECRET_KEY="another", SECRET_KEY_FALLBACKS=[]):
        assert DatabaseTokens("erp").load() is None
        with pytest.raises(NotConnected):
            holder(Vendor(tokens())).call(lambda held: held.access)
        assert DatabaseTokens("erp").save(tokens(3))
        assert DatabaseTokens("erp").load().access == "access3"


def test_tokens_put_in_anothers_place_are_none():
    DatabaseTokens("erp").save(tokens())
    text = ConnectorState.objects.get().sealed
    ConnectorState.objects.create(connector="crm", sealed=text)
    assert DatabaseTokens("crm").load() is None
    ConnectorState.objects.filter(connector="crm").update(sealed="x:nonsense|y")
    assert DatabaseTokens("crm").load() is None
    assert DatabaseTokens("nobody").load() is None
    assert not DatabaseTokens("nobody").claim(5)
    assert not DatabaseTokens("nobody").save(tokens(), replaces=tokens())
