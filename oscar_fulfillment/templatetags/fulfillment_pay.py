"""Tags of the buyer's payment page."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe

from oscar_fulfillment.selectors import paying as selector
from oscar_fulfillment.selectors import payment_links as links

register = template.Library()


@register.simple_tag
def payment_path(order: Any) -> str:
    """``{% payment_path order as url %}``: where the buyer pays, "" for an order that is not paid online any more."""
    return links.payment_path(order) if selector.paying(order).can_pay else ""


@register.filter
def qr_code(text: str) -> SafeString | str:
    """A code to scan, as SVG; nothing without the package ``segno`` (extra "documents")."""
    try:
        import segno
    except ImportError:
        return ""
    # No micro codes, which phones do not read. Our own drawing: nothing of the text gets into the markup.
    return mark_safe(segno.make(text, error="m", micro=False).svg_inline(scale=4, border=2, omitsize=True))  # noqa: S308
