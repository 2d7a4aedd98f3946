from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment import tasks
from oscar_fulfillment.core import queue
from oscar_fulfillment.selectors import method_words
from oscar_fulfillment.services import profiles


class Command(BaseCommand):
    help = gettext_lazy(
        "Installs what lives in the database: schedules and the types of mails. "
        "Run it after every upgrade; running it twice, or on several machines at once, is safe."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--profile",
            action="append",
            choices=profiles.profiles(),
            default=[],
            help=_("Make the usual payment methods of a country too. What is there already stays as it is."),
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
        for name in options["profile"]:
            self.stdout.write(_("Payment methods of the set “%(profile)s”:") % {"profile": name})
            for result in profiles.make_profile(name):
                self.stdout.write(f"  {result.code}: {self._told(result)}")

    def _told(self, result: profiles.Result) -> str:
        if result.outcome == profiles.KEPT:
            return _("there already, left as it is.")
        if result.outcome == profiles.DELETED:
            return _("was deleted in the dashboard, left out.")
        if result.outcome == profiles.NO_PROVIDER:
            needs = {"providers": _(" or ").join(result.needs)}
            return _("left out: it needs a provider in GATEWAYS (%(providers)s). Run this again then.") % needs
        assert result.method is not None
        text = _("made. %(by)s. %(policy)s") % {
            "by": method_words.by_whom(result.method), "policy": method_words.policy(result.method)
        }  # fmt: skip
        if result.needs_text:
            text += " " + _("Not offered yet: fill in the gaps (____) of its instructions in the dashboard.")
        return text
