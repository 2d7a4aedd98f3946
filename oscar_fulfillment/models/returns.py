"""Goods that come back: asked for, approved, received, inspected line by line, settled."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from .fulfillment import OrderFulfillment

REQUESTED, APPROVED, RECEIVED, SETTLED, REFUSED, CANCELLED = (
    "requested", "approved", "received", "settled", "refused", "cancelled",
)  # fmt: skip
#: The way of a return. ``received``: the parcel is here and inspected; what it leads to is not decided or not done yet.
RETURN_STATUSES = (REQUESTED, APPROVED, RECEIVED, SETTLED, REFUSED, CANCELLED)
OPEN_RETURN = (REQUESTED, APPROVED, RECEIVED)
#: What is wanted, and what comes of it. ``nothing``: neither money nor goods, for a reason that is kept.
REFUND, EXCHANGE, NOTHING = "refund", "exchange", "nothing"

REASON_LABELS: dict[str, Any] = {
    "changed_mind": _("No longer wanted"),
    "not_as_described": _("Not as described"),
    "wrong_article": _("Wrong article delivered"),
    "damaged": _("Arrived damaged"),
    "defective": _("Defective"),
    "too_late": _("Arrived too late"),
    "wrong_size": _("Does not fit"),
    "undeliverable": _("Could not be delivered"),
    "other": _("Another reason"),
}


class Return(models.Model):
    """One return of an order: a case with its own way, whatever the order's statuses.

    ``wants``: refund, or exchange for the same article. ``outcome``, once settled: refund, exchange or nothing.
    The money trail: ``refund_amount`` is what was granted; the refund itself is in the payment ledger, its history row
    carries this return's number.
    """

    fulfillment = models.ForeignKey(OrderFulfillment, on_delete=models.CASCADE, related_name="returns")
    number = models.PositiveSmallIntegerField(_("Number"))
    status = models.CharField(_("Status"), max_length=16, default=REQUESTED)
    wants = models.CharField(_("Wanted"), max_length=16, default="refund")
    outcome = models.CharField(_("Outcome"), max_length=16, blank=True)
    by_customer = models.BooleanField(_("Asked for by the customer"), default=False)
    customer_note = models.TextField(_("Customer's note"), blank=True)
    staff_note = models.TextField(_("Note"), blank=True)
    #: What the customer is told at approval or refusal.
    answer = models.TextField(_("Answer to the customer"), blank=True)
    carrier = models.CharField(_("Carrier"), max_length=64, blank=True)
    tracking_code = models.CharField(_("Tracking code"), max_length=64, blank=True)
    refund_amount = models.DecimalField(_("Refund granted"), max_digits=12, decimal_places=2, null=True, blank=True)
    created_at = models.DateTimeField(_("Asked for"))
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_by_label = models.CharField(max_length=150, blank=True)
    approved_at = models.DateTimeField(_("Approved"), null=True, blank=True)
    received_at = models.DateTimeField(_("Received"), null=True, blank=True)
    closed_at = models.DateTimeField(_("Closed"), null=True, blank=True)
    #: A form of the customer's sent twice asks once.
    key = models.CharField(max_length=64, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-pk"]
        verbose_name = _("Return")
        verbose_name_plural = _("Returns")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["fulfillment", "number"], name="ff_return_number"),
            models.UniqueConstraint(fields=["fulfillment", "key"], condition=~Q(key=""), name="ff_return_once"),
            models.CheckConstraint(condition=Q(status__in=RETURN_STATUSES), name="ff_return_status"),
        ]
        indexes = [
            models.Index(fields=["status", "-created_at"], name="ff_return_list"),
            models.Index(fields=["created_at"], name="ff_return_open", condition=Q(status__in=OPEN_RETURN)),
        ]

    def __str__(self) -> str:
        return f"#{self.fulfillment.number}-R{self.number}"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_RETURN

    @property
    def status_label(self) -> Any:
        return {
            REQUESTED: pgettext_lazy("return", "Asked for"),
            APPROVED: pgettext_lazy("return", "Approved, goods awaited"),
            RECEIVED: pgettext_lazy("return", "Received and inspected"),
            SETTLED: pgettext_lazy("return", "Settled"),
            REFUSED: pgettext_lazy("return", "Refused"),
            CANCELLED: pgettext_lazy("return", "Cancelled"),
        }[self.status]


class ReturnLine(models.Model):
    """Units of one order line in a return. ``received`` = ``restocked`` + ``damaged``, at most ``quantity``."""

    of = models.ForeignKey(Return, on_delete=models.CASCADE, related_name="lines")
    line = models.ForeignKey("order.Line", on_delete=models.CASCADE, related_name="return_lines")
    quantity = models.PositiveIntegerField(_("Announced"))
    reason = models.CharField(_("Reason"), max_length=24, default="other")
    restocked = models.PositiveIntegerField(_("Back into the stock"), default=0)
    damaged = models.PositiveIntegerField(_("Damaged"), default=0)
    note = models.CharField(_("Note"), max_length=500, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["line_id"]
        verbose_name = _("Line of a return")
        verbose_name_plural = _("Lines of a return")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["of", "line"], name="ff_return_line"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="ff_return_line_quantity"),
            models.CheckConstraint(
                condition=Q(quantity__gte=F("restocked") + F("damaged")), name="ff_return_line_received"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line_id}"

    @property
    def received(self) -> int:
        return self.restocked + self.damaged

    @property
    def reason_label(self) -> Any:
        return REASON_LABELS.get(self.reason, self.reason)
