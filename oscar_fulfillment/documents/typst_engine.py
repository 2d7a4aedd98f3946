"""The built-in engine: typst (Apache-2.0), a wheel without system libraries, about 10 ms a page.

Templates and data are files of a small world in memory: our templates, over them those of the shop's folders, and the
data as ``data.json``. A template reads ``json("data.json")``; what it shows of that is text, never markup.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from oscar_fulfillment.core.exceptions import ConfigurationError

from .renderer import printable

HERE = Path(__file__).resolve().parent
#: Liberation Sans for text (Latin, Greek, Cyrillic, Hebrew); the second one, built into typst, has more signs.
FONTS = ("Liberation Sans", "DejaVu Sans Mono")
#: What a template may import or show.
SUFFIXES = frozenset({".typ", ".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".json"})
#: The largest file of a shop's folder, in bytes: a logo of more would be in every mail.
MAX_FILE = 5_000_000
#: Data of more characters than this make many pages, whose layout typst would keep (0.6 MB a page).
LARGE = 40_000
#: So many compilations later typst lets go of what it was not asked for again.
FORGETS_AFTER = 12
#: What a file says of its making where nobody says it.
NO_DAY = date(2000, 1, 1)
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class TypstEngine:
    """``templates`` are folders searched before ours: a file ``invoice.typ`` there is the shop's invoice, and may
    import what ours imports (``#import "parts.typ"``); pictures there can be shown by their names. ``fonts`` are
    folders with more fonts, ``font`` the families that text is set in, first choice first; the machine's own fonts are
    not looked at, so that a document looks the same on every machine.

    The folders are read once, when the engine is built.
    """

    def __init__(
        self,
        alias: str = "default",
        *,
        templates: Sequence[str | Path] = (),
        fonts: Sequence[str | Path] = (),
        font: Sequence[str] = FONTS,
    ):
        try:
            import typst
        except ImportError as error:
            raise ConfigurationError(
                f"OSCAR_FULFILLMENT['DOCUMENTS'][{alias!r}] needs typst: "
                "pip install django-oscar-fulfillment[documents]"
            ) from error
        self.alias, self.font = alias, [font] if isinstance(font, str) else list(font)
        self._error = typst.TypstError
        self._files = _read(HERE / "templates")
        for folder in templates:
            self._files |= _read(Path(folder))
        folders = [str(HERE / "fonts"), *map(_folder, fonts)]
        self._fonts = typst.Fonts(include_system_fonts=False, font_paths=folders)
        if missing := [family for family in self.font if family not in set(self._fonts.families())]:
            raise ConfigurationError(f"OSCAR_FULFILLMENT['DOCUMENTS'][{alias!r}]: no font {', '.join(missing)}")
        # A compiler works for one caller at a time, and keeps what it has laid out for the next. One more for large
        # documents, so that a label does not wait until hundreds of slips are drawn.
        self._compilers = [
            typst.Compiler(font_paths=self._fonts, ignore_system_fonts=True, root=str(HERE / "templates"))
            for _size in ("small", "large")
        ]
        self._turns = [threading.Lock(), threading.Lock()]
        # Tags are for readers that speak: paper needs none, and without them a batch is a fifth of the size.
        has_tags = "pdf_tags" in str(getattr(typst.Compiler.compile, "__text_signature__", ""))
        self._options: list[dict[str, Any]] = [{}, {"pdf_tags": False} if has_tags else {}]

    def render(self, template: str, data: Mapping[str, Any], *, created: date | None = None) -> bytes:
        """See :class:`~oscar_fulfillment.documents.renderer.Renderer`."""
        if not _NAME.fullmatch(template) or f"{template}.typ" not in self._files:
            raise ConfigurationError(f"there is no template {template!r}")
        given = {"font": self.font, "files": sorted(self._files), **printable(data)}
        text = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
        files: dict[str, Any] = {
            **self._files, "main.typ": self._files[f"{template}.typ"], "data.json": text.encode(),
        }  # fmt: skip
        day = created or NO_DAY
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        try:
            large = len(text) > LARGE
            with self._turns[large]:
                made = self._compilers[large].compile(files, format="pdf", timestamp=at, **self._options[large])
                if large:
                    self._forget(self._compilers[large])
        except self._error as error:
            raise ConfigurationError(f"template {template}: {error.message} {' '.join(error.hints)}".strip()) from error
        if not isinstance(made, bytes):
            raise ConfigurationError(f"template {template}: typst made no PDF")
        return made

    def _forget(self, compiler: Any) -> None:
        """Give the memory of a large document back: a batch of 200 pages took 120 MB, the next one as much again."""
        for _time in range(FORGETS_AFTER):
            compiler.compile({"main.typ": b""}, format="pdf")


def _folder(path: str | Path) -> str:
    if not Path(path).is_dir():
        raise ConfigurationError(f"DOCUMENTS: there is no folder {path}")
    return str(path)


def _read(folder: Path) -> dict[str, bytes]:
    """The files of a folder by name; folders in it are not looked at."""
    found = {}
    for path in sorted(Path(_folder(folder)).iterdir()):
        if path.is_file() and path.suffix.lower() in SUFFIXES:
            if path.stat().st_size > MAX_FILE:
                raise ConfigurationError(f"DOCUMENTS: {path.name} has more than {MAX_FILE:,} bytes")
            found[path.name] = path.read_bytes()
    return found
