"""Compile the translations with Babel: ``python -m sandbox.messages compile``. No gettext tools needed."""

from __future__ import annotations

import sys
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parent.parent


def compile_all(root: Path = ROOT) -> int:
    """Write a ``.mo`` beside every ``.po`` that is newer. Returns how many were written."""
    written = 0
    for folder in ("locale", "oscar_fulfillment", "oscar_incidents", "oscar_disputes", "sandbox"):
        for source in sorted((root / folder).rglob("LC_MESSAGES/*.po")):
            target = source.with_suffix(".mo")
            if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
                continue
            with source.open("rb") as file:
                catalog = read_po(file)
            with target.open("wb") as file:
                write_mo(file, catalog)
            written += 1
    return written


if __name__ == "__main__":
    if sys.argv[1:] != ["compile"]:
        sys.exit(__doc__)
    print(f"{compile_all()} translation files compiled")
