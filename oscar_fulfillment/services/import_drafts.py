"""CSV files between the upload and the answer which column is what."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from django.utils import timezone

from oscar_fulfillment.models import ImportDraft
from oscar_fulfillment.statements.base import clean

#: A file that nobody has finished is forgotten after so many hours: it is full of other people's data.
HOURS = 24


def keep_draft(*, kind: str, content: bytes, file_name: str, owner: Any, answers: dict[str, Any]) -> ImportDraft:
    """Keep an uploaded file for its owner until the import. Old drafts, and the owner's others, are dropped."""
    drop_old_drafts()
    ImportDraft._default_manager.filter(owner=owner, kind=kind).delete()
    return ImportDraft._default_manager.create(
        kind=kind,
        content=content,
        file_name=clean(file_name, 200),
        sha256=hashlib.sha256(content).hexdigest(),
        owner=owner,
        answers=answers,
    )


def drop_draft(draft: ImportDraft) -> None:
    """Forget a file: it was imported, or given up."""
    draft.delete()


def drop_old_drafts() -> int:
    """Forget files that nobody has finished within :data:`HOURS`; how many."""
    old = ImportDraft._default_manager.filter(created_at__lt=timezone.now() - timedelta(hours=HOURS))
    return old.delete()[0]
