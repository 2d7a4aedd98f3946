"""1C: it comes for the orders by itself, and brings back what became of them (CommerceML 2.08 or 3.1).

    "onec": {"BACKEND": "oscar_fulfillment.connectors.commerceml.CommerceML",
             "OPTIONS": {"user": "1c", "password": "..."}}

Nothing is sent from here: orders wait in the export ledger until 1C acknowledges them (docs/connectors/commerceml.md).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.core.signatures import verify_token

from .base import ORDER, Capability, Connector
from .commerceml_codes import CP1251, NEW, OLD, STATE_CANCELLED, UTF8
from .records import OutsideState, Rule

#: After these an order that 1C was to have goes there again. What only moves its status does not.
CHANGES = frozenset({"edit_order", "revert_edit", "cancel", "restore"})
_STATES = {
    "N": "Принят",
    "P": "Формируется к отправке",
    "D": "Отгружен",
    "F": "Выполнен",
    STATE_CANCELLED: "Отменен",
}


class CommerceML(Connector):
    """The exchange with one 1C.

    ``user`` and ``password``: what is entered there; of several passwords each counts, so that one can be changed.
    ``version``: "2.08" or "3.1"; "" takes what 1C asks for. ``encoding``: of what is written. ``page_size``: orders
    of one answer. ``file_limit``: bytes of a piece of a file, ``max_upload``: of a session's files, ``max_unpacked``:
    of what one of them unpacks to. ``session_minutes``: how long after its last call a session ends. ``catalog``:
    "refuse" says that goods are not taken, "ignore" takes them and throws them away. ``language``: of what 1C shows.
    """

    name = "1C"
    kind = "erp"
    extra_capabilities = frozenset({Capability.FETCHED})
    told = {ORDER: CHANGES}
    rules: Sequence[Rule] = (
        Rule("in", "F", step="deliver"),
        Rule("in", STATE_CANCELLED, step="cancel"),
        Rule("out", "N", shipping="received"),
        Rule("out", "P", shipping="released"),
        Rule("out", "P", shipping="partially_invoiced"),
        Rule("out", "P", shipping="invoiced"),
        Rule("out", "P", shipping="partially_dispatched"),
        Rule("out", "D", shipping="dispatched"),
        Rule("out", "F", shipping="delivered"),
        Rule("out", STATE_CANCELLED, shipping="cancelled"),
    )

    def __init__(
        self,
        *,
        user: str,
        password: str | Sequence[str],
        version: str = "",
        encoding: str = UTF8,
        page_size: int = 500,
        zip: bool = True,
        file_limit: int = 1_000_000,
        max_upload: int = 20_000_000,
        max_unpacked: int = 100_000_000,
        session_minutes: int = 60,
        catalog: str = "refuse",
        language: str = "ru",
        allow_http: bool = False,
        **options: Any,
    ):
        super().__init__(**options)
        self.user = user
        self._passwords = [password] if isinstance(password, str) else list(password)
        if not user or ":" in user or not self._passwords or not all(self._passwords):
            raise ConfigurationError(f"{self.alias}: give a user (without a colon) and a password")
        if version not in ("", OLD, NEW):
            raise ConfigurationError(f"{self.alias}: version is {OLD} or {NEW}")
        if encoding not in (UTF8, CP1251):
            raise ConfigurationError(f"{self.alias}: encoding is {UTF8} or {CP1251}")
        if catalog not in ("refuse", "ignore"):
            raise ConfigurationError(f"{self.alias}: catalog is refuse or ignore")
        if not 1 <= page_size <= 2000 or file_limit < 1 or max_upload < file_limit or session_minutes < 1:
            raise ConfigurationError(f"{self.alias}: page_size, file_limit, max_upload or session_minutes is wrong")
        self.version, self.encoding, self.page_size, self.zip = version, encoding, page_size, zip
        self.file_limit, self.max_upload, self.max_unpacked = file_limit, max_upload, max_unpacked
        self.session_minutes, self.catalog, self.language = session_minutes, catalog, language
        self.allow_http = allow_http

    def check_login(self, authorization: str) -> None:
        """Return if this header of HTTP Basic names the user and a password, else WebhookVerificationFailed."""
        scheme, _space, encoded = authorization.strip().partition(" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True) if scheme.casefold() == "basic" else b""
        except (binascii.Error, ValueError):
            given = b""
        # User and password are compared as one: the time does not tell which of them is wrong.
        known = [f"{self.user}:{password}" for password in self._passwords]
        verify_token(given.hex(), [text.encode(encoding).hex() for text in known for encoding in _encodings(text)])

    def schema(self, asked: str) -> str:
        """The version that is written for a 1C that asks for this one."""
        if self.version:
            return self.version
        return NEW if asked.strip().startswith("3") else OLD

    def states(self) -> Sequence[OutsideState]:
        return [OutsideState(code, label) for code, label in _STATES.items()]

    def label_of(self, state: str) -> str:
        """What a status is called over there, "" for one that the shop made up."""
        return _STATES.get(state, "")


def _encodings(text: str) -> list[str]:
    """1C sends a password with Cyrillic letters in either."""
    try:
        text.encode("cp1251")
    except UnicodeEncodeError:
        return ["utf-8"]
    return ["utf-8"] if text.isascii() else ["utf-8", "cp1251"]
