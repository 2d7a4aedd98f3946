"""The translations, by Babel; no gettext tools needed.

``python -m sandbox.messages update``   takes new strings from the sources into every .po file
``python -m sandbox.messages check``    fails for a string that is missing, empty, fuzzy, or has other placeholders,
                                        and for text in a template that is not marked
``python -m sandbox.messages compile``  writes the .mo files
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract, extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = ("pt", "fr", "ru")
#: Where the catalogs are -> what they translate.
CATALOGS = {
    ROOT / "locale": [ROOT / "oscar_fulfillment", ROOT / "oscar_incidents", ROOT / "oscar_disputes"],
    ROOT / "sandbox" / "locale": [ROOT / "sandbox"],
}
#: Django's names beside Babel's own: (context position), singular, plural.
KEYWORDS: dict[str, Any] = DEFAULT_KEYWORDS | {
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
_PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|\{(\w*)\}|%%")


def extract_template(fileobj: Any, keywords: Any, comment_tags: Any, options: Any) -> Iterator[Any]:
    """Django templates: Django's own templatize() makes them look like Python, line by line."""
    from django.utils.translation.template import templatize

    source = templatize(fileobj.read().decode())
    # Indentation means nothing in a template but would stop Python's tokenizer.
    flat = "\n".join(line.lstrip() for line in source.split("\n"))
    yield from extract_python(io.BytesIO(flat.encode()), keywords, comment_tags, {"encoding": "utf-8"})


def extracted(folders: list[Path]) -> Catalog:
    """Every marked string below these folders."""
    catalog = Catalog(project="django-oscar-fulfillment", charset="utf-8")
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix not in (".py", ".html", ".txt") or "var" in path.relative_to(ROOT).parts:
                continue
            method: Any = "python" if path.suffix == ".py" else extract_template
            with path.open("rb") as file:
                for line, message, comments, context in extract(
                    method, file, KEYWORDS, comment_tags=("Translators:",), strip_comment_tags=True
                ):
                    if message and message != ("", ""):
                        place = [(path.relative_to(ROOT).as_posix(), line)]
                        catalog.add(message, None, place, auto_comments=comments, context=context)
    return catalog


def _path(root: Path, language: str) -> Path:
    return root / language / "LC_MESSAGES" / "django.po"


def _read(path: Path, language: str) -> Catalog:
    if not path.exists():
        return Catalog(locale=language, project="django-oscar-fulfillment", charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=language)


def update() -> None:
    """Bring every .po file up to date; what is gone is dropped, what is new is empty."""
    for root, folders in CATALOGS.items():
        template = extracted(folders)
        for language in LANGUAGES:
            path = _path(root, language)
            catalog = _read(path, language)
            catalog.update(template, no_fuzzy_matching=True)
            catalog.obsolete.clear()
            catalog.fuzzy = False
            catalog.header_comment = f"# {catalog.locale.english_name} translations for django-oscar-fulfillment."  # type: ignore[union-attr]
            # A fixed date: an update that finds nothing new leaves the file as it is.
            catalog.creation_date = catalog.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
            catalog.last_translator = catalog.msgid_bugs_address = catalog.copyright_holder = ""
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                # No line numbers: they would make every change of a source a change of three catalogs.
                write_po(file, catalog, width=120, sort_output=True, include_lineno=False)


def problems() -> list[str]:
    """What keeps the translations from being complete."""
    found = []
    for root, folders in CATALOGS.items():
        template = extracted(folders)
        for language in LANGUAGES:
            catalog = _read(_path(root, language), language)
            for message in template:
                if message.id:
                    found += [f"{language}: {problem}" for problem in _problems(catalog, message)]
    return found


def _problems(catalog: Catalog, message: Any) -> list[str]:
    own = catalog.get(message.id, context=message.context)
    first = message.id if isinstance(message.id, str) else message.id[0]
    strings = [own.string] if own and isinstance(own.string, str) else list(own.string) if own else []
    if not strings or not all(strings) or (not isinstance(message.id, str) and len(strings) < catalog.num_plurals):
        return [f"not translated: {first!r} ({message.locations[0][0]})"]
    if own.fuzzy:
        return [f"fuzzy: {first!r}"]
    ids = [message.id] if isinstance(message.id, str) else list(message.id)
    wanted = {name for text in ids for name in _names(text)}
    wrong = [text for text in strings if not _names(text) <= wanted]
    # A singular may leave the number out; every other placeholder must be there.
    lost = [text for text in strings if len(strings) == 1 and _names(text) != wanted]
    return [f"other placeholders: {first!r} -> {text!r}" for text in {*wrong, *lost}]


def _names(text: str) -> set[str]:
    return {named or braced for named, braced in _PLACEHOLDER.findall(text) if named or braced}


class _Visible(HTMLParser):
    """The text of a template that a person would read: between tags, and in the attributes that are read out."""

    CODE = ("script", "style", "code", "kbd", "pre")
    ATTRIBUTES = ("title", "alt", "aria-label", "placeholder", "label")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str]] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in self.CODE
        self.found += [(self.getpos()[0], v) for k, v in attrs if k in self.ATTRIBUTES and v]

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in self.CODE

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.found.append((self.getpos()[0], data))


_MARKED = re.compile(
    r"{%\s*block body_class\s*%}.*?{%\s*endblock[^%]*%}|"
    r"{%\s*(blocktrans(?:late)?|comment)\b.*?{%\s*end\1\s*%}|{%.*?%}|{{.*?}}|{#.*?#}|<!--.*?-->",
    re.DOTALL,
)
#: Names and codes that are the same in every language.
_SAME = {"CSV", "SKU", "NF-e", "EAN", "PDF", "DANFE", "CPF", "CNPJ", "Oscar", "CEP", "UF", "BRL", "DOCTYPE"}


def unmarked() -> list[str]:
    """Text of HTML templates that would be shown in English whatever the language."""
    found = []
    for folders in CATALOGS.values():
        for path in sorted(p for folder in folders for p in folder.rglob("*.html") if "var" not in p.parts):
            parser = _Visible()
            # Keep the line breaks, so that the line numbers stay right.
            parser.feed(_MARKED.sub(lambda m: "\n" * m[0].count("\n"), path.read_text()))
            for line, text in parser.found:
                words = set(re.findall(r"[^\W\d_]{2,}(?:-[^\W\d_]+)?", re.sub(r"&\w+;", " ", text))) - _SAME
                if words and not text.strip().startswith(("width=device-width", "oscar.init(")):
                    found.append(f"not marked: {text.strip()!r} ({path.relative_to(ROOT)}:{line})")
    return found


def compile_all() -> int:
    """Write a .mo beside every .po that is newer. Returns how many were written."""
    written = 0
    for root in CATALOGS:
        for source in sorted(root.rglob("LC_MESSAGES/*.po")):
            target = source.with_suffix(".mo")
            if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
                continue
            with source.open("rb") as file:
                catalog = read_po(file)
            with target.open("wb") as file:
                write_mo(file, catalog)
            written += 1
    return written


def main(arguments: list[str]) -> int:
    if arguments == ["compile"]:
        print(f"{compile_all()} translation files compiled")
        return 0
    if arguments == ["update"]:
        update()
        return 0
    if arguments == ["check"]:
        found = problems() + unmarked()
        print("\n".join(found) or "every string is translated", file=sys.stderr if found else sys.stdout)
        return bool(found)
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
