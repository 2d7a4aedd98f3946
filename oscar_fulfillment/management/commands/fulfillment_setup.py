from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment import tasks
from oscar_fulfillment.core import queue


class Command(BaseCommand):
    help = gettext_lazy(
        "Installs what lives in the database: schedules and the types of mails. "
        "Run it after every upgrade; running it twice, or on several machines at once, is safe."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if queue.available():
            created, changed, removed = queue.ensure_schedules(tasks.SCHEDULES)
            self.stdout.write(
                _("Schedules: %(created)d created, %(changed)d changed, %(removed)d removed.")
                % {"created": created, "changed": changed, "removed": removed}
            )
        else:
            self.stderr.write(_("django_q is not in INSTALLED_APPS: no schedules."))
        # Looked up, not tried: an error inside the module must be seen.
        if find_spec("oscar_fulfillment.services.mails") is not None:
            import_module("oscar_fulfillment.services.mails").ensure_event_types()
            self.stdout.write(_("Mails: the event types are in place."))
