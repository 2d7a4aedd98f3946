"""``manage.py fulfillment_nfe_folder --path /srv/notas``: take in the notes that an ERP drops into a folder."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, close_old_connections
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.services import nfe_folder

logger = logging.getLogger("oscar_fulfillment.nfe")


class Command(BaseCommand):
    help = gettext_lazy(
        "Take in the fiscal notes (XML or zip) of a folder. Good ones are applied to their orders; files are moved to "
        "the subfolders “done” and “refused”; what waits for a person is on the page “Fiscal notes”."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--path", required=True, help=_("The folder."))
        parser.add_argument("--once", action="store_true", help=_("Look once, do not go on watching."))
        parser.add_argument("--every", type=float, default=10, help=_("Seconds between two looks."))
        parser.add_argument("--check-only", action="store_true", help=_("Apply nothing: a person does, on the page."))

    def handle(self, *args: Any, path: str, once: bool, every: float, check_only: bool, **options: Any) -> None:
        folder = Path(path)
        if not folder.is_dir():
            raise CommandError(_("%(path)s is no folder.") % {"path": path})
        while True:
            try:
                self.look(folder, applies=not check_only)
            except InvalidInput as error:
                raise CommandError(str(error)) from error
            except OSError as error:
                raise CommandError(str(error)) from error
            except DatabaseError:
                if once:
                    raise
                # The files stay where they are; the next look takes them up.
                logger.exception("the folder of fiscal notes waits for the database")
            if once:
                return
            close_old_connections()
            time.sleep(max(every, 0.1))

    def look(self, folder: Path, *, applies: bool) -> None:
        for report in nfe_folder.work_folder(path=folder, actor=Actor.system("nfe folder"), applies=applies):
            told = {"name": report.name, "applied": report.applied, "waiting": report.waiting}
            self.stdout.write(_("%(name)s: %(applied)d applied, %(waiting)d for a person") % told)
            for reason in report.reasons:
                self.stderr.write(reason)
