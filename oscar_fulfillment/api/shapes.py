"""What JSON has to look like: a part of JSON Schema, as the OpenAPI document shows it, and the check by it.

Known words: type, properties, required, additionalProperties (False), items, minItems, maxItems, minLength, maxLength,
pattern, enum, minimum, maximum, format ("date-time"). What is not named in ``properties`` is not looked at.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

Schema = Mapping[str, Any]

#: No control characters but line breaks and tabs: what no database stores, and no page shows.
PLAIN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
#: A sum: at most twelve digits, and cents.
DECIMAL = r"^[0-9]{1,12}(\.[0-9]{1,2})?$"
#: A sum in cents, as text.
CENTS = r"^[0-9]{1,14}$"
#: The most errors that one answer lists.
MOST = 50


def text(limit: int, *, least: int = 0, about: str = "", **more: Any) -> dict[str, Any]:
    """A text of at most so many characters."""
    found: dict[str, Any] = {"type": "string", "maxLength": limit, "pattern": PLAIN}
    return found | ({"minLength": least} if least else {}) | _about(about) | more


def whole(least: int, most: int, *, about: str = "") -> dict[str, Any]:
    """A whole number."""
    return {"type": "integer", "minimum": least, "maximum": most} | _about(about)


def flag(about: str = "") -> dict[str, Any]:
    """True or false."""
    return {"type": "boolean"} | _about(about)


def moment(about: str = "") -> dict[str, Any]:
    """A time with its zone, or a day."""
    return {"type": "string", "format": "date-time", "maxLength": 40} | _about(about)


def listed(items: Schema, *, least: int = 0, most: int, about: str = "") -> dict[str, Any]:
    """A list."""
    return {"type": "array", "items": items, "minItems": least, "maxItems": most} | _about(about)


def record(properties: Mapping[str, Schema], *required: str, is_open: bool = False, about: str = "") -> dict[str, Any]:
    """An object with these fields. ``is_open``: further ones are passed over, else refused."""
    found: dict[str, Any] = {"type": "object", "properties": dict(properties)}
    if required:
        found["required"] = list(required)
    return found | ({} if is_open else {"additionalProperties": False}) | _about(about)


def or_null(schema: Schema) -> dict[str, Any]:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def _about(about: str) -> dict[str, Any]:
    return {"description": about} if about else {}


def check(schema: Schema, value: Any) -> list[tuple[str, str]]:
    """What is wrong with a value: JSON pointer and message, at most :data:`MOST`; empty where nothing is."""
    found = []
    for problem in _check(schema, value, ""):
        found.append(problem)
        if len(found) >= MOST:
            break
    return found


def _check(schema: Schema, value: Any, at: str) -> Iterator[tuple[str, str]]:
    kind = _kind(value)
    wanted = schema["type"]
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if kind not in wanted and not (kind == "integer" and "number" in wanted):
        yield at, _("This must be of the type %(wanted)s.") % {"wanted": " / ".join(wanted)}
        return
    if "enum" in schema and value not in schema["enum"]:
        yield at, _("Choose one of: %(choices)s.") % {"choices": ", ".join(str(each) for each in schema["enum"])}
    elif kind == "string":
        yield from _check_text(schema, value, at)
    elif kind == "integer":
        yield from _check_number(schema, value, at)
    elif kind == "array":
        yield from _check_list(schema, value, at)
    elif kind == "object":
        yield from _check_record(schema, value, at)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    if isinstance(value, float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _check_text(schema: Schema, value: str, at: str) -> Iterator[tuple[str, str]]:
    if len(value) > schema.get("maxLength", len(value)):
        yield at, _("At most %(limit)d characters.") % {"limit": schema["maxLength"]}
    elif len(value) < schema.get("minLength", 0):
        yield at, _("At least %(least)d character(s).") % {"least": schema["minLength"]}
    elif any(unicodedata.category(c) == "Cs" for c in value) or not re.search(schema.get("pattern", ""), value):
        # Half of a surrogate pair, which JSON may carry and UTF-8 cannot.
        yield at, _("This does not have the form that is asked for.")
    elif schema.get("format") == "date-time" and read_moment(value) is None:
        yield at, _("This is no time.")


def _check_number(schema: Schema, value: float, at: str) -> Iterator[tuple[str, str]]:
    if value < schema.get("minimum", value) or value > schema.get("maximum", value):
        words = {"least": schema.get("minimum"), "most": schema.get("maximum")}
        yield at, _("This must be from %(least)s to %(most)s.") % words


def _check_list(schema: Schema, value: list[Any], at: str) -> Iterator[tuple[str, str]]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        words = {"least": schema.get("minItems", 0), "most": schema.get("maxItems")}
        yield at, _("From %(least)s to %(most)s entries.") % words
        return
    for place, each in enumerate(value):
        yield from _check(schema["items"], each, f"{at}/{place}")


def _check_record(schema: Schema, value: dict[str, Any], at: str) -> Iterator[tuple[str, str]]:
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{at}/{name}", _("This is missing.")
    for name, each in value.items():
        if name in known:
            yield from _check(known[name], each, f"{at}/{name}")
        elif schema.get("additionalProperties") is False:
            yield f"{at}/{pointer(name)}", _("There is no such field.")


def pointer(name: str) -> str:
    """A name as a part of a JSON pointer, cut and printable: it comes from outside."""
    plain = "".join(c if c.isprintable() else "?" for c in name[:60])
    return plain.replace("~", "~0").replace("/", "~1")


def read_moment(value: str) -> datetime | None:
    """A time as ISO 8601 writes it, in UTC where it names no zone; None for what is none."""
    try:
        found = datetime.fromisoformat(value.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
