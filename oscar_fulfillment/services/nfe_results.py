"""What applying a file comes to: written with the step that it made, for one file or for many."""

from __future__ import annotations

from collections.abc import Sequence

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.heads import compare_and_set
from oscar_fulfillment.models import Invoice, NfeFile

from .nfe_imports import hold_with_others, look_again, set_verdict
from .nfe_judging import Judged


class AppliedMeanwhile(Exception):
    """Another worker has applied the file: what this one did for it is rolled back."""


def actor_of(file: NfeFile) -> Actor:
    """Who had the file applied."""
    return Actor(file.decided_by_kind, file.decided_by_label, file.decided_by)


def key_of(file: NfeFile) -> str:
    """The idempotency key of its step: one for each time that somebody applied it, since an invoice that was taken back
    by hand can be entered again."""
    return f"nfe-{file.batch}-{file.pk}"


def evidence_of(judged: Judged) -> dict[str, str]:
    """What the order's history keeps of a note that is entered."""
    note = judged.note
    told = {"protocol": note.protocol, "total": f"{note.total:.2f}"} if note is not None else {}
    return {"file": judged.file.name, **told}


def write_results(done: Sequence[tuple[Judged, Invoice | None]]) -> None:
    """File these with their documents, in the caller's transaction; others of the same notes and orders that wait for a
    person are looked at again.

    Raises :class:`AppliedMeanwhile` where one of them is not queued any more.
    """
    if not done:
        return
    updates = []
    for judged, invoice in done:
        set_verdict(judged)
        row = judged.file
        cancelled = judged.is_cancelling and judged.note is not None
        values = {
            "status": NfeFile.SUPERSEDED if cancelled else NfeFile.APPLIED, "verdict": row.verdict, "problem": "",
            "invoice_id": invoice.pk if invoice else None, "kind": row.kind, "access_key": row.access_key,
            "fulfillment_id": invoice.fulfillment_id if invoice else None, "facts": row.facts, "findings": row.findings,
        }  # fmt: skip
        # Compare and set: of two workers that hold the same file the second one takes back what it did.
        updates.append((row, {"status": NfeFile.QUEUED, "batch": row.batch}, values))
    mine = [judged.file.pk for judged, _invoice in done]
    keys = [judged.file.access_key for judged, _invoice in done]
    orders = [invoice.fulfillment_id for _judged, invoice in done if invoice is not None]
    others = hold_with_others(mine, keys=keys, orders=orders)
    if compare_and_set(NfeFile, updates) != len(updates):
        raise AppliedMeanwhile
    look_again(others)
