"""Template tags of the order list."""

from __future__ import annotations

from threading import Lock
from typing import Any

from django import template
from django.core.signals import setting_changed
from django.template.base import FilterExpression, NodeList, Parser, Token
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from oscar_fulfillment.orders_dashboard import list_rows

register = template.Library()

#: So many pieces of pages are kept; the oldest goes first.
MAX_KEPT = 512
_writing = Lock()

register.simple_tag(list_rows.rows_html, name="order_rows")


class KeptNode(template.Node):
    """See :func:`kept`."""

    pieces: dict[tuple[Any, ...], SafeString] = {}

    def __init__(self, nodelist: NodeList, keys: list[FilterExpression]):
        self.nodelist = nodelist
        self.keys = keys

    def render(self, context: template.Context) -> SafeString:
        # The node is compiled once per process, and stands for the text between the tags.
        key = (self, get_language(), *(expression.resolve(context) for expression in self.keys))
        piece = self.pieces.get(key)
        if piece is None:
            piece = mark_safe(self.nodelist.render(context))  # noqa: S308 - was rendered
            with _writing:
                if len(self.pieces) >= MAX_KEPT:
                    self.pieces.pop(next(iter(self.pieces)))
                self.pieces[key] = piece
        return piece


@register.tag
def kept(parser: Parser, token: Token) -> KeptNode:
    """``{% kept a b %} ... {% endkept %}``: rendered once per process, language and values of ``a`` and ``b``.

    For what is long and the same for many requests. The keys must name everything that the text between the tags shows
    or asks beyond settings, and be hashable; nothing of one person (a CSRF token, a name) may be in it.
    """
    keys = [parser.compile_filter(word) for word in token.split_contents()[1:]]
    nodelist = parser.parse(("endkept",))
    parser.delete_first_token()
    return KeptNode(nodelist, keys)


def _forget(**kwargs: Any) -> None:
    KeptNode.pieces.clear()


setting_changed.connect(_forget)
