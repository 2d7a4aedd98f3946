"""``manage.py fulfillment_accounts --from 2026-11-01 --to 2026-11-30 --output journal.csv``: for the accounts.

The same files as on the dashboard's page *Accounts export*, of any length: the name's end says which, ``.csv`` or
``.xlsx``. Without ``--output`` it is CSV on the standard output. ``--totals`` prints the totals instead, and ends with
code 1 if they do not tie with the orders or an order needs a person.
"""

from __future__ import annotations

import os
import shutil
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.selectors.journal import KINDS, Scope
from oscar_fulfillment.services import accounts, accounts_preview, accounts_xlsx
from oscar_fulfillment.services.accounts_period import last_month, make_scope


class Command(BaseCommand):
    help = gettext_lazy("Exports payments, refunds and fiscal documents of a period for the accounts.")

    def add_arguments(self, parser: CommandParser) -> None:
        day = {"type": date.fromisoformat, "metavar": "YYYY-MM-DD"}
        parser.add_argument("--from", dest="first", help=_("First day; without both days: the last month."), **day)
        parser.add_argument("--to", dest="last", help=_("Last day."), **day)
        parser.add_argument("--kinds", nargs="+", choices=KINDS, default=[], help=_("Only these kinds of entries."))
        parser.add_argument("--currency", default="", help=_("Only this currency."))
        parser.add_argument("--flow", default="", help=_("Only orders of this flow."))
        parser.add_argument(
            "--what", choices=[accounts.JOURNAL, accounts.ORDERS], default=accounts.JOURNAL,
            help=_("What a CSV file holds: the entries, or the orders with what they owe."),
        )  # fmt: skip
        parser.add_argument(
            "--decimals", choices=[accounts.MACHINE, accounts.LOCALE], default=accounts.MACHINE,
            help=_("Sums with a point, or as the language has it."),
        )  # fmt: skip
        parser.add_argument("--language", default=settings.LANGUAGE_CODE, help=_("Language of the columns."))
        parser.add_argument("--output", default="-", help=_("The file to write (.csv or .xlsx)."))
        parser.add_argument("--totals", action="store_true", help=_("Print the totals instead of a file."))

    def handle(self, *args: Any, **options: Any) -> None:
        first, last = options["first"], options["last"]
        if (first is None) is not (last is None):
            raise CommandError(_("Name both days of the period, or none."))
        if first is None:
            first, last = last_month()
        if not translation.check_for_language(options["language"]):
            raise CommandError(_("There is no language “%(code)s”.") % {"code": options["language"]})
        try:
            scope = make_scope(
                first=first, last=last, kinds=options["kinds"], currency=options["currency"], flow=options["flow"]
            )
            with translation.override(options["language"]):
                if options["totals"]:
                    self.totals(scope)
                elif options["output"].lower().endswith(".xlsx"):
                    self.workbook(scope, options)
                else:
                    self.csv(scope, options)
        except InvalidInput as error:
            raise CommandError(" ".join(str(m) for told in error.errors.values() for m in told)) from error
        except OSError as error:
            told = {"file": options["output"], "error": error.strerror or error}
            raise CommandError(_("%(file)s cannot be written: %(error)s") % told) from error

    def csv(self, scope: Scope, options: dict[str, Any]) -> None:
        given = {name: options[name] for name in ("what", "decimals", "language")}
        lines = accounts.stream_csv(scope, **given)
        if options["output"] == "-":
            for text in lines:
                self.stdout.write(text, ending="")
            return
        with _Whole(options["output"]) as path, path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines)

    def workbook(self, scope: Scope, options: dict[str, Any]) -> None:
        with (
            accounts_xlsx.workbook(scope, decimals=options["decimals"], language=options["language"]) as book,
            _Whole(options["output"]) as path,
            path.open("wb") as file,
        ):
            shutil.copyfileobj(book, file)

    def totals(self, scope: Scope) -> None:
        found = accounts_preview.preview(scope, most=None)
        for total in found.totals or ():
            names = " · ".join(name for name in (total.method, total.provider) if name)
            self.stdout.write(f"{total.label}\t{total.currency}\t{names}\t{total.count}\t{total.gross:.2f}")
        for sums in found.sums or ():
            told = {
                "currency": sums.currency, "opening": sums.opening, "billed": sums.billed, "received": sums.received,
                "refunded": sums.refunded, "closing": sums.closing,
            }  # fmt: skip
            words = _(
                "%(currency)s: %(opening)s + %(billed)s billed − %(received)s received + %(refunded)s refunded "
                "= %(closing)s open"
            )
            self.stdout.write(words % told)
        for each in found.open:
            numbers = ", ".join(balance.number for balance in each.named) + (", …" if each.more else "")
            stream = self.stderr if each.is_wrong else self.stdout
            stream.write(f"{each.label}: {each.count}, {each.sum:.2f} {each.currency} ({numbers})")
        if not found.ties:
            raise CommandError(_("The journal does not tie with the orders."), returncode=1)
        if found.wrong:
            message = ngettext("%(count)d order needs a person.", "%(count)d orders need a person.", found.wrong)
            raise CommandError(message % {"count": found.wrong}, returncode=1)
        self.stdout.write(self.style.SUCCESS(_("The journal ties with the orders.")))


class _Whole:
    """A file that appears under its name when it is complete: nobody imports half of a journal."""

    def __init__(self, name: str):
        self.target = Path(name)
        self.part = self.target.with_name(f".{self.target.name}.{os.getpid()}.part")

    def __enter__(self) -> Path:
        return self.part

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self.part.replace(self.target)
        else:
            self.part.unlink(missing_ok=True)
