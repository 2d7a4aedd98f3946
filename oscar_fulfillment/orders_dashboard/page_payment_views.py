"""Ask a provider how a payment stands, while a person waits for the answer."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import AdapterRejected, FulfillmentError
from oscar_fulfillment.models import PaymentOperation, ProviderPayment
from oscar_fulfillment.services import operation_runs, provider_payments

from .money_words import money, payment_name, provider_name, state_label
from .page_forms_payment import outcome
from .page_reading import OrderView, demand, order_or_404

logger = logging.getLogger("oscar_fulfillment.payments")

#: So many payments of one order are asked for at once, the newest first.
MOST = 5


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class CheckPaymentView(OrderView):
    """POST: ask about one payment of the order, or about all. What was asked for and is pending is tried again."""

    http_method_names = ["post", "options"]

    def post(self, request: Any, number: str, payment: int | None = None) -> HttpResponse:
        order = order_or_404(request.user, number)
        demand(request.user, "check_payment")
        rows = ProviderPayment._default_manager.filter(fulfillment=order.pk).select_related("payment_method")
        if payment is not None:
            rows = rows.filter(pk=min(payment, 2**63 - 1))
            if not rows:
                raise Http404
        found = list(rows.order_by("-pk")[:MOST])
        for row in found:
            level, text = ask(row)
            messages.add_message(request, level, text)
        if not found:
            messages.info(request, _("No provider was asked for money for this order."))
        return self.back("payment")


def ask(payment: ProviderPayment) -> tuple[int, str]:
    """Ask now; what to tell the person who waits: (level, text). Nothing is raised."""
    names = {"provider": provider_name(payment.provider), "payment": payment_name(payment)}
    pending = payment.operations.filter(status=PaymentOperation.REQUESTED).first()
    try:
        if pending is not None:
            return outcome(operation_runs.run_operation(pending.pk), money(pending.amount, payment.currency))
        payment = provider_payments.refresh_payment(payment=payment)
    except AdapterRejected as error:
        said = _("%(provider)s does not answer this: %(words)s")
        return messages.ERROR, said % {**names, "words": str(error)[:300]}
    except FulfillmentError as error:
        logger.info("payment %s: %s", payment.reference, error)
        said = _("%(provider)s cannot be reached now. It is asked again by itself.")
        return messages.WARNING, said % names
    except Exception:
        logger.exception("payment %s could not be asked for", payment.reference)
        return messages.ERROR, _("%(provider)s gave an answer that could not be read. It is in the log.") % names
    return messages.INFO, _("%(payment)s: %(state)s.") % {**names, "state": state_label(payment.state)}
