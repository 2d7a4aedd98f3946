"""Fiscal notes: the list with the place to drop files, what became of an upload, and applying many."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFilesSent
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.fiscal.nfe_files import as_files
from oscar_fulfillment.fiscal.nfe_findings import megabytes
from oscar_fulfillment.fiscal.nfe_xml import EXTRA, missing_packages
from oscar_fulfillment.models import NfeFile
from oscar_fulfillment.selectors import nfe_notes
from oscar_fulfillment.services import nfe_applying, nfe_imports, nfe_work
from oscar_fulfillment.services.nfe_imports import Taken

from . import nfe_words
from .list_rows import count_text
from .money_pages import MoneyView, chosen, flat

#: What the form of an upload has beside its files.
_SLACK = 100_000


class NotesView(MoneyView):
    """Every file, newest first, and the place to drop more."""

    action = "invoice"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        tabs = (nfe_notes.OPEN, nfe_notes.FILED, nfe_notes.REFUSED)
        return show_notes(request, nfe_notes.all_files(), tabs, {"batch": "", "new_batch": nfe_imports.new_batch()})


class NoteBatchView(MoneyView):
    """The files of an upload, or of an application: how far it is, then what became of each."""

    action = "invoice"

    def get(self, request: HttpRequest, batch: str, *args: Any, **kwargs: Any) -> HttpResponse:
        rows = nfe_notes.of_batch(batch)
        settled, total = nfe_imports.progress_of(batch)
        if not total:
            raise Http404
        context = {
            "batch": batch,
            "is_done": settled == total,
            "percent": settled * 100 // total,
            "progress": progress_text(settled, total),
            "results": result_texts(batch) if settled == total else [],
            "failed": rows.filter(status=NfeFile.CHECKED).exclude(problem="").count(),
        }
        return show_notes(request, rows, tuple(nfe_notes.TABS), context)


def show_notes(request: HttpRequest, rows: Any, tabs: tuple[str, ...], context: dict[str, Any]) -> HttpResponse:
    """A list of files with its tabs and filters."""
    state = chosen(request, dict.fromkeys(tabs), tabs[0])
    verdict, typed = request.GET.get("verdict", ""), request.GET.get("q", "")[:200]
    counts, verdicts = nfe_notes.count_tabs(rows, tabs), nfe_notes.count_verdicts(rows)
    listed = nfe_notes.narrowed(nfe_notes.of_tab(rows, state), verdict=verdict, typed=typed)
    page = nfe_notes.read_page(
        listed, before=_number(request.GET.get("before", "")), after=_number(request.GET.get("after", ""))
    )
    context |= {
        "page": page,
        "rows": [nfe_words.present(file) for file in page.rows],
        "state": state,
        "verdict": verdict if verdict in nfe_notes.OPEN_VERDICTS else "",
        "typed": typed,
        "tabs": [{"name": tab, "label": nfe_words.TABS[tab], "count": count_text(counts[tab])} for tab in tabs],
        "verdicts": [
            {"name": name, "label": nfe_words.VERDICTS[name][0], "count": verdicts[name]}
            for name in nfe_notes.OPEN_VERDICTS
            if verdicts.get(name)
        ],
        "good": verdicts.get("good", 0),
        "may_act": bool(verdicts) and state not in (nfe_notes.FILED, nfe_notes.REFUSED),
        "is_filtered": bool(typed or verdict),
        "here": request.get_full_path(),
        "missing": missing_packages(),
        "extra": EXTRA,
        "limits": {"files": settings.NFE_MAX_FILES, "size": megabytes(settings.NFE_MAX_UPLOAD)},
    }
    return TemplateResponse(request, "oscar_fulfillment/fiscal/notes.html", context)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def progress_text(settled: int, total: int) -> str:
    """``120 of 400 files``"""
    words = ngettext("%(done)s of %(total)s file", "%(done)s of %(total)s files", total)
    return words % {"done": count_text(settled, cap=None), "total": count_text(total, cap=None)}


def result_texts(batch: str) -> list[tuple[str, str]]:
    """(sentence, colour): how many files of a batch came to what."""
    rows = nfe_notes.of_batch(batch)
    filed = nfe_notes.of_tab(rows, nfe_notes.FILED).count()
    refused = nfe_notes.of_tab(rows, nfe_notes.REFUSED).count()
    found = []
    if filed:
        words = ngettext("%(count)s file is filed.", "%(count)s files are filed.", filed)
        found.append((words % {"count": count_text(filed, cap=None)}, "success"))
    verdicts = nfe_notes.count_verdicts(rows)
    for name, (label, tone) in nfe_words.VERDICTS.items():
        if verdicts.get(name):
            found.append((f"{label}: {verdicts[name]}", tone))
    if refused:
        words = ngettext("%(count)s file cannot be used.", "%(count)s files cannot be used.", refused)
        found.append((words % {"count": count_text(refused, cap=None)}, "danger"))
    return found


class NoteProgressView(MoneyView):
    """How far a batch is, for the script of its page."""

    action = "invoice"

    def get(self, request: HttpRequest, batch: str, *args: Any, **kwargs: Any) -> JsonResponse:
        settled, total = nfe_imports.progress_of(batch)
        answer = {
            "percent": settled * 100 // total if total else 100,
            "text": progress_text(settled, total),
            "finished": settled == total,
        }
        return JsonResponse(answer, headers={"Cache-Control": "no-store"})


@method_decorator(csrf_exempt, name="dispatch")
class NotesUploadView(MoneyView):
    """Take the files of a form, or (script) a portion of them, and check them.

    The form is read before its token is compared, as always; but here, so that one with too many files gets an answer
    that says so, and not Django's bare 400.
    """

    action = "invoice"
    http_method_names = ["post", "options"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.method == "POST":
            self.demand(request)
            if (problem := _unreadable(request)) is not None:
                return self.refuse(*problem)
        return csrf_protect(super().dispatch)(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        uploads = request.FILES.getlist("files")
        if not uploads:
            return self.refuse(_("Choose at least one file."), 400)
        try:
            taken = nfe_imports.take_files(
                files=as_files(uploads), actor=self.actor, batch=request.POST.get("batch", "")
            )
        except InvalidInput as error:
            return self.refuse(" ".join(flat(error)), 400)
        if not taken.new + taken.known:
            return self.refuse(taken.cut_off or _("There is no file in it."), 400)
        nfe_work.begin(taken.batch)
        url = reverse("dashboard:order-note-batch", kwargs={"batch": taken.batch})
        if self.wants_json:
            return JsonResponse({"url": url, "new": taken.new, "known": taken.known, "error": taken.cut_off})
        tell(request, taken)
        return redirect(url)

    @property
    def wants_json(self) -> bool:
        return self.request.headers.get("Accept", "") == "application/json"

    def refuse(self, message: str, status: int) -> HttpResponse:
        if self.wants_json:
            return JsonResponse({"error": message}, status=status)
        messages.error(self.request, message)
        return redirect("dashboard:order-notes")


def _unreadable(request: HttpRequest) -> tuple[str, int] | None:
    """(message, status) of a form that is too large or cannot be read, before its files are."""
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > settings.NFE_MAX_UPLOAD + _SLACK:
        return _("At most %(size)s at once.") % {"size": megabytes(settings.NFE_MAX_UPLOAD)}, 413
    try:
        request.FILES  # noqa: B018 (reads the form)
    except TooManyFilesSent:
        return _("These are more files than your server takes at once. Put them into a zip and drop that."), 413
    except (RequestDataTooBig, SuspiciousOperation, MultiPartParserError, UnreadablePostError):
        return _("The form could not be read. Load the page again and try with fewer files."), 400
    return None


def tell(request: HttpRequest, taken: Taken) -> None:
    """Say what an upload brought."""
    if taken.known:
        words = ngettext("%(count)d file was here already.", "%(count)d files were here already.", taken.known)
        messages.info(request, words % {"count": taken.known})
    if taken.cut_off:
        messages.error(request, _("Not everything was taken: %(why)s") % {"why": taken.cut_off})


class NotesApplyView(MoneyView):
    """Apply the chosen files, all good ones, or once more those that failed."""

    action = "invoice"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        fallback = reverse("dashboard:order-notes")
        batch = request.POST.get("batch", "")[:32]
        if "retry" in request.POST:
            begun = nfe_applying.retry_files(batch=batch, actor=self.actor)
        else:
            rows = NfeFile._default_manager.all()
            if "all" in request.POST:
                rows = rows.filter(verdict="good")
                rows = rows.filter(batch=batch) if batch else rows
            else:
                texts = request.POST.getlist("file")[:1000]
                rows = rows.filter(pk__in=[number for text in texts if (number := _number(text))])
            begun = nfe_applying.apply_files(files=rows, actor=self.actor)
        if not begun:
            messages.error(request, _("None of these files can be applied. Choose some that are good."))
            return self.back(fallback)
        nfe_work.begin(begun)
        return redirect("dashboard:order-note-batch", batch=begun)


class NotesCheckView(MoneyView):
    """Check the files that wait once more: orders were released, settings changed."""

    action = "invoice"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        batch = request.POST.get("batch", "")[:32]
        rows = NfeFile._default_manager.filter(status=NfeFile.CHECKED)
        rows = rows.filter(batch=batch) if batch else rows
        again = nfe_imports.check_again(files=rows)
        nfe_work.begin(batch)
        words = ngettext("%(count)d file is checked again.", "%(count)d files are checked again.", again)
        messages.info(request, words % {"count": again})
        return self.back(reverse("dashboard:order-notes"))
