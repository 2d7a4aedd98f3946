"""Payout files of providers: taken in once, their lines found among our payments, confirmed order by order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import USER, Actor
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput
from oscar_fulfillment.core.leases import insert_new
from oscar_fulfillment.core.locks import lock_name, lock_rows
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.models import OrderFulfillment, Payout, PayoutLine, ProviderPayment
from oscar_fulfillment.selectors.payouts import CONFIRMABLE, READY, judge, lines_of
from oscar_fulfillment.statements.base import StatementError, clean
from oscar_fulfillment.statements.encoding import CSV
from oscar_fulfillment.statements.layout import Layout
from oscar_fulfillment.statements.payout_file import PAYMENT, PayoutEntry, read_payout

from .bank import look_at, open_table
from .payouts import confirm_payout

#: Orders confirmed by one request.
MOST_AT_ONCE = 200
_CHUNK = 500


def import_payout(
    *, content: bytes, file_name: str, actor: Actor, provider: str, layout: Layout, currency: str, reference: str = ""
) -> Payout:
    """Take in a provider's file, all of it or nothing, and find its lines among our payments.

    ``provider`` is an alias of GATEWAYS. :class:`InvalidInput` for a file that cannot be read in whole, or was
    imported before.
    """
    if provider not in settings.GATEWAYS:
        raise InvalidInput({"provider": [_("Choose one of the providers.")]})
    reference = clean_text("reference", reference, limit=128)
    if look_at(content) != CSV:
        raise InvalidInput({"file": [_("A payout file is a CSV file.")]})
    table = open_table(content)
    try:
        entries, left_out = read_payout(table, layout, currency=currency)
    except StatementError as error:
        raise InvalidInput({"file": [str(error)]}) from error
    days = [entry.day for entry in entries if entry.day]
    row = Payout(
        provider=provider, reference=reference, file_name=clean(file_name, 200),
        sha256=hashlib.sha256(content).hexdigest(), currency=entries[0].currency, paid_on=max(days, default=None),
        left_out=dict(left_out.most_common(20)), layout=layout.to_json(), layout_of=table.signature,
        gross=_total(entries, "gross"), fee=_total(entries, "fee"), net=_total(entries, "net"),
        imported_at=timezone.now(), imported_by=actor.user if actor.kind == USER else None,
        imported_by_label=actor.label,
    )  # fmt: skip
    with transaction.atomic():
        lock_name(f"payout:{provider}")
        if not (new := insert_new([row], returning=["id"])):
            raise InvalidInput({"file": [_imported_before(row)]})
        row.pk = new[0][0]
        row._state.adding = False
        lines = [_line(row, entry, mark) for entry, mark in _fingerprints(provider, entries)]
        _find_payments(provider, lines)
        row.line_count = len(insert_new(lines, returning=["id"]))
        row.known_count = len(entries) - row.line_count
        row.save(update_fields=["line_count", "known_count"])
    return row


def _total(entries: Iterable[PayoutEntry], name: str) -> Decimal:
    return sum((getattr(entry, name) for entry in entries), Decimal(0))


def _imported_before(row: Payout) -> str:
    same = Payout._default_manager.filter(sha256=row.sha256).first()
    if same is None:
        return _("This file was imported before.")
    when = formats.date_format(timezone.localtime(same.imported_at), "SHORT_DATETIME_FORMAT")
    return _("This file was imported before: %(when)s by %(who)s.") % {"when": when, "who": same.imported_by_label}


def _fingerprints(provider: str, entries: Iterable[PayoutEntry]) -> Iterable[tuple[PayoutEntry, str]]:
    """Each line with what makes it once over all files: a payment's parts have different days or sums; an exact copy
    is the same line."""
    seen = set()
    for entry in entries:
        parts = [provider, entry.external_id, entry.reference, entry.kind, f"{entry.gross:.2f}", f"{entry.net:.2f}"]
        parts += [entry.currency, entry.day.isoformat() if entry.day else ""]
        mark = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=20).hexdigest()
        if mark not in seen:
            seen.add(mark)
            yield entry, mark


def _line(payout: Payout, entry: PayoutEntry, fingerprint: str) -> PayoutLine:
    return PayoutLine(
        payout=payout, fingerprint=fingerprint, external_id=entry.external_id, reference=entry.reference,
        kind=entry.kind, gross=entry.gross, fee=entry.fee, net=entry.net, currency=entry.currency, paid_on=entry.day,
    )  # fmt: skip


def _find_payments(provider: str, lines: Sequence[PayoutLine]) -> None:
    """Set the payment of each line: by the provider's number, by our reference, else by the order's number."""
    ours = ProviderPayment._default_manager.filter(provider=provider)
    for start in range(0, len(lines), _CHUNK):
        chunk = lines[start : start + _CHUNK]
        numbers = sorted({line.external_id for line in chunk if line.external_id})
        references = sorted({line.reference for line in chunk if line.reference})
        by_id = {one.external_id: one for one in ours.filter(external_id__in=numbers)}
        by_reference = {one.reference: one for one in ours.filter(reference__in=references)}
        of_orders = ours.filter(fulfillment__number__in=references, captured__gt=0).select_related("fulfillment")
        by_order = {one.fulfillment.number: one for one in of_orders.order_by("-pk")}
        for line in chunk:
            line.payment = (
                by_id.get(line.external_id) or by_reference.get(line.reference) or by_order.get(line.reference)
            )


def find_again(*, payout: Payout) -> int:
    """Look once more for the payments of lines that belonged to none; how many were found."""
    unknown = list(payout.lines.filter(payment=None))
    _find_payments(payout.provider, unknown)
    found = [line for line in unknown if line.payment]
    PayoutLine._default_manager.bulk_update(found, ["payment"], batch_size=_CHUNK)
    return len(found)


@dataclass(frozen=True)
class Outcome:
    """What became of one line; ``error`` is empty where it was confirmed."""

    line: PayoutLine
    number: str
    error: str = ""


def confirm_lines(*, payout: Payout, actor: Actor, lines: Sequence[int] | None = None) -> list[Outcome]:
    """Say of these lines that their money is in, order by order; without ``lines`` of all that are complete.

    At most :data:`MOST_AT_ONCE` in one call: call again for the rest. Lines that cannot be confirmed are passed over.
    """
    rows = lines_of(payout).filter(settled_at=None, kind=PAYMENT)
    if lines is not None:
        rows = rows.filter(pk__in=list(lines)[:MOST_AT_ONCE])
    wanted = CONFIRMABLE if lines is not None else (READY,)
    verdicts = [(found.line, found.order) for found in judge(rows) if found.code in wanted]
    return [_confirm_one(line, order.number, payout, actor) for line, order in verdicts[:MOST_AT_ONCE] if order]


def _confirm_one(line: PayoutLine, number: str, payout: Payout, actor: Actor) -> Outcome:
    try:
        with transaction.atomic():
            _settle(line, payout, actor)
    except FulfillmentError as error:
        told = str(error)[:300]
        PayoutLine._default_manager.filter(pk=line.pk, settled_at=None).update(problem=told)
        return Outcome(line, number, told)
    return Outcome(line, number)


def _settle(line: PayoutLine, payout: Payout, actor: Actor) -> None:
    """Mark the line; its order is told once no other captured payment of it waits for a payout."""
    payment: Any = line.payment
    (fulfillment,) = lock_rows(OrderFulfillment._default_manager.filter(pk=payment.fulfillment_id))
    (found,) = lock_rows(PayoutLine._default_manager.filter(pk=line.pk))
    if found.settled_at:
        raise LineSettled(_("%(who)s has confirmed this line already.") % {"who": found.settled_by_label})
    found.settled_at, found.settled_by_label, found.problem = timezone.now(), actor.label, ""
    found.save(update_fields=["settled_at", "settled_by_label", "problem"])
    others = ProviderPayment._default_manager.filter(fulfillment=fulfillment.pk, captured__gt=F("refunded"))
    if others.exclude(pk=payment.pk).exclude(payout_lines__settled_at__isnull=False).exists():
        return
    confirm_payout(
        order=payment.fulfillment.order,
        actor=actor,
        reference=payout.reference or payout.file_name[:128],
        key=f"payout-{payment.pk}",
    )


class LineSettled(FulfillmentError):
    """Two people confirmed the same line; the second one is told."""
