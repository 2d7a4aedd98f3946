"""The DANFE, the printed form of an NF-e, drawn by brazilfiscalreport (the extra [danfe], LGPL).

Its layout follows the day of issue, so that a note prints tomorrow as it did today. Only notes that were checked may
come here: the library trusts its input.
"""

from __future__ import annotations

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


@cache
def has_danfe() -> bool:
    """Whether it can be drawn."""
    return find_spec("brazilfiscalreport") is not None


def danfe_pdf(notes: Sequence[tuple[bytes, bool]]) -> bytes:
    """One PDF of these notes: (nfeProc file, whether it was cancelled), each beginning on a page of its own.

    A cancelled one says so across its pages. :class:`DocumentError` where one cannot be drawn.
    """
    from brazilfiscalreport.danfe import Danfe, DanfeConfig, DanfeLayout

    def draw(text: str, is_cancelled: bool) -> Any:
        return Danfe(text, DanfeConfig(layout=DanfeLayout.AUTO, watermark_cancelled=is_cancelled))

    return _join([_draw(note, is_cancelled, draw) for note, is_cancelled in notes])


def danfe_labels_pdf(notes: Sequence[tuple[bytes, bool]]) -> bytes:
    """The simplified DANFE for parcels, 100 x 150 mm: one label for each note."""
    from brazilfiscalreport.danfe import DanfeEtiqueta, DanfeEtiquetaConfig

    def draw(text: str, is_cancelled: bool) -> Any:
        return DanfeEtiqueta(text, DanfeEtiquetaConfig(watermark_cancelled=is_cancelled))

    return _join([_draw(note, is_cancelled, draw) for note, is_cancelled in notes])


def _draw(note: bytes, is_cancelled: bool, make: Callable[[str, bool], Any]) -> bytes:
    if not note or _HARMFUL.search(note):
        raise DocumentError(_("There is no note to be printed."))
    try:
        return bytes(make(note.decode(), is_cancelled).output())
    except Exception as error:
        # Whatever it stumbles over is in the note, and trying again does not help.
        logger.warning("a DANFE cannot be drawn: %s", type(error).__name__)
        raise DocumentError(_("The DANFE of this note cannot be drawn.")) from error


def _join(found: Sequence[bytes]) -> bytes:
    """Several PDFs as one."""
    if not found:
        raise DocumentError(_("There is no note to be printed."))
    if len(found) == 1:
        return found[0]
    if find_spec("pypdfium2") is None:
        raise DocumentError("to put several into one file, pypdfium2 is needed")
    from io import BytesIO

    import pypdfium2 as pdfium

    joined = pdfium.PdfDocument.new()
    for one in found:
        source = pdfium.PdfDocument(one)
        joined.import_pages(source)
        source.close()
    out = BytesIO()
    joined.save(out)
    joined.close()
    return out.getvalue()
