"""The tokens of connectors in the database: sealed, claimed and replaced by comparing. No lock waits for a vendor.

``ConnectorState.sealed`` holds ``claim|seal``. The claim is ``token:until`` (Unix seconds) of the worker that renews,
or empty. Each change is one UPDATE that names the whole text it replaces: of two that saw the same, one comes through.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from dataclasses import asdict

from oscar_fulfillment.connectors.oauth import Tokens
from oscar_fulfillment.core.sealed import SealBroken, seal, unseal
from oscar_fulfillment.models import ConnectorState

logger = logging.getLogger("oscar_fulfillment.connectors")

#: How often a change is tried that others were faster with.
_TRIES = 50


class DatabaseTokens:
    """The store of one connector's tokens; see ``connectors.oauth.TokenStore``. Not inside a transaction."""

    def __init__(self, alias: str):
        self.alias = alias
        self._mine = ""

    def load(self) -> Tokens | None:
        return self._open(self._text())

    def claim(self, seconds: float) -> bool:
        text = self._text()
        claim, _bar, sealed = text.partition("|")
        if not sealed or (claim and _until(claim) > time.time()):
            return False
        mine = f"{uuid.uuid4().hex}:{time.time() + seconds:.3f}"
        if not self._replace(text, f"{mine}|{sealed}"):
            return False
        self._mine = mine
        return True

    def release(self) -> None:
        text = self._text()
        claim, _bar, sealed = text.partition("|")
        if self._mine and claim == self._mine:
            self._replace(text, f"|{sealed}")
        self._mine = ""

    def save(self, tokens: Tokens, *, replaces: Tokens | None = None) -> bool:
        new = f"|{seal(json.dumps(asdict(tokens)), purpose=self._purpose)}"
        if replaces is None:
            ConnectorState._default_manager.get_or_create(connector=self.alias)
        for _try in range(_TRIES):
            text = self._text()
            # What counts is whether these are the tokens that were used, not who has claimed them since: the new ones
            # are the only ones that are good.
            if replaces is not None and getattr(self._open(text), "refresh", None) != replaces.refresh:
                self.release()
                return False
            if self._replace(text, new):
                self._mine = ""
                return True
        raise RuntimeError(f"the tokens of {self.alias} cannot be kept: they change all the time")

    def forget(self) -> None:
        """There are none any more."""
        ConnectorState._default_manager.filter(connector=self.alias).update(sealed="")

    @property
    def _purpose(self) -> str:
        # One connector's tokens are nothing in another's place.
        return f"connector:{self.alias}"

    def _text(self) -> str:
        rows = ConnectorState._default_manager.filter(connector=self.alias)
        return rows.values_list("sealed", flat=True).first() or ""

    def _replace(self, old: str, new: str) -> bool:
        return bool(ConnectorState._default_manager.filter(connector=self.alias, sealed=old).update(sealed=new))

    def _open(self, text: str) -> Tokens | None:
        sealed = text.partition("|")[2]
        if not sealed:
            return None
        try:
            return Tokens(**json.loads(unseal(sealed, purpose=self._purpose)))
        except (SealBroken, ValueError, TypeError):
            logger.warning("the tokens of %s cannot be read: SECRET_KEY was changed without a fallback", self.alias)
            return None


def _until(claim: str) -> float:
    try:
        return float(claim.partition(":")[2])
    except ValueError:
        return 0.0
