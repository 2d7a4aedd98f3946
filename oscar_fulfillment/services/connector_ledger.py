"""What people and the other systems themselves do with the export ledger: send again, leave out, fetch, acknowledge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.models import Export, OrderFulfillment, OutboundMessage

from . import followups
from .connector_events import lane


class ExportBusy(FulfillmentError):
    """What was asked of an export does not fit its status; the message says why."""


def send_again(*, export: Export, actor: Actor) -> None:
    """Send what was refused, given up, or is not acknowledged. :class:`ExportBusy` for what is there already."""
    with transaction.atomic():
        rows = lock_rows(Export._default_manager.filter(pk=export.pk))
        if not rows or rows[0].status not in (Export.FAILED, Export.SENT, Export.DISMISSED, Export.WAITING):
            raise ExportBusy(_("This is on its way, or has arrived already."))
        found = rows[0]
        found.status, found.round, found.error = Export.WAITING, found.round + 1, ""
        found.save(update_fields=["status", "round", "error"])
        if _revive(found):
            return
        payload = {"order": found.fulfillment_id, "kind": found.kind, "export": found.pk, "by": actor.label}
        key = f"{found.fulfillment_id}:again:{found.pk}:{found.round}"
        outbox.enqueue([OutboxMessage(lane(found.connector), found.kind, key, payload, order_id=found.fulfillment_id)])


def _revive(export: Export) -> bool:
    """Put the message that was given up back to the beginning, so that it waits for nobody any more."""
    given_up = OutboundMessage._default_manager.filter(
        destination=lane(export.connector), kind=export.kind, order=export.fulfillment_id, status=outbox.DEAD
    )
    mine = [row for row in given_up if row.payload.get("export") == export.pk or _is_about(row, export)]
    return bool(sum(outbox.send_again(row) for row in mine))


def _is_about(message: Any, export: Export) -> bool:
    return "export" not in message.payload and message.payload.get("about", "") == export.about


def dismiss(*, export: Export, actor: Actor) -> None:
    """Say that it need not go there. :class:`ExportBusy` for what is there already or on its way."""
    changed = Export._default_manager.filter(
        pk=export.pk, status__in=[Export.WAITING, Export.FAILED, Export.SENT]
    ).update(status=Export.DISMISSED, error="")
    if not changed:
        raise ExportBusy(_("This is on its way, or has arrived already."))
    followups.close_by_prefix(f"export:{export.pk}:", "nothing", actor.label)


def hand_out(pks: list[int]) -> int:
    """Note that these were fetched; what is acknowledged stays so. How many were waiting."""
    rows = Export._default_manager.filter(pk__in=pks, status__in=[Export.WAITING, Export.FAILED])
    return rows.update(status=Export.SENT, sent_at=timezone.now(), attempts=F("attempts") + 1, error="")


def lock_orders(exports: Iterable[int]) -> None:
    """Lock the orders of these exports, before the exports themselves: that is the order in which everybody locks.

    A row that is written twice in one transaction looks at its order once more when that ends. Whoever holds the order
    and waits for the row would wait for ever.
    """
    orders = Export._default_manager.filter(pk__in=list(exports)).values("fulfillment")
    lock_rows(OrderFulfillment._default_manager.filter(pk__in=orders).only("pk"))


def acknowledge(*, pks: list[int], external_ids: dict[int, str] | None = None) -> int:
    """The other side says that it has these. How many were not acknowledged before. The same again is harmless.

    ``external_ids``: what it calls them. :class:`ExportBusy` where another order has that id.
    """
    now = timezone.now()
    rows = Export._default_manager.filter(pk__in=pks).exclude(status__in=[Export.ACKNOWLEDGED, Export.DISMISSED])
    try:
        with transaction.atomic():
            if external_ids:
                lock_orders(external_ids)
            for pk, external_id in (external_ids or {}).items():
                Export._default_manager.filter(pk=pk).exclude(status=Export.DISMISSED).update(
                    external_id=external_id[:100]
                )
            return rows.update(status=Export.ACKNOWLEDGED, acknowledged_at=now, sent_at=now, error="")
    except IntegrityError as error:
        raise ExportBusy(_("Another order has this id already.")) from error
