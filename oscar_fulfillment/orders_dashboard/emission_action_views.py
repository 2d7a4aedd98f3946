"""What is done with a note, or with numbers: each a form, one service, a message, the page again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import ConfigurationError, FulfillmentError, InvalidInput
from oscar_fulfillment.fiscal.emission import codes
from oscar_fulfillment.fiscal.emission.facts import NORMAL
from oscar_fulfillment.models import NfeEmission
from oscar_fulfillment.selectors.issuers import find_issuing, issuing_aliases
from oscar_fulfillment.services import emission_events, emission_numbers, emission_watch

from .emission_forms import NumberForm, TextForm, VoidForm
from .emission_views import EmissionPage, show_emission, show_emissions
from .money_pages import flat


class _Act(EmissionPage):
    """A form on the page of a note, with a text for the tax office."""

    http_method_names = ["post", "options"]
    form_name = ""
    done: Any = ""

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        emission = self.note_or_404(pk)
        form = TextForm(request.POST, action=self.form_name)
        if not form.is_valid():
            return show_emission(request, emission, status=422, forms={self.form_name: form})
        try:
            self.act(emission, form.cleaned_data["text"])
        except InvalidInput as error:
            for message in flat(error):
                form.add_error("text", message)
            return show_emission(request, emission, status=422, forms={self.form_name: form})
        except (FulfillmentError, ConfigurationError) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, self.message())
        return redirect("dashboard:order-emission", pk=pk)

    def act(self, emission: NfeEmission, text: str) -> None:
        raise NotImplementedError

    def message(self) -> str:
        return _("It is on its way to the tax office.")


class CancelView(_Act):
    form_name = "cancel"

    def act(self, emission: NfeEmission, text: str) -> None:
        emission_events.cancel_note(emission=emission, actor=self.actor, reason=text)


class CorrectView(_Act):
    form_name = "correct"

    def act(self, emission: NfeEmission, text: str) -> None:
        emission_events.correct_note(emission=emission, actor=self.actor, text=text)


class GiveUpView(_Act):
    form_name = "give_up"

    def act(self, emission: NfeEmission, text: str) -> None:
        emission_numbers.give_up_note(emission=emission, actor=self.actor, reason=text)

    def message(self) -> str:
        return _("The note is given up. Its goods are free for another.")


class AgainView(EmissionPage):
    """Do not wait: go on with it now."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            emission_watch.try_again(self.note_or_404(pk))
        except (FulfillmentError, ConfigurationError) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("It is tried again now."))
        return redirect("dashboard:order-emission", pk=pk)


class _NumbersView(EmissionPage):
    """A form of the list about an issuer's numbers."""

    http_method_names = ["post", "options"]
    form_class: Any = None
    context_name = ""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        alias = request.POST.get("alias", "")
        if alias not in set(issuing_aliases()):
            raise Http404
        form = self.form_class(request.POST, auto_id=f"id_{self.context_name.partition('_')[0]}_%s")
        if form.is_valid():
            try:
                self.act(alias, form.cleaned_data)
            except InvalidInput as error:
                for name, found in error.errors.items():
                    for message in found:
                        form.add_error(name if name in form.fields else None, message)
            except (FulfillmentError, ConfigurationError) as error:
                form.add_error(None, str(error))
            else:
                return redirect("dashboard:order-emissions")
        return show_emissions(request, status=422, wrong_alias=alias, **{self.context_name: form})

    def act(self, alias: str, given: dict[str, Any]) -> None:
        raise NotImplementedError


class VoidView(_NumbersView):
    form_class, context_name = VoidForm, "void_form"

    def act(self, alias: str, given: dict[str, Any]) -> None:
        emission_numbers.void_numbers(alias=alias, actor=self.actor, **given)
        messages.success(self.request, _("The numbers are on their way to be voided."))


class NumberView(_NumbersView):
    form_class, context_name = NumberForm, "number_form"

    def act(self, alias: str, given: dict[str, Any]) -> None:
        emission_numbers.set_next_number(alias=alias, actor=self.actor, number=given["number"])
        messages.success(self.request, _("The next note has number %(number)d.") % given)


class ServiceView(EmissionPage):
    """Ask the tax office whether it works."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        alias = request.POST.get("alias", "")
        if alias not in set(issuing_aliases()):
            raise Http404
        try:
            answer = find_issuing(alias).client(quick=True).status(emission_type=NORMAL)
        except (FulfillmentError, ConfigurationError) as error:
            messages.error(request, _("The tax office does not answer: %(why)s") % {"why": error})
        else:
            say: Callable[..., None] = messages.success if answer.status == codes.WORKING else messages.warning
            say(request, f"{answer.status} {answer.text}")
        return redirect("dashboard:order-emissions")
