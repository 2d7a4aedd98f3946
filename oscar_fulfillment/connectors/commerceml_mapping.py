"""What a document that came back from 1C says of an order of the shop. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from . import commerceml_codes as codes
from .commerceml_reader import Document
from .commerceml_values import read_date, read_flag
from .records import Change, TrackingFacts

#: A status as some configurations write it: ``[F] Доставлен``.
_BRACKETS = re.compile(r"\[([^\]]{1,60})\]\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Word:
    """What 1C says of an order. ``references``: what our number may be, the likelier first; ``number``: its own."""

    references: tuple[str, ...]
    number: str
    change: Change


def read_word(document: Document) -> Word | None:
    """What a document says; None for one that is no order of a customer, or names none.

    The change's ``key`` is the finger print of what is said; which time it is said is for the receiver to know.
    """
    references = tuple(dict.fromkeys(text for text in (document.id, document.number) if text))
    if document.operation not in ("", codes.ORDER_OF_GOODS) or not references:
        return None
    told = document.requisites
    cancelled = _is_cancelled(document)
    state, label = (codes.STATE_CANCELLED, "") if cancelled else _status(document)
    paid = document.total if _happened(document, codes.PAID_DATE, codes.PAID_FLAGS) else None
    # Goods of an order that does not exist any more do not leave.
    sent = not cancelled and _happened(document, codes.SENT_DATE, codes.SENT_FLAGS)
    number = told.get(codes.NUMBER_1C, "")[:64]
    reference = told.get(codes.PAID_NUMBER, "") or number
    said = (state, str(paid), reference if paid is not None else "", str(document.total), str(sent))
    change = Change(
        key=hashlib.sha256("\n".join(said).encode("utf-8", "replace")).hexdigest()[:24],
        reference=references[0],
        state=state[:100],
        label=label[:100],
        paid=paid,
        paid_reference=reference[:100],
        paid_currency=_currency(document.currency),
        tracking=TrackingFacts() if sent else None,
        total=document.total,
    )
    return Word(references, number, change)


def _currency(text: str) -> str:
    """ISO code of a currency as 1C names it, "" for a name that is not known."""
    plain = text.strip().rstrip(".").casefold()
    if plain in codes.CURRENCIES:
        return codes.CURRENCIES[plain]
    return plain.upper() if len(plain) == 3 and plain.isascii() and plain.isalpha() else ""


def _is_cancelled(document: Document) -> bool:
    told = (document.requisites.get(codes.CANCELLED, ""), document.requisites.get(codes.DELETED, ""), document.deleted)
    return any(read_flag(text) for text in told)


def _happened(document: Document, date: str, flags: tuple[str, ...]) -> bool:
    """Whether it was paid, or sent: by its date where that is told (1C empties it to "T"), else by a flag.

    A flag that says no counts against any date.
    """
    told = document.requisites
    said = [flag for flag in (read_flag(told[name]) for name in flags if name in told) if flag is not None]
    if False in said:
        return False
    if date in told:
        return read_date(told[date]) is not None
    return True in said


def _status(document: Document) -> tuple[str, str]:
    """Code and words of its status; "" where the document does not say."""
    words = document.requisites.get(codes.STATUS, "").strip()
    code = next((document.requisites[name].strip() for name in codes.STATUS_ID if document.requisites.get(name)), "")
    if found := _BRACKETS.fullmatch(words):
        return code or found[1].strip(), found[2].strip()
    return code or words, words
