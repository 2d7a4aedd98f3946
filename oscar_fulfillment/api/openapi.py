"""The OpenAPI 3.1 document, made from the table of operations."""

from __future__ import annotations

import re
from typing import Any

from oscar_fulfillment import __version__
from oscar_fulfillment.services.api_keys import SCOPES

from .answers import PROBLEM
from .operations import Operation, operations
from .shapes import Schema, text

_PLACES = {
    "number": text(128, least=1, about="The order's number."),
    "invoice": text(64, least=1, about="Number or access key of the document."),
    "sku": text(128, least=1),
}
_WORDS = {
    400: "It cannot be read.", 401: "No key, or one that does not work.", 403: "The key lacks the scope.",
    404: "There is none, or not for this key.", 409: "Not possible now; errors say why.",
    413: "The body is too large.", 415: "The body is no JSON.", 422: "The content does not hold; errors say where.",
    429: "Too many calls: come back after Retry-After seconds.", 500: "Something broke over here.",
}  # fmt: skip


def document(base: str = "") -> dict[str, Any]:
    """The whole document. ``base``: the address below which the paths are."""
    paths: dict[str, Any] = {}
    for operation in operations():
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    scopes = "\n".join(f"* `{scope}`" for scope in SCOPES)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Fulfillment",
            "version": __version__,
            "description": f"Orders for systems beside the shop. Scopes of a key:\n\n{scopes}",
        },
        **({"servers": [{"url": base}]} if base else {}),
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": PROBLEM},
        },
    }


def _described(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"{operation.description}\n\nScope: `{operation.scope}`.".strip(),
        "parameters": [
            *(_parameter(name, "path", _PLACES[name]) for name in re.findall(r"{(\w+)}", operation.path)),
            *(_parameter(name, "query", schema) for name, schema in operation.query.items()),
        ],
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": operation.answer}}},
            **{str(status): _problem(status) for status in _statuses(operation)},
        },
    }
    if operation.writes:
        about = "The same key with the same body is done once, and answered the same."
        found["parameters"].append(_parameter("Idempotency-Key", "header", {
            "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$", "description": about,
        }))  # fmt: skip
    if operation.body is not None:
        is_needed = bool(operation.body.get("required"))
        content = {"application/json": {"schema": operation.body}}
        found["requestBody"] = {"required": is_needed, "content": content}
    return found


def _statuses(operation: Operation) -> list[int]:
    found = {400, 401, 403, 429, 500, *operation.refusals}
    if "{" in operation.path:
        found.add(404)
    if operation.body is not None:
        found |= {413, 415, 422}
    if operation.writes:
        found |= {409, 422}
    return sorted(found)


def _parameter(name: str, where: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "schema": schema}


def _problem(status: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": _WORDS[status], "content": content}
