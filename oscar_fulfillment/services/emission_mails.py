"""The authorised note in the customer's mail: the file that the law asks for, and its printed form."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from oscar_fulfillment.core.exceptions import AdapterRejected, ConfigurationError
from oscar_fulfillment.core.transitions import Step
from oscar_fulfillment.documents import DocumentError
from oscar_fulfillment.documents.danfe import danfe_pdf, has_danfe
from oscar_fulfillment.models import NfeEmission
from oscar_fulfillment.selectors.issuers import find_issuing

from . import messages

logger = logging.getLogger("oscar_fulfillment.nfe")


def mail_note(step: Step, emission: NfeEmission) -> None:
    """Part of the step that finds a note authorised. Tests go to nobody, unless the settings say so."""
    try:
        wanted = find_issuing(emission.alias).mails
    except ConfigurationError:
        wanted = not emission.is_test
    if wanted:
        messages.mail(step, messages.NFE, emission=emission.pk)


def note_files(order: Any, payload: Mapping[str, Any]) -> list[tuple[str, bytes, str]]:
    """What the mail carries, as (file name, content, MIME type). A note that was cancelled since is not sent."""
    emission = mailed_note(order, payload)
    proc = bytes(emission.proc_xml)
    files = [(f"{emission.access_key}-nfe.xml", proc, "application/xml")]
    if has_danfe():
        try:
            files.append((f"danfe-{emission.number}.pdf", danfe_pdf([(proc, False)]), "application/pdf"))
        except DocumentError as error:
            # The XML is the document; its picture can be had elsewhere.
            logger.warning("no DANFE for note %s: %s", emission, error)
    return files


def about_note(order: Any, payload: Mapping[str, Any]) -> dict[str, Any]:
    """What the mail says of the note."""
    return {"note": mailed_note(order, payload), "has_danfe": has_danfe()}


def mailed_note(order: Any, payload: Mapping[str, Any]) -> NfeEmission:
    """The note of a mail. :class:`AdapterRejected` where there is none that is valid."""
    emission = NfeEmission._default_manager.filter(
        pk=payload.get("emission") or 0, fulfillment=order.pk, status=NfeEmission.AUTHORISED
    ).first()
    if emission is None:
        raise AdapterRejected("the note is not valid any more")
    return emission
