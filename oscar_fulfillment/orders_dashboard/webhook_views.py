"""The pages of webhooks: the list, the form, one webhook with its log, one message with its tries."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.generic import View

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.models import OutboundMessage, WebhookEndpoint
from oscar_fulfillment.selectors import webhooks as reads
from oscar_fulfillment.services import webhook_delivery, webhook_events, webhook_keys, webhooks
from oscar_fulfillment.services.webhook_settings import option

from . import webhook_words as words
from .page_reading import demand
from .webhook_forms import LogForm, ReplayForm, WebhookForm

#: What one click does to a webhook.
STEPS = ("on", "off", "rotate", "delete")
#: Where a session keeps which new key is still to be shown: a digest of it, not the key.
_SHOW = "oscar_fulfillment.webhook_key"
_MOST = 2**63


@method_decorator(never_cache, name="dispatch")
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class WebhookBase(View):
    """Common to all: the permission, the webhook, who acts. No transaction waits for the answer to a test."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        demand(request.user, "manage_webhooks")
        return super().dispatch(request, *args, **kwargs)

    @property
    def actor(self) -> Actor:
        return Actor.from_user(self.request.user)

    def endpoint_or_404(self, pk: int) -> WebhookEndpoint:
        found = WebhookEndpoint._default_manager.filter(pk=pk).first() if pk < _MOST else None
        if found is None:
            raise Http404
        return found

    def message_or_404(self, endpoint: WebhookEndpoint, pk: int) -> OutboundMessage:
        found = reads.delivery(endpoint, pk) if pk < _MOST else None
        if found is None:
            raise Http404
        return found

    def show_key_once(self, endpoint: WebhookEndpoint) -> None:
        """Let the next look at the webhook show its newest key."""
        self.request.session[_SHOW] = {"webhook": endpoint.pk, "check": endpoint.keys[0]["check"]}

    def new_key(self, endpoint: WebhookEndpoint) -> str:
        """The newest key, to whoever has just made it and for the first time; "" to all others."""
        shown = self.request.session.get(_SHOW)
        if not isinstance(shown, dict) or shown.get("webhook") != endpoint.pk:
            return ""
        del self.request.session[_SHOW]
        is_newest = endpoint.keys and endpoint.keys[0]["check"] == shown.get("check")
        return webhook_keys.secret(endpoint.keys[0]) if is_newest else ""


class WebhooksView(WebhookBase):
    """All webhooks with their health."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        endpoints = reads.webhooks()
        health = reads.health(endpoints)
        rows = [
            {
                "endpoint": endpoint,
                "health": health[endpoint.pk],
                "state": words.state(endpoint, health[endpoint.pk]),
                "why_off": words.why_off(endpoint),
                "what": words.what(endpoint),
            }
            for endpoint in endpoints
        ]
        return TemplateResponse(request, "oscar_fulfillment/webhooks/list.html", {"rows": rows})


class WebhookFormView(WebhookBase):
    """Make a webhook, or change one (``pk``)."""

    http_method_names = ["get", "head", "post", "options"]

    def subject(self) -> WebhookEndpoint | None:
        return self.endpoint_or_404(self.kwargs["pk"]) if "pk" in self.kwargs else None

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        endpoint = self.subject()
        return self.show(WebhookForm(endpoint=endpoint), endpoint)

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        endpoint = self.subject()
        form = WebhookForm(request.POST, endpoint=endpoint)
        if not form.is_valid():
            return self.show(form, endpoint, status=422)
        try:
            saved = form.save(self.actor)
        except InvalidInput as error:
            form.take_errors(error)
            return self.show(form, endpoint, status=422)
        except webhooks.WebhookChanged as error:
            return self.show_changed(error.endpoint)
        if endpoint is None:
            self.show_key_once(saved)
        messages.success(request, _("“%(name)s” is saved.") % {"name": saved})
        return redirect("dashboard:webhook", pk=saved.pk)

    def show_changed(self, endpoint: WebhookEndpoint) -> HttpResponse:
        """409: what was typed, to be saved again on top of what somebody else did meanwhile."""
        again = self.request.POST.copy()
        again["seen"] = str(endpoint.version)
        form = WebhookForm(again, endpoint=endpoint)
        form.is_valid()
        return self.show(form, endpoint, status=409, is_changed=True, what=words.what(endpoint))

    def show(
        self, form: WebhookForm, endpoint: WebhookEndpoint | None, *, status: int = 200, **context: Any
    ) -> HttpResponse:
        context |= {"form": form, "endpoint": endpoint, "allowed": option("ports")}
        return TemplateResponse(self.request, "oscar_fulfillment/webhooks/form.html", context, status=status)


class WebhookView(WebhookBase):
    """One webhook: its new key once, what can be done, the last test, the log."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        endpoint = self.endpoint_or_404(pk)
        health = reads.health([endpoint])[pk]
        form = LogForm(request.GET)
        chosen = form.chosen()
        before = request.GET.get("before", "")
        page = reads.log(endpoint, before=int(before) if _is_number(before) else None, **chosen)
        keys = webhook_keys.valid(endpoint.keys, timezone.now())
        context = {
            "endpoint": endpoint,
            "health": health,
            "state": words.state(endpoint, health),
            "why_off": words.why_off(endpoint),
            "what": words.what(endpoint),
            "new_key": self.new_key(endpoint),
            "key_made_at": datetime.fromisoformat(keys[0]["made_at"]) if keys else None,
            "old_key_until": max((datetime.fromisoformat(key["until"]) for key in keys if key["until"]), default=None),
            "key_hours": option("key_hours"),
            "test": self.last_test(endpoint, request.GET.get("tested", "")),
            "form": form,
            "is_narrowed": bool(chosen),
            "rows": [words.listed(row) for row in page.rows],
            "older": urlencode({**chosen, "before": page.older}) if page.older else "",
            "is_first": not before,
            "newest": urlencode(chosen),
            "since": timezone.localtime(timezone.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M"),
        }
        return TemplateResponse(request, "oscar_fulfillment/webhooks/webhook.html", context)

    def last_test(self, endpoint: WebhookEndpoint, pk: str) -> dict[str, Any] | None:
        """What came of the test that was just made."""
        message = reads.delivery(endpoint, int(pk)) if _is_number(pk) else None
        tried = reads.attempts(message)[:1] if message is not None and message.kind == webhook_events.PING else []
        return {**words.told(tried[0]), "message": message} if tried else None


class WebhookStepView(WebhookBase):
    """One click on a webhook: on, off, a new key, delete."""

    http_method_names = ["post", "options"]
    step = ""

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        endpoint = self.endpoint_or_404(pk)
        seen = request.POST.get("seen", "")
        given: dict[str, Any] = {
            "endpoint": endpoint, "actor": self.actor, "seen": int(seen) if _is_number(seen) else None,
        }  # fmt: skip
        try:
            return self.take(given)
        except webhooks.WebhookChanged as error:
            messages.warning(request, _("%(what)s Look at it once more.") % {"what": error})
        except WebhookEndpoint.DoesNotExist:
            raise Http404 from None
        return redirect("dashboard:webhook", pk=pk)

    def take(self, given: dict[str, Any]) -> HttpResponse:
        name = {"name": given["endpoint"]}
        if self.step == "delete":
            webhooks.delete_webhook(**given)
            messages.success(self.request, _("“%(name)s” is deleted.") % name)
            return redirect("dashboard:webhook-list")
        if self.step == "rotate":
            self.show_key_once(webhooks.rotate_key(**given, at_once="at_once" in self.request.POST))
            messages.success(self.request, _("“%(name)s” has a new key.") % name)
        else:
            webhooks.set_active(**given, active=self.step == "on")
            done = _("“%(name)s” is switched on.") if self.step == "on" else _("“%(name)s” is switched off.")
            messages.success(self.request, done % name)
        return redirect("dashboard:webhook", pk=given["endpoint"].pk)


class WebhookTestView(WebhookBase):
    """Send a test and say what came back."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        endpoint = self.endpoint_or_404(pk)
        message = webhook_delivery.ping(endpoint)
        return redirect(f"{reverse('dashboard:webhook', kwargs={'pk': pk})}?tested={message.pk}#test")


class WebhookReplayView(WebhookBase):
    """Send again what was given up since a moment."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        endpoint = self.endpoint_or_404(pk)
        form = ReplayForm(request.POST)
        if not form.is_valid():
            messages.error(request, _("Enter the moment from which messages are sent again."))
            return redirect("dashboard:webhook", pk=pk)
        try:
            count = webhooks.replay_failed(endpoint=endpoint, since=form.cleaned_data["since"])
        except webhooks.WebhookOff as error:
            messages.error(request, str(error))
            return redirect("dashboard:webhook", pk=pk)
        if count:
            text = ngettext("%(count)d message goes again.", "%(count)d messages go again.", count)
            messages.success(request, text % {"count": count})
        else:
            messages.info(request, _("Nothing was given up since then."))
        return redirect("dashboard:webhook", pk=pk)


class DeliveryView(WebhookBase):
    """One message: what is said, and every try."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, pk: int, message: int) -> HttpResponse:
        endpoint = self.endpoint_or_404(pk)
        row = self.message_or_404(endpoint, message)
        word, tone = words.badge(row)
        context = {
            "endpoint": endpoint,
            "message": row,
            "label": webhook_events.label(row.kind),
            "word": word,
            "tone": tone,
            "body": _shown(row),
            "attempts": [words.told(attempt) for attempt in reads.attempts(row)],
            "may_again": endpoint.is_active and row.kind != webhook_events.PING and words.is_over(row),
        }
        return TemplateResponse(request, "oscar_fulfillment/webhooks/message.html", context)


class DeliveryAgainView(WebhookBase):
    """Send one message again."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int, message: int) -> HttpResponse:
        endpoint = self.endpoint_or_404(pk)
        row = self.message_or_404(endpoint, message)
        if row.kind == webhook_events.PING:
            raise Http404
        try:
            if webhooks.replay(endpoint=endpoint, message=row):
                messages.success(request, _("The message goes again."))
            else:
                messages.info(request, _("It is on its way already."))
        except webhooks.WebhookOff as error:
            messages.error(request, str(error))
        return redirect("dashboard:webhook-delivery", pk=pk, message=message)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def _shown(message: OutboundMessage) -> str:
    """The body with line breaks, as people read it; "" before the first try made it."""
    body = message.payload.get("body", "")
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False) if body else ""
    except ValueError:
        return str(body)
