"""``python -m tests.features``: each row of docs/features.md with the tests marked ``@pytest.mark.feature(id)``.

Fails for a row marked done without a browser test or without another test, for an open row whose id nobody knows,
and for a mark with an unknown id.
"""

from __future__ import annotations

import contextlib
import io
import pathlib
import re
import sys
from collections import defaultdict

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| ([A-Z]\d+) \| (.+?) \| (done|open) \| (.*?) \|$")


class Collector:
    """Gathers the marks while pytest collects."""

    def __init__(self):
        self.tests = defaultdict(lambda: {"browser": [], "other": []})

    def pytest_itemcollected(self, item):
        kind = "browser" if "browser" in pathlib.Path(item.path).parts else "other"
        for mark in item.iter_markers("feature"):
            for feature in mark.args:
                name = item.nodeid.split("[")[0]
                if name not in self.tests[feature][kind]:
                    self.tests[feature][kind].append(name)


def rows():
    """(id, what, status) of each row of the page."""
    for line in (ROOT / "docs" / "features.md").read_text().splitlines():
        if found := ROW.match(line):
            yield found[1], found[2], found[3]


def main() -> int:
    collector = Collector()
    with contextlib.redirect_stdout(io.StringIO()) as output:
        code = pytest.main(["--collect-only", "-qq", "tests"], plugins=[collector])
    if code != 0:
        print(output.getvalue(), file=sys.stderr)
        print("the tests could not be collected", file=sys.stderr)
        return 2
    failures: list[str] = []
    known = set()
    for feature, what, status in rows():
        known.add(feature)
        tests = collector.tests[feature]
        print(f"{feature:<4} {status:<5} {len(tests['browser']):>2} browser {len(tests['other']):>3} other   {what}")
        if "-v" in sys.argv:
            for name in tests["browser"] + tests["other"]:
                print(f"           {name}")
        failures += [
            f"{feature} is done but has no {kind} test" for kind in tests if status == "done" and not tests[kind]
        ]
    failures += [f"a test is marked with the unknown feature {feature}" for feature in collector.tests.keys() - known]
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
