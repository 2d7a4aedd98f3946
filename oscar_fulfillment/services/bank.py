"""Bank statements: taken in once, and each movement booked for an order on a person's word."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import USER, Actor
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput
from oscar_fulfillment.core.leases import insert_new
from oscar_fulfillment.core.locks import lock_name, lock_rows
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.models import BankEntry, BankStatement, OrderFulfillment
from oscar_fulfillment.statements.base import (
    Entry,
    Statement,
    StatementError,
    check_account,
    clean,
    fingerprints,
    mask_account,
)
from oscar_fulfillment.statements.csv_file import read_csv
from oscar_fulfillment.statements.encoding import CSV
from oscar_fulfillment.statements.layout import Layout
from oscar_fulfillment.statements.reading import kind_of, read_statements
from oscar_fulfillment.statements.table import Table, read_table

from .receipts import BANK, receive_money

#: Movements confirmed by one request: each is a transaction of its own.
MOST_AT_ONCE = 200

WHY: dict[str, Any] = {
    BankEntry.OUTGOING: gettext_lazy("Money that went out"),
    BankEntry.BY_HAND: gettext_lazy("Set aside by hand"),
}


class EntryDecided(FulfillmentError):
    """Two people worked on the same movement; the second one is told what the first one did."""


def look_at(content: bytes) -> str:
    """The format of a file. :class:`InvalidInput` for what is none, or too large."""
    try:
        return kind_of(content, most_bytes=settings.STATEMENT_MAX_BYTES)
    except StatementError as error:
        raise InvalidInput({"file": [str(error)]}) from error


def open_table(content: bytes) -> Table:
    """The table of a CSV file. :class:`InvalidInput` where there is none."""
    try:
        return read_table(content, most=settings.STATEMENT_MAX_ENTRIES)
    except StatementError as error:
        raise InvalidInput({"file": [str(error)]}) from error


def read_account(text: str) -> str:
    """The account that a CSV file is of. :class:`InvalidInput` for what is none, or not the shop's."""
    try:
        account = check_account(text)
    except StatementError as error:
        raise InvalidInput({"account": [str(error)]}) from error
    _check_own(account, "account")
    return account


def import_statement(
    *,
    content: bytes,
    file_name: str,
    actor: Actor,
    account: str = "",
    currency: str = "",
    layout: Layout | None = None,
) -> list[BankStatement]:
    """Take in a file, all of it or nothing: one statement per account and currency in it.

    A CSV file needs ``account``, ``currency`` and ``layout``. Movements that another file has brought are known and not
    taken twice; what went out is set aside. :class:`InvalidInput` for a file that cannot be read in whole, one that was
    imported before, and one of an account that is not the shop's.
    """
    kind = look_at(content)
    table = None
    try:
        if kind == CSV:
            if layout is None:
                raise InvalidInput({"layout": [_("Say what is in which column.")]})
            table = open_table(content)
            statements = [read_csv(table, layout, account=read_account(account), currency=currency)]
        else:
            statements = read_statements(content, kind, most=settings.STATEMENT_MAX_ENTRIES)
    except StatementError as error:
        raise InvalidInput({"file": [str(error)]}) from error
    for statement in statements:
        _check_own(statement.account, "file")
    sha256 = hashlib.sha256(content).hexdigest()
    with transaction.atomic():
        # The same file for another account is a slip of the person: the file does not name it.
        lock_name(f"bank-file:{sha256}")
        if same := BankStatement._default_manager.filter(sha256=sha256).first():
            raise InvalidInput({"file": [_imported_before(same)]})
        # One import per account at a time: files that overlap would wait for each other's movements crosswise.
        for name in sorted({statement.account for statement in statements}):
            lock_name(f"bank:{name}")
        found = [_take_in(statement, sha256, file_name, actor) for statement in statements]
        if table is not None and layout is not None:
            found[0].layout, found[0].layout_of = layout.to_json(), table.signature
            found[0].save(update_fields=["layout", "layout_of"])
    return found


def _check_own(account: str, field: str) -> None:
    own = ["".join(str(one).split()).upper() for one in settings.BANK_ACCOUNTS]
    if own and account not in own:
        message = _("%(account)s is not one of the shop’s accounts.") % {"account": mask_account(account)}
        raise InvalidInput({field: [message]})


def _take_in(read: Statement, sha256: str, file_name: str, actor: Actor) -> BankStatement:
    row = BankStatement(
        file_name=clean(file_name, 200), sha256=sha256, format=read.format, account=read.account,
        currency=read.currency, begins_on=read.begins, ends_on=read.ends, entry_count=len(read.entries),
        pending_count=read.pending, left_out_lines=read.left_out[:200], imported_at=timezone.now(),
        imported_by=actor.user if actor.kind == USER else None, imported_by_label=actor.label,
    )  # fmt: skip
    if not (new := insert_new([row], returning=["id"])):
        raise InvalidInput({"file": [_imported_before(row)]})
    row.pk = new[0][0]
    row._state.adding = False
    told = [_entry(row, entry, mark) for entry, mark in fingerprints(read.account, read.entries)]
    row.new_count = len(insert_new(told, returning=["id"]))
    row.known_count = row.entry_count - row.new_count
    row.save(update_fields=["new_count", "known_count"])
    return row


def _imported_before(same: BankStatement) -> str:
    when = formats.date_format(timezone.localtime(same.imported_at), "SHORT_DATETIME_FORMAT")
    return _("This file was imported before: %(when)s by %(who)s.") % {"when": when, "who": same.imported_by_label}


def _entry(statement: BankStatement, entry: Entry, fingerprint: str) -> BankEntry:
    """What is kept of a movement. Money out needs nobody, but what the bank has taken back does."""
    aside = entry.amount <= 0 and not entry.is_reversal
    return BankEntry(
        statement=statement, fingerprint=fingerprint, account=statement.account, amount=entry.amount,
        currency=entry.currency, booked_on=entry.booked_on, valued_on=entry.valued_on, name=entry.name,
        payer_account=mask_account(entry.account), text=entry.text, reference=entry.reference,
        bank_reference=entry.bank_reference, charges=entry.charges, is_reversal=entry.is_reversal,
        state=BankEntry.IGNORED if aside else BankEntry.NEW, why=BankEntry.OUTGOING if aside else "",
    )  # fmt: skip


def confirm_entry(*, entry: BankEntry, order: Any, actor: Actor) -> BankEntry:
    """Book a movement for an order: the money is in, and the payment moves where that leads (``receive_money``).

    Once, whoever else confirms it: :class:`EntryDecided` for the second one. :class:`InvalidInput` for money that went
    out, a reversal, or another currency. A booking is not undone here: money goes back by a refund.
    """
    with transaction.atomic():
        lock_rows(OrderFulfillment._default_manager.filter(pk=order.pk))
        found = _lock_open(entry)
        if found.amount <= 0 or found.is_reversal:
            raise InvalidInput({"entry": [_("Only money that came in can be booked for an order.")]})
        if found.currency != order.currency:
            message = _("The movement is in %(one)s, the order in %(other)s.")
            raise InvalidInput({"order": [message % {"one": found.currency, "other": order.currency}]})
        reference = found.bank_reference or found.reference or found.booked_on.isoformat()
        receive_money(
            order=order, actor=actor, amount=found.amount, source=BANK, reference=reference[:128], key=found.key
        )
        found.fulfillment_id = order.pk
        _decide(found, BankEntry.MATCHED, actor)
    return found


def ignore_entry(*, entry: BankEntry, actor: Actor, note: str = "") -> BankEntry:
    """Set a movement aside that pays no order. :class:`EntryDecided` if somebody was faster."""
    note = clean_text("note", note, limit=300)
    with transaction.atomic():
        found = _lock_open(entry)
        found.why, found.note = BankEntry.BY_HAND, note
        _decide(found, BankEntry.IGNORED, actor)
    return found


def reopen_entry(*, entry: BankEntry, actor: Actor) -> BankEntry:
    """Take a movement up again that was set aside. One that is booked stays booked: :class:`EntryDecided`."""
    with transaction.atomic():
        (found,) = lock_rows(BankEntry._default_manager.filter(pk=entry.pk))
        if found.state != BankEntry.IGNORED or found.amount <= 0:
            raise EntryDecided(_decided(found))
        found.why = found.note = ""
        _decide(found, BankEntry.NEW, actor)
    return found


def _lock_open(entry: BankEntry) -> BankEntry:
    (found,) = lock_rows(BankEntry._default_manager.filter(pk=entry.pk))
    if not found.is_open:
        raise EntryDecided(_decided(found))
    return found


def _decided(entry: BankEntry) -> str:
    if entry.state == BankEntry.MATCHED:
        number = entry.fulfillment.number if entry.fulfillment else "?"
        return _("%(who)s has booked this movement for order %(number)s. To give money back, refund it there.") % {
            "who": entry.decided_by_label, "number": number,
        }  # fmt: skip
    if entry.state == BankEntry.IGNORED:
        return _("%(who)s has set this movement aside.") % {"who": entry.decided_by_label or _("The import")}
    return _("This movement is open already.")


def _decide(entry: BankEntry, state: str, actor: Actor) -> None:
    entry.state, entry.problem = state, ""
    entry.decided_at, entry.decided_by_label = timezone.now(), actor.label
    entry.decided_by = actor.user if actor.kind == USER else None
    entry.save(
        update_fields=["state", "problem", "why", "note", "fulfillment", "decided_at", "decided_by", "decided_by_label"]
    )


@dataclass(frozen=True)
class Result:
    """What became of one movement; ``error`` is empty where it was booked."""

    entry: BankEntry
    number: str
    error: str = ""


def confirm_many(*, pairs: Sequence[tuple[int, int]], actor: Actor) -> list[Result]:
    """Book these movements (pk, order id), each in a transaction of its own and with a result of its own.

    :class:`InvalidInput` for more than :data:`MOST_AT_ONCE`, or none.
    """
    if not 0 < len(pairs) <= MOST_AT_ONCE:
        raise InvalidInput({"entries": [_("Choose 1 to %(most)d movements.") % {"most": MOST_AT_ONCE}]})
    entries = BankEntry._default_manager.in_bulk([pk for pk, _order in pairs])
    rows = OrderFulfillment._default_manager.select_related("order").in_bulk([pk for _entry_pk, pk in pairs])
    return [
        _confirm_one(entries[pk], rows[order_pk], actor) for pk, order_pk in pairs if pk in entries and order_pk in rows
    ]


def _confirm_one(entry: BankEntry, row: OrderFulfillment, actor: Actor) -> Result:
    try:
        return Result(confirm_entry(entry=entry, order=row.order, actor=actor), row.number)
    except FulfillmentError as error:
        told = str(error)[:300]
    # Kept at the movement, so that it still says so on the next page.
    BankEntry._default_manager.filter(pk=entry.pk, state=BankEntry.NEW).update(problem=told)
    return Result(entry, row.number, told)


def last_layout(model: Any, signature: str) -> Mapping[str, Any]:
    """How the last file with these columns was read; empty where there was none."""
    return model._default_manager.filter(layout_of=signature).values_list("layout", flat=True).first() or {}


def known_accounts() -> Iterable[str]:
    """The accounts of earlier statements and of the settings, for the upload form."""
    listed = ["".join(str(one).split()).upper() for one in settings.BANK_ACCOUNTS]
    rows = BankStatement._default_manager.order_by().values_list("account", flat=True).distinct()[:50]
    return list(dict.fromkeys([*listed, *rows]))
