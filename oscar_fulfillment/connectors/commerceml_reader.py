"""Documents out of a CommerceML file, one after the other: the memory it takes does not grow with the file. Pure.

Tags with a namespace or without, attributes in place of child tags, containers (3.1) or none, UTF-8 or windows-1251.
Anything that declares a DTD or an entity is refused before it can grow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import IO, Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse
from django.utils.translation import gettext as _

from .commerceml_codes import DOCUMENT, NAME, REQUISITE, REQUISITES, ROOT, VALUE
from .commerceml_values import read_number

#: Tags within tags at most; a real file has eight.
DEPTH = 40
#: Requisites of one document, and characters of one value, that are kept.
_REQUISITES, _LONGEST = 200, 1000
#: Long parts of a document that nothing here reads.
_SKIPPED = frozenset({"Товар", "Контрагент", "Представитель"})


class BadFile(ValueError):
    """This is no CommerceML that can be read; str() says why, to the user of 1C."""


@dataclass(frozen=True)
class Document:
    """A document of 1C. ``requisites``: those of the document itself, the last one of a name counts."""

    id: str = ""
    number: str = ""
    operation: str = ""
    total: Decimal | None = None
    currency: str = ""
    deleted: str = ""
    requisites: Mapping[str, str] = field(default_factory=dict)


def read_documents(file: IO[bytes]) -> Iterator[Document]:
    """Each document of the file. :class:`BadFile`, perhaps after some, for a file that does not hold."""
    stack: list[Element] = []
    names: list[str] = []
    inside = 0
    try:
        for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
            if event == "start":
                name = _local(element.tag)
                if not stack and name != ROOT:
                    raise BadFile(_("it does not begin with %(tag)s") % {"tag": ROOT})
                if len(stack) >= DEPTH:
                    raise BadFile(_("its tags are nested too deeply"))
                stack.append(element)
                names.append(name)
                inside += name == DOCUMENT
                continue
            name = names.pop()
            stack.pop()
            if name == DOCUMENT:
                inside -= 1
                if not inside:
                    yield _document(element)
            if stack and (name in _SKIPPED or not inside):
                # Let go of it at once: else the whole file would stay in memory to its end.
                stack[-1].remove(element)
    except ParseError as error:
        raise BadFile(_("the XML is broken: %(error)s") % {"error": error}) from error
    except DefusedXmlException as error:
        raise BadFile(_("it declares a DTD or an entity")) from error
    except (ValueError, LookupError, RecursionError) as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(_("the XML is broken: %(error)s") % {"error": error}) from error


def _local(tag: Any) -> str:
    """The name without its namespace."""
    return str(tag).rpartition("}")[2]


def _document(element: Element) -> Document:
    own = _values(element)
    requisites: dict[str, str] = {}
    for child in element:
        if _local(child.tag) != REQUISITES:
            continue
        for each in child:
            if _local(each.tag) == REQUISITE and len(requisites) < _REQUISITES:
                found = _values(each)
                requisites[found.get(NAME, "")[:100]] = found.get(VALUE, "")
    return Document(
        id=own.get("Ид", "")[:128],
        number=own.get("Номер", "")[:128],
        operation=own.get("ХозОперация", ""),
        total=read_number(own.get("Сумма", "")),
        currency=own.get("Валюта", ""),
        deleted=own.get("ПометкаУдаления", ""),
        requisites=requisites,
    )


def _values(element: Element) -> dict[str, str]:
    """Attributes and child tags alike; a tag goes before an attribute of its name."""
    found = {_local(name): value.strip()[:_LONGEST] for name, value in element.attrib.items()}
    for child in element:
        text = (child.text or "").strip()[:_LONGEST]
        if text or _local(child.tag) not in found:
            found[_local(child.tag)] = text
    return found
