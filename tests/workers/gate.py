"""A vendor that can be held in the middle of a call, and the clerk of the shop that real workers serve."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

from .harness import ROOT


class Gate:
    """A provider whose next call can be held: before it has done anything, or with its answer in hand."""

    def __init__(self, application):
        self.application = application
        self.path, self.done_first = "", False
        self.arrived, self.opened = threading.Event(), threading.Event()

    def hold(self, path, *, done_first):
        self.path, self.done_first = path, done_first
        self.arrived.clear()
        self.opened.clear()

    def __call__(self, environ, start_response):
        call = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        if not self.path or self.path not in call:
            return self.application(environ, start_response)
        self.path = ""  # this one call only
        answer = list(self.application(environ, start_response)) if self.done_first else None
        self.arrived.set()
        self.opened.wait(20)
        return self.application(environ, start_response) if answer is None else answer


class Clerk:
    def __init__(self, shop):
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "workers" / "clerk.py")],
            env=shop.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def tell(self, *order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
