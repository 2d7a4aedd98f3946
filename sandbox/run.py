"""``make sandbox``: prepare the demo shop, then run web and worker until Ctrl-C.

One process watches the others: one that dies is started again (after a growing pause, so that a broken one does not
burn the machine), and all of them end with this one. Standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MANAGE = str(ROOT / "sandbox" / "manage.py")
# Seconds that a child gets to end by itself before it is killed.
PATIENCE = 8.0


@dataclass
class Service:
    """A child process that is to run all the time."""

    name: str
    command: list[str]
    process: subprocess.Popen | None = None
    started_at: float = 0.0
    restarts: int = 0
    not_before: float = 0.0

    def start(self) -> None:
        # A session of its own: Ctrl-C reaches only the supervisor, and stop() reaches the child's own children too.
        self.process = subprocess.Popen(self.command, cwd=ROOT, start_new_session=True)
        self.started_at = time.monotonic()

    def watch(self) -> None:
        """Notice that the process ended, and start it again when its pause is over."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.not_before:
                self.start()
        elif self.process.poll() is None:
            if now - self.started_at > 60:
                self.restarts = 0
        else:
            pause = min(30.0, 0.5 * 2**self.restarts)
            print(f"sandbox: {self.name} ended ({self.process.returncode}); again in {pause:g} s", file=sys.stderr)
            self.signal(signal.SIGTERM)  # What it started and left behind.
            self.restarts += 1
            self.process, self.not_before = None, now + pause

    def signal(self, number: int) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def stop(services: list[Service]) -> None:
    """End all children and theirs: politely, then not."""
    for service in services:
        service.signal(signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    for service in services:
        if service.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                service.process.wait(max(0.1, deadline - time.monotonic()))
        service.signal(signal.SIGKILL)


def manage(*arguments: str, check: bool = True) -> int:
    return subprocess.run([sys.executable, MANAGE, *arguments], cwd=ROOT, check=check).returncode


def commands() -> set[str]:
    """The names of the management commands this checkout has."""
    listing = subprocess.run(
        [sys.executable, MANAGE, "help", "--commands"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return set(listing.stdout.split())


def prepare() -> set[str]:
    """Translations, tables, demo data: each only does what is missing. Returns the commands that exist."""
    from .messages import compile_all

    compile_all()
    known = commands()
    manage("migrate", "--no-input", "--verbosity", "0")
    if "fulfillment_setup" in known:
        manage("fulfillment_setup")
    manage("demo_load")
    return known


def is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str, first: int) -> int:
    """The first free port from here on."""
    return next(port for port in range(first, first + 100) if is_free(host, port))


def wait_until_up(host: str, port: int, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.2)
    return False


def make_pki() -> None:
    """The certificates of the demo's tax office, before anything reads them; without the extra [nfe-emit] there is none."""
    from oscar_fulfillment.fiscal.emission import missing_packages

    if not missing_packages():
        subprocess.run([sys.executable, "-m", "sandbox.simulators.sefaz_pki", str(pki_folder())], cwd=ROOT, check=False)


def pki_folder() -> Path:
    return Path(os.environ.get("SANDBOX_VAR", ROOT / "sandbox" / "var")) / "sefaz"


def services(host: str, port: int, vendors: int, known: set[str]) -> list[Service]:
    web = [sys.executable, "-m", "waitress", "--threads=8", f"--listen={host}:{port}", "sandbox.wsgi:application"]
    # The watchdog runs the worker itself and restarts it when it hangs; without it the worker runs alone.
    worker = "fulfillment_watchdog" if "fulfillment_watchdog" in known else "qcluster"
    simulators = [sys.executable, "-m", "sandbox.simulators", f"--host={host}", f"--port={vendors}"]
    simulators += ["--data", str(Path(os.environ.get("SANDBOX_VAR", ROOT / "sandbox" / "var")) / "simulators")]
    simulators += ["--shop", f"http://127.0.0.1:{port}"]
    tax_office = os.environ.get("SEFAZ_URL", "").rpartition(":")[2]
    if tax_office:
        simulators += ["--tls-port", tax_office, "--pki", str(pki_folder())]
    return [
        Service("simulators", simulators),
        Service("web", web),
        Service("worker", [sys.executable, MANAGE, worker]),
    ]


def welcome(host: str, port: int, vendors: int) -> str:
    from .demo.users import LOGINS, PASSWORD

    machine = "localhost" if host in ("127.0.0.1", "0.0.0.0") else host
    base = f"http://{machine}:{port}"
    width = max(len(login.email) for login in LOGINS)
    lines = [
        "",
        f"  The shop        {base}/",
        f"  What to try     {base}/sandbox/",
        f"  Orders (staff)  {base}/dashboard/orders/",
        f"  Mails sent      {base}/sandbox/mails/",
        f"  Vendors         http://{machine}:{vendors}/  (pay, refuse, expire: you decide)",
        "",
        f"  Logins (password of all: {PASSWORD})",
        *(f"    {login.email:<{width}}  {login.what}" for login in LOGINS),
        "",
        "  Ctrl-C ends it. `make demo-reset` builds the demo data again.",
        "",
    ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run the demo shop.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--prepare-only", action="store_true", help="install the demo data and stop")
    options = parser.parse_args(argv)
    if not options.prepare_only and not is_free(options.host, options.port):
        print(f"sandbox: port {options.port} is in use; choose another: make sandbox PORT=8001", file=sys.stderr)
        return 1
    vendors = free_port(options.host, options.port + 1)
    os.environ["SIMULATORS_URL"] = f"http://127.0.0.1:{vendors}"
    os.environ["SEFAZ_URL"] = f"https://localhost:{free_port(options.host, vendors + 1)}"
    make_pki()
    known = prepare()
    if options.prepare_only:
        return 0

    running = services(options.host, options.port, vendors, known)
    ended = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_args: ended.append(True))
    try:
        for service in running:
            service.start()
        if wait_until_up(options.host, options.port):
            print(welcome(options.host, options.port, vendors), flush=True)
        while not ended:
            for service in running:
                service.watch()
            time.sleep(0.3)
    finally:
        stop(running)
    return 0


if __name__ == "__main__":
    sys.exit(main())
