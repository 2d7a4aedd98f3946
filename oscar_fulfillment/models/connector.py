"""What systems beside the shop (ERP, accounts, CRM) were told of its orders, and what they said.

``connector`` is an alias of ``OSCAR_FULFILLMENT["CONNECTORS"]`` (or of an API key's system). Status columns have no
``choices``: a new status must not cause a migration.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .fulfillment import OrderFulfillment

#: Destinations of the outbox that are connectors begin with this.
LANE = "connector:"


class Export(models.Model):
    """One thing (an order, a payment, a credit note) and one system that is to have it: a row of the export ledger.

    ``waiting`` is to be sent, or to be fetched; ``sending``: a call is under way, or its answer was lost; ``sent`` went
    out and was not acknowledged yet; ``acknowledged``: the other side has it; ``failed`` was refused or given up and
    waits for a person; ``dismissed``: a person says that it need not go.

    The row of kind "order" also holds how the order stands over there: ``outside_state`` as last heard or set,
    ``pushed_state`` as last set by us, ``base_version`` the order's version at that time.
    """

    WAITING, SENDING, SENT, ACKNOWLEDGED, FAILED, DISMISSED = (
        "waiting", "sending", "sent", "acknowledged", "failed", "dismissed",
    )  # fmt: skip
    OPEN = (WAITING, SENDING, SENT, FAILED)

    fulfillment = models.ForeignKey(OrderFulfillment, on_delete=models.CASCADE, related_name="exports")
    connector = models.CharField(_("System"), max_length=32)
    kind = models.CharField(_("What"), max_length=24)
    # What of several of a kind: the sequence of the payment's history row. Empty where an order has one.
    about = models.CharField(max_length=40, blank=True, default="")
    status = models.CharField(_("Status"), max_length=16, default=WAITING)
    external_id = models.CharField(_("Their id"), max_length=100, blank=True, default="")
    external_number = models.CharField(_("Their number"), max_length=64, blank=True, default="")
    link = models.CharField(_("Link"), max_length=500, blank=True, default="")
    attempts = models.PositiveIntegerField(_("Tries"), default=0)
    error = models.TextField(_("What went wrong"), blank=True, default="")
    facts = models.JSONField(default=dict)
    data = models.JSONField(default=dict)
    # Of the step that last asked for it; a later step asks anew.
    sequence = models.PositiveIntegerField(default=0)
    # Counts "send again": the key under which the outbox holds the message.
    round = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(_("Asked for"))
    # One worker has it to itself until then.
    claimed_until = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(_("Sent"), null=True, blank=True)
    acknowledged_at = models.DateTimeField(_("Acknowledged"), null=True, blank=True)
    outside_state = models.CharField(_("Their status"), max_length=100, blank=True, default="")
    outside_label = models.CharField(max_length=100, blank=True, default="")
    outside_state_at = models.DateTimeField(null=True, blank=True)
    pushed_state = models.CharField(max_length=100, blank=True, default="")
    base_version = models.PositiveIntegerField(default=0)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-pk"]
        verbose_name = _("Export")
        verbose_name_plural = _("Exports")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["fulfillment", "connector", "kind", "about"], name="ff_export_once"),
            # Two orders cannot be the same order over there.
            models.UniqueConstraint(
                fields=["connector", "kind", "external_id"], condition=~Q(external_id=""), name="ff_export_external"
            ),
        ]
        indexes = [
            # What waits to be fetched or to be looked at, oldest first: few among all.
            models.Index(
                fields=["connector", "kind", "id"],
                condition=Q(status__in=["waiting", "sending", "sent", "failed"]),
                name="ff_export_open",
            ),
            models.Index(fields=["connector", "-id"], name="ff_export_log"),
        ]

    def __str__(self) -> str:
        return f"{self.connector}/{self.kind}/{self.fulfillment_id}"


class OutsideChange(models.Model):
    """Something a system beside the shop said, once, and what came of it.

    ``waiting`` is to be looked at; ``applied`` moved the order; ``nothing``: it is so already, or no rule says what it
    means; ``echo``: our own change came back; ``outdated``: something newer was heard before; ``kept``: both sides had
    moved, and ours counts; ``refused``: the order does not allow it (``problem`` says why); ``unmatched``: of no order.
    """

    WAITING, APPLIED, NOTHING, ECHO, OUTDATED, KEPT, REFUSED, UNMATCHED, SETTLED = (
        "waiting", "applied", "nothing", "echo", "outdated", "kept", "refused", "unmatched", "settled",
    )  # fmt: skip
    #: What a person should look at.
    TROUBLE = (REFUSED, UNMATCHED)

    connector = models.CharField(_("System"), max_length=32)
    key = models.CharField(max_length=200)
    fulfillment = models.ForeignKey(
        OrderFulfillment, null=True, blank=True, on_delete=models.CASCADE, related_name="outside_changes"
    )
    external_id = models.CharField(_("Their id"), max_length=100, blank=True, default="")
    reference = models.CharField(_("Our number"), max_length=128, blank=True, default="")
    state = models.CharField(_("Their status"), max_length=100, blank=True, default="")
    label = models.CharField(max_length=100, blank=True, default="")
    facts = models.JSONField(default=dict)
    at = models.DateTimeField(_("When"), null=True, blank=True)
    seen_at = models.DateTimeField(_("Heard"))
    status = models.CharField(_("What came of it"), max_length=16, default=WAITING)
    step = models.CharField(_("Step"), max_length=32, blank=True, default="")
    problem = models.TextField(_("Why"), blank=True, default="")
    #: The error behind ``problem``, for whoever has just told it and waits for an answer; not kept.
    refusal: Exception | None = None

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-pk"]
        verbose_name = _("Word from another system")
        verbose_name_plural = _("Words from other systems")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["connector", "key"], name="ff_outside_once")]
        indexes = [
            models.Index(fields=["connector", "-id"], name="ff_outside_log"),
            models.Index(fields=["-id"], condition=Q(status__in=["refused", "unmatched"]), name="ff_outside_trouble"),
        ]

    def __str__(self) -> str:
        return f"{self.connector}/{self.key}"


class StatusRule(models.Model):
    """Which status over there moves which of ours, or shows which of ours. See ``connectors.records.Rule``.

    A connector without rows works by the rules it brings with it.
    """

    IN, OUT = "in", "out"
    OURS, THEIRS, LATER = "ours", "theirs", "later"

    connector = models.CharField(_("System"), max_length=32)
    direction = models.CharField(_("Direction"), max_length=8)
    outside = models.CharField(_("Their status"), max_length=100)
    step = models.CharField(_("Our step"), max_length=32, blank=True, default="")
    payment = models.CharField(_("Payment status"), max_length=32, blank=True, default="")
    shipping = models.CharField(_("Shipping status"), max_length=32, blank=True, default="")
    wins = models.CharField(_("When both have moved"), max_length=8, default=LATER)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["connector", "direction", "position", "pk"]
        verbose_name = _("Status rule")
        verbose_name_plural = _("Status rules")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["connector", "outside"], condition=Q(direction="in"), name="ff_rule_in_once"
            ),
            models.UniqueConstraint(
                fields=["connector", "payment", "shipping"], condition=Q(direction="out"), name="ff_rule_out_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.connector}/{self.direction}/{self.outside}"


class ConnectorState(models.Model):
    """How far a system was asked for what changed, when it answered last, and what it gave us to come back with.

    ``sealed``: tokens that have to be kept, encrypted (see ``core.sealed``); "" where there are none.
    """

    connector = models.CharField(max_length=32, primary_key=True)
    cursor = models.CharField(max_length=500, blank=True, default="")
    asked_at = models.DateTimeField(_("Asked"), null=True, blank=True)
    next_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(_("What went wrong"), blank=True, default="")
    failing_since = models.DateTimeField(null=True, blank=True)
    sealed = models.TextField(blank=True, default="", editable=False)

    class Meta:
        app_label = "oscar_fulfillment"
        verbose_name = _("State of a connector")
        verbose_name_plural = _("State of connectors")
        default_permissions = ()

    def __str__(self) -> str:
        return self.connector
