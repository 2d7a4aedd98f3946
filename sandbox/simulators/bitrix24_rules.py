"""What Bitrix24's simulator knows beside its books: stages, PHP's way with parameters, filters, and the leaky bucket."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl

#: Incoming webhook (user and code), and the token that proves events.
USER, CODE, APPLICATION_TOKEN = "1", "simulated0webhook", "simulated-application-token"
MOSCOW = timezone(timedelta(hours=3))
#: Direction -> its name.
PIPELINES = {0: "Продажи", 5: "Интернет-магазин"}
#: The stages that a portal begins with; in a direction of its own each stands behind "C<id>:".
STAGES = {
    "NEW": "Новая",
    "PREPARATION": "Подготовка документов",
    "PREPAYMENT_INVOICE": "Счёт на предоплату",
    "EXECUTING": "В работе",
    "FINAL_INVOICE": "Финальный счёт",
    "WON": "Сделка успешна",
    "LOSE": "Сделка провалена",
    "APOLOGY": "Анализ причины провала",
}
PAGE = 50
_REFERENCE = re.compile(r"\$result((?:\[[A-Za-z0-9_]+\])+)")
_KEYS = re.compile(r"[^\[\]]+")


class Refused(Exception):
    """An answer with an error: code, description, status."""

    def __init__(self, description: str, code: str = "", status: int = 400):
        super().__init__(description)
        self.description, self.code, self.status = description, code, status


def stages(pipeline: int) -> dict[str, str]:
    """STAGE_ID -> name."""
    return {f"C{pipeline}:{code}" if pipeline else code: label for code, label in STAGES.items()}


def stamp(at: datetime) -> str:
    """A moment as the portal writes it, without fractions of a second."""
    return at.astimezone(MOSCOW).replace(microsecond=0).isoformat()


class Bucket:
    """Calls that were made lately: ``leak`` of them are forgotten each second, above ``depth`` none is served."""

    def __init__(self, depth: float = 50, leak: float = 2, clock: Callable[[], float] = time.monotonic):
        self.depth, self.leak, self.clock = depth, leak, clock
        self.level, self._seen, self._lock = 0.0, clock(), threading.Lock()

    def overflows(self) -> bool:
        with self._lock:
            now = self.clock()
            self.level = max(self.level - (now - self._seen) * self.leak, 0)
            self._seen = now
            if self.level + 1 > self.depth:
                return True
            self.level += 1
            return False


def php(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Parameters as PHP reads them: ``a[b][]=1`` is nested."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        head, bracket, rest = name.partition("[")
        keys = [head, *re.findall(r"\[([^\[\]]*)\]", bracket + rest)]
        place = found
        for key in keys[:-1]:
            place = place.setdefault(key or str(len(place)), {})
            if not isinstance(place, dict):
                break
        else:
            place[keys[-1] or str(len(place))] = value
    return found


def query(text: str) -> dict[str, Any]:
    return php(parse_qsl(text, keep_blank_values=True))


def resolved(value: Any, results: Mapping[str, Any]) -> Any:
    """The value with references to earlier results filled in, wherever they stand: also in what a buyer typed."""
    if isinstance(value, dict):
        return {key: resolved(each, results) for key, each in value.items()}
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        place: Any = results
        for key in _KEYS.findall(match[1]):
            place = place.get(key) if isinstance(place, Mapping) else None
        return "" if place is None else str(place)

    return _REFERENCE.sub(fill, value)


def listed(value: Any) -> list[Any]:
    """A list, or what PHP made of one."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else [] if value in (None, "") else [value]


def fits(deal: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a deal passes a filter; what is no field is left out, as theirs does."""
    for name, value in wanted.items():
        field = name.lstrip("=<>!@%")
        sign = name[: len(name) - len(field)] or "="
        if field not in deal or value in (None, ""):
            continue
        mine, theirs = _comparable(field, deal[field]), _comparable(field, value)
        passes = {
            "=": mine == theirs, ">": mine > theirs, "<": mine < theirs, ">=": mine >= theirs, "<=": mine <= theirs,
        }  # fmt: skip
        if not passes.get(sign, True):
            return False
    return True


def sort_key(order: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Any]:
    fields = list(order) or ["ID"]
    return lambda deal: [_comparable(field, deal.get(field) or "") for field in fields]


def _comparable(field: str, value: Any) -> Any:
    if field in ("DATE_MODIFY", "DATE_CREATE", "MOVED_TIME"):
        return datetime.fromisoformat(str(value)).timestamp()
    if field in ("ID", "CATEGORY_ID"):
        return int(value or 0)
    return str(value)
