"""The two statuses of an order, and what the work queues and the search need beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.core.models import Tracked


class OrderFulfillment(Tracked):
    """One row per order, made in the transaction that places it. Only services write it.

    Columns that repeat the order's (number, customer, mail, time) are there so that a queue, a search and a page of
    the list are one index away, whatever the number of orders, without a column in Oscar's tables.
    """

    order = models.OneToOneField(
        "order.Order", primary_key=True, on_delete=models.CASCADE, related_name="fulfillment", verbose_name=_("Order")
    )
    flow = models.CharField(_("Flow"), max_length=32)
    payment_status = models.CharField(_("Payment status"), max_length=32)
    shipping_status = models.CharField(_("Shipping status"), max_length=32)
    payment_method = models.ForeignKey(
        "oscar_fulfillment.PaymentMethod",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("Payment method"),
        db_index=False,  # the composite index below begins with it
    )
    # The method's policy when the order was placed: a later change of the method does not reach back.
    ships_before_payment = models.BooleanField(_("Leaves before the money is in"), default=False, db_default=False)
    completes_unpaid = models.BooleanField(_("Completed without the money"), default=False, db_default=False)
    # The provider has the money and did not pay it out yet.
    awaits_payout = models.BooleanField(_("Waits for the payout"), default=False, db_default=False)
    # Some money of it is in the ledger: an approval by hand books only the rest.
    has_money = models.BooleanField(default=False, db_default=False, editable=False)
    hold_count = models.PositiveSmallIntegerField(_("Open holds"), default=0)
    # Units that were short at release and still wait for goods.
    has_backorder = models.BooleanField(_("Waits for goods"), default=False)
    # A code of ``selectors.orders.PROBLEMS``; empty when nothing is wrong.
    problem = models.CharField(_("Problem"), max_length=32, blank=True)
    language = models.CharField(_("Language"), max_length=10, blank=True)
    placed_at = models.DateTimeField(_("Placed"))
    number = models.CharField(_("Order number"), max_length=128)  # unique, see the constraint
    currency = models.CharField(_("Currency"), max_length=12, default="", db_default="", blank=True)
    customer_name = models.CharField(_("Customer"), max_length=255, blank=True)
    email = models.CharField(_("E-mail"), max_length=254, blank=True)
    tax_id_kind = models.CharField(_("Kind of tax number"), max_length=16, blank=True)
    tax_id = models.CharField(_("Tax number"), max_length=32, blank=True)
    # The name folded (lower case, no accents), from the first and from the last word on: prefix search by either.
    search_name = models.CharField(max_length=255, blank=True, editable=False)
    search_surname = models.CharField(max_length=255, blank=True, editable=False)

    class Meta:
        app_label = "oscar_fulfillment"
        verbose_name = _("Fulfillment of an order")
        verbose_name_plural = _("Fulfillment of orders")
        default_permissions = ("view",)
        permissions = [
            ("approve_payment", _("Can approve payments")),
            ("override_payment", _("Can override a payment provider")),
            ("capture_payment", _("Can capture and give back held payments")),
            ("refund_payment", _("Can refund payments")),
            ("edit_order", _("Can edit orders before they leave")),
            ("extend_reservation", _("Can extend reservations")),
            ("restore_order", _("Can restore cancelled orders")),
            ("manage_payment_methods", _("Can change payment methods")),
            ("import_statements", _("Can import bank statements and payouts")),
            ("cancel_order", _("Can cancel orders")),
            ("release_order", _("Can release orders")),
            ("order_missing_goods", _("Can order missing goods from suppliers")),
            ("invoice_order", _("Can invoice orders")),
            ("issue_nfe", _("Can issue, cancel and correct NF-e")),
            ("manage_tax_profiles", _("Can change tax profiles")),
            ("dispatch_order", _("Can dispatch orders")),
            ("deliver_order", _("Can mark orders as delivered")),
            ("work_returns", _("Can work returns")),
            ("manage_carriers", _("Can change carriers")),
            ("hold_order", _("Can hold orders and release holds")),
            ("annotate_order", _("Can write notes on orders")),
            ("export_orders", _("Can export orders")),
            ("export_accounts", _("Can export payments and invoices to the accounts")),
            ("share_view", _("Can share saved views")),
            ("manage_messages", _("Can send messages again")),
            ("manage_webhooks", _("Can change webhooks")),
            ("manage_connectors", _("Can send to other systems again and change their rules")),
        ]
        # Newest first in every queue and behind every filter: each index ends in the keyset (placed_at, order). Lists
        # of statuses are read as one walk per status and merged, see ``selectors.scans``.
        indexes = [
            models.Index(fields=["-placed_at", "-order"], name="fulfillment_placed"),
            models.Index(fields=["shipping_status", "-placed_at", "-order"], name="fulfillment_shipping"),
            models.Index(fields=["payment_status", "-placed_at", "-order"], name="fulfillment_payment"),
            models.Index(fields=["payment_status", "shipping_status", "-placed_at", "-order"], name="fulfillment_pair"),
            models.Index(fields=["flow", "shipping_status", "-placed_at", "-order"], name="fulfillment_flow"),
            models.Index(
                fields=["payment_method", "payment_status", "-placed_at", "-order"], name="fulfillment_method"
            ),
            models.Index(fields=["currency", "-placed_at", "-order"], name="fulfillment_currency"),
            models.Index(
                fields=["-placed_at", "-order"], name="fulfillment_on_hold", condition=models.Q(hold_count__gt=0)
            ),
            models.Index(
                fields=["-placed_at", "-order"], name="fulfillment_backorder", condition=models.Q(has_backorder=True)
            ),
            models.Index(
                fields=["shipping_status", "-placed_at", "-order"],
                name="fulfillment_deferred",
                condition=models.Q(ships_before_payment=True, payment_status="awaiting_payment"),
            ),
            # Sent in part: few, among the many that are on their way.
            models.Index(
                fields=["-placed_at", "-order"],
                name="fulfillment_rest",
                condition=models.Q(shipping_status="partially_dispatched", hold_count=0),
            ),
            models.Index(
                fields=["-placed_at", "-order"], name="fulfillment_payout", condition=models.Q(awaits_payout=True)
            ),
            models.Index(fields=["-placed_at", "-order"], name="fulfillment_problem", condition=~models.Q(problem="")),
            # Every step writes each of these indexes anew: what one can serve is not given two.
            # Prefixes: with these classes PostgreSQL uses one index for "equals" and for "begins with", in any locale.
            models.Index(fields=["email"], name="fulfillment_email", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["tax_id"], name="fulfillment_tax_id", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["search_name"], name="fulfillment_name", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["search_surname"], name="fulfillment_surname", opclasses=["varchar_pattern_ops"]),
        ]
        constraints = [
            # Not ``unique=True``, which would make a second index for prefixes.
            models.UniqueConstraint(fields=["number"], name="fulfillment_number", opclasses=["varchar_pattern_ops"]),
        ]

    def __str__(self) -> str:
        return f"#{self.number}"

    @cached_property
    def flow_definition(self):
        """The :class:`~oscar_fulfillment.flows.Flow` this order follows."""
        from oscar_fulfillment.flows import get_flow

        return get_flow(self.flow)

    @property
    def payment_label(self):
        return self.flow_definition.payment.label(self.payment_status)

    @property
    def shipping_label(self):
        return self.flow_definition.shipping.label(self.shipping_status)

    @property
    def payment_tone(self) -> str:
        return self.flow_definition.tone("payment", self.payment_status)

    @property
    def shipping_tone(self) -> str:
        return self.flow_definition.tone("shipping", self.shipping_status)

    def money_is_in(self, payment_status: str, fields: Mapping[str, Any]) -> bool:
        """Whether nothing is missing for "completed" with this payment status; ``fields`` override columns."""
        if fields.get("completes_unpaid", self.completes_unpaid):
            return payment_status not in ("refunded", "cancelled")
        waits = fields.get("awaits_payout", self.awaits_payout)
        return payment_status in ("paid", "partially_refunded") and not waits

    @property
    def is_collected(self) -> bool:
        """Whether the customer comes for the goods."""
        from oscar_fulfillment.carriers import picks_up

        return picks_up(self.order)

    def is_payable(self) -> bool:
        return self.payment_status in ("awaiting_payment", "authorized")


class Hold(models.Model):
    """A reason why an order must wait. Any number at once, but one open hold per code."""

    fulfillment = models.ForeignKey(OrderFulfillment, on_delete=models.CASCADE, related_name="holds")
    code = models.SlugField(_("Reason"), max_length=32)
    note = models.TextField(_("Note"), blank=True)
    placed_at = models.DateTimeField(_("Placed"))
    placed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    placed_by_label = models.CharField(max_length=150, blank=True)
    expires_at = models.DateTimeField(_("Ends by itself"), null=True, blank=True)
    released_at = models.DateTimeField(_("Released"), null=True, blank=True)
    released_by_label = models.CharField(max_length=150, blank=True)
    release_note = models.TextField(_("Why released"), blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["pk"]
        verbose_name = _("Hold")
        verbose_name_plural = _("Holds")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["fulfillment", "code"],
                condition=models.Q(released_at__isnull=True),
                name="fulfillment_one_open_hold",
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                name="fulfillment_hold_ends",
                condition=models.Q(released_at__isnull=True, expires_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        from oscar_fulfillment.services.holds import HOLD_REASONS

        return str(HOLD_REASONS.get(self.code, self.code))
