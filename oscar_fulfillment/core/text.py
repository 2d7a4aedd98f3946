"""What people type: checked for what a database or a mail cannot hold, before anything is written."""

from __future__ import annotations

import unicodedata

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from oscar_fulfillment.conf import settings

from .exceptions import InvalidInput


def clean_text(field: str, text: str | None, *, required: bool = False, limit: int | None = None) -> str:
    """The text without surrounding space. Raises :class:`InvalidInput` naming ``field``.

    Refused: control characters other than line breaks and tabs, and more than ``limit`` characters
    (default: the setting MAX_TEXT).
    """
    text = (text or "").replace("\r\n", "\n").strip()
    limit = limit or settings.MAX_TEXT
    if required and not text:
        raise InvalidInput({field: [_("Please say why.")]})
    if len(text) > limit:
        message = ngettext("At most %(limit)d character.", "At most %(limit)d characters.", limit) % {"limit": limit}
        raise InvalidInput({field: [message]})
    # Cs: half of a surrogate pair, which JSON may carry and UTF-8 cannot.
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in text):
        raise InvalidInput({field: [_("The text holds characters that cannot be stored.")]})
    return text


def fold(text: str) -> str:
    """Lower case without accents and doubled spaces, for search."""
    stripped = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in stripped if not unicodedata.combining(c)).split())
