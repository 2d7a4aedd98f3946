"""The square of a QR code as SVG, drawn by segno (BSD)."""

from __future__ import annotations

import io
from typing import Any

from oscar_fulfillment.core.exceptions import ConfigurationError

from .renderer import DocumentError

#: Trying which of the eight masks looks best takes three quarters of the time. Codes that are drawn by the hundred get
#: this one: blurred and noisy pictures of them are read as often.
MASK = 4


def qr_svg(payload: str, *, encoding: str = "utf-8", max_version: int = 40, mask: int | None = None) -> str:
    """The code as SVG without quiet zone, error correction M, with the best mask unless one is given. Raises
    :class:`DocumentError` when it gets too large."""
    code = qr_code(payload, encoding=encoding, mask=mask)
    if int(code.version) > max_version:
        raise DocumentError(f"the QR code would hold too much ({len(payload)} characters)")
    target = io.BytesIO()
    code.save(target, kind="svg", border=0, xmldecl=False, svgns=True, omitsize=True, nl=False)
    return target.getvalue().decode()


def qr_png(payload: str) -> bytes:
    """The code as a picture for a mail, with its quiet zone; empty without the package ``segno``."""
    try:
        code = qr_code(payload)
    except ConfigurationError:
        return b""
    target = io.BytesIO()
    code.save(target, kind="png", scale=8, border=4)
    return target.getvalue()


def qr_code(payload: str, *, encoding: str = "utf-8", mask: int | None = None) -> Any:
    """The code itself. Bytes are UTF-8 without a note of it: readers of payment codes expect none."""
    try:
        import segno
    except ImportError as error:
        raise ConfigurationError("QR codes need segno: pip install django-oscar-fulfillment[documents]") from error
    try:
        return segno.make(payload, error="m", boost_error=False, micro=False, encoding=encoding, eci=False, mask=mask)
    except segno.DataOverflowError as error:
        raise DocumentError(f"the QR code would hold too much ({len(payload)} characters)") from error
