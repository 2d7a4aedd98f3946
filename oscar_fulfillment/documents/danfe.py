"""The DANFE, the printed form of an NF-e, drawn by brazilfiscalreport (the extra [danfe], LGPL).

Its layout follows the day of issue, so that a note prints tomorrow as it did today. Only notes of ours, or such that
were checked, may come here: the library trusts its input.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

from django.utils.translation import gettext as _

from .renderer import DocumentError

logger = logging.getLogger("oscar_fulfillment.documents")

#: What to install for it.
EXTRA = "django-oscar-fulfillment[danfe]"
_HARMFUL = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_HEAD = re.compile(rb"<(?:\w+:)?(nfeProc|NFe)\b")


@cache
def has_danfe() -> bool:
    """Whether it can be drawn."""
    return find_spec("brazilfiscalreport") is not None


def danfe_pdf(notes: Sequence[bytes], *, is_cancelled: bool = False) -> bytes:
    """One PDF of these notes (nfeProc files), each beginning on a page of its own.

    ``is_cancelled``: the notes were cancelled, and say so across the page. :class:`DocumentError` where one cannot be
    drawn.
    """
    from brazilfiscalreport.danfe import Danfe, DanfeConfig, DanfeLayout

    config = DanfeConfig(layout=DanfeLayout.AUTO, watermark_cancelled=True)
    return _draw(notes, lambda text: Danfe(xml=text, config=config), is_cancelled)


def danfe_labels_pdf(notes: Sequence[bytes], *, is_cancelled: bool = False) -> bytes:
    """The simplified DANFE for parcels, 100 x 150 mm, one label for each note."""
    from brazilfiscalreport.danfe import DanfeEtiqueta, DanfeEtiquetaConfig

    config = DanfeEtiquetaConfig(watermark_cancelled=True)
    return _draw(notes, lambda text: DanfeEtiqueta(xml=text, config=config), is_cancelled)
