"""Puts the compiled translations into the wheel: locale/*.po becomes oscar_fulfillment/locale/*.mo."""

from __future__ import annotations

import pathlib
import tempfile
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        root = pathlib.Path(self.root)
        self._folder = tempfile.TemporaryDirectory()
        for source in sorted((root / "locale").glob("*/LC_MESSAGES/*.po")):
            place = source.relative_to(root).with_suffix(".mo")
            compiled = pathlib.Path(self._folder.name) / place
            compiled.parent.mkdir(parents=True, exist_ok=True)
            with source.open("rb") as file, compiled.open("wb") as target:
                write_mo(target, read_po(file))
            build_data["force_include"][str(compiled)] = f"oscar_fulfillment/{place.as_posix()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "_folder"):
            self._folder.cleanup()
