"""The verdict on files of the tax office: what they are, which order they are for, what speaks against it.

Reads only. The same for a page of new files and for one that is being applied: what was found is of that moment.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils import timezone

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.fiscal import nfe_checks
from oscar_fulfillment.fiscal.nfe_checks import Shop
from oscar_fulfillment.fiscal.nfe_cover import Cover, find_cover
from oscar_fulfillment.fiscal.nfe_facts import CANCELLATION, Event, Note, read_nfe
from oscar_fulfillment.fiscal.nfe_findings import CHOICES, Finding, NfeError, find
from oscar_fulfillment.fiscal.nfe_order_checks import APPLICABLE, DIFFERS, REFUSED, check_order, verdict_of
from oscar_fulfillment.fiscal.nfe_signature import Bundle, read_bundle
from oscar_fulfillment.models import Invoice, NfeFile, OrderFulfillment
from oscar_fulfillment.selectors.nfe_matching import Match, match_notes
from oscar_fulfillment.selectors.nfe_orders import NoteOrder, read_note_orders

from .invoicing import why_not_taken_back

logger = logging.getLogger("oscar_fulfillment.nfe")


@dataclass
class Judged:
    """A file with its verdict. ``cover``: the shipments that a note is for; ``invoice``: the document of this key that
    the shop has, if it has one."""

    file: NfeFile
    note: Note | None = None
    event: Event | None = None
    findings: list[Finding] = field(default_factory=list)
    match: Match | None = None
    order: NoteOrder | None = None
    cover: Cover | None = None
    invoice: Invoice | None = None
    #: Another file of the note is filed with that document already.
    is_filed: bool = False

    @property
    def verdict(self) -> str:
        return verdict_of(self.findings)

    @property
    def is_applicable(self) -> bool:
        """Whether its verdict lets it be applied: one that differs from its order only with a reason."""
        return self.verdict in (APPLICABLE if self.file.reason else APPLICABLE - {DIFFERS})

    @property
    def key(self) -> str:
        return self.note.key if self.note else self.event.key if self.event else ""

    @property
    def is_cancelling(self) -> bool:
        """It takes a note back that the shop has: an event, or the note itself with its cancellation in it."""
        if self.event is not None:
            return self.event.kind == CANCELLATION
        return bool(self.note and self.note.is_cancelled and self.invoice)


def shop_rules() -> Shop:
    """What this shop accepts, by its settings, now."""
    return Shop(
        environment=settings.NFE_ENVIRONMENT,
        issuers=frozenset(settings.ISSUER_TAX_IDS),
        tolerance=Decimal(str(settings.NFE_TOLERANCE)),
        now=timezone.now(),
        bundle=_bundle(settings.NFE_CA_BUNDLE),
    )


def _bundle(path: str) -> Bundle | None:
    try:
        return read_bundle(path)
    except (OSError, ValueError):
        # Whoever asked for trust must not get less without a word: nobody is trusted, and the system check says why.
        logger.exception("NFE_CA_BUNDLE cannot be read")
        return Bundle([])


def judge_files(files: Iterable[NfeFile], actor: Actor, *, shop: Shop | None = None) -> list[Judged]:
    """Read and judge these files, in their order. Some twelve statements for any number of them; one tree in memory."""
    shop = shop or shop_rules()
    found = [_read(file, shop) for file in files]
    usable = [one for one in found if one.key and not _is_hopeless(one)]
    _look_up_keys(usable)
    _look_up_cancellations(usable)
    notes = [one for one in usable if one.note is not None and not _is_hopeless(one)]
    _find_orders(notes, shop)
    events = [one for one in usable if one.is_cancelling]
    known = read_note_orders(
        [one.file.fulfillment_id for one in notes if one.file.fulfillment_id]
        + [one.invoice.fulfillment_id for one in [*notes, *events] if one.invoice]
        + [one.match.order.pk for one in notes if one.match and one.match.order]
    )
    for one in notes:
        _judge_note(one, known, actor, shop)
    for one in events:
        _judge_cancellation(one, known, actor)
    return found


def _read(file: NfeFile, shop: Shop) -> Judged:
    judged = Judged(file)
    try:
        content = read_nfe(bytes(file.content), most_bytes=settings.NFE_MAX_BYTES)
        judged.note, judged.event = content.note, content.event
        judged.findings = nfe_checks.check_content(content, shop)
    except NfeError as error:
        judged.findings = [error.finding]
    return judged


def _is_hopeless(judged: Judged) -> bool:
    """Whether the file alone is refused. A cancelled note goes on: it may take back what the shop has."""
    rest = [finding for finding in judged.findings if finding.code != "cancelled"]
    return verdict_of(rest) == REFUSED


def _look_up_keys(found: Sequence[Judged]) -> None:
    """The valid documents that the shop has of these notes."""
    rows = Invoice._default_manager.filter(access_key__in=sorted({one.key for one in found}), cancelled_at=None)
    by_key = {row.access_key: row for row in rows.select_related("fulfillment")}
    filed = NfeFile._default_manager.filter(invoice__in=list(by_key.values()), kind=NfeFile.NOTE)
    pairs = set(filed.filter(status=NfeFile.APPLIED).values_list("invoice", "pk")) if by_key else set()
    for one in found:
        one.invoice = by_key.get(one.key)
        one.is_filed = any(pk == one.invoice.pk and file != one.file.pk for pk, file in pairs) if one.invoice else False


def _look_up_cancellations(found: Sequence[Judged]) -> None:
    """Notes whose cancellation is here, in a file of its own, among these or from before."""
    cancelled = cancelled_keys({one.key for one in found if one.note is not None})
    cancelled |= {one.key for one in found if one.event is not None and one.event.kind == CANCELLATION}
    for one in found:
        told = {finding.code for finding in one.findings}
        # What the shop has is taken back by the event itself.
        if one.note is not None and one.key in cancelled and "cancelled" not in told and one.invoice is None:
            one.findings.append(find("cancelled"))


def cancelled_keys(keys: Iterable[str]) -> set[str]:
    """Which of these notes have a cancellation among our files."""
    rows = NfeFile._default_manager.filter(access_key__in=sorted(keys), kind=NfeFile.CANCELLATION)
    rows = rows.filter(status__in=[NfeFile.CHECKED, NfeFile.QUEUED, NfeFile.APPLIED])
    return set(rows.values_list("access_key", flat=True))


def _find_orders(notes: Sequence[Judged], shop: Shop) -> None:
    asked = {
        one.file.pk: one.note
        for one in notes
        if one.note is not None and not one.note.is_cancelled and not one.file.is_chosen
    }
    matches = match_notes(asked, tolerance=shop.tolerance)
    for one in notes:
        one.match = matches.get(one.file.pk)


def _judge_note(one: Judged, known: Mapping[int, NoteOrder], actor: Actor, shop: Shop) -> None:
    note: Any = one.note
    if note.is_cancelled:
        return
    if one.invoice is not None:
        one.order = known.get(one.invoice.fulfillment_id)
        _judge_known(one, shop)
        return
    chosen = one.file.fulfillment_id if one.file.is_chosen else None
    if chosen is None and one.match is not None:
        if one.match.finding is not None:
            one.findings.append(one.match.finding)
        chosen = one.match.order.pk if one.match.order else None
    one.order = known.get(chosen) if chosen else None
    if one.order is None:
        if not any(finding.code in CHOICES for finding in one.findings):
            one.findings.append(find("no_order"))
        return
    one.findings += check_order(note, one.order.facts)
    if reasons := one.order.refuses("invoice", actor):
        why = " ".join(str(reason.message) for reason in reasons)
        one.findings.append(find("not_ready", number=one.order.facts.number, why=why))
    one.cover = find_cover(note, one.order.owed, shop.tolerance)
    one.findings += one.cover.findings


def _judge_known(one: Judged, shop: Shop) -> None:
    """The shop has a document of this key. One typed by hand the file joins; one with its file needs nothing more."""
    invoice: Any = one.invoice
    named = one.match.order.pk if one.match and one.match.order and one.match.is_named else None
    meant = one.file.fulfillment_id if one.file.is_chosen else named
    if meant is not None and meant != invoice.fulfillment_id:
        one.findings.append(find("key_used", number=invoice.fulfillment.number))
        return
    if one.is_filed:
        one.findings.append(find("known_key", number=invoice.fulfillment.number))
        return
    if one.order is not None and one.note is not None:
        one.findings += check_order(one.note, one.order.facts)
        expected = one.order.worth_of(invoice.pk)
        sums = {expected, expected + one.order.owed.extras, one.order.owed.total}
        if all(abs(one.note.total - sum_) > shop.tolerance for sum_ in sums):
            one.findings.append(find("total", found=one.note.total, expected=expected))


def _judge_cancellation(one: Judged, known: Mapping[int, NoteOrder], actor: Actor) -> None:
    one.findings = [finding for finding in one.findings if finding.code != "cancelled"]
    if one.invoice is None:
        one.findings.append(find("event_early"))
        return
    one.order = known.get(one.invoice.fulfillment_id)
    if one.order is None:
        return
    reasons = one.order.refuses("cancel_invoice", actor)
    used = [
        shipment
        for shipment in one.order.fulfillment.shipments.all()
        if shipment.invoice_id == one.invoice.pk and shipment.status not in ("pending", "cancelled")
    ]
    if reasons or used:
        why = " ".join(str(reason.message) for reason in reasons or [why_not_taken_back(is_used=True)])
        one.findings.append(find("goods_left", number=one.order.facts.number, why=why))


def facts_of(judged: Judged) -> dict[str, Any]:
    """What the pages show of a file without opening it; texts and numbers only."""
    if judged.note is not None:
        note = judged.note
        return {
            "number": note.number, "series": note.series, "model": note.model, "issued_at": note.issued_at.isoformat(),
            "total": f"{note.total:.2f}", "issuer": note.issuer, "buyer": note.recipient,
            "buyer_name": note.recipient_name, "items": len(note.items), "volumes": note.volumes,
            "protocol": note.protocol, "order_numbers": list(note.order_numbers[:5]),
        }  # fmt: skip
    if judged.event is not None:
        event = judged.event
        return {
            "event": event.type, "protocol": event.protocol, "issuer": event.issuer, "reason": event.reason,
            "issued_at": event.at.isoformat() if event.at else "",
        }  # fmt: skip
    return {}


def kind_of(judged: Judged) -> str:
    """Which kind of file it is, as the model calls it."""
    if judged.note is not None:
        return NfeFile.NOTE
    if judged.event is None or not judged.event.kind:
        return NfeFile.UNKNOWN
    return NfeFile.CANCELLATION if judged.event.kind == CANCELLATION else NfeFile.CORRECTION


def order_of(judged: Judged) -> OrderFulfillment | None:
    """The order that the file is for, as far as there is no doubt."""
    if judged.order is not None:
        return judged.order.fulfillment
    return judged.invoice.fulfillment if judged.invoice is not None else None
