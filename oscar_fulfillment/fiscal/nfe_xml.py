"""XML that strangers hand in: read without harm, and without touching what was signed.

Needs lxml (the extra ``[nfe]``). Importing this module does not: ask :func:`missing_packages` first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from .nfe_findings import NfeError, megabytes

NFE = "http://www.portalfiscal.inf.br/nfe"
CTE = "http://www.portalfiscal.inf.br/cte"
EXTRA = "django-oscar-fulfillment[nfe]"
#: A note is some ten levels deep, inside a SOAP envelope a few more.
MAX_DEPTH = 30
#: Encodings that notes are saved in, by the names that files use for them.
_ENCODINGS = {
    "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "utf-8", "ascii": "utf-8", "utf-16": "utf-16",
    "iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "windows-1252": "cp1252", "cp1252": "cp1252",
    "iso-8859-15": "iso-8859-15",
}  # fmt: skip
_DECLARATION = re.compile(r"\s*<\?xml\s[^>]*?\?>\s*", re.IGNORECASE)
_DECLARED = re.compile(rb"<\?xml\s[^>]*?encoding\s*=\s*[\"']([^\"'>]{1,40})[\"']", re.IGNORECASE)
_HARMFUL = re.compile(r"<!\s*(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)", re.IGNORECASE)
_HEADS = ((b"%PDF", "pdf"), (b"\x1f\x8b", "packed"), (b"Rar!", "packed"), (b"7z\xbc\xaf", "packed"))


@cache
def missing_packages() -> tuple[str, ...]:
    """What must be installed before a note can be read; empty when all is there."""
    return tuple(name for name in ("lxml", "cryptography") if find_spec(name) is None)


@dataclass(frozen=True)
class Document:
    """A file that was read. ``text`` is what it holds, letter by letter, without its declaration."""

    text: str
    root: Any
    #: It was coded otherwise than it says.
    is_recoded: bool = False


def read_document(content: bytes, *, most_bytes: int) -> Document:
    """The file as text and as a tree. :class:`NfeError` for what is empty, too large, no XML, or may do harm."""
    if len(content) > most_bytes:
        raise NfeError("too_large", size=megabytes(len(content)), limit=megabytes(most_bytes))
    if not content.strip(b"\0 \r\n\t"):
        raise NfeError("empty")
    for head, code in _HEADS:
        if content.startswith(head):
            raise NfeError(code)
    text, is_recoded = _decode(content)
    if _HARMFUL.search(text):
        raise NfeError("dtd")
    text = _DECLARATION.sub("", text, count=1) if text.lstrip().lower().startswith("<?xml") else text.strip()
    root = parse(text)
    if _is_too_deep(root):
        raise NfeError("depth")
    return Document(text, root, is_recoded)


def _decode(content: bytes) -> tuple[str, bool]:
    """The text, and whether it is coded otherwise than it says. Windows-1252 that calls itself UTF-8 is common."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif content.startswith(b"\xef\xbb\xbf"):
        encoding, content = "utf-8", content[3:]
    else:
        declared = _DECLARED.match(content[:300].lstrip())
        name = declared[1].decode("ascii", "replace").lower() if declared else "utf-8"
        if name not in _ENCODINGS:
            raise NfeError("encoding", found=name)
        encoding = _ENCODINGS[name]
        # UTF-16 without its mark is not what it says: it could not have been read so far.
        encoding = "utf-8" if encoding == "utf-16" else encoding
    try:
        return content.decode(encoding), False
    except UnicodeDecodeError:
        if encoding != "utf-8":
            raise NfeError("not_xml", found=encoding) from None
    try:
        return content.decode("cp1252"), True
    except UnicodeDecodeError:
        raise NfeError("not_xml", found="cp1252") from None


def parse(text: str, *, without_blanks: bool = False) -> Any:
    """The tree of a text without declaration. Comments are left out, as the signature leaves them out."""
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True, remove_blank_text=without_blanks, encoding="utf-8",
    )  # fmt: skip
    try:
        return etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise NfeError("not_xml", found=error.msg or "?") from None
    except (ValueError, UnicodeEncodeError) as error:
        raise NfeError("not_xml", found=type(error).__name__) from None


def _is_too_deep(root: Any) -> bool:
    return bool(root.xpath("boolean(" + "/*" * (MAX_DEPTH + 1) + ")"))


def name_of(element: Any) -> str:
    """The element's name without its namespace."""
    from lxml import etree

    return etree.QName(element).localname


def namespace_of(element: Any) -> str:
    from lxml import etree

    return etree.QName(element).namespace or ""


def find_all(root: Any, name: str) -> list[Any]:
    """Every element of this name in the tax office's namespace, the root itself too."""
    return list(root.iter(f"{{{NFE}}}{name}"))


def text_at(element: Any, path: str) -> str:
    """The text at a path like ``ide/nNF`` below an element of the tax office's namespace; "" where there is none."""
    if element is None:
        return ""
    found = element.find("/".join(f"{{{NFE}}}{step}" for step in path.split("/")))
    return (found.text or "").strip() if found is not None else ""


def source_of(document: Document, element: Any) -> str:
    """The element's own text, cut out of the file letter by letter.

    Signatures cover the element with the namespaces around it: inside a SOAP envelope or an ``nfeProc`` that declares
    more of them the same note would not verify in place. Where it cannot be cut out with certainty (a prefix that is
    declared outside it, comments and the like, which may hold anything), it is written anew.
    """
    from lxml import etree

    name = name_of(element)
    start = None
    if "<!" not in document.text and "<?" not in document.text:
        start = re.search(rf"<((?:[A-Za-z_][\w.-]*:)?){name}(?=[\s>])", document.text)
    if start is not None:
        end = document.text.rfind(f"</{start[1]}{name}")
        close = document.text.find(">", end)
        cut = document.text[start.start() : close + 1] if end > start.start() and close > 0 else ""
        try:
            if cut and parse(cut).tag == element.tag:
                return cut
        except NfeError:
            pass
    return str(etree.tostring(element, encoding="unicode", with_tail=False))
