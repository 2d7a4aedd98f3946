"""From a request to a list of orders: shared by the page, the export and the bulk actions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict

from oscar_fulfillment.models import OrderFulfillment
from oscar_fulfillment.selectors.orders import Offer, fulfillments_for_user, read_offer
from oscar_fulfillment.selectors.queues import Queue, build_queues
from oscar_fulfillment.selectors.scans import walks

from .list_forms import FilterForm


class OrderList:
    """The list that a query string asks for, as this user sees it. Nothing is read before it is needed."""

    def __init__(self, user: Any, params: QueryDict, *, jump: bool = False):
        self.user = user
        self.params = params
        self._jump = jump

    @classmethod
    def of(cls, request: HttpRequest, **options: Any) -> OrderList:
        return cls(request.user, request.GET, **options)

    @cached_property
    def offer(self) -> Offer:
        typed = {text for key in ("q", "name", "partner_sku") if (text := self.params.get(key, ""))}
        number = (self.params.get("order_number") or self.params.get("q") or "") if self._jump else ""
        return read_offer(self.user, sorted(typed), number=number)

    @cached_property
    def queues(self) -> Mapping[str, Queue]:
        return build_queues(self.offer.manual_methods)

    @cached_property
    def form(self) -> FilterForm:
        return FilterForm(self.params, queues=self.queues, methods=self.offer.methods, hits=self.offer.hits)

    @cached_property
    def base(self) -> QuerySet[OrderFulfillment]:
        """Everything this person may see."""
        return fulfillments_for_user(self.user)

    @cached_property
    def queries(self) -> list[QuerySet[OrderFulfillment]]:
        """The walks of the list; the form must be valid."""
        return walks(self.base, self.form.conditions())

    @property
    def errors(self) -> list[str]:
        """What is wrong with the query string, in words."""
        found = []
        for key, messages in self.form.errors.items():
            label = self.form.fields[key].label if key in self.form.fields else ""
            found += [f"{label}: {message}" if label else str(message) for message in messages]
        return found
