from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from oscar_fulfillment.core import history
from oscar_fulfillment.models import OrderFulfillment, StatusChange


class Command(BaseCommand):
    help = gettext_lazy("Checks that no row of any order's history was changed, removed or inserted.")

    def handle(self, *args: Any, **options: Any) -> None:
        numbers = OrderFulfillment._default_manager
        flaws = 0
        for flaw in history.verify(OrderFulfillment, StatusChange):
            flaws += 1
            number = numbers.filter(pk=flaw.subject_pk).values_list("number", flat=True).first()
            self.stderr.write(
                _("Order %(number)s, entry %(sequence)d: %(problem)s")
                % {"number": number, "sequence": flaw.sequence, "problem": flaw.problem}
            )
        if flaws:
            message = ngettext("%(flaws)d history does not add up.", "%(flaws)d histories do not add up.", flaws)
            raise CommandError(message % {"flaws": flaws})
        total = numbers.count()
        message = ngettext("%(total)d history is whole.", "%(total)d histories are whole.", total)
        self.stdout.write(self.style.SUCCESS(message % {"total": total}))
