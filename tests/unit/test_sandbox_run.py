"""The supervisor, the translations' tool and the switch of the database."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox import databases, messages, run

ROOT = Path(__file__).resolve().parent.parent.parent


def sleeper(seconds="60"):
    return run.Service("sleeper", [sys.executable, "-c", f"import time; time.sleep({seconds})"])


def is_running(pid):
    """Whether the process does anything (a zombie that nobody waited for does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_service_that_dies_is_started_again_after_a_pause(capsys):
    service = sleeper()
    service.start()
    first = service.process
    first.kill()
    first.wait()
    service.watch()
    service.watch()
    assert service.process is None, "not at once"
    assert "sleeper ended (-9)" in capsys.readouterr().err
    service.not_before = time.monotonic()
    service.watch()
    assert service.process.pid != first.pid
    assert service.process.poll() is None
    run.stop([service])
    assert service.process.poll() is not None


def test_a_service_that_keeps_dying_is_started_less_and_less_often():
    service = sleeper("0")
    pauses = []
    for _attempt in range(4):
        service.start()
        service.process.wait()
        before = time.monotonic()
        service.watch()
        pauses.append(round(service.not_before - before, 1))
    assert pauses == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_stopping_ends_the_children_of_a_child_that_does_not_listen(monkeypatch):
    monkeypatch.setattr(run, "PATIENCE", 0.3)
    script = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        " print(child.pid, flush=True); time.sleep(60)"
    )
    service = run.Service("deaf", [sys.executable, "-c", script])
    real = subprocess.Popen
    monkeypatch.setattr(run.subprocess, "Popen", lambda *a, **kw: real(*a, stdout=subprocess.PIPE, text=True, **kw))
    service.start()
    grandchild = int(service.process.stdout.readline())
    run.stop([service])
    assert service.process.wait(5) == -signal.SIGKILL
    deadline = time.monotonic() + 5
    while is_running(grandchild) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(grandchild)


def test_the_port_is_checked_before_anything_else(capsys):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert run.main(["--port", str(taken.getsockname()[1])]) == 1
    assert "in use" in capsys.readouterr().err


def test_the_worker_is_the_watchdog_where_there_is_one():
    assert run.services("127.0.0.1", 1, 2, {"qcluster"})[2].command[-1] == "qcluster"
    assert (
        run.services("127.0.0.1", 1, 2, {"qcluster", "fulfillment_watchdog"})[2].command[-1] == "fulfillment_watchdog"
    )


def test_the_welcome_names_every_login():
    text = run.welcome("127.0.0.1", 8000, 8001)
    for name in ("manager", "clerk", "finance", "warehouse", "partner", "admin", "customer"):
        assert f"{name}@example.com" in text


def test_sqlite_is_made_fit_for_web_and_worker(tmp_path):
    options = databases.database("", tmp_path / "x.sqlite3")["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert "WAL" in options["init_command"]
    assert options["timeout"] >= 5


def test_a_database_url_chooses_postgresql(tmp_path):
    found = databases.database("postgres://me:p%40ss@db.local:5433/shop", tmp_path)
    assert (found["ENGINE"], found["NAME"], found["USER"]) == ("django.db.backends.postgresql", "shop", "me")
    assert (found["PASSWORD"], found["HOST"], found["PORT"]) == ("p@ss", "db.local", "5433")


@pytest.mark.parametrize("url", ["mysql://x/y", "postgres://host", "nonsense"])
def test_a_wrong_database_url_is_refused(tmp_path, url):
    with pytest.raises(ValueError, match="postgres://"):
        databases.database(url, tmp_path)


def test_the_shops_own_texts_are_translated(monkeypatch):
    shop = ROOT / "sandbox"
    monkeypatch.setattr(messages, "CATALOGS", {shop / "locale": [shop]})
    assert messages.problems() == []


def test_texts_are_found_in_python_and_templates(tmp_path, monkeypatch):
    monkeypatch.setattr(messages, "ROOT", tmp_path)
    package = tmp_path / "shop"
    package.mkdir()
    (package / "a.py").write_text('_("One"); ngettext("%(n)d cat", "%(n)d cats", n); pgettext_lazy("verb", "Ship")\n')
    (package / "b.html").write_text(
        '{% load i18n %}\n  {% trans "Two" %}{% blocktrans trimmed count n=n %}\n {{ n }} dog\n{% plural %}{{ n }} dogs'
        "{% endblocktrans %}"
    )
    found = {(m.id if isinstance(m.id, str) else m.id[1], m.context) for m in messages.extracted([package])}
    assert {("One", None), ("%(n)d cats", None), ("Ship", "verb"), ("Two", None), ("%(n)s dogs", None)} <= found


@pytest.mark.parametrize("version", ["sandbox", "test", "lint"])
def test_the_lock_pins_every_package(version):
    lines = [
        line for line in (ROOT / "requirements" / f"{version}.txt").read_text().splitlines() if line and line[0] != "#"
    ]
    assert len(lines) > 20
    assert all("==" in line for line in lines)
