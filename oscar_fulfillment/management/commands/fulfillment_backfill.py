from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.services import backfill


class Command(BaseCommand):
    help = gettext_lazy(
        "Gives the orders of the time before this app their two statuses. Interrupt it at any time and run it again: "
        "it goes on where it was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="STATUS=PAYMENT/SHIPPING",
            help=_("What a status of your orders means, e.g. “Shipped=paid/dispatched”. “auto” reads the ledger."),
        )
        parser.add_argument("--batch", type=int, default=2000, help=_("Orders per transaction (default 2000)."))
        parser.add_argument("--dry-run", action="store_true", help=_("Only count, and check the map."))

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            mapping = backfill.default_mapping() | self._given(options["map"])
        except FulfillmentError as error:
            raise CommandError(str(error)) from error
        if unknown := backfill.unmapped_statuses(mapping):
            listed = "\n".join(f"  --map {status + '=':<24} {count}" for status, count in sorted(unknown.items()))
            raise CommandError(_("Say what these statuses mean:\n%(listed)s") % {"listed": listed})
        total = backfill.pending_orders().count()
        if options["dry_run"] or not total:
            self.stdout.write(_("Orders without their two statuses: %(total)d") % {"total": total})
            return
        began = time.monotonic()
        done = 0
        try:
            for done in backfill.backfill(mapping, batch=max(options["batch"], 1)):
                self._progress(done, total, time.monotonic() - began)
        except FulfillmentError as error:
            raise CommandError(str(error)) from error
        finally:
            self.stdout.write("")
        self.stdout.write(self.style.SUCCESS(_("Done: %(done)d orders.") % {"done": done}))

    def _given(self, pairs: list[str]) -> dict[str, backfill.Pair]:
        found = {}
        for pair in pairs:
            status, _equals, meaning = pair.rpartition("=")
            found[status] = backfill.Pair.parse(meaning)
        return found

    def _progress(self, done: int, total: int, seconds: float) -> None:
        share = min(done / total, 1)
        bar = "#" * int(30 * share)
        rate = done / seconds if seconds else 0
        left = (total - done) / rate if rate else 0
        line = f"[{bar:<30}] {share:4.0%}  {done}/{total}  {rate:.0f}/s  {left:.0f} s"
        # On a terminal one line that grows; in a log one line per batch.
        self.stdout.write(("\r" if self.stdout.isatty() else "") + line, ending="" if self.stdout.isatty() else "\n")
        self.stdout.flush()
