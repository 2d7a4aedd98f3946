"""The one door for notifications. Verify, store, answer: nothing else happens in the request.

A source that is not ours, a body above ``WEBHOOK_MAX_BYTES`` or what proves nothing is refused and leaves
no row. A repetition is answered like the first. Everything that costs time is done by the workers (``core.inbox``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from oscar_fulfillment.carriers import carriers as shop_carriers
from oscar_fulfillment.conf import settings
from oscar_fulfillment.connectors import connectors as shop_connectors
from oscar_fulfillment.core import inbox
from oscar_fulfillment.core.exceptions import AdapterRejected, WebhookVerificationFailed
from oscar_fulfillment.gateways import gateways
from oscar_fulfillment.selectors.messages import QUERY

from . import carriers, connectors, payments

logger = logging.getLogger("oscar_fulfillment.webhooks")

#: family of sources -> how a notification of it is verified and named: (name, request) -> external id.
FAMILIES: dict[str, Callable[[str, HttpRequest], str]] = {
    payments.FAMILY: payments.verify,
    carriers.FAMILY: carriers.verify,
    connectors.FAMILY: connectors.verify,
}

#: family of sources -> who belongs to it.
REGISTRIES: dict[str, Container[str]] = {
    payments.FAMILY: gateways,
    carriers.FAMILY: shop_carriers,
    connectors.FAMILY: shop_connectors,
}


@method_decorator(csrf_exempt, name="dispatch")
class InboundView(View):
    """POST ``webhooks/<family>/<name>/``: 200 when it is stored (or was before), 4xx when it is not ours."""

    http_method_names = ["get", "head", "post", "options"]

    def get(self, request: HttpRequest, family: str, name: str) -> HttpResponse:
        """Some vendors look whether the address is there before they take it."""
        if name not in REGISTRIES.get(family, ()):
            raise Http404
        return HttpResponse("ready", content_type="text/plain")

    def post(self, request: HttpRequest, family: str, name: str) -> HttpResponse:
        if family not in FAMILIES:
            raise Http404
        length = str(request.headers.get("Content-Length") or "0")
        if not (length.isascii() and length.isdigit()):
            return HttpResponse(status=400)
        if int(length[:20]) > settings.WEBHOOK_MAX_BYTES:
            return HttpResponse(status=413)
        try:
            body = request.body
        except RequestDataTooBig:
            return HttpResponse(status=413)
        except UnreadablePostError:
            return HttpResponse(status=400)  # cut on its way: it is sent again
        if len(body) > settings.WEBHOOK_MAX_BYTES:
            return HttpResponse(status=413)
        try:
            external_id = FAMILIES[family](name, request)
        except WebhookVerificationFailed as error:
            logger.warning("webhook %s/%s refused: %s", family, name, error)
            return HttpResponse(status=401)
        except AdapterRejected as error:
            logger.warning("webhook %s/%s cannot be read: %s", family, name, error)
            return HttpResponse(status=400)
        _row, is_new = inbox.receive(f"{family}:{name}", external_id, kept_headers(request), body)
        return HttpResponse("stored" if is_new else "known", content_type="text/plain")


def kept_headers(request: Any) -> dict[str, str]:
    """The headers, and beside them the query, which some vendors sign."""
    return {**lower_headers(request), QUERY: request.META.get("QUERY_STRING", "")}


def lower_headers(request: Any) -> dict[str, str]:
    """Header names in lower case, as the adapters read them, with the address of the sender."""
    found = {name.lower(): value for name, value in request.headers.items()}
    # A sender cannot claim another address: what it sends under this name is overwritten.
    found["x-fulfillment-remote-addr"] = request.META.get("REMOTE_ADDR", "")
    found.pop(QUERY, None)
    return found
