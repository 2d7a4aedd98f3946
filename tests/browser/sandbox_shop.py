"""What people do in the sandbox: buy, take steps on the order page, read the mails. Also how one is started for tests.

The fixtures ``shop`` (a running sandbox) and ``person`` (somebody at a machine of their own) are in conftest.py.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

from .conftest import check_page

ROOT = pathlib.Path(__file__).resolve().parents[2]
PASSWORD = "sandbox"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _environment(folder):
    """Without what the tests' own settings are chosen by."""
    ours = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "REDIS_URL")
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return kept | {"SANDBOX_VAR": str(folder / "var")}


def prepare_sandbox(folder):
    """The data of a sandbox that was never started: tables and demo shop, to be copied for each module of tests."""
    if "SANDBOX_URL" not in os.environ:
        command = [sys.executable, "-m", "sandbox.run", "--prepare-only"]
        subprocess.run(command, cwd=ROOT, env=_environment(folder), check=True, timeout=400, stdout=subprocess.DEVNULL)
    return folder


@contextmanager
def running_sandbox(folder, prepared):
    """Start one and yield its address and its log. SANDBOX_URL names one that runs already, while a test is written."""
    if running := os.environ.get("SANDBOX_URL"):
        yield running, None
        return
    port, log = free_port(), folder / "log.txt"
    shutil.copytree(prepared / "var", folder / "var")
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.run", "--port", str(port)],
            cwd=ROOT,
            env=_environment(folder),
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


#: Somebody in each store's country, as the address form asks for it.
ADDRESSES = {
    "br": {"country": "BR", "first_name": "Lia", "last_name": "Prado", "line1": "Rua das Flores, 12", "line4": "Campinas",
           "state": "SP", "postcode": "13010-000"},
    "ch": {"country": "CH", "first_name": "Luc", "last_name": "Favre", "line1": "Rue du Lac 3", "line4": "Lausanne",
           "postcode": "1003"},
    "ru": {"country": "RU", "first_name": "Иван", "last_name": "Петров", "line1": "ул. Ленина, д. 1", "line4": "Казань",
           "postcode": "420111"},
    "eu": {"country": "FR", "first_name": "Camille", "last_name": "Moreau", "line1": "8 rue Mercière", "line4": "Lyon",
           "postcode": "69002"},
}  # fmt: skip
CPF = "529.982.247-25"


def put_into_basket(tab, store, product, quantity=1):
    """From the front page of a store to the basket."""
    tab.goto("/")
    if tab.locator("#store_choice").input_value() != store:
        with tab.expect_navigation():
            tab.select_option("#store_choice", store)
    tab.click(f"article:has-text('{product}') a >> nth=0")
    tab.click("form[action*='basket/add'] [type=submit] >> nth=0")
    tab.wait_for_load_state()
    if quantity != 1:
        tab.goto("/basket/")
        tab.fill("#id_form-0-quantity", str(quantity))
        with tab.expect_response(lambda answer: answer.request.method == "POST"):
            tab.click(".checkout-quantity [type=submit]")


def give_address(tab, email="", **address):
    """The checkout as far as the ways to pay; with ``email`` as a guest."""
    tab.goto("/checkout/")
    if email:
        tab.fill("#id_username", email)
        tab.check("input[name=options][value=anonymous]", force=True)
        tab.click("form:has(#id_username) [type=submit]")
        tab.wait_for_url("**/shipping-address/**")
    carriage = address.pop("carriage", "")
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
        chosen = f"form:has([name=method_code][value={carriage}])" if carriage else "form:has([name=method_code])"
        tab.click(f"{chosen} [type=submit] >> nth=0")
        tab.wait_for_load_state()
    assert "payment-method" in tab.url, tab.url


def pay_by(tab, method, tax_id=""):
    """Choose how to pay and place the order; returns its number, wherever the buyer is led: thank-you page, payment
    page, or the provider's."""
    tab.check(f"input[name=payment_method][value={method}]", force=True)
    if tax_id:
        tab.fill("#id_tax_id", tax_id)
    tab.click("form:has([name=payment_method]) [type=submit]")
    tab.wait_for_url("**/preview/**")
    tab.click("#place-order")
    tab.wait_for_url(lambda url: "preview" not in url)
    return re.search(r"\b(1\d{5})\b", tab.locator("body").inner_text())[1]


def buy(tab, store, product, address, pay):
    """From the shelf to the thank-you page as a guest; returns the order's number."""
    put_into_basket(tab, store, product)
    give_address(tab, **address)
    tab.check(f"input[name=payment_method][value={pay['method']}]", force=True)
    check_page(tab, f"checkout-payment-{store}", widths=(1280, 390), ignore=("color-contrast",))
    number = pay_by(tab, **pay)
    assert "thank-you" in tab.url
    return number


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
        form.locator("[data-submit]").first.click()
    tab.wait_for_load_state()


def act(tab, action, fields=None, *, submit="[data-submit]"):
    """Take a step of the order page or of its payment card; ``fields``: label -> value (True: choose it)."""
    panel = fill_in(tab, action, fields)
    with tab.expect_navigation():
        panel.locator(submit).first.click()
    tab.wait_for_load_state()
    refused = tab.locator("[data-step-panel]")
    assert not refused.count(), refused.inner_text()


def send_and_deliver(tab):
    """The goods leave, the customer gets a mail, and the goods arrive."""
    act(tab, "dispatch", {"Yes": True})
    step(tab, "deliver")


def fill_in(tab, action, fields=None):
    """Open the form of a step and fill it in; returns its panel."""
    panel = tab.locator(f"[data-step-panel={action}]")
    if not panel.count():
        tab.locator(f"[data-step={action}]:visible, a[href*='/{action}/']:visible").first.click()
    panel.wait_for()
    for label, value in (fields or {}).items():
        field = panel.get_by_label(label)
        if value is True:
            field.check(force=True)
        else:
            field.fill(value)
    return panel


def vendors(shop):
    """Where the simulators are: the start page leads there."""
    page = urllib.request.urlopen(f"{shop[0]}/sandbox/", timeout=30).read().decode()
    return re.search(r'href="(http://127[^"]+)"', page)[1]


def manage(shop, *arguments):
    """Run a command in the sandbox, as its owner would."""
    _base, log = shop
    environment = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
    if log is not None:
        environment["SANDBOX_VAR"] = str(log.parent / "var")
    environment["SIMULATORS_URL"] = vendors(shop)
    command = [sys.executable, str(ROOT / "sandbox" / "manage.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout


def badges(tab):
    return [text.strip() for text in tab.locator(".ff-badges .ff-badge, .ff-header .ff-badge").all_inner_texts()][:2]


def until(tab, address, look, patience=60):
    """Load a page again and again until ``look(tab)`` is true: the workers need a moment."""
    deadline = time.monotonic() + patience
    while True:
        tab.goto(address)
        if found := look(tab):
            return found
        assert time.monotonic() < deadline, tab.locator("body").inner_text()[:3000]
        time.sleep(0.5)


def stands(tab, number, payment, shipping):
    """Wait until the order page shows these two statuses."""
    until(tab, f"/dashboard/orders/{number}/", lambda tab: badges(tab) == [payment, shipping])


def mail_about(tab, number, words):
    """Wait for a mail about an order with these words in its subject, and open it."""
    link = tab.locator(f"a:has-text('{number}')").filter(has_text=words)
    until(tab, f"/sandbox/mails/?q={number}", lambda _tab: link.count())
    link.first.click()
    tab.wait_for_load_state()


def let_pass(tab, number, days=0, hours=0):
    """Time passes for an order, and what is due is done."""
    tab.goto(f"/sandbox/time/?order={number}")
    tab.fill("#id_days", str(days))
    tab.fill("#id_hours", str(hours))
    with tab.expect_navigation():
        tab.click(".shop-time [type=submit]")
    assert "The time has passed" in tab.locator("body").inner_text()


def decide(tab, decision, notify="once"):
    """At a provider's page: let this happen, and be led back to the shop (or to the provider's list)."""
    tab.wait_for_selector("[name=notify]")
    tab.select_option("[name=notify]", notify)
    with tab.expect_navigation():
        tab.click(f"button[value={decision}]")
    tab.wait_for_load_state()


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
