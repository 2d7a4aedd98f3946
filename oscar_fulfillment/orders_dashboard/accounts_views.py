"""The export to the accounts: the page with its preview, and the files."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.selectors.journal import Scope
from oscar_fulfillment.services import accounts, accounts_xlsx
from oscar_fulfillment.services.accounts_preview import MOST, preview

from .accounts_forms import AccountsForm, what_of
from .money_pages import MoneyView

#: The most entries of a workbook: it is finished before its first byte leaves, and no request lasts for minutes.
XLSX_ROWS = 50_000
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@method_decorator(never_cache, name="dispatch")
class AccountsBase(MoneyView):
    """For those who may export to the accounts. Reads only."""

    action = "export_accounts"
    http_method_names = ["get", "head", "options"]

    def page(self, form: AccountsForm, errors: list[str] | None = None) -> HttpResponse:
        """The page, with the preview where all is well."""
        found = preview(form.scope) if form.scope is not None and not errors else None
        context: dict[str, Any] = {
            "form": form,
            "preview": found,
            "errors": errors or [],
            "most": MOST,
            "has_xlsx": accounts_xlsx.is_installed(),
            "hint": accounts_xlsx.hint(),
        }
        status = 200 if found is not None else 400
        return TemplateResponse(self.request, "oscar_fulfillment/accounts/export.html", context, status=status)


class AccountsView(AccountsBase):
    """``?first=2026-11-01&last=2026-11-30&kinds=payment&currency=BRL&flow=BRAZIL``: totals, and whether they tie."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = AccountsForm(request.GET)
        form.is_valid()
        return self.page(form)


class FileView(AccountsBase):
    """A download; what is wrong with what was asked for is said on the page."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        form = AccountsForm(request.GET)
        what = what_of(request.GET)
        if not form.is_valid() or form.scope is None:
            return self.page(form)
        if not what:
            return self.page(form, [_("There is no such file.")])
        try:
            answer = self.file(form.scope, what, form.decimal_style)
        except InvalidInput as error:
            return self.page(form, [str(message) for told in error.errors.values() for message in told])
        answer["X-Accel-Buffering"] = "no"
        return answer

    def file(self, scope: Scope, what: str, decimals: str) -> HttpResponseBase:
        raise NotImplementedError


class CsvView(FileView):
    """Line by line, as it is read."""

    def file(self, scope: Scope, what: str, decimals: str) -> HttpResponseBase:
        lines = accounts.stream_csv(scope, what=what, decimals=decimals, language=get_language() or "en")
        name = accounts.filename(scope, what, "csv")
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


class XlsxView(FileView):
    """Journal, totals and orders in one workbook, written to the disk and sent from there."""

    def file(self, scope: Scope, what: str, decimals: str) -> HttpResponseBase:
        file = accounts_xlsx.write_workbook(scope, decimals=decimals, language=get_language() or "en", most=XLSX_ROWS)
        name = accounts.filename(scope, accounts.JOURNAL, "xlsx")
        return FileResponse(file, as_attachment=True, filename=name, content_type=_XLSX)
