from __future__ import annotations

import sys
from typing import Any

from django.conf import settings as django_settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import close_old_connections
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core import queue
from oscar_fulfillment.core.watchdog import Watchdog


class Command(BaseCommand):
    help = gettext_lazy("Runs the background workers (qcluster) and restarts them when they die or no longer move.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--timeout", type=float, help=_("Seconds of silence before a restart."))
        parser.add_argument("--interval", type=float, help=_("Seconds between two heartbeats."))
        parser.add_argument("--stop-grace", type=float, help=_("Seconds running tasks may take to finish at the end."))

    def handle(self, *args: Any, **options: Any) -> None:
        if not queue.available():
            raise CommandError(_("django_q is not in INSTALLED_APPS."))
        timeout = options["timeout"] or settings.WATCHDOG_TIMEOUT
        # A stopping cluster finishes what it runs and what waits in its memory.
        conf = getattr(django_settings, "Q_CLUSTER", {})
        longest = float(conf.get("timeout") or 60)
        rounds = 1 + float(conf.get("queue_limit") or 2) / queue.workers()
        watchdog = Watchdog(
            command=[sys.executable, sys.argv[0], "qcluster"],
            timeout=timeout,
            interval=options["interval"] or min(10.0, timeout / 3),
            stop_grace=options["stop_grace"] or longest * rounds + 10,
            ping=self._ping,
            say=self._say,
        )
        code = watchdog.run()
        if code:
            self._say("The cluster did not stop in time and was killed; its messages are taken up again.")
        sys.exit(code)

    def _ping(self) -> None:
        # A long-lived process outside the request cycle has to drop dead connections itself.
        close_old_connections()
        queue.ping()

    def _say(self, text: str) -> None:
        self.stderr.write(text)
        self.stderr.flush()
