"""What a document engine does, and what no engine has to cope with."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Any, Protocol

from oscar_fulfillment.core.exceptions import FulfillmentError

#: Marks that turn the direction of what follows, beyond the text they came with: a name must not mirror a sum.
_TURNERS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SPACES = frozenset("\t\v\f\u0085\u2028\u2029")


class DocumentError(FulfillmentError, ValueError):
    """The document cannot be made from these data; trying again does not help. Names no customer."""


class Renderer(Protocol):
    """A document engine: the setting DOCUMENTS, built with ``alias=`` and the OPTIONS."""

    def render(self, template: str, data: Mapping[str, Any], *, created: date | None = None) -> bytes:
        """The PDF of a template.

        ``data`` is what JSON can hold, and stays data: no text in it ever becomes markup. ``created`` is what the file
        says of its making, so that the same data give the same bytes; default: nothing.
        Raises ``ConfigurationError`` for an unknown or broken template.
        """
        ...


def printable(value: Any) -> Any:
    """``value`` with every text in it fit for a page: no control characters, no halves of surrogate pairs, no marks
    that turn the direction of their neighbours. Line breaks stay."""
    if isinstance(value, str):
        return _printable(value)
    if isinstance(value, Mapping):
        return {str(key): printable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [printable(item) for item in value]
    return value


def _printable(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii() and text.isprintable():
        return text
    return "".join(_character(character) for character in text)


def _character(character: str) -> str:
    if character in _SPACES:
        return " "
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    if character in _TURNERS or (category == "Cc" and character != "\n"):
        return ""
    return character
