from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from oscar_fulfillment.core import circuit, inbox, outbox


class Command(BaseCommand):
    help = gettext_lazy(
        "Lists the messages that wait for a person: dead or unknown ones going out, failed ones coming in."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ids", nargs="*", type=int, help=_("Only these messages."))
        parser.add_argument("--inbox", action="store_true", help=_("What came in, instead of what goes out."))
        parser.add_argument("--lane", help=_("Only this destination, or source."))
        parser.add_argument("--limit", type=int, default=50, help=_("Show at most so many."))
        parser.add_argument("--all", action="store_true", help=_("With --send-again: every listed message."))
        parser.add_argument(
            "--send-again",
            "--replay",
            action="store_true",
            dest="again",
            help=_("Put the messages back to the beginning."),
        )

    def handle(self, *args: Any, **options: Any) -> None:
        pump = inbox.PUMP if options["inbox"] else outbox.PUMP
        waiting = inbox.failed() if options["inbox"] else outbox.dead()
        if options["lane"]:
            waiting = waiting.filter(**{pump.words.lane: options["lane"]})
        if options["ids"]:
            waiting = waiting.filter(pk__in=options["ids"])
        if options["again"]:
            return self._again(waiting, options)
        self._list(pump, waiting, options["limit"])

    def _again(self, waiting: Any, options: dict[str, Any]) -> None:
        if not options["ids"] and not options["all"]:
            raise CommandError(_("Name the messages, or say --all."))
        again = inbox.replay if options["inbox"] else outbox.send_again
        count = sum(again(message) for message in waiting.iterator(chunk_size=500))
        missing = len(set(options["ids"])) - count if options["ids"] else 0
        text = ngettext("%(count)d message goes again.", "%(count)d messages go again.", count) % {"count": count}
        self.stdout.write(text)
        if missing > 0:
            raise CommandError(_("%(count)d of them did not wait for a person.") % {"count": missing})

    def _list(self, pump: Any, waiting: Any, limit: int) -> None:
        for row in waiting[:limit]:
            detail = f"{row.status} {_('attempts')}={row.attempts}"
            self.stdout.write(f"{row.pk}\t{row}\t{detail}\t{row.error.splitlines()[0] if row.error else ''}")
        words = pump.words
        counts = (
            pump.model._base_manager.exclude(status=words.done)
            .order_by()
            .values_list(words.lane, "status")
            .annotate(count=Count("pk"))
        )
        for lane, status, count in sorted(counts):
            self.stdout.write(f"{lane}: {status} {count}")
        for state in circuit.states().values():
            if state.name.startswith(pump.setting.lower()):
                until = timezone.localtime(state.paused_until)
                self.stdout.write(
                    _("%(name)s rests until %(until)s: %(error)s")
                    % {"name": state.name, "until": f"{until:%Y-%m-%d %H:%M:%S}", "error": state.error}
                )
