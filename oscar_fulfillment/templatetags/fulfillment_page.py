"""Template tags of the order page: sentences from ``orders_dashboard.page_words``, nothing that reads the database."""

from __future__ import annotations

from typing import Any

from django import template

from oscar_fulfillment.fiscal.taxids import KINDS, format_tax_id
from oscar_fulfillment.orders_dashboard import money_words, nfe_words, page_words, tracking_words
from oscar_fulfillment.selectors.order_money import hold_is_ending, warning_hours

register = template.Library()

register.filter("ago", page_words.ago)
register.filter("who", page_words.who)
register.filter("message_label", page_words.message_label)
register.filter("problem_label", page_words.problem_label)


register.filter("tracking_tone", tracking_words.tone)
register.filter("incident_label", tracking_words.incident)
register.filter("left", money_words.left)
register.filter("payment_name", money_words.payment_name)
register.filter("source_name", money_words.provider_name)
register.filter("state_label", money_words.state_label)
register.filter("state_tone", money_words.state_tone)
register.filter("hold_is_ending", hold_is_ending)
register.filter("warning_hours", warning_hours)


@register.filter
def note_files(invoice: Any) -> list[dict[str, Any]]:
    """The files that are filed with a document, as the page shows them; they were read with it."""
    return [nfe_words.present(file) for file in invoice.nfe_files.all()]


@register.filter
def operation_label(operation: Any) -> Any:
    """What a provider was asked for."""
    return money_words.OPERATIONS.get(operation.kind, operation.kind)


@register.filter
def operation_status(operation: Any) -> Any:
    """(label, tone) of what a provider was asked for."""
    return money_words.OPERATION_STATUS.get(operation.status, (operation.status, "secondary"))


@register.filter
def transaction_label(name: str) -> Any:
    """A row of Oscar's ledger."""
    return money_words.TRANSACTIONS.get(name, name)


@register.filter
def message_status(message: Any) -> Any:
    """(label, tone) of an outgoing message."""
    return page_words.MESSAGE_STATUS.get(message.status, (message.status, "secondary"))


@register.filter
def shipment_tone(status: str) -> str:
    return page_words.SHIPMENT_TONES.get(status, "secondary")


@register.filter
def documents_of(documents: dict[str, Any], shipment: Any) -> list[dict[str, Any]]:
    """The documents of one shipment, see ``page_documents``; none where the order has only that one."""
    return documents["shipments"].get(shipment.pk, []) if documents else []


@register.filter
def return_tone(status: str) -> str:
    return page_words.RETURN_TONES.get(status, "secondary")


@register.filter
def tax_id(fulfillment: Any) -> str:
    """The buyer's tax number as people of that country write it."""
    return format_tax_id(fulfillment.tax_id_kind, fulfillment.tax_id)


@register.filter
def tax_id_label(fulfillment: Any) -> Any:
    kind = KINDS.get(fulfillment.tax_id_kind)
    return kind.label if kind else fulfillment.tax_id_kind.upper()


@register.simple_tag
def history_facts(change: Any, page: Any) -> list[tuple[str, str]]:
    """What a history row holds beside the statuses: (name, value)."""
    if not hasattr(page, "_history_names"):
        page._history_names = (
            {str(line.pk): line.title for line in page.order.lines.all()},
            {s.pk: s.number for s in page.fulfillment.shipments.all()},
        )
    return page_words.facts(change, *page._history_names)
