from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import translation
from django.utils.translation import gettext_lazy

from oscar_fulfillment.flows import BUILT_IN, flows


class Command(BaseCommand):
    help = gettext_lazy("Draws the state machines of this shop's flows as Mermaid, in Markdown.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", help=gettext_lazy("Write into this file instead of printing."))
        parser.add_argument("--built-in", action="store_true", help=gettext_lazy("Leave out the shop's own flows."))

    def handle(self, *args: Any, **options: Any) -> None:
        with translation.override("en"):
            text = self.page(BUILT_IN if options["built_in"] else flows())
        if options["output"]:
            Path(options["output"]).write_text(text)
        else:
            self.stdout.write(text)

    def page(self, found: Any) -> str:
        parts = ["# State machines\n\nDrawn from the code by `manage.py fulfillment_diagrams`; do not edit.\n"]
        for flow in found.values():
            parts.append(f"\n## {flow.name}: {flow.label}\n")
            for machine in flow.machines.values():
                parts.append(f"\n### {machine.name}\n\n```mermaid\n{machine.to_mermaid()}```\n")
                parts.append("\n| step | from | to | permission |\n|---|---|---|---|\n")
                parts += [
                    f"| {t.label} (`{t.name}`) | {', '.join(t.sources)} | {', '.join(t.targets)} | `{t.permission}` |\n"
                    for t in machine.transitions.values()
                ]
        return "".join(parts)
