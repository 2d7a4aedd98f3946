"""The movements of a statement: proposals, confirming one or many, looking for another order, setting aside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from oscar.templatetags.currency_filters import currency as in_currency

from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput
from oscar_fulfillment.models import BankEntry, BankStatement, OrderFulfillment
from oscar_fulfillment.selectors import bank_matching
from oscar_fulfillment.selectors.bank_matching import Matches, Proposal
from oscar_fulfillment.services import bank
from oscar_fulfillment.statements.base import mask_account

from .money_pages import MoneyView, chosen, find_orders, flat, page_of

TABS: dict[str, tuple[Any, str]] = {
    "open": (gettext_lazy("To look at"), BankEntry.NEW),
    "booked": (gettext_lazy("Booked"), BankEntry.MATCHED),
    "aside": (gettext_lazy("Set aside"), BankEntry.IGNORED),
}
WHY: dict[str, Any] = {
    bank_matching.REFERENCE: gettext_lazy("Payment reference"),
    bank_matching.NUMBER: gettext_lazy("Order number in the text"),
    bank_matching.NAME: gettext_lazy("Payer and sum"),
    bank_matching.SUM: gettext_lazy("Only the sum"),
    bank_matching.SEARCH: "",
}
#: Movements that the review looks through in one request, and how many at once.
_LOOKED_AT, _CHUNK = 2000, 200


class StatementView(MoneyView):
    """The movements of one statement, those that wait for a person first."""

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        statement = get_object_or_404(BankStatement, pk=pk)
        counts = dict(statement.entries.order_by().values_list("state").annotate(rows=Count("pk")))
        context = {
            "statement": statement,
            "account": mask_account(statement.account),
            "exact_url": reverse("dashboard:order-statement-exact", kwargs={"pk": pk}),
        }
        return show_entries(request, statement.entries.all(), counts, context)


class OpenEntriesView(MoneyView):
    """What waits for a person, over all statements."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        rows = BankEntry._default_manager.filter(state=BankEntry.NEW)
        context = {"statement": None, "exact_url": reverse("dashboard:order-entries-exact")}
        return show_entries(request, rows, {BankEntry.NEW: rows.count()}, context)


def show_entries(request: HttpRequest, rows: Any, counts: dict[str, int], context: dict[str, Any]) -> HttpResponse:
    state = chosen(request, TABS, "open")
    listed = rows.filter(state=TABS[state][1]).select_related("fulfillment", "decided_by").order_by("pk")
    page = page_of(request, listed)
    found = bank_matching.find_matches(list(page), most=1) if state == "open" else {}
    context |= {
        "page_obj": page,
        "state": state,
        "tabs": [
            {"name": name, "label": label, "count": counts.get(kept, 0)}
            for name, (label, kept) in TABS.items()
            if name == "open" or context["statement"]
        ],
        "rows": [present(entry, found.get(entry.pk, Matches())) for entry in page],
        "here": request.get_full_path(),
        "tab": "bank",
    }
    return TemplateResponse(request, "oscar_fulfillment/money/entries.html", context)


def present(entry: BankEntry, matches: Matches) -> dict[str, Any]:
    """A movement as the pages show it."""
    return {
        "entry": entry,
        "why": bank.WHY.get(entry.why, ""),
        "best": present_proposal(matches.best) if matches.best else None,
        "twin": matches.twin,
    }


def present_proposal(proposal: Proposal) -> dict[str, Any]:
    """A proposal in words: the order, how it was found, what would be missing or too much."""
    row, difference = proposal.order, proposal.difference
    told = {"sum": in_currency(abs(difference), row.currency)}
    if proposal.is_late:
        words, tone = _("The order is cancelled: a follow-up will ask what to do"), "warning"
    elif difference == 0:
        words, tone = _("Exact sum"), "success"
    elif proposal.outstanding <= 0:
        words, tone = _("The order is paid: %(sum)s over") % told, "warning"
    elif difference > 0:
        words, tone = _("%(sum)s over") % told, "warning"
    else:
        words, tone = _("%(sum)s short") % told, "warning"
    return {
        "order": row,
        "why": WHY[proposal.why],
        "name_fits": proposal.name_fits,
        "difference": words,
        "tone": tone,
        "is_exact": proposal.is_exact,
        "outstanding": in_currency(max(proposal.outstanding, 0), row.currency),
    }


class EntryView(MoneyView):
    """One movement with all its proposals, and a search for any other order."""

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.show(request, entry_or_404(pk))

    def show(self, request: HttpRequest, entry: BankEntry, *, status: int = 200, errors: Any = ()) -> HttpResponse:
        typed = request.GET.get("q", "").strip()[:200]
        matches = bank_matching.find_matches([entry], most=8)[entry.pk] if entry.is_open else Matches()
        results = bank_matching.propose(entry, find_orders(typed)) if typed and entry.is_open else []
        context = {
            "entry": entry,
            "account": mask_account(entry.account),
            "row": present(entry, matches),
            "proposals": [present_proposal(one) for one in matches.proposals],
            "results": [present_proposal(one) for one in results if one.order.currency == entry.currency],
            "typed": typed,
            "errors": list(errors),
            "can_book": entry.is_open and entry.amount > 0 and not entry.is_reversal,
            "statement_url": reverse("dashboard:order-statement", kwargs={"pk": entry.statement_id}),
            "tab": "bank",
        }
        return TemplateResponse(request, "oscar_fulfillment/money/entry.html", context, status=status)


def entry_or_404(pk: int) -> BankEntry:
    rows = BankEntry._default_manager.select_related("statement", "fulfillment")
    return get_object_or_404(rows, pk=pk)


class _Act(MoneyView):
    """A form of one button that changes a movement."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        entry = entry_or_404(pk)
        try:
            messages.success(request, self.act(entry))
        except InvalidInput as error:
            messages.error(request, " ".join(flat(error)))
        except FulfillmentError as error:
            messages.error(request, str(error))
        return self.back(reverse("dashboard:order-statement", kwargs={"pk": entry.statement_id}))

    def act(self, entry: BankEntry) -> str:
        raise NotImplementedError


class ConfirmEntryView(_Act):
    """Book it for the order that the form names."""

    def act(self, entry: BankEntry) -> str:
        order = self.request.POST.get("order", "")
        rows = OrderFulfillment._default_manager.select_related("order")
        row = rows.filter(pk=int(order)).first() if order.isascii() and order.isdecimal() and len(order) < 19 else None
        if row is None:
            raise Http404
        bank.confirm_entry(entry=entry, order=row.order, actor=self.actor)
        told = {"sum": in_currency(entry.amount, entry.currency), "number": row.number}
        lacks = bank_matching.outstanding(row)
        text = _("%(sum)s booked for order %(number)s.") % told
        if lacks > 0:
            return f"{text} " + _("%(sum)s are still missing.") % {"sum": in_currency(lacks, entry.currency)}
        return text


class IgnoreEntryView(_Act):
    """Set it aside."""

    def act(self, entry: BankEntry) -> str:
        bank.ignore_entry(entry=entry, actor=self.actor, note=self.request.POST.get("note", ""))
        return _("The movement is set aside.")


class ReopenEntryView(_Act):
    """Take it up again."""

    def act(self, entry: BankEntry) -> str:
        bank.reopen_entry(entry=entry, actor=self.actor)
        return _("The movement is open again.")


class ConfirmManyView(MoneyView):
    """Book the chosen movements, each for the order that stood beside it."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        fallback = reverse("dashboard:order-statements")
        try:
            results = bank.confirm_many(pairs=list(_pairs(request.POST.getlist("pair"))), actor=self.actor)
        except InvalidInput as error:
            messages.error(request, " ".join(flat(error)))
            return self.back(fallback)
        failed = [result for result in results if result.error]
        done = len(results) - len(failed)
        if done:
            words = ngettext("%(count)d movement booked.", "%(count)d movements booked.", done)
            messages.success(request, words % {"count": done})
        for result in failed[:10]:
            told = {"number": result.number, "error": result.error}
            messages.error(request, _("Order %(number)s: not booked. %(error)s") % told)
        if len(failed) > 10:
            words = ngettext("%(count)d more was not booked.", "%(count)d more were not booked.", len(failed) - 10)
            messages.error(request, words % {"count": len(failed) - 10})
        return self.back(fallback)


def _pairs(texts: Iterable[str]) -> Iterable[tuple[int, int]]:
    for text in texts:
        entry, _colon, order = text.partition(":")
        if all(part.isascii() and part.isdecimal() and len(part) < 19 for part in (entry, order)):
            yield int(entry), int(order)


class ExactView(MoneyView):
    """All movements about which there is no doubt, to be looked over and confirmed together, 200 at a time."""

    def get(self, request: HttpRequest, pk: int | None = None, *args: Any, **kwargs: Any) -> HttpResponse:
        statement = get_object_or_404(BankStatement, pk=pk) if pk is not None else None
        rows = BankEntry._default_manager.filter(state=BankEntry.NEW, amount__gt=0).order_by("pk")
        if statement is not None:
            rows = rows.filter(statement=statement)
        after = request.GET.get("after", "")
        last = int(after) if after.isascii() and after.isdecimal() and len(after) < 19 else 0
        found: list[dict[str, Any]] = []
        looked_at, more = 0, True
        while more and looked_at < _LOOKED_AT and len(found) < bank.MOST_AT_ONCE:
            chunk = list(rows.filter(pk__gt=last)[:_CHUNK])
            more = len(chunk) == _CHUNK
            looked_at += len(chunk)
            matches = bank_matching.find_matches(chunk, most=2)
            for entry in chunk:
                if len(found) == bank.MOST_AT_ONCE:
                    more = True
                    break
                last = entry.pk
                if matches[entry.pk].exact:
                    found.append(present(entry, matches[entry.pk]))
        back = reverse("dashboard:order-statement", kwargs={"pk": pk}) if pk else reverse("dashboard:order-entries")
        context = {
            "statement": statement,
            "rows": found,
            "next_url": f"{request.path}?after={last}" if more else "",
            "back_url": back,
            "tab": "bank",
        }
        return TemplateResponse(request, "oscar_fulfillment/money/exact.html", context)
