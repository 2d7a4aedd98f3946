"""Messages in and out, and what the workers say about themselves.

These rows are the truth; a task in the queue is only a wake-up. Status columns have no ``choices``: an app that adds
a status must not cause a migration.
"""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class OutboundMessage(models.Model):
    """One message to one destination, written in the transaction of the change that causes it.

    ``pending`` waits for ``next_attempt_at``; ``sending`` is in the hands of the worker that holds ``lease`` until
    ``next_attempt_at``; ``sent`` is done; ``dead`` was refused or failed too often; ``unknown`` was under way when its
    worker died and must not be repeated without a person (or a sweeper) asking the other side first.
    """

    PENDING, SENDING, SENT, DEAD, UNKNOWN = "pending", "sending", "sent", "dead", "unknown"

    destination = models.CharField(_("destination"), max_length=64)
    kind = models.CharField(_("kind"), max_length=64)
    key = models.CharField(_("key"), max_length=200, help_text=_("The same key is never enqueued twice."))
    payload = models.JSONField(_("payload"), default=dict, encoder=DjangoJSONEncoder)
    order = models.ForeignKey(
        "order.Order",
        verbose_name=_("order"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="outbound_messages",
    )
    status = models.CharField(_("status"), max_length=16, default=PENDING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), default=timezone.now)
    lease = models.CharField(max_length=32, default="", blank=True, editable=False)
    error = models.TextField(_("error"), default="", blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        verbose_name = _("outbound message")
        verbose_name_plural = _("outbound messages")
        constraints = [models.UniqueConstraint(fields=["destination", "kind", "key"], name="ff_outbound_once")]
        indexes = [
            # What is due, per destination. The table keeps every sent message, the index only the few open ones.
            models.Index(
                fields=["destination", "next_attempt_at"],
                condition=Q(status__in=["pending", "sending"]),
                name="ff_outbound_due",
            ),
            models.Index(fields=["-created_at"], condition=Q(status__in=["dead", "unknown"]), name="ff_outbound_dead"),
            # The log of a webhook, newest first.
            models.Index(
                fields=["destination", "-id"],
                condition=Q(destination__startswith="webhook:"),
                name="ff_outbound_webhook",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.destination}/{self.kind}/{self.key}"


class InboundMessage(models.Model):
    """What somebody told us, as the bytes that arrived. Stored once, processed by a task, can be replayed.

    ``received`` waits for ``next_attempt_at``; ``processing`` is leased to a worker; ``processed`` and ``ignored`` are
    done; ``failed`` waits for a person to press Replay.
    """

    RECEIVED, PROCESSING, PROCESSED, FAILED, IGNORED = "received", "processing", "processed", "failed", "ignored"

    source = models.CharField(_("source"), max_length=64)
    external_id = models.CharField(_("external id"), max_length=200)
    headers = models.JSONField(_("headers"), default=dict)
    body = models.BinaryField(_("body"), default=bytes)
    status = models.CharField(_("status"), max_length=16, default=RECEIVED)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), default=timezone.now)
    lease = models.CharField(max_length=32, default="", blank=True, editable=False)
    error = models.TextField(_("error"), default="", blank=True)
    received_at = models.DateTimeField(_("received"), default=timezone.now)
    processed_at = models.DateTimeField(_("processed"), null=True, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        verbose_name = _("inbound message")
        verbose_name_plural = _("inbound messages")
        constraints = [models.UniqueConstraint(fields=["source", "external_id"], name="ff_inbound_once")]
        indexes = [
            models.Index(
                fields=["source", "next_attempt_at"],
                condition=Q(status__in=["received", "processing"]),
                name="ff_inbound_due",
            ),
            models.Index(fields=["-received_at"], condition=Q(status="failed"), name="ff_inbound_failed"),
        ]

    def __str__(self) -> str:
        return f"{self.source}/{self.external_id}"


class LaneHealth(models.Model):
    """A destination (or source) that is down. No row: nothing is known against it.

    While ``paused_until`` lies ahead nobody tries it; then one worker sends a single message as a probe.
    """

    name = models.CharField(_("name"), max_length=80, primary_key=True)
    trips = models.PositiveSmallIntegerField(_("failed probes"), default=0)
    paused_until = models.DateTimeField(_("paused until"))
    error = models.TextField(_("error"), default="", blank=True)
    since = models.DateTimeField(_("down since"), default=timezone.now)

    class Meta:
        app_label = "oscar_fulfillment"
        verbose_name = _("paused destination")
        verbose_name_plural = _("paused destinations")

    def __str__(self) -> str:
        return self.name


class QueueSignal(models.Model):
    """A request to the workers, and when one last took it up.

    ``asked_at`` is set while a wake-up lies in the queue, so that a hundred transitions cause one. ``answered_at`` of
    the heartbeat task is the proof that database, queue and workers are alive.
    """

    name = models.CharField(max_length=120, primary_key=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        verbose_name = _("queue signal")
        verbose_name_plural = _("queue signals")

    def __str__(self) -> str:
        return self.name
