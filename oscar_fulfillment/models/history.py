"""The history of an order."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.core.models import HistoryRow

from .fulfillment import OrderFulfillment


class StatusChange(HistoryRow):
    """One row of an order's history; see :class:`~oscar_fulfillment.core.models.HistoryRow`."""

    # No index of its own: the unique constraint on the sequence begins with it.
    fulfillment = models.ForeignKey(OrderFulfillment, on_delete=models.CASCADE, related_name="history", db_index=False)

    subject_field = "fulfillment"

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-sequence"]
        verbose_name = _("History entry")
        verbose_name_plural = _("History")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["fulfillment", "sequence"], name="fulfillment_history_sequence"),
            models.UniqueConstraint(
                fields=["fulfillment", "idempotency_key"],
                condition=~models.Q(idempotency_key=""),
                name="fulfillment_history_key",
            ),
        ]

    @property
    def action_label(self):
        """What was done, in the words of the order's flow."""
        from oscar_fulfillment.flows import action_label

        return action_label(self.fulfillment.flow_definition, self.machine, self.action)

    @property
    def from_label(self):
        return self._status_label(self.from_status)

    @property
    def to_label(self):
        return self._status_label(self.to_status)

    def _status_label(self, status):
        flow = self.fulfillment.flow_definition
        machine = {"payment": flow.payment, "shipping": flow.shipping}.get(self.machine)
        return machine.label(status) if machine and status else ""
