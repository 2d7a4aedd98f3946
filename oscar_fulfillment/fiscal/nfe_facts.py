"""What a file of the tax office says: an authorised note, or an event that happened to one."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from . import nfe_xml as xml
from .nfe_findings import NfeError, show
from .nfe_xml import Document, text_at

#: The note is authorised; and authorised after the time allowed.
AUTHORISED = frozenset({"100", "150"})
DENIED = frozenset({"110", "205", "301", "302", "303"})
#: The state of a note that was cancelled, as a protocol or a query says it.
CANCELLED = frozenset({"101", "151", "155"})
#: An event that the tax office took: linked, not linked, after the time allowed.
REGISTERED = frozenset({"135", "136", "155"})
CANCELLATION, CORRECTION = "cancellation", "correction"
_EVENTS = {"110111": CANCELLATION, "110112": CANCELLATION, "110110": CORRECTION}
#: The most items of a note by the layout, and of texts that are searched for an order's number.
MAX_ITEMS, MAX_TEXT = 990, 10_000


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the note. ``code`` and ``ean`` are the issuer's; "SEM GTIN" is no EAN."""

    code: str
    ean: str
    title: str
    quantity: Decimal
    amount: Decimal
    order_number: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a note: ``kind`` is cancellation, correction, or "" for what changes nothing here."""

    key: str
    type: str
    kind: str
    status: str
    status_text: str = ""
    protocol: str = ""
    #: Why, as the issuer wrote it.
    reason: str = ""
    issuer: str = ""
    environment: str = ""
    at: datetime | None = None

    @property
    def is_registered(self) -> bool:
        return self.status in REGISTERED or (self.kind == CANCELLATION and self.status in CANCELLED)


@dataclass(frozen=True, slots=True)
class Note:
    """A note as the signed part of the file has it, and what the tax office said to it."""

    key: str
    number: str
    series: str
    model: str
    uf: str
    environment: str
    #: "1" goes out, "0" comes in.
    direction: str
    #: "1" a sale; 2 completes, 3 adjusts, 4 returns.
    purpose: str
    issued_at: datetime
    issuer: str
    recipient: str
    recipient_name: str
    postcode: str
    total: Decimal
    items: tuple[Item, ...]
    order_numbers: tuple[str, ...]
    texts: tuple[str, ...]
    volumes: int
    #: What the tax office answered: its key, state, number and the digest of what it authorised.
    protocol_key: str
    status: str
    status_text: str
    protocol: str
    protocol_digest: str
    digest: str
    events: tuple[Event, ...] = ()

    @property
    def is_cancelled(self) -> bool:
        """Whether the file itself says that the note was cancelled."""
        told = any(e.kind == CANCELLATION and e.is_registered and e.key in ("", self.key) for e in self.events)
        return told or self.status in CANCELLED


@dataclass(frozen=True)
class Signed:
    """The element that carries a signature, as it stands in the file; ``id`` is what the signature must name."""

    source: str
    element: Any
    id: str


@dataclass(frozen=True)
class NfeContent:
    """A file that was read: a note, or an event of its own. ``signed`` is None where nothing is signed."""

    document: Document
    note: Note | None = None
    event: Event | None = None
    signed: Signed | None = None
    warnings: tuple[str, ...] = ()


def read_nfe(content: bytes, *, most_bytes: int) -> NfeContent:
    """Read a file. :class:`NfeError` says why it is none of the tax office's, or cannot be trusted to be read."""
    document = xml.read_document(content, most_bytes=most_bytes)
    warnings = ("recoded",) if document.is_recoded else ()
    notes, bodies = xml.find_all(document.root, "NFe"), xml.find_all(document.root, "infNFe")
    if len(notes) > 1 or len(bodies) > 1:
        raise NfeError("several")
    if notes:
        if not bodies or bodies[0].getparent() is not notes[0]:
            raise NfeError("damaged", field="infNFe")
        signed = _signed(document, notes[0], "infNFe")
        return NfeContent(document, note=_note(document.root, signed), signed=signed, warnings=warnings)
    event, signed_event = _lone_event(document)
    if event is None:
        raise _not_ours(document.root)
    return NfeContent(document, event=event, signed=signed_event, warnings=warnings)


def _not_ours(root: Any) -> NfeError:
    names = {xml.name_of(element) for element in root.iter("*")}
    spaces = {xml.namespace_of(element) for element in root.iter("*")}
    if xml.CTE in spaces or "cteProc" in names:
        return NfeError("cte")
    if names & {"infNFe", "NFe", "infEvento"}:
        return NfeError("namespace", found=sorted(spaces - {xml.NFE})[0] if spaces - {xml.NFE} else "")
    return NfeError("not_nfe", found=xml.name_of(root))


def _signed(document: Document, element: Any, body: str) -> Signed:
    source = xml.source_of(document, element)
    again = xml.parse(source)
    found = again.find(f"{{{xml.NFE}}}{body}")
    if found is None:
        raise NfeError("damaged", field=body)
    return Signed(source, again, found.get("Id") or "")


# ---- The note ----


def _note(root: Any, signed: Signed) -> Note:
    # Everything is read from the element whose signature is checked, only the answer from beside it.
    body = signed.element.find(f"{{{xml.NFE}}}infNFe")
    ide, emit, dest = (body.find(f"{{{xml.NFE}}}{name}") for name in ("ide", "emit", "dest"))
    details = body.findall(f"{{{xml.NFE}}}det")
    if len(details) > MAX_ITEMS:
        raise NfeError("damaged", field="det")
    items = tuple(_item(each) for each in details)
    answers = xml.find_all(root, "infProt")
    answer = answers[0] if len(answers) == 1 else None
    numbers = [text_at(body, "compra/xPed"), *(item.order_number for item in items)]
    volumes = [text_at(each, "qVol") for each in body.iter(f"{{{xml.NFE}}}vol")]
    return Note(
        key=signed.id.removeprefix("NFe"),
        number=_required(ide, "nNF"),
        series=_required(ide, "serie"),
        model=_required(ide, "mod"),
        uf=_required(ide, "cUF"),
        environment=_required(ide, "tpAmb"),
        direction=_required(ide, "tpNF"),
        purpose=_required(ide, "finNFe"),
        issued_at=_moment(text_at(ide, "dhEmi") or text_at(ide, "dEmi"), "dhEmi"),
        issuer=_tax_id(emit) or _fail("emit"),
        recipient=_tax_id(dest),
        recipient_name=show(text_at(dest, "xNome"), 60),
        postcode=text_at(dest, "enderDest/CEP")[:8],
        total=_amount(text_at(body, "total/ICMSTot/vNF"), "vNF"),
        items=items,
        order_numbers=tuple(dict.fromkeys(number[:60] for number in numbers if number))[:40],
        texts=tuple(_texts(body)),
        volumes=sum(int(volume) for volume in volumes if re.fullmatch(r"[0-9]{1,9}", volume, re.ASCII)),
        protocol_key=text_at(answer, "chNFe"),
        status=text_at(answer, "cStat")[:3],
        status_text=show(text_at(answer, "xMotivo")),
        protocol=text_at(answer, "nProt")[:20],
        protocol_digest=text_at(answer, "digVal")[:64],
        digest=_digest(signed.element),
        events=tuple(_events(root)),
    )


def _item(detail: Any) -> Item:
    product = detail.find(f"{{{xml.NFE}}}prod")
    ean = text_at(product, "cEAN")
    return Item(
        code=text_at(product, "cProd")[:60],
        ean=ean[:14] if ean.isascii() and ean.isdigit() else "",
        title=show(text_at(product, "xProd"), 120),
        quantity=_amount(text_at(product, "qCom"), "qCom"),
        amount=_amount(text_at(product, "vProd"), "vProd"),
        order_number=text_at(product, "xPed"),
    )


def _texts(body: Any) -> list[str]:
    """Where issuers write our number: the free texts, for the buyer and for the tax office."""
    found = [text_at(body, "infAdic/infCpl"), text_at(body, "infAdic/infAdFisco")]
    found += [text_at(each, "xTexto") for each in body.iter(f"{{{xml.NFE}}}obsCont")]
    return [text[:MAX_TEXT] for text in found[:12] if text]


def _digest(element: Any) -> str:
    found = next(element.iter("{http://www.w3.org/2000/09/xmldsig#}DigestValue"), None)
    return "".join((found.text or "").split())[:64] if found is not None else ""


def _tax_id(party: Any) -> str:
    return (text_at(party, "CNPJ") or text_at(party, "CPF"))[:14]


def _required(parent: Any, name: str) -> str:
    return text_at(parent, name)[:20] or _fail(name)


def _fail(name: str) -> str:
    raise NfeError("damaged", field=name)


def _amount(text: str, name: str) -> Decimal:
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,10})?", text, re.ASCII):
        raise NfeError("damaged", field=name)
    return Decimal(text)


def _moment(text: str, name: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        # Layouts before 3.10 have a day without an hour.
        return found if found.tzinfo else timezone.make_aware(found)
    except (ValueError, OverflowError):
        raise NfeError("damaged", field=name) from None


# ---- Events ----


def _lone_event(document: Document) -> tuple[Event | None, Signed | None]:
    """The event that the file is of: ``procEventoNFe``, the older ``procCancNFe``, or a query's answer."""
    root = document.root
    carriers = xml.find_all(root, "evento")
    if len(carriers) > 1:
        raise NfeError("several")
    if carriers:
        signed = _signed(document, carriers[0], "infEvento")
        answers = [each.find(f"{{{xml.NFE}}}infEvento") for each in xml.find_all(root, "retEvento")]
        if len(answers) > 1:
            raise NfeError("several")
        return _event(signed.element.find(f"{{{xml.NFE}}}infEvento"), answers[0] if answers else None), signed
    for name in ("infCanc", "retConsSitNFe"):
        for each in xml.find_all(root, name):
            if text_at(each, "cStat") in CANCELLED:
                return _answer(each), None
    return None, None


def _events(root: Any) -> list[Event]:
    """What is appended to a note: the tax office's answers to events. An event without an answer says nothing."""
    reasons = {
        text_at(each, "infEvento/chNFe"): text_at(each, "infEvento/detEvento/xJust")
        for each in xml.find_all(root, "evento")
    }
    told = [each.find(f"{{{xml.NFE}}}infEvento") for each in xml.find_all(root, "retEvento")]
    found = [_event(None, answer) for answer in told if answer is not None]
    found = [replace(event, reason=show(reasons.get(event.key, ""), 255)) for event in found]
    return [*found, *(_answer(each) for each in xml.find_all(root, "infCanc") if text_at(each, "cStat") in CANCELLED)]


def _event(asked: Any, answer: Any) -> Event:
    kind = text_at(asked, "tpEvento") or text_at(answer, "tpEvento")
    if asked is not None and answer is not None and text_at(answer, "chNFe") not in ("", text_at(asked, "chNFe")):
        raise NfeError("damaged", field="chNFe")
    try:
        at = _moment(text_at(answer, "dhRegEvento") or text_at(asked, "dhEvento"), "dhEvento")
    except NfeError:
        at = None
    return Event(
        key=(text_at(asked, "chNFe") or text_at(answer, "chNFe"))[:44],
        type=kind[:6],
        kind=_EVENTS.get(kind, ""),
        status=text_at(answer, "cStat")[:3],
        status_text=show(text_at(answer, "xMotivo")),
        protocol=text_at(answer, "nProt")[:20],
        reason=show(text_at(asked, "detEvento/xJust") or text_at(asked, "detEvento/xCorrecao"), 1000),
        issuer=_tax_id(asked),
        environment=text_at(asked, "tpAmb") or text_at(answer, "tpAmb"),
        at=at,
    )


def _answer(body: Any) -> Event:
    """A cancellation of the days before events, or what a query tells of a note."""
    return Event(
        key=text_at(body, "chNFe")[:44], type="", kind=CANCELLATION, status=text_at(body, "cStat")[:3],
        status_text=show(text_at(body, "xMotivo")), protocol=text_at(body, "nProt")[:20],
        environment=text_at(body, "tpAmb"),
    )  # fmt: skip
