"""What the tax office answers, taken apart. The parts that become evidence keep every letter."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from oscar_fulfillment.core.exceptions import AdapterUnanswered
from oscar_fulfillment.fiscal import nfe_xml as xml
from oscar_fulfillment.fiscal.nfe_findings import NfeError, show
from oscar_fulfillment.fiscal.nfe_xml import Document, text_at

#: The largest answer, in bytes.
MAX_BYTES = 2_000_000


@dataclass(frozen=True)
class Protocol:
    """What was decided about one note. ``xml`` is the ``protNFe`` as it came."""

    key: str
    status: str
    text: str
    number: str
    digest: str
    at: datetime | None
    xml: str = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """``status`` and ``text`` of the answer as a whole. ``receipt``: the lot was taken, ask again in ``wait`` seconds.

    ``events`` are the statuses of a note's events by (type, number), with their protocol, for a query by key.
    """

    status: str
    text: str
    receipt: str = ""
    wait: int = 0
    protocol: Protocol | None = None
    key: str = ""
    events: tuple[EventAnswer, ...] = ()


@dataclass(frozen=True)
class EventAnswer:
    """What was decided about an event, or about numbers to be voided. ``xml`` is the answer as it came."""

    status: str
    text: str
    protocol: str = ""
    kind: str = ""
    number: int = 0
    key: str = ""
    at: datetime | None = None
    xml: str = field(default="", repr=False)


def read_answer(content: bytes, name: str) -> tuple[Document, Any]:
    """The element ``name`` of the answer. :class:`AdapterUnanswered` where it is not what was promised."""
    try:
        document = xml.read_document(content, most_bytes=MAX_BYTES)
    except NfeError as error:
        raise AdapterUnanswered(f"the tax office's answer cannot be read: {error}") from None
    found = xml.find_all(document.root, name)
    if len(found) != 1:
        raise AdapterUnanswered(f"the tax office's answer holds no {name}")
    return document, found[0]


def read_lot(content: bytes) -> Answer:
    """The answer to a lot, or to the question what became of one."""
    try:
        document, root = read_answer(content, "retEnviNFe")
    except AdapterUnanswered:
        document, root = read_answer(content, "retConsReciNFe")
    wait = text_at(root, "infRec/tMed")
    return _answer(
        document, root, receipt=text_at(root, "infRec/nRec") or text_at(root, "nRec"),
        wait=int(wait) if wait.isascii() and wait.isdigit() else 0,
    )  # fmt: skip


def read_query(content: bytes) -> Answer:
    """The answer to a query by key, with the events of the note."""
    document, root = read_answer(content, "retConsSitNFe")
    events = []
    for each in xml.find_all(root, "retEvento"):
        events.append(_event(document, each))
    return _answer(document, root, key=text_at(root, "chNFe"), events=tuple(events))


def read_status(content: bytes) -> Answer:
    """The answer to the question whether the service works."""
    _document, root = read_answer(content, "retConsStatServ")
    return Answer(text_at(root, "cStat"), show(text_at(root, "xMotivo"), 255))


def read_event(content: bytes) -> EventAnswer:
    """The answer to one event: the event's own where the lot was taken, else the lot's."""
    document, root = read_answer(content, "retEnvEvento")
    answers = root.findall(f"{{{xml.NFE}}}retEvento")
    if answers:
        return _event(document, answers[0])
    return EventAnswer(text_at(root, "cStat"), show(text_at(root, "xMotivo"), 255))


def read_voiding(content: bytes) -> EventAnswer:
    """The answer to numbers to be voided."""
    document, root = read_answer(content, "retInutNFe")
    body = root.find(f"{{{xml.NFE}}}infInut")
    return EventAnswer(
        text_at(body, "cStat"), show(text_at(body, "xMotivo"), 255), text_at(body, "nProt")[:20],
        at=_moment(text_at(body, "dhRecbto")), xml=_source(document, root),
    )  # fmt: skip


def _answer(document: Document, root: Any, **more: Any) -> Answer:
    found = root.find(f"{{{xml.NFE}}}protNFe")
    protocol = None
    if found is not None:
        body = found.find(f"{{{xml.NFE}}}infProt")
        protocol = Protocol(
            key=text_at(body, "chNFe"), status=text_at(body, "cStat"), text=show(text_at(body, "xMotivo"), 255),
            number=text_at(body, "nProt")[:20], digest=text_at(body, "digVal"), at=_moment(text_at(body, "dhRecbto")),
            xml=_source(document, found),
        )  # fmt: skip
    return Answer(text_at(root, "cStat"), show(text_at(root, "xMotivo"), 255), protocol=protocol, **more)


def _event(document: Document, root: Any) -> EventAnswer:
    body = root.find(f"{{{xml.NFE}}}infEvento")
    number = text_at(body, "nSeqEvento")
    return EventAnswer(
        text_at(body, "cStat"), show(text_at(body, "xMotivo"), 255), text_at(body, "nProt")[:20],
        kind=text_at(body, "tpEvento"), number=int(number) if number.isascii() and number.isdigit() else 0,
        key=text_at(body, "chNFe"), at=_moment(text_at(body, "dhRegEvento")), xml=_source(document, root),
    )  # fmt: skip


def _source(document: Document, element: Any) -> str:
    """The element letter by letter, as it can stand below an element of the tax office's namespace.

    Where it cannot be cut out with certainty (a prefix, several of its name), it is written anew.
    """
    from lxml import etree

    name = xml.name_of(element)
    start = re.search(rf"<{name}(?=[\s>])", document.text)
    end = document.text.rfind(f"</{name}>")
    if start is not None and end > start.start() and len(xml.find_all(document.root, name)) == 1:
        cut = document.text[start.start() : end + len(name) + 3]
        try:
            (found,) = xml.parse(f'<x xmlns="{xml.NFE}">{cut}</x>')
        except (NfeError, ValueError):
            pass
        else:
            if found.tag == element.tag and "".join(found.itertext()) == "".join(element.itertext()):
                return cut
    alone = etree.fromstring(etree.tostring(element, with_tail=False))
    etree.cleanup_namespaces(alone)
    return str(etree.tostring(alone, encoding="unicode"))


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None
