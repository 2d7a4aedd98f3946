"""CAMT.053, the bank statement of ISO 20022: versions .02 to .13, whatever its namespace prefix.

The versions differ in names, not in what they say: elements are found by their local name, and both names where one
was changed. Read entry by entry, so a large file needs no more memory than its entries. No DTD, entity or reference
to anything outside is accepted.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from django.utils.translation import gettext as _

from .base import Entry, Statement, StatementError, check_account, check_sum, clean, is_empty_reference
from .encoding import CAMT

_NAMESPACE = re.compile(r"urn:(?:iso:std:iso:20022:tech:xsd:|swift:xsd:\$?)camt\.05([234])\.001\.([0-9]{2})")
_STATEMENT, _ENTRY = "Stmt", "Ntry"


def read_camt(content: bytes, *, most: int) -> list[Statement]:
    """The statements of a file, those of the same account and currency as one.

    :class:`StatementError` for what is not well-formed, cut off, of another kind, or longer than ``most`` entries.
    """
    try:
        return _read(content, most)
    except DefusedXmlException:
        raise StatementError(
            _("The file declares entities or a document type. A bank statement never does: it was not read.")
        ) from None
    except (ElementTree.ParseError, UnicodeError, LookupError, ValueError) as error:
        line = getattr(error, "position", (0, 0))[0]
        message = (
            _("The file is damaged or cut off near line %(line)d. Download it again.") % {"line": line}
            if line
            else _("The file is damaged: its encoding is not what it says. Download it again.")
        )
        raise StatementError(message) from error


def _read(content: bytes, most: int) -> list[Statement]:
    found: dict[tuple[str, str], Statement] = {}
    current: Statement | None = None
    begun: Any = None
    count = 0
    root = True
    for event, element in ElementTree.iterparse(io.BytesIO(content), ("start", "end"), forbid_dtd=True):
        name = _local(element.tag)
        if event == "start":
            if root:
                _check_root(element)
                root = False
            if name == _STATEMENT:
                begun, current = element, None
            continue
        if begun is None or name not in (_STATEMENT, _ENTRY):
            continue
        if current is None:
            current = _head(begun, found)
        if name == _ENTRY:
            count += 1
            if count > most:
                raise StatementError(_too_long(most))
            _take(element, current)
            _drop(begun, element)
        else:
            begun = None
            element.clear()
    if not found:
        raise StatementError(_("The file holds no statement."))
    return list(found.values())


def _too_long(most: int) -> str:
    return _("The file holds more than %(most)d movements. Export shorter periods.") % {"most": most}


def _drop(parent: Any, entry: Any) -> None:
    entry.clear()
    parent.remove(entry)


def _check_root(element: Any) -> None:
    namespace = element.tag[1:].partition("}")[0] if element.tag.startswith("{") else ""
    match = _NAMESPACE.match(namespace)
    if _local(element.tag) != "Document" or not match:
        raise StatementError(_("This XML is not a CAMT.053 bank statement."))
    if match[1] != "3":
        message = _("This is a camt.05%(kind)s message. Ask the bank for the end-of-day statement, camt.053.")
        raise StatementError(message % {"kind": match[1]})


def _head(statement: Any, found: dict[tuple[str, str], Statement]) -> Statement:
    """The statement to fill: what stands before its first entry names the account."""
    identity = _child(statement, "Acct", "Id")
    account = _text(identity, "IBAN") or _text(identity, "Othr", "Id")
    if not account:
        raise StatementError(_("The statement names no account."))
    currency = _text(statement, "Acct", "Ccy").upper()
    if not currency:
        amount = _child(statement, "Bal", "Amt")
        currency = amount.get("Ccy", "").upper() if amount is not None else ""
    account = check_account(account)
    into = found.setdefault((account, currency), Statement(CAMT, account, currency))
    into.widen(*(_day(_text(statement, "FrToDt", name)) for name in ("FrDtTm", "ToDtTm")))
    return into


def _take(entry: Any, statement: Statement) -> None:
    status = _text(entry, "Sts", "Cd") or _text(entry, "Sts")
    if status and status.strip().upper() != "BOOK":
        statement.pending += 1
        return
    booked = _day(_text(entry, "BookgDt", "Dt") or _text(entry, "BookgDt", "DtTm"))
    valued = _day(_text(entry, "ValDt", "Dt") or _text(entry, "ValDt", "DtTm"))
    if booked is None:
        booked = valued
    if booked is None:
        raise StatementError(_("A movement of the statement has no date."))
    amount, currency = _amount(entry)
    statement.currency = statement.currency or currency
    total = amount * _sign(entry)
    whole = Entry(
        amount=total,
        currency=currency,
        booked_on=booked,
        valued_on=valued,
        bank_reference=clean(_text(entry, "AcctSvcrRef"), 140),
        text=clean(_text(entry, "AddtlNtryInf"), 1000),
        charges=_charges(entry),
        is_reversal=_text(entry, "RvslInd").strip().lower() in ("true", "1"),
    )
    details = [detail for group in _children(entry, "NtryDtls") for detail in _children(group, "TxDtls")]
    statement.entries += _split(whole, details)
    statement.widen(booked)


def _split(whole: Entry, details: list[Any]) -> Iterator[Entry]:
    """One entry per payment of a collective booking, where their sums add up to it; else the booking in one."""
    if len(details) == 1:
        yield _detailed(whole, details[0], whole.amount, whole.bank_reference)
        return
    sums = [_detail_amount(detail, whole) for detail in details]
    if details and all(amount is not None for amount in sums) and sum(filter(None, sums)) == whole.amount:
        for number, (detail, amount) in enumerate(zip(details, sums, strict=True), 1):
            own = clean(_text(detail, "Refs", "AcctSvcrRef"), 120)
            if is_empty_reference(own) or own == whole.bank_reference:
                # Banks repeat the booking's number in its payments: the place tells them apart.
                own = f"{whole.bank_reference}#{number}" if whole.bank_reference else ""
            yield _detailed(whole, detail, amount or Decimal(0), own)
        return
    texts = [_remittance(detail) for detail in details]
    whole.text = clean(" / ".join(filter(None, [whole.text, *texts])), 1000)
    yield whole


def _detail_amount(detail: Any, whole: Entry) -> Decimal | None:
    """What a payment of a collective booking adds to it; None where it is in another currency or not told."""
    for path in (("Amt",), ("AmtDtls", "TxAmt", "Amt"), ("AmtDtls", "InstdAmt", "Amt")):
        element = _child(detail, *path)
        if element is not None and element.get("Ccy", whole.currency) == whole.currency:
            sign = _sign(detail) if _text(detail, "CdtDbtInd") else (1 if whole.amount >= 0 else -1)
            return _decimal(element) * sign
    return None


def _detailed(whole: Entry, detail: Any, amount: Decimal, bank_reference: str) -> Entry:
    """The booking with what is known of one payment in it."""
    incoming = amount >= 0
    party, account = ("Dbtr", "DbtrAcct") if incoming != whole.is_reversal else ("Cdtr", "CdtrAcct")
    related = _child(detail, "RltdPties")
    structured = _children(_child(detail, "RmtInf"), "Strd")
    references = [_text(one, "CdtrRefInf", "Ref") for one in structured]
    identity = _child(related, account, "Id")
    own = _text(detail, "Refs", "AcctSvcrRef")
    return Entry(
        amount=amount,
        currency=whole.currency,
        booked_on=whole.booked_on,
        valued_on=whole.valued_on,
        bank_reference=bank_reference or ("" if is_empty_reference(own) else clean(own, 140)),
        reference=clean("".join(next(filter(None, references), "").split()), 35),
        text=clean(_remittance(detail) or whole.text, 1000),
        # Version .08 has put the party one level deeper.
        name=clean(_text(related, party, "Pty", "Nm") or _text(related, party, "Nm"), 200),
        account=clean(_text(identity, "IBAN") or _text(identity, "Othr", "Id"), 40),
        charges=_charges(detail) or whole.charges,
        is_reversal=whole.is_reversal,
    )


def _remittance(detail: Any) -> str:
    """What the payer wrote, in every place where banks put it."""
    info = _child(detail, "RmtInf")
    parts = [_own(one) for one in _children(info, "Ustrd")]
    # "?REJECT?0" and the like: how a payment slip was scanned.
    parts += [re.sub(r"\?REJECT\?\d*", "", _text(one, "AddtlRmtInf")) for one in _children(info, "Strd")]
    parts += [_text(detail, "AddtlTxInf")] if not any(parts) else []
    end_to_end = _text(detail, "Refs", "EndToEndId")
    parts += [] if is_empty_reference(end_to_end) else [end_to_end]
    return clean(" ".join(filter(None, parts)), 1000)


def _charges(element: Any) -> Decimal | None:
    """What the bank has kept; None where it says nothing."""
    found = [
        one
        for group in _children(element, "Chrgs")
        for path in (("TtlChrgsAndTaxAmt",), ("Rcrd", "Amt"), ("Amt",))
        if (one := _child(group, *path)) is not None
    ]
    return check_sum(_decimal(found[0]), _("Charges")) if found else None


def _amount(entry: Any) -> tuple[Decimal, str]:
    element = _child(entry, "Amt")
    if element is None or not element.get("Ccy"):
        raise StatementError(_("A movement of the statement has no sum."))
    return check_sum(_decimal(element), _("A movement")), element.get("Ccy").strip().upper()


def _decimal(element: Any) -> Decimal:
    try:
        found = Decimal(_own(element))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or found < 0:
        raise StatementError(_("“%(text)s” is not a sum.") % {"text": clean(_own(element), 40)})
    return found


def _sign(element: Any) -> int:
    word = _text(element, "CdtDbtInd").strip().upper()
    if word not in ("CRDT", "DBIT"):
        raise StatementError(_("A movement does not say whether money came in or went out."))
    return 1 if word == "CRDT" else -1


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        raise StatementError(_("“%(text)s” is not a date.") % {"text": clean(text, 40)}) from None


def _local(tag: Any) -> str:
    return str(tag).rpartition("}")[2]


def _children(element: Any, name: str) -> list[Any]:
    return [] if element is None else [child for child in element if _local(child.tag) == name]


def _child(element: Any, *path: str) -> Any:
    for name in path:
        element = next(iter(_children(element, name)), None)
        if element is None:
            return None
    return element


def _own(element: Any) -> str:
    return (element.text or "").strip() if element is not None else ""


def _text(element: Any, *path: str) -> str:
    return _own(_child(element, *path))
