"""``manage.py fulfillment_audit_payments [--ask]``: whether the books of payments, ledger, statuses and stock agree.

Reads only, and may run while the shop works. Prints each difference and ends with code 1 if there is any, so that cron
mails it. With ``--ask`` each payment's provider is asked too: one call per payment. What is compared, and how, is said
in ``services.audit``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from oscar_fulfillment.services import audit


class Command(BaseCommand):
    help = gettext_lazy("Compares payments with the ledger, the statuses, the stock and, if wished, the providers.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--ask", action="store_true", help=_("Ask the provider about each payment."))
        parser.add_argument(
            "--patience", type=int, default=60, metavar="MINUTES",
            help=_("After so many minutes an operation without an answer is a difference (60)."),
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        found = 0
        patience = timedelta(minutes=options["patience"])
        for difference in audit.audit_payments(ask_providers=options["ask"], patience=patience):
            found += 1
            self.stderr.write(str(difference))
        if found:
            message = ngettext("%(found)d difference.", "%(found)d differences.", found)
            raise CommandError(message % {"found": found}, returncode=1)
        self.stdout.write(self.style.SUCCESS(_("All books agree.")))
