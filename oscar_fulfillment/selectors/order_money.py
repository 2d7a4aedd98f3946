"""The money of one order as its page shows it: payments at providers, the ledger, the clock, what is too much."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db.models import Prefetch
from django.utils import timezone

from oscar_fulfillment.gateways import gateways
from oscar_fulfillment.gateways.base import Capability, PaymentState
from oscar_fulfillment.models import (
    CreditNote,
    FollowUp,
    OrderFulfillment,
    PaymentOperation,
    PaymentTerms,
    ProviderPayment,
)

ZERO = Decimal(0)
#: Hours before its end in which a hold counts as ending, where its method does not say.
HOLD_WARNING_HOURS = 48


def can(payment: ProviderPayment, capability: Capability) -> bool:
    """Whether the payment's provider is configured and can do this with the payment's method."""
    return payment.provider in gateways and capability in gateways.get(payment.provider).capabilities(payment.method)


def too_much(fulfillment: OrderFulfillment, total: Decimal, net: Decimal, credited: Decimal) -> Decimal:
    """What the shop has (``net``) and the order does not need (``total``: what is to be paid), credit notes taken off.
    An order that is off needs none.

    Never below zero.
    """
    return max(net - (ZERO if is_off(fulfillment) else total) - credited, ZERO)


def is_off(fulfillment: OrderFulfillment) -> bool:
    """Whether the order needs no money: it was cancelled, or all of its money went back."""
    return (
        "cancelled" in (fulfillment.shipping_status, fulfillment.payment_status)
        or fulfillment.payment_status == "refunded"
    )


def stuck_at_providers(payments: Iterable[ProviderPayment]) -> Decimal:
    """What came in at providers that pay nothing back by themselves (a boleto): a person does."""
    return sum((each.refundable for each in payments if not can(each, Capability.REFUND)), ZERO)


class OrderMoney:
    """Reads each part once, when it is asked for; the payments with their operations in two queries."""

    def __init__(self, order: Any, sources: Iterable[dict[str, Any]], given_up: Decimal = ZERO):
        """``sources``: Oscar's, as :attr:`OrderPage.payment_sources` has them. ``given_up``: the price of goods that
        are not sent at all, see ``selectors.given_up``."""
        self.order = order
        self.fulfillment: OrderFulfillment = order.fulfillment
        self.currency: str = order.currency
        self.total: Decimal = order.total_incl_tax
        self.given_up = given_up
        #: What is to be paid.
        self.needed: Decimal = max(self.total - given_up, ZERO)
        self.sources = list(sources)

    @cached_property
    def payments(self) -> list[ProviderPayment]:
        """Attempts at providers: those that hold or brought money first, then the newest."""
        found = self.fulfillment.provider_payments.all()
        return sorted(found, key=lambda each: (not (each.held or each.refundable), -each.pk))

    @property
    def earlier_count(self) -> int:
        return max(len(self.payments) - 1, 0)

    @property
    def held_payments(self) -> list[ProviderPayment]:
        return [each for each in self.payments if each.held > 0]

    @property
    def voidable(self) -> list[ProviderPayment]:
        """Holds to give back, and payments that nobody has paid yet to close."""
        states = (PaymentState.AUTHORIZED, PaymentState.PENDING)
        return [each for each in self.payments if each.state in states and can(each, Capability.VOID)]

    @property
    def refundable_payments(self) -> list[ProviderPayment]:
        """Those whose provider can give something back."""
        return [each for each in self.payments if each.refundable > 0 and can(each, Capability.REFUND)]

    @property
    def pending(self) -> list[PaymentOperation]:
        """What a provider was asked for and did not answer yet."""
        found = [operation for each in self.payments for operation in each.operations.all()]
        return [operation for operation in found if operation.status == PaymentOperation.REQUESTED]

    def _sum(self, column: str, sources: Iterable[dict[str, Any]] | None = None) -> Decimal:
        return sum((s[f"amount_{column}"] for s in (self.sources if sources is None else sources)), ZERO)

    @property
    def received(self) -> Decimal:
        return self._sum("debited")

    @property
    def refunded(self) -> Decimal:
        return self._sum("refunded")

    @property
    def net(self) -> Decimal:
        """What the shop has."""
        return self.received - self.refunded

    @property
    def held(self) -> Decimal:
        return max(self._sum("allocated") - self.received, ZERO)

    @property
    def is_off(self) -> bool:
        return is_off(self.fulfillment)

    @property
    def is_waiting(self) -> bool:
        """Whether money is still to come."""
        return self.fulfillment.is_payable() and not self.is_off

    @property
    def outstanding(self) -> Decimal:
        """What is missing, held or not; zero for an order that is off, or was approved before there was a ledger."""
        return max(self.needed - self.net, ZERO) if self.is_waiting else ZERO

    @property
    def missing(self) -> Decimal:
        """What is neither in nor held."""
        return max(self.outstanding - self.held, ZERO)

    @property
    def excess(self) -> Decimal:
        """See :func:`too_much`."""
        credited = sum((note.amount for note in self.credit_notes), ZERO)
        return too_much(self.fulfillment, self.needed, self.net, credited)

    @property
    def to_capture(self) -> Decimal:
        """What a capture takes unless it is told otherwise: what the order lacks, as far as it is held."""
        held = sum((each.held for each in self.held_payments), ZERO)
        return max(min(self.needed - self.net, held), ZERO)

    @property
    def refundable_by_hand(self) -> Decimal:
        """What came in outside the providers, or at ones that pay nothing back, and was not paid back."""
        if not self.sources:
            paid = self.fulfillment.payment_status in ("paid", "partially_refunded")
            return self.total if paid else ZERO  # approved before there was a ledger
        provided = {each.source_id for each in self.payments}
        outside = [source for source in self.sources if source["pk"] not in provided]
        left = self._sum("debited", outside) - self._sum("refunded", outside)
        return max(left + stuck_at_providers(self.payments), ZERO)

    @property
    def refundable(self) -> Decimal:
        """The most that can go back, by all ways together."""
        return sum((each.refundable for each in self.refundable_payments), self.refundable_by_hand)

    @cached_property
    def terms(self) -> PaymentTerms | None:
        """The clock of the unpaid order."""
        try:
            return self.fulfillment.terms
        except PaymentTerms.DoesNotExist:
            return None

    @cached_property
    def credit_notes(self) -> list[CreditNote]:
        # Most orders have none, and the query that finds an order says so.
        if not getattr(self.order, "has_credit_notes", True):
            return []
        return list(self.fulfillment.credit_notes.order_by("pk"))

    @cached_property
    def followups(self) -> list[FollowUp]:
        """What a person has to do for this order, the most urgent first."""
        rows = self.fulfillment.follow_ups.filter(closed_at=None).select_related("assignee")
        return list(rows.order_by("due_at", "pk"))

    def payment_of(self, operation_id: int) -> ProviderPayment | None:
        """The payment an operation was about."""
        return next((p for p in self.payments if any(o.pk == operation_id for o in p.operations.all())), None)


def prefetches() -> list[Any]:
    """For a fulfillment row: its payments with their operations, which the guards of the steps look at too."""
    operations = PaymentOperation._default_manager.order_by("pk")
    payments = ProviderPayment._default_manager.select_related("payment_method")
    return [Prefetch("provider_payments", queryset=payments.prefetch_related(Prefetch("operations", operations)))]


def hold_is_ending(payment: ProviderPayment, now: datetime | None = None) -> bool:
    """Whether the end of a hold is nearer than its method's warning."""
    if payment.hold_expires_at is None:
        return False
    left = payment.hold_expires_at - (now or timezone.now())
    return left.total_seconds() < warning_hours(payment) * 3600


def warning_hours(payment: ProviderPayment) -> int:
    """How many hours before its end a hold counts as ending."""
    method = payment.payment_method
    return method.hold_warning_hours if method is not None else HOLD_WARNING_HOURS
