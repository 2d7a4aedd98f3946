"""The lists that 1C asks for by ``mode=info``, to offer them in its settings. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from .commerceml_codes import ROOT

#: Their name of the list; its first letter is a Latin C over there.
_STATUSES = "Cтатусы"


def write_reference(states: Iterable[tuple[str, str]], *, version: str, encoding: str) -> bytes:
    """The statuses of orders, (code, name) each."""
    items = "".join(
        f"<Элемент><Ид>{escape(code)}</Ид><Название>{escape(label)}</Название></Элемент>" for code, label in states
    )
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>\n<{ROOT} ВерсияСхемы="{version}" '
        f'ДатаФормирования="{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}">'
        f"<Справочник><{_STATUSES}>{items}</{_STATUSES}></Справочник></{ROOT}>\n"
    )
    return text.encode(encoding, "xmlcharrefreplace")
