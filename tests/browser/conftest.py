"""A real Chromium against a live server, with axe.

``page`` is a fresh tab; ``log_in(page, user)`` signs in without the form; ``check_page(page, name)`` asserts that axe
finds nothing serious at three widths and stores a screenshot of each under tests/browser/shots/.
Every test fails when the browser logged an error or a page answered 5xx.
"""

import os
import pathlib
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from playwright.sync_api import sync_playwright

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs in this thread

SHOTS = pathlib.Path(__file__).parent / "shots"
WIDTHS = (1280, 768, 390)
CHROMIUM = (
    os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
)


def pytest_collection_modifyitems(items):
    for item in items:
        if "/browser/" in str(item.path):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser, live_server):
    """A browser profile of its own; open more pages from it for a second tab of the same person."""
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def page(context):
    page = context.new_page()
    failures = watch(page)
    yield page
    assert not failures, "\n".join(failures)


def watch(page):
    """Collect what a person would see in the browser's console."""
    failures = []
    page.on("pageerror", lambda error: failures.append(f"script error on {page.url}: {error}"))
    page.on("response", lambda r: failures.append(f"{r.status} {r.url}") if r.status >= 500 else None)
    page.on(
        "console",
        lambda m: (
            failures.append(f"console: {m.text} ({page.url})")
            if m.type == "error" and "Content Security Policy" in m.text
            else None
        ),
    )
    return failures


@pytest.fixture
def new_person(browser, live_server):
    """Another person at another machine: ``tab = new_person(user)``."""
    opened = []

    def open_tab(user=None, **options):
        context = browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 900}, **options)
        context.set_default_timeout(15_000)
        opened.append(context)
        tab = context.new_page()
        if user is not None:
            log_in(tab, user)
        return tab

    yield open_tab
    for context in opened:
        context.close()


def log_in(page, user):
    """Sign in by a session of the server's own making."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    page.context.add_cookies(
        [
            {
                "name": settings.SESSION_COOKIE_NAME,
                "value": session.session_key,
                "domain": "localhost",
                "path": "/",
                "httpOnly": True,
            }
        ]
    )


def check_page(page, name, widths=WIDTHS, ignore=()):
    """Screenshots at every width, and no serious accessibility problem in any of them."""
    SHOTS.mkdir(exist_ok=True)
    found = []
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=SHOTS / f"{name}-{width}.png", full_page=True)
        results = Axe().run(page)
        for violation in results.response["violations"]:
            if violation["impact"] in ("serious", "critical") and violation["id"] not in ignore:
                where = [node["html"][:200] for node in violation["nodes"][:3]]
                found.append(f"{name} at {width}: {violation['id']}: {violation['help']} {where}")
        too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if too_wide > 1:
            found.append(f"{name} at {width}: the page scrolls sideways by {too_wide} px")
    page.set_viewport_size({"width": 1280, "height": 900})
    assert not found, "\n".join(found)


@pytest.fixture(scope="session")
def prepared_sandbox(tmp_path_factory):
    """The folder of a sandbox with its demo data, made once: that takes longer than starting one."""
    from .sandbox_shop import prepare_sandbox

    return prepare_sandbox(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory, prepared_sandbox):
    """The address of a sandbox that runs for this module's tests, and its log."""
    from .sandbox_shop import running_sandbox

    with running_sandbox(tmp_path_factory.mktemp("sandbox"), prepared_sandbox) as found:
        yield found


@pytest.fixture(scope="module")
def logged_in():
    """The cookies of those who have logged in already: a browser remembers them, too."""
    return {}


@pytest.fixture
def person(browser, shop, logged_in):
    """Somebody at a machine of their own: ``tab = person("clerk@example.com")``."""
    base, _log = shop
    contexts, failures = [], []

    def arrive(login=None, **options):
        context = browser.new_context(base_url=base, viewport={"width": 1280, "height": 900}, **options)
        context.set_default_timeout(30_000)
        contexts.append(context)
        tab = context.new_page()
        failures.append(watch(tab))
        if login in logged_in:
            context.add_cookies(logged_in[login])
        elif login:
            tab.goto("/dashboard/login/")
            tab.fill("[name=username]", login)
            tab.fill("[name=password]", "sandbox")
            tab.click("[type=submit]")
            tab.wait_for_url(lambda url: "login" not in url)
            logged_in[login] = context.cookies()
        return tab

    yield arrive
    for context in contexts:
        context.close()
    assert not [line for found in failures for line in found]
