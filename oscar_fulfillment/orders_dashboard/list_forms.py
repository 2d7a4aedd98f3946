"""The filters of the order list: what a URL may say, read once, for page, export, bulk steps and saved views."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_model

from oscar_fulfillment.selectors import orders as order_selectors
from oscar_fulfillment.selectors.queues import ALL, Queue
from oscar_fulfillment.selectors.scans import Alternatives, Cursor, CursorError
from oscar_fulfillment.selectors.search import MAX_QUERY, Hits, name, search, sku

#: Keys that say where in the list one is, not what it holds.
PLACE_KEYS = frozenset({"after", "before", "last", "view", "response_format"})
NEWEST, OLDEST = "newest", "oldest"
_DAMAGED = _("This link to a page of the list is damaged. Start at the first page.")
_DAYS = [MinValueValidator(datetime.date(1970, 1, 2)), MaxValueValidator(datetime.date(9998, 12, 31))]


class _Shared(dict[str, forms.Field]):
    """Fields that all forms of the process share: nothing in them depends on the request. Django copies each of them
    for each form, which takes longer than reading the query string.
    """

    def __deepcopy__(self, memo: Any) -> _Shared:
        return _Shared(self)


@lru_cache(maxsize=64)
def _choice(declared: forms.Field, choices: tuple[tuple[str, Any], ...]) -> forms.Field:
    """The declared field with these choices, the same for all forms too."""
    field = deepcopy(declared)
    field.choices = list(choices)  # type: ignore[attr-defined]
    return field


class FilterForm(forms.Form):
    """``?queue=...&q=...&payment=...``: reads the URL. Unknown values are errors, unknown keys are ignored."""

    queue = forms.CharField(required=False, max_length=64)
    q = forms.CharField(required=False, max_length=MAX_QUERY, label=_("Search"))
    payment = forms.MultipleChoiceField(required=False, label=_("Payment status"))
    shipping = forms.MultipleChoiceField(required=False, label=_("Shipping status"))
    method = forms.MultipleChoiceField(required=False, label=_("Payment method"))
    flow = forms.MultipleChoiceField(required=False, label=_("Flow"))
    currency = forms.RegexField(r"^[A-Za-z]{3,12}$", required=False, max_length=12, label=_("Currency"))
    hold = forms.ChoiceField(required=False, choices=[("", ""), ("1", _("On hold")), ("0", _("Not on hold"))])
    backorder = forms.ChoiceField(required=False, choices=[("", ""), ("1", _("Waits for goods"))])
    date_from = forms.DateField(required=False, label=_("Placed from"), validators=_DAYS)
    date_to = forms.DateField(required=False, label=_("Placed until"), validators=_DAYS)
    sort = forms.ChoiceField(
        required=False, choices=[("", ""), (NEWEST, _("Newest first")), (OLDEST, _("Oldest first"))]
    )
    # Places in the list.
    after = forms.CharField(required=False, max_length=64)
    before = forms.CharField(required=False, max_length=64)
    last = forms.ChoiceField(required=False, choices=[("", ""), ("1", "1")])
    # Oscar's own filters.
    order_number = forms.CharField(required=False, max_length=128, label=_("Order number"))
    name = forms.CharField(required=False, max_length=MAX_QUERY, label=_("Customer name"))
    product_title = forms.CharField(required=False, max_length=MAX_QUERY, label=_("Product name"))
    upc = forms.CharField(required=False, max_length=64, label=_("UPC"))
    partner_sku = forms.CharField(required=False, max_length=128, label=_("SKU"))
    voucher = forms.CharField(required=False, max_length=128, label=_("Voucher code"))
    payment_method = forms.CharField(required=False, max_length=128, label=_("Payment source"))
    status = forms.CharField(required=False, max_length=100, label=_("Order status"))

    #: Filters that Oscar's list has too, in Oscar's words.
    OSCAR_FILTERS = (
        "order_number", "name", "product_title", "upc", "partner_sku", "voucher", "payment_method", "status",
    )  # fmt: skip

    def __init__(
        self,
        data: Any,
        *,
        queues: Mapping[str, Queue],
        methods: Sequence[order_selectors.Method],
        hits: Hits | None = None,
    ):
        super().__init__(data)
        self.queues = queues
        self.hits = hits or Hits()
        self.methods = {method.code: method for method in methods}
        offered = {
            "payment": order_selectors.status_choices("payment"),
            "shipping": order_selectors.status_choices("shipping"),
            "method": tuple((method.code, method.name) for method in methods),
            "flow": order_selectors.flow_choices(),
        }
        self.fields |= {key: _choice(self.fields[key], choices) for key, choices in offered.items()}

    def clean_queue(self) -> str:
        value = self.cleaned_data["queue"] or ALL
        if value not in self.queues:
            raise forms.ValidationError(_("There is no queue “%(name)s”.") % {"name": value[:64]})
        return value

    def clean_currency(self) -> str:
        return self.cleaned_data["currency"].upper()

    def clean_after(self) -> Cursor | None:
        return self._cursor("after")

    def clean_before(self) -> Cursor | None:
        return self._cursor("before")

    def _cursor(self, key: str) -> Cursor | None:
        text = self.cleaned_data[key]
        if not text:
            return None
        try:
            return Cursor.parse(text)
        except CursorError:
            raise forms.ValidationError(_DAMAGED) from None

    def clean_payment_method(self) -> str:
        code = self.cleaned_data["payment_method"]
        if code and not get_model("payment", "SourceType")._default_manager.filter(code=code).exists():
            raise forms.ValidationError(_("There is no payment source of this name."))
        return code

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        first, last = data.get("date_from"), data.get("date_to")
        if first and last and last < first:
            self.add_error("date_to", _("The last day is before the first."))
        if len([key for key in ("after", "before", "last") if data.get(key)]) > 1:
            self.add_error("after", _DAMAGED)
        return data

    # What it asks for. Call after is_valid().

    @property
    def queue_name(self) -> str:
        return self.cleaned_data.get("queue") or ALL

    @property
    def newest_first(self) -> bool:
        return self.cleaned_data.get("sort") != OLDEST

    @property
    def overlaps(self) -> bool:
        """Whether one order may be found by several alternatives."""
        return bool(self.cleaned_data.get("q") or self.cleaned_data.get("name"))

    def conditions(self) -> list[Alternatives]:
        """The list as conditions for :func:`selectors.scans.walks`."""
        data = self.cleaned_data
        asked: list[Alternatives] = [self.queues[self.queue_name].alternatives, search(data["q"], self.hits)]
        if data["payment"]:
            asked.append([Q(payment_status=value) for value in data["payment"]])
        if data["shipping"]:
            asked.append([Q(shipping_status=value) for value in data["shipping"]])
        if data["method"]:
            ids = [self.methods[code].pk for code in data["method"]]
            # The index goes on with the payment status: one walk for each where none was asked for.
            asked.append([Q(payment_method=pk) for pk in ids])
            if not data["payment"]:
                asked.append([Q(payment_status=value) for value, _label in self.fields["payment"].choices])  # type: ignore[attr-defined]
        if data["flow"]:
            asked.append([Q(flow=value) for value in data["flow"]])
            if not data["shipping"]:
                asked.append([Q(shipping_status=value) for value, _label in self.fields["shipping"].choices])  # type: ignore[attr-defined]
        plain = Q()
        if data["currency"]:
            plain &= Q(currency=data["currency"])
        if data["hold"]:
            plain &= Q(hold_count__gt=0) if data["hold"] == "1" else Q(hold_count=0)
        if data["backorder"]:
            plain &= Q(has_backorder=True)
        if data["date_from"]:
            plain &= Q(placed_at__gte=_midnight(data["date_from"]))
        if data["date_to"]:
            plain &= Q(placed_at__lt=_midnight(data["date_to"] + datetime.timedelta(days=1)))
        return [*asked, [plain], *self._oscar_conditions()]

    def _oscar_conditions(self) -> Iterator[Alternatives]:
        data = self.cleaned_data
        Order, Line = get_model("order", "Order"), get_model("order", "Line")
        if data["order_number"]:
            yield [Q(number__startswith=text) for text in {data["order_number"], data["order_number"].upper()}]
        if data["name"]:
            yield name(data["name"], self.hits)
        if data["partner_sku"]:
            yield sku(data["partner_sku"], self.hits)
        if data["upc"]:
            yield [Q(pk__in=Line._default_manager.filter(upc=data["upc"]).values("order_id"))]
        if data["product_title"]:
            lines = Line._default_manager.filter(title__istartswith=data["product_title"])
            yield [Q(pk__in=lines.values("order_id"))]
        if data["voucher"]:
            yield [Q(pk__in=Order._default_manager.filter(discounts__voucher_code=data["voucher"]).values("pk"))]
        if data["payment_method"]:
            found = Order._default_manager.filter(sources__source_type__code=data["payment_method"])
            yield [Q(pk__in=found.values("pk"))]
        if data["status"]:
            yield [Q(order__status=data["status"])]

    # How it reads in a URL and on the page.

    def pairs(self) -> list[tuple[str, str]]:
        """What is asked for as (key, value) pairs, without the place in the list: for links and saved views."""
        return self._pairs

    @cached_property
    def _pairs(self) -> list[tuple[str, str]]:
        found = []
        for key in self.fields:
            if key in PLACE_KEYS or self._default(key):
                continue
            value = self.cleaned_data.get(key)
            for one in value if isinstance(value, list) else [value]:
                if one:
                    found.append((key, one.isoformat() if isinstance(one, datetime.date) else str(one)))
        return found

    def _default(self, key: str) -> bool:
        """Whether a key that is left out means what is asked for."""
        return self.newest_first if key == "sort" else key == "queue" and self.queue_name == ALL

    def query(self, **changes: Any) -> str:
        """The filters as a query string; ``changes`` replace or (None) leave out keys."""
        kept = [(key, value) for key, value in self.pairs() if key not in changes]
        return urlencode(kept + [(key, str(value)) for key, value in changes.items() if value is not None])

    def chips(self, describe: Any) -> list[dict[str, str]]:
        """Each filter in words, with the query string of the list without it. ``describe(key)``: Oscar's words."""
        found = []
        for key, value in self.pairs():
            if key in ("queue", "sort", "date_to") and not (key == "date_to" and not self.cleaned_data["date_from"]):
                continue
            dropped = {("date_from", None), ("date_to", None)} if key in ("date_from", "date_to") else {(key, value)}
            rest = [p for p in self.pairs() if p not in dropped and (p[0], None) not in dropped]
            found.append({"key": key, "label": self._chip_label(key, value, describe), "without": urlencode(rest)})
        return found

    def _chip_label(self, key: str, value: str, describe: Any) -> str:
        if key == "hold":
            return str(dict(self.fields["hold"].choices)[value])  # type: ignore[attr-defined]
        if key == "backorder":
            return str(_("Waits for goods"))
        if key in ("payment", "shipping", "method", "flow"):
            value = str(dict(self.fields[key].choices)[value])  # type: ignore[attr-defined]
        elif key in self.OSCAR_FILTERS or key.startswith("date_"):
            return describe(key)
        return f"{self.fields[key].label}: {value}"


FilterForm.base_fields = _Shared(FilterForm.base_fields)


def _midnight(day: datetime.date) -> datetime.datetime:
    return timezone.make_aware(datetime.datetime.combine(day, datetime.time.min))
