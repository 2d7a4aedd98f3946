"""The demo shop itself, in a process of its own: it has other settings than the test-suite."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

# Runs in the demo shop's settings on an empty database; prints what it saw as JSON.
SCRIPT = """
import json, re
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from oscar.core.loading import get_model
from oscar_fulfillment.models import OrderFulfillment, StatusChange
from oscar_fulfillment.core import history
from sandbox import mail
from sandbox.demo import orders
from sandbox.demo.users import LOGINS, PASSWORD

seen = {}

class NoMigrations:
    def __contains__(self, app): return True
    def __getitem__(self, app): return None

settings.MIGRATION_MODULES = NoMigrations()
call_command("migrate", run_syncdb=True, verbosity=0)
call_command("demo_reset", interactive=False, orders=120)
Order, Product = get_model("order", "Order"), get_model("catalogue", "Product")
seen["orders"] = Order.objects.count()
seen["products"] = Product.objects.count()
seen["states"] = sorted(set(OrderFulfillment.objects.values_list("shipping_status", flat=True)))
seen["payment"] = sorted(set(OrderFulfillment.objects.values_list("payment_status", flat=True)))
seen["flows"] = sorted(set(OrderFulfillment.objects.values_list("flow", flat=True)))
seen["broken_history"] = len(list(history.verify(OrderFulfillment, StatusChange)))
seen["future"] = StatusChange.objects.filter(created_at__gt=__import__("django.utils.timezone").utils.timezone.now()).count()
records = get_model("partner", "StockRecord").objects
seen["allocated_matches"] = all(
    (r.num_allocated or 0) == sum(l.num_allocated or 0 for l in get_model("order", "Line").objects.filter(stockrecord=r))
    for r in records.all()
)
call_command("demo_load", verbosity=0)
seen["orders_after_second_load"] = Order.objects.count()

for login in LOGINS:
    client = Client()
    assert client.login(username=login.email, password=PASSWORD), login.email
    seen.setdefault("dashboard", {})[login.email.split("@")[0]] = client.get("/dashboard/orders/").status_code

from oscar_fulfillment.models import PaymentMethod
from oscar_fulfillment.selectors import method_words
from oscar_fulfillment.services import method_rules
from oscar_fulfillment.selectors.payment_methods import offered
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from sandbox.shop.stores import STORES
methods = list(PaymentMethod.objects.all())
seen["contradictions"] = [m.code for m in methods if method_rules.problems(m, m.groups.count())]
seen["policies"] = {m.code: method_words.policy(m) for m in methods}
seen["gaps"] = [m.code for m in methods if "____" in f"{m.instructions}{m.translations}"]
buyers = {"guest": AnonymousUser(), **{u.username: u for u in get_user_model().objects.filter(username__in=["dealer", "regular"])}}
seen["offered"] = {
    f"{code} {name}": [m.code for m in offered(user=user, country=store.countries[0], currency=store.currency)]
    for code, store in STORES.items() for name, user in buyers.items()
}
PaymentMethod.objects.get(code="invoice-ch").customers.clear()
PaymentMethod.objects.filter(code="twint").update(cancel_days=9)
call_command("demo_load", verbosity=0)
seen["changed_stays"] = [PaymentMethod.objects.get(code="twint").cancel_days, PaymentMethod.objects.get(code="invoice-ch").customers.count()]

client = Client()
prices = {}
for code in ("br", "ch", "ru", "eu"):
    client.post("/sandbox/store/", {"store": code, "next": "/catalogue/"})
    prices[code] = re.findall(r'price_color">([^<]+)<', client.get("/catalogue/").text)[0]
seen["prices"] = prices
seen["unknown_store"] = client.post("/sandbox/store/", {"store": "xx"}).status_code
seen["get_store"] = client.get("/sandbox/store/").status_code
seen["evil_next"] = client.post("/sandbox/store/", {"store": "br", "next": "https://evil.example/"})["Location"]

# A basket goes along to the other store; what is not there leaves it with a message.
client = Client()
for sku in ("CT-101", "LH-202"):
    client.post(f"/basket/add/{Product.objects.get(upc=sku).pk}/", {"quantity": 1})
response = client.post("/sandbox/store/", {"store": "ch", "next": "/basket/"}, follow=True)
seen["moved"] = "CHF" in response.text and "not sold in this store" in response.text
seen["pages"] = {path: client.get(path).status_code for path in ("/sandbox/", "/sandbox/mails/", "/search/?q=lamp", "/admin/login/")}
seen["search"] = client.get("/search/?q=lamp").text.count('class="shop-card ')
seen["lost"] = client.get("/catalogue/category/no_999/").status_code

from django.core.mail import EmailMultiAlternatives
letter = EmailMultiAlternatives("Hello <b>", "text", "shop@example.com", ["you@example.com"])
letter.attach_alternative("<script>alert(1)</script><p>Hi</p>", "text/html")
letter.send()
name = mail.names()[0]
page, html = client.get(f"/sandbox/mails/{name}/"), client.get(f"/sandbox/mails/{name}/html/")
seen["mail"] = "Hello &lt;b&gt;" in page.text and 'sandbox="allow-popups' in page.text
seen["mail_policy"] = html["Content-Security-Policy"]
seen["mail_lost"] = [client.get(f"/sandbox/mails/{bad}/").status_code for bad in ("x", "..%2f..%2fsettings", "0" * 20 + "-00000000")]
client.post("/sandbox/mails/")
seen["mails_after"] = len(mail.names())
print("SEEN" + json.dumps(seen))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    environment = {**os.environ, "SANDBOX_VAR": str(tmp_path_factory.mktemp("sandbox")), "DATABASE_URL": ""}
    environment["DJANGO_SETTINGS_MODULE"] = "sandbox.settings"
    result = subprocess.run(
        [sys.executable, "sandbox/manage.py", "shell", "-v", "0", "-c", SCRIPT],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert "SEEN" in result.stdout, result.stderr[-4000:]
    return json.loads(result.stdout.split("SEEN", 1)[1])


@pytest.mark.feature("Z1")
def test_there_are_demo_orders_in_every_state(seen):
    assert seen["orders"] == 186
    assert seen["products"] == 24
    assert seen["states"] == [
        "cancelled", "delivered", "dispatched", "invoiced", "partially_dispatched", "received", "released", "returned",
    ]  # fmt: skip
    assert {"awaiting_payment", "paid", "cancelled"} <= set(seen["payment"])
    assert seen["flows"] == ["BRAZIL", "STANDARD"]


@pytest.mark.feature("Z4")
def test_the_history_of_the_demo_orders_verifies_and_lies_in_the_past(seen):
    assert (seen["broken_history"], seen["future"]) == (0, 0)


def test_stock_is_allocated_as_the_orders_say(seen):
    assert seen["allocated_matches"]


def test_loading_again_adds_nothing(seen):
    assert seen["orders_after_second_load"] == seen["orders"]


def test_every_login_works_and_only_staff_and_partner_see_orders(seen):
    assert seen["dashboard"] == {
        "manager": 200, "clerk": 200, "finance": 200, "warehouse": 200, "partner": 200, "admin": 200,
        "customer": 403, "dealer": 403, "regular": 403,
    }  # fmt: skip


@pytest.mark.feature("D5", "D6", "D14", "E7", "E15", "E16", "Z7")
def test_the_stores_show_every_policy_and_each_buyer_what_is_for_them(seen):
    assert (seen["contradictions"], seen["gaps"]) == ([], [])
    said = " ".join(seen["policies"].values())
    for words in (
        "Charged at once", "Held 7 days, charged by hand", "Held 7 days, charged when sent", "then given back",
        "then charged by itself", "to try again after a refusal", "Reminder after 7 days, cancelled after 21 days",
        "reserved 3 days, call on the last day, then cancelled", "paid when handed over", "due after 14 days",
        "due after 30 days", "completed once it was paid out", "Invoice mailed with the confirmation",
    ):  # fmt: skip
        assert words in said, words
    offered = seen["offered"]
    assert offered["br guest"] == ["pix", "boleto", "cartao", "deposito"]
    assert offered["ch guest"] == ["prepayment", "twint", "card-ch", "cash-pickup"]
    assert offered["ch regular"] == [*offered["ch guest"], "invoice-ch"]
    assert offered["ru guest"] == ["card-ru", "sbp", "invoice-ru"]
    assert offered["ru dealer"] == [*offered["ru guest"], "deferred-ru"]
    assert offered["eu guest"] == ["transfer", "card-eu"]
    assert seen["changed_stays"] == [9, 0]


def test_each_store_has_its_currency(seen):
    marks = {"br": "R$", "ch": "CHF", "ru": "RUB", "eu": "€"}
    assert all(mark in seen["prices"][code] for code, mark in marks.items()), seen["prices"]
    assert (seen["unknown_store"], seen["get_store"], seen["evil_next"]) == (400, 405, "/")
    assert seen["moved"]


def test_the_shops_pages_answer(seen):
    assert set(seen["pages"].values()) == {200}
    assert seen["search"] >= 2
    assert seen["lost"] == 404


@pytest.mark.feature("D2")
def test_caught_mails_are_shown_without_running_what_is_in_them(seen):
    assert seen["mail"]
    assert seen["mail_policy"].startswith("sandbox ")
    assert "default-src 'none'" in seen["mail_policy"]
    assert seen["mail_lost"] == [404, 404, 404]
    assert seen["mails_after"] == 0
