"""Documents as PDF: an engine behind a protocol, and one module per document.

A document is plain data and a template's name; :func:`render` gives both to the engine of the setting DOCUMENTS.
Nothing here reads a model: the builders are in ``services.documents``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from oscar_fulfillment.core.registry import Registry

from .renderer import DocumentError, Renderer

__all__ = ["DocumentError", "Renderer", "render", "renderers"]

#: The engines, by alias; "default" makes every document.
renderers = Registry("DOCUMENTS")


def render(template: str, data: Mapping[str, Any], *, created: date | None = None) -> bytes:
    """The PDF of a template and its data, see :meth:`Renderer.render`.

    Raises :class:`~oscar_fulfillment.core.exceptions.ConfigurationError` where the engine is not installed or the
    template is broken.
    """
    engine: Renderer = renderers.get("default")
    return engine.render(template, data, created=created)
