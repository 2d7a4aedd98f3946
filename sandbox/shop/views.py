from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST
from django.views.generic import View

from sandbox import mail
from sandbox.demo.users import LOGINS, PASSWORD

from . import clock
from .baskets import move_basket
from .clock import ClockForm
from .stores import SESSION_KEY, STORES

# A caught mail is somebody else's HTML: no scripts, no forms, nothing loaded from anywhere, whatever the browser.
MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
)


def start(request):
    """What to try, and the logins."""
    return render(
        request, "sandbox/start.html", {"logins": LOGINS, "password": PASSWORD, "vendors": settings.SIMULATORS_URL}
    )


@require_POST
def choose_store(request):
    store = STORES.get(request.POST.get("store", ""))
    if store is None:
        return HttpResponseBadRequest(_("There is no such store."), content_type="text/plain")
    request.session[SESSION_KEY] = store.code
    for title in move_basket(request.basket, store):
        messages.warning(request, _("%(product)s is not sold in this store and left your basket.") % {"product": title})
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}):
        target = "/"
    return redirect(target)


class Clock(View):
    """Let time pass for one order, so that reminders, reservations and holds can be tried within a minute."""

    def get(self, request):
        return self.show(request, ClockForm(initial={"number": request.GET.get("order", "")}))

    def post(self, request):
        form = ClockForm(request.POST)
        if not form.is_valid():
            return self.show(request, form, status=422)
        clock.let_time_pass(form.cleaned_data["number"], form.delta)
        messages.success(request, _("The time has passed, and what was due was done."))
        return redirect(f"{reverse('sandbox:time')}?{urlencode({'order': form.cleaned_data['number'].number})}")

    @staticmethod
    def show(request, form, status=200):
        context = {"form": form, "vendors": settings.SIMULATORS_URL}
        return render(request, "sandbox/time.html", context, status=status)


class MailList(View):
    def get(self, request):
        wanted = request.GET.get("q", "").strip()
        names = [name for name in mail.names() if not wanted or mail.speaks_of(name, wanted)]
        page = Paginator(names, 40).get_page(request.GET.get("page"))
        mails = [found for name in page.object_list if (found := mail.read(name))]
        return render(request, "sandbox/mails.html", {"page_obj": page, "mails": mails, "wanted": wanted})

    def post(self, request):
        mail.forget_all()
        return redirect("sandbox:mails")


def _mail_or_404(name: str) -> mail.Mail:
    found = mail.read(name)
    if found is None:
        raise Http404
    return found


def mail_detail(request, name: str):
    return render(request, "sandbox/mail.html", {"mail": _mail_or_404(name)})


@xframe_options_sameorigin
def mail_html(request, name: str):
    response = HttpResponse(_mail_or_404(name).html)
    response["Content-Security-Policy"] = MAIL_POLICY
    return response
