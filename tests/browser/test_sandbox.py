"""The sandbox as a new user has it: its own server, its own worker, one SQLite file; a shopper buys, a merchant works.

Nothing here reaches into the database: what is asserted is what people see, the mails that the worker sent, and that
no process of the sandbox ever logged "database is locked". The pictures of the README are taken on the way.
"""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from .conftest import SHOTS, check_page, watch

ROOT = pathlib.Path(__file__).resolve().parents[2]
#: `make pictures` has them written into docs/images.
PICTURES = pathlib.Path(os.environ.get("PICTURES", SHOTS))
PASSWORD = "sandbox"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The address of a running sandbox, and its log. SANDBOX_URL names one that runs already, while a test is written."""
    if running := os.environ.get("SANDBOX_URL"):
        yield running, None
        return
    folder = tmp_path_factory.mktemp("sandbox")
    port, log = free_port(), folder / "log.txt"
    environment = {
        k: v for k, v in os.environ.items() if k not in ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "REDIS_URL")
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.run", "--port", str(port)],
            cwd=ROOT,
            env=environment | {"SANDBOX_VAR": str(folder / "var")},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 400
        while "Ctrl-C" not in log.read_text():
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(1)
        base = f"http://localhost:{port}"
        while True:
            try:
                urllib.request.urlopen(f"{base}/sandbox/", timeout=5).read()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.5)
        yield base, log
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    assert "database is locked" not in log.read_text()


@pytest.fixture
def person(browser, shop):
    """Somebody at a machine of their own: ``tab = person("clerk@example.com")``."""
    base, _log = shop
    contexts, failures = [], []

    def arrive(login=None, **options):
        context = browser.new_context(base_url=base, viewport={"width": 1280, "height": 900}, **options)
        context.set_default_timeout(30_000)
        contexts.append(context)
        tab = context.new_page()
        failures.append(watch(tab))
        if login:
            tab.goto("/dashboard/login/")
            tab.fill("[name=username]", login)
            tab.fill("[name=password]", PASSWORD)
            tab.click("[type=submit]")
            tab.wait_for_url(lambda url: "login" not in url)
        return tab

    yield arrive
    for context in contexts:
        context.close()
    assert not [line for found in failures for line in found]


def buy(tab, store, product, address, pay):
    """From the shelf to the thank-you page as a guest; returns the order's number."""
    tab.goto("/")
    if tab.locator("#store_choice").input_value() != store:
        with tab.expect_navigation():
            tab.select_option("#store_choice", store)
    tab.click(f"article:has-text('{product}') a >> nth=0")
    tab.click("form[action*='basket/add'] [type=submit] >> nth=0")
    tab.wait_for_load_state()
    tab.goto("/checkout/")
    tab.fill("#id_username", address.pop("email"))
    tab.check("input[name=options][value=anonymous]", force=True)
    tab.click("form:has(#id_username) [type=submit]")
    tab.wait_for_url("**/shipping-address/**")
    for name, value in address.items():
        field = tab.locator(f"#id_{name}")
        if name == "country" and not field.count():
            continue  # a store that ships to one country does not ask
        if field.evaluate("e => e.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    tab.click("form:has(#id_line1) [type=submit]")
    tab.wait_for_load_state()
    if "shipping-method" in tab.url:
        tab.click("form:has([name=method_code]) [type=submit] >> nth=0")
        tab.wait_for_load_state()
    assert "payment-method" in tab.url, tab.url
    tab.check(f"input[name=payment_method][value={pay['method']}]", force=True)
    if "tax_id" in pay:
        tab.fill("#id_tax_id", pay["tax_id"])
    check_page(tab, f"checkout-payment-{store}", widths=(1280, 390), ignore=("color-contrast",))
    tab.click("form:has([name=payment_method]) [type=submit]")
    tab.wait_for_url("**/preview/**")
    tab.click("#place-order")
    tab.wait_for_url("**/thank-you/**")
    return re.search(r"\b(1\d{5})\b", tab.locator("body").inner_text())[1]


def step(tab, action, fields=None):
    """Take one step on the order page, through its form."""
    tab.click(f"a[href*='/step/{action}/']:visible >> nth=0")
    form = tab.locator(f"form[action*='/step/{action}/']")
    form.wait_for()
    for selector, value in (fields or {}).items():
        field = form.locator(selector)
        if value is True:
            field.check(force=True)
        elif field.evaluate("e => e.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    with tab.expect_navigation():
        form.locator("[type=submit]").first.click()
    tab.wait_for_load_state()


def manage(shop, *arguments):
    """Run a command in the sandbox, as its owner would."""
    _base, log = shop
    environment = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
    if log is not None:
        environment["SANDBOX_VAR"] = str(log.parent / "var")
    command = [sys.executable, str(ROOT / "sandbox" / "manage.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout


def badges(tab):
    return [text.strip() for text in tab.locator(".ff-badges .ff-badge, .ff-header .ff-badge").all_inner_texts()][:2]


def mails_about(tab, number, wanted, patience=90):
    """Wait for the worker: the subjects of the mails about an order once there are ``wanted`` of them."""
    deadline = time.monotonic() + patience
    while True:
        tab.goto(f"/sandbox/mails/?q={number}")
        subjects = [line for line in tab.locator("main, body").first.inner_text().split("\n") if number in line]
        if len(subjects) >= wanted:
            return subjects
        assert time.monotonic() < deadline, subjects
        time.sleep(1)


@pytest.mark.feature("A2", "A4", "A7", "A9", "A12", "A14", "A15", "D1", "Z1", "Z4")
def test_a_brazilian_order_from_the_shelf_to_delivered(person, shop):
    from oscar_fulfillment.test.fiscal import make_key

    shopper = person()
    number = buy(
        shopper,
        "br",
        "Brasa espresso cup",
        {
            "email": "lia@example.net",
            "country": "BR",
            "first_name": "Lia",
            "last_name": "Prado",
            "line1": "Rua das Flores, 12",
            "line4": "Campinas",
            "state": "SP",
            "postcode": "13010-000",
        },
        {"method": "deposito", "tax_id": "529.982.247-25"},
    )
    boss = person("manager@example.com")
    boss.goto(f"/dashboard/orders/{number}/")
    assert badges(boss) == ["Awaiting payment", "Received"]
    step(boss, "approve_payment", {"[name=reference]": "TED 4711"})
    assert badges(boss) == ["Approved", "Received"]
    step(boss, "release")
    assert badges(boss) == ["Approved", "Released for invoicing"]
    PICTURES.mkdir(parents=True, exist_ok=True)
    boss.screenshot(path=PICTURES / "order-page.png")
    step(boss, "invoice", {"[name=access_key]": make_key(number=int(number))})
    assert badges(boss) == ["Approved", "Invoiced"]
    step(boss, "dispatch", {"[name=carrier]": "correios", "[name=tracking_code]": "AA123456785BR"})
    assert badges(boss) == ["Approved", "Sent"]
    boss.locator(".ff-badges summary, .ff-header summary").first.click()  # the "…" beside the badge
    step(boss, "deliver")
    assert badges(boss) == ["Approved", "Delivered"]
    history = boss.locator("#history").inner_text()
    for words in ("Marta Nogueira", "TED 4711", "AA123456785BR", "Invoiced"):
        assert words in history
    boss.goto("/dashboard/orders/")
    boss.screenshot(path=PICTURES / "order-list.png")
    subjects = mails_about(shopper, number, 6)
    assert len([s for s in subjects if "New order" in s]) == 1, subjects
    assert "whole" in manage(shop, "fulfillment_verify_history")


@pytest.mark.feature("D11", "D18", "E3", "E5", "Z1")
def test_a_swiss_order_from_the_shelf_to_delivered(person):
    shopper = person()
    number = buy(
        shopper,
        "ch",
        "Pausa French press",
        {
            "email": "luc@example.net",
            "country": "CH",
            "first_name": "Luc",
            "last_name": "Favre",
            "line1": "Rue du Lac 3",
            "line4": "Lausanne",
            "postcode": "1003",
        },
        {"method": "prepayment"},
    )
    boss = person("manager@example.com")
    boss.goto(f"/dashboard/orders/{number}/")
    step(boss, "approve_payment")
    step(boss, "release")
    assert badges(boss) == ["Paid", "In process"]
    assert boss.locator("a[href*='/step/invoice/']").count() == 0
    step(boss, "dispatch", {"[name=notify][value=yes]": True})
    assert badges(boss) == ["Paid", "Sent"]
    step(boss, "deliver")
    assert badges(boss) == ["Paid", "Delivered"]
    assert len(mails_about(shopper, number, 6)) >= 6


def ways_to_pay(tab, store, product, address):
    """What the checkout offers somebody who is logged in: codes."""
    tab.goto("/")
    with tab.expect_navigation():
        tab.select_option("#store_choice", store)
    tab.click(f"article:has-text('{product}') a >> nth=0")
    tab.click("form[action*='basket/add'] [type=submit] >> nth=0")
    tab.wait_for_load_state()
    tab.goto("/checkout/")
    for name, value in address.items():
        tab.fill(f"#id_{name}", value)
    tab.click("form:has(#id_line1) [type=submit]")
    tab.wait_for_load_state()
    tab.click("form:has([name=method_code]) [type=submit] >> nth=0")
    tab.wait_for_load_state()
    return [radio.get_attribute("value") for radio in tab.locator("input[name=payment_method]").all()]


@pytest.mark.feature("D14", "E16", "Z7")
def test_a_dealer_and_a_known_customer_see_what_is_meant_for_them(person):
    russian = {
        "first_name": "Иван",
        "last_name": "Петров",
        "line1": "Ленина 1",
        "line4": "Казань",
        "postcode": "420111",
    }
    dealer = ways_to_pay(person("dealer@example.com"), "ru", "Pausa French press", russian)
    assert dealer == ["card-ru", "sbp", "invoice-ru", "deferred-ru"]
    swiss = {
        "first_name": "Léa",
        "last_name": "Rochat",
        "line1": "Rue de Bourg 12",
        "line4": "Lausanne",
        "postcode": "1003",
    }
    regular = person("regular@example.com")
    assert ways_to_pay(regular, "ch", "Pausa French press", swiss)[-1] == "invoice-ch"
    boss = person("manager@example.com")
    boss.goto("/dashboard/orders/payment-methods/")
    check_page(boss, "sandbox-payment-methods", widths=(1280, 390))
    boss.click("text=1 customer, by name")
    boss.click("text=Take away")
    boss.wait_for_load_state()
    assert "invoice-ch" not in ways_to_pay(regular, "ch", "Pausa French press", swiss)


def test_every_role_opens_the_orders_and_sees_why_it_may_not(person):
    for login in ("clerk@example.com", "finance@example.com", "warehouse@example.com"):
        tab = person(login)
        tab.goto("/dashboard/orders/")
        assert tab.locator("h1").inner_text().strip() == "Orders"
        tab.goto(tab.locator("tbody a").first.get_attribute("href"))
        assert "You do not have the permission for this step." in tab.content()


@pytest.mark.parametrize("language", ["pt", "fr", "ru"])
def test_the_work_pages_speak_the_languages(person, language):
    tab = person("manager@example.com")
    tab.context.add_cookies([{"name": "django_language", "value": language, "domain": "localhost", "path": "/"}])
    words = {"pt": "Aguardando pagamento", "fr": "paiement", "ru": "оплат"}
    tab.goto("/dashboard/orders/")
    assert words[language].casefold() in tab.content().casefold()
    check_page(tab, f"list-{language}", widths=(390,), ignore=("list", "color-contrast"))
    tab.goto(tab.locator("tbody a").first.get_attribute("href"))
    check_page(tab, f"page-{language}", widths=(390,), ignore=("list", "color-contrast"))
