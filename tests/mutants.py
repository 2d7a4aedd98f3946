"""``python -m tests.mutants [module ...] [--sample N] [--jobs N]``: do the tests notice when the kernel is wrong?

Small mistakes are made in ``core/``, ``flows.py`` and ``guards.py``, one at a time (a comparison turned, a condition
negated, a call left out, a constant changed, nothing returned), and the tests that ought to notice are run. What no
test notices survives and is printed. The score is the share that was noticed; the target is 80 %.

Each mistake is made in a fork of a process that has everything loaded and the test database ready, so one costs about
as long as the first failing test. ``DB=postgres`` judges the statements that only PostgreSQL runs. Sampling is by a
fixed rule, so two runs agree.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import importlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TARGET = 80

_RULES = ["tests/unit/test_statemachine.py", "tests/unit/test_flows.py"]
_STEPS = [
    "tests/unit/test_heads.py", "tests/unit/test_rows.py", "tests/unit/test_history.py", "tests/unit/test_transitions.py", *_RULES,
    "tests/integration/test_pipeline_edges.py", "tests/integration/test_pipeline.py",
]  # fmt: skip
_QUEUE = [
    *(f"tests/unit/test_{name}.py" for name in ("circuit", "leases", "pump", "outbox", "inbox", "queue")),
    "tests/unit/test_checks.py", "tests/unit/test_watchdog.py",
]  # fmt: skip
_OTHERS = ["tests/unit/test_kernel.py", "tests/unit/test_carriers.py"]

#: module -> the tests that ought to notice.
MODULES = {
    "core.statemachine": _RULES,
    "flows": _RULES,
    "guards": _RULES,
    "core.transitions": _STEPS,
    "core.heads": _STEPS,
    "core.rows": _STEPS,
    "core.reading": _STEPS,
    "core.history": _STEPS,
    "core.models": _STEPS,
    "core.actors": _OTHERS,
    "core.text": [*_OTHERS, "tests/integration/test_pipeline_edges.py"],
    "core.registry": _OTHERS,
    "core.signatures": _OTHERS,
    "core.locks": [*_OTHERS, *_QUEUE],
    "core.exceptions": [*_OTHERS, *_STEPS],
    "core.outbox": _QUEUE,
    "core.inbox": _QUEUE,
    "core.pump": _QUEUE,
    "core.leases": _QUEUE,
    "core.circuit": _QUEUE,
    "core.queue": _QUEUE,
}

_TURNED = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
#: Calls whose texts are words for people.
_WORDS = {"_", "gettext", "gettext_lazy", "pgettext_lazy", "pgettext", "ngettext", "debug", "info", "warning", "error",
          "exception", "TypeVar"}  # fmt: skip


class Mistakes(ast.NodeTransformer):
    """Makes the ``wanted``-th mistake while it walks; with -1 only counts them."""

    def __init__(self, wanted: int = -1):
        self.wanted, self.count, self.made, self.line = wanted, 0, "", 0

    def here(self, node: ast.AST, what: str) -> bool:
        self.count += 1
        if self.count - 1 == self.wanted:
            self.made, self.line = what, getattr(node, "lineno", 0)
            return True
        return False

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        turned = _TURNED.get(type(node.ops[0]))
        if turned and self.here(node, f"{type(node.ops[0]).__name__} -> {turned.__name__}"):
            node.ops[0] = turned()
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        if self.here(node, f"{type(node.op).__name__} -> {other.__name__}"):
            node.op = other()
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not) and self.here(node, "not left out"):
            return node.operand
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        other = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv}.get(type(node.op))
        text = any(isinstance(side, ast.JoinedStr) for side in (node.left, node.right))
        if other and not text and self.here(node, f"{type(node.op).__name__} -> {other.__name__}"):
            node.op = other()
        return node

    def _condition(self, node: Any) -> Any:
        self.generic_visit(node)
        if isinstance(node.test, ast.Name | ast.Attribute | ast.Call) and self.here(node, "condition negated"):
            node.test = ast.UnaryOp(ast.Not(), node.test)
        return node

    visit_If = visit_IfExp = visit_While = _condition

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        plain = node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None)
        if not plain and self.here(node, "returns nothing"):
            node.value = ast.Constant(None)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Constant):
            return node  # a docstring
        self.generic_visit(node)
        log = isinstance(node.value, ast.Call) and ast.unparse(node.value.func).startswith("logger.")
        if not log and isinstance(node.value, ast.Call) and self.here(node, "call left out"):
            return ast.Pass()
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        return ast.Pass() if self.here(node, "assignment left out") else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = ast.unparse(node.func).rpartition(".")[2]
        if name in _WORDS:
            return node
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return node  # the words of an error; that it is raised at all is its condition's matter

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def _function(self, node: Any) -> Any:
        node.body = [self.visit(statement) for statement in node.body]
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value = node.value
        if isinstance(value, bool):
            return ast.Constant(not value) if self.here(node, f"{value} -> {not value}") else node
        if isinstance(value, int):
            return ast.Constant(value + 1) if self.here(node, f"{value} -> {value + 1}") else node
        if isinstance(value, str) and value:
            return ast.Constant(f"x{value}") if self.here(node, f"{value[:20]!r} changed") else node
        return node


def mistakes(source: str) -> Iterator[tuple[int, ast.Module]]:
    counter = Mistakes()
    tree = ast.parse(source)
    counter.visit(copy.deepcopy(tree))
    for number in range(counter.count):
        yield number, tree


def make(source: str, number: int) -> tuple[ast.Module, str, int]:
    maker = Mistakes(number)
    tree = ast.fix_missing_locations(maker.visit(ast.parse(source)))
    return tree, maker.made, maker.line


def codes(code: CodeType) -> dict[str, CodeType]:
    """Every function's code in a module's, by qualified name."""
    found = {}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found[constant.co_qualname] = constant
            found |= codes(constant)
    return found


def functions(module: Any) -> dict[str, FunctionType]:
    found: dict[str, FunctionType] = {}

    def note(value: Any) -> None:
        for name in ("__wrapped__", "func", "fget", "__func__"):
            value = getattr(value, name, value)
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            found[value.__code__.co_qualname] = value

    for value in vars(module).values():
        note(value)
        if isinstance(value, type) and value.__module__ == module.__name__:
            for inner in vars(value).values():
                note(inner)
    return found


def install(name: str, tree: ast.Module) -> bool:
    """Put the mistake into the running process. False where it cannot be (a class body, a decorator)."""
    module = importlib.import_module(f"oscar_fulfillment.{name}")
    new = codes(compile(tree, module.__file__ or name, "exec"))
    old = codes(compile(Path(module.__file__ or "").read_text(), module.__file__ or name, "exec"))
    changed = {
        key
        for key in new
        if key not in old
        or (new[key].co_code, plain_constants(new[key])) != (old[key].co_code, plain_constants(old[key]))
    }
    known = functions(module)
    for value in vars(module).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()
    put = False
    for key in changed & set(known):
        if len(known[key].__code__.co_freevars) == len(new[key].co_freevars):
            known[key].__code__ = new[key]
            put = True
    if put or name != "flows":
        return put
    # A table at module level: run the module again, and forget whoever holds its old objects.
    exec(compile(tree, module.__file__ or name, "exec"), vars(module))
    for other in [each for each in sys.modules if each.startswith(("tests.unit", "tests.plugin"))]:
        del sys.modules[other]
    return True


def plain_constants(code: CodeType) -> list[Any]:
    return [repr(c) if not isinstance(c, CodeType) else (c.co_code, plain_constants(c)) for c in code.co_consts] + [
        code.co_names
    ]


def run_tests(files: list[str]) -> int:
    import pytest

    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly", "-m", "not browser"]
    return int(pytest.main([*options, *(str(ROOT / file) for file in files if (ROOT / file).exists())]))


def judge(name: str, number: int, source: str, seconds: int) -> int:
    """In a fork: 0 survived, 1 noticed, 3 could not be installed."""
    child = os.fork()
    if child:
        return child
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    signal.alarm(seconds)  # a mistake may loop for ever: being killed is being noticed
    try:
        tree, _made, _line = make(source, number)
        try:
            if not install(name, tree):
                os._exit(3)
        except Exception:
            os._exit(1)  # the module does not even load
        own = f"test_{name.rpartition('.')[2]}.py"  # most likely to notice, so it comes first
        os._exit(1 if run_tests(sorted(MODULES[name], key=lambda file: not file.endswith(own))) else 0)
    except BaseException:
        os._exit(1)
    return 0


def prepare() -> None:
    """Django, and the test database once for all forks."""
    import django
    from django.conf import settings
    from django.test import utils

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()

    class NoMigrations:
        def __contains__(self, app: str) -> bool:
            return True

        def __getitem__(self, app: str) -> None:
            return None

    settings.MIGRATION_MODULES = NoMigrations()
    utils.setup_databases(verbosity=0, interactive=False)
    # pytest-django asks these two by name when it sets up: the database is there and stays.
    utils.setup_databases = lambda *args, **kwargs: []  # type: ignore[assignment]
    utils.teardown_databases = lambda *args, **kwargs: None  # type: ignore[assignment]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", default=list(MODULES))
    parser.add_argument("--sample", type=int, default=0, help="at most so many per module")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=int, default=60, help="seconds per mistake")
    given = parser.parse_args()
    prepare()
    from django.db import connection

    files = list(dict.fromkeys(file for name in given.modules for file in MODULES[name]))
    if run_tests(files):
        print("the tests fail without any mistake")
        return 2
    remote = connection.vendor == "postgresql"
    total: dict[str, list[int]] = {}
    for name in given.modules:
        source = (ROOT / "oscar_fulfillment" / Path(*name.split("."))).with_suffix(".py").read_text()
        numbers = [number for number, _tree in mistakes(source)]
        if given.sample and len(numbers) > given.sample:
            rank = {n: hashlib.sha256(f"{name}{n}".encode()).digest() for n in numbers}
            numbers = sorted(sorted(numbers, key=rank.__getitem__)[: given.sample])
        noticed = survived = 0
        running: dict[int, int] = {}
        began = time.monotonic()
        while numbers or running:
            while numbers and len(running) < (1 if remote else given.jobs):
                if remote:
                    connection.close()
                number = numbers.pop(0)
                running[judge(name, number, source, given.timeout)] = number
            child, status = os.wait()
            number = running.pop(child)
            if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 3:
                continue
            if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
                survived += 1
                _tree, made, line = make(source, number)
                print(f"  survived: {name}:{line} {made}   {source.splitlines()[line - 1].strip()[:90]}", flush=True)
            else:
                noticed += 1
        total[name] = [noticed, noticed + survived]
        print(f"{name:20} {noticed:4} of {noticed + survived:4}  {time.monotonic() - began:5.0f} s", flush=True)
    noticed, made = (sum(column) for column in zip(*total.values(), strict=True))
    print(f"mutation score {100 * noticed / max(made, 1):.0f} %  ({noticed} of {made}), target >= {TARGET} %")
    return 0 if noticed >= TARGET / 100 * made else 1


if __name__ == "__main__":
    sys.exit(main())
