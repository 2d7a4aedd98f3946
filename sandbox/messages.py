"""The translations, with Babel alone (no gettext tools): ``python -m sandbox.messages compile|update|check``.

compile  write a ``.mo`` beside every ``.po`` that is newer
update   read the texts out of Python and templates into the ``.po`` files; what went is dropped
check    fail when a text is missing, untranslated or loses a placeholder in one of the languages
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = ("pt", "fr", "ru")
# Where the catalogues are -> the packages whose texts they hold.
CATALOGUES = {
    "locale": ("oscar_fulfillment", "oscar_incidents", "oscar_disputes"),
    "sandbox/locale": ("sandbox",),
}
LAZY = {
    "gettext_lazy": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
KEYWORDS = {**DEFAULT_KEYWORDS, **LAZY}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w*\}")


def texts(package: Path) -> Iterator[tuple[str, str | tuple[str, ...], str | None, list[str]]]:
    """Yield (where, message or messages, context, comments) for all texts of a package."""
    for path in sorted(package.rglob("*")):
        if path.suffix not in (".py", ".html", ".txt") or "var" in path.relative_to(package).parts:
            continue
        source = path.read_text("utf-8")
        if path.suffix != ".py":
            # Django turns a template into something that reads as Python once it is not indented any more.
            source = "\n".join(line.lstrip() for line in templatize(source, origin=str(path)).splitlines())
        found = extract("python", io.BytesIO(source.encode()), KEYWORDS, comment_tags=("Translators:",))
        for _line, message, comments, context in found:
            yield path.relative_to(package.parent).as_posix(), message, context, comments


def template_catalogue(packages: tuple[str, ...], root: Path = ROOT) -> Catalog:
    """All texts of the packages, untranslated."""
    catalogue = Catalog(charset="utf-8")
    for package in packages:
        for where, message, context, comments in texts(root / package):
            catalogue.add(message, locations=[(where, None)], auto_comments=comments, context=context)
    return catalogue


def po_path(folder: str, language: str, root: Path = ROOT) -> Path:
    return root / folder / language / "LC_MESSAGES" / "django.po"


def read(path: Path, language: str) -> Catalog:
    if not path.exists():
        return Catalog(locale=language, charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=language)


def update(root: Path = ROOT) -> int:
    """Bring the ``.po`` files up to date with the sources. Returns how many texts wait for a translation."""
    waiting = 0
    for folder, packages in CATALOGUES.items():
        template = template_catalogue(packages, root)
        for language in LANGUAGES:
            path = po_path(folder, language, root)
            catalogue = read(path, language)
            catalogue.update(template, no_fuzzy_matching=True, update_header_comment=False)
            catalogue.obsolete.clear()
            catalogue.header_comment = f"# {language}: texts of {', '.join(packages)}"
            catalogue.project, catalogue.version, catalogue.fuzzy = "django-oscar-fulfillment", "1", False
            # The time of the run would make a change of every run.
            catalogue.creation_date = catalogue.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                write_po(file, catalogue, width=110, sort_output=True, omit_header=False)
            waiting += sum(1 for message in catalogue if message.id and not is_translated(message))
    return waiting


def is_translated(message: Message) -> bool:
    if message.fuzzy:
        return False
    return all(message.string) if isinstance(message.string, (list, tuple)) else bool(message.string)


def problems(root: Path = ROOT) -> list[str]:
    """What is wrong with the translations, one line each."""
    found = []
    for folder, packages in CATALOGUES.items():
        template = template_catalogue(packages, root)
        for language in LANGUAGES:
            catalogue = read(po_path(folder, language, root), language)
            for wanted in template:
                if not wanted.id:
                    continue
                ids = wanted.id if isinstance(wanted.id, (list, tuple)) else (wanted.id,)
                message = catalogue.get(ids[0], wanted.context)
                label = f"{folder} {language}: {ids[0][:70]!r}"
                if message is None or not is_translated(message):
                    found.append(f"{label} is not translated")
                    continue
                strings = message.string if isinstance(message.string, (list, tuple)) else (message.string,)
                lost = set(PLACEHOLDER.findall(ids[-1])) ^ set(PLACEHOLDER.findall(strings[-1]))
                if lost:
                    found.append(f"{label}: placeholders differ: {', '.join(sorted(lost))}")
    return found


def compile_all(root: Path = ROOT) -> int:
    """Write a ``.mo`` beside every ``.po`` that is newer. Returns how many were written."""
    written = 0
    for folder in ("locale", "oscar_fulfillment", "oscar_incidents", "oscar_disputes", "sandbox"):
        for source in sorted((root / folder).rglob("LC_MESSAGES/*.po")):
            target = source.with_suffix(".mo")
            if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
                continue
            with source.open("rb") as file:
                catalogue = read_po(file)
            with target.open("wb") as file:
                write_mo(file, catalogue)
            written += 1
    return written


def main(arguments: list[str]) -> int:
    if arguments == ["compile"]:
        print(f"{compile_all()} translation files compiled")
    elif arguments == ["update"]:
        print(f"{update()} texts wait for a translation")
    elif arguments == ["check"]:
        found = problems()
        print("\n".join(found) or "All texts are translated.")
        return 1 if found else 0
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
