"""Bar codes and QR codes as the templates draw them."""

from __future__ import annotations

from typing import Any

from . import scan_codes
from .code128 import can_encode, code128
from .qr import MASK, qr_svg


def bar_mark(text: str, *, shown: str = "") -> dict[str, Any]:
    """A Code 128 and the text below it (default: the very text). What Code 128 does not hold is only written."""
    return {"bars": code128(text) if can_encode(text) else [], "text": shown or text}


def scan_mark(code: str) -> dict[str, Any]:
    """A text of :mod:`scan_codes` as Code 128 and as QR code, so that any scanner and any phone reads it."""
    return {**bar_mark(code, shown=scan_codes.grouped(code)), "qr": qr_svg(code, mask=MASK)}
