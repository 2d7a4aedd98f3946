"""The notes that somebody issues in Bling: signed and authorised by nobody who counts, but sound in form."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

#: Beside the shop's own notes, which have series 1.
SERIES = 2


def make_xml(order: Mapping[str, Any], contact: Mapping[str, Any], number: int, at: datetime, **said: Any) -> bytes:
    """The note of an order as a file; ``said`` (``total``, ``buyer``, ``order_number``...) makes it another's."""
    from django.conf import settings

    # On its own the simulator has no settings, and the clock of the notes asks for them.
    if not settings.configured and "DJANGO_SETTINGS_MODULE" not in os.environ:
        settings.configure(USE_TZ=True, TIME_ZONE="America/Sao_Paulo")
    from oscar_fulfillment.test import nfe

    items = [
        nfe.item(
            sku=item.get("codigo") or "?",
            title=item["descricao"],
            quantity=item["quantidade"],
            amount=Decimal(str(item["valor"])) * Decimal(str(item["quantidade"])),
        )
        for item in order["itens"]
    ]
    code = (contact.get("endereco") or {}).get("geral", {}).get("cep", "")
    facts = {
        "number": number,
        "series": SERIES,
        "buyer": contact["numeroDocumento"],
        "total": order["total"],
        "items": items,
        "issued_at": at,
        "order_number": order["numeroLoja"],
        "postcode": "".join(c for c in code if c.isdigit()) or "01310100",
    }
    return nfe.make_note(**{**facts, **said})
