"""The address that 1C calls: ``exchange/1c/<alias>/?type=sale&mode=...``.

Answers are lines of text: ``success``, ``progress`` or ``failure`` and why. 1C shows them to its user, so they are in
its language, and come with status 200; only a wrong password is answered with 401.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.request import UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils import timezone, translation
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.commerceml import CommerceML
from oscar_fulfillment.connectors.commerceml_reference import write_reference
from oscar_fulfillment.core.exceptions import InvalidInput, WebhookVerificationFailed
from oscar_fulfillment.models import ExchangeFile, ExchangeSession
from oscar_fulfillment.services import commerceml_import, commerceml_orders, commerceml_sessions, commerceml_uploads

logger = logging.getLogger("oscar_fulfillment.webhooks")

SALE, CATALOG = "sale", "catalog"
_LONGEST_QUERY = 4000


@method_decorator(csrf_exempt, name="dispatch")
class ExchangeView(View):
    """One 1C and the shop. Who calls is known by HTTP Basic (checkauth), then by a signed cookie and its sessid."""

    http_method_names = ["get", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        alias = kwargs["alias"]
        connector = connectors.get(alias) if alias in connectors else None
        if not isinstance(connector, CommerceML):
            raise Http404
        if request.method not in ("GET", "POST"):
            return self.http_method_not_allowed(request)
        with translation.override(connector.language):
            return self._answer(request, connector)

    def _answer(self, request: HttpRequest, connector: CommerceML) -> HttpResponseBase:
        if not request.is_secure() and not connector.allow_http:
            return failure(connector, _("Call this address by https: the password would be readable on its way."))
        query = read_query(request.META.get("QUERY_STRING", ""))
        mode, kind = query.get("mode", ""), query.get("type", "")
        if kind not in (SALE, CATALOG):
            return failure(connector, _("The address must say type=sale."))
        if mode == "checkauth":
            return check_login(request, connector, kind)
        try:
            session = commerceml_sessions.find_session(
                connector, request.COOKIES.get(commerceml_sessions.COOKIE, ""), query.get("sessid")
            )
        except WebhookVerificationFailed as error:
            logger.warning("exchange %s refused: %s", connector.alias, error)
            return failure(connector, _("The session has ended. Begin the exchange again."))
        if kind == CATALOG:
            return goods(request, connector, session, query)
        if mode not in MODES:
            return failure(connector, _("The mode is unknown."))
        try:
            return MODES[mode](request, connector, session, query)
        except InvalidInput as error:
            return failure(connector, str(error))
        except UnreadablePostError:
            return failure(connector, _("The piece of the file did not arrive whole. Send it again."))


def read_query(raw: str) -> dict[str, str]:
    """The fields of an address. 1C writes names of files in UTF-8 or in windows-1251."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(raw[:_LONGEST_QUERY], keep_blank_values=True, encoding="latin-1"):
        octets = value.encode("latin-1", "replace")
        try:
            found[name] = octets.decode()
        except UnicodeDecodeError:
            found[name] = octets.decode("cp1251", "replace")
    return found


def say(connector: CommerceML, *lines: str, status: int = 200) -> HttpResponse:
    text = "\n".join(line.replace("\n", " ") for line in lines) + "\n"
    answer = HttpResponse(
        text.encode(connector.encoding, "replace"), f"text/plain; charset={connector.encoding}", status
    )
    answer["Cache-Control"] = "no-store"
    return answer


def failure(connector: CommerceML, why: str, status: int = 200) -> HttpResponse:
    return say(connector, "failure", why, status=status)


def check_login(request: HttpRequest, connector: CommerceML, kind: str) -> HttpResponse:
    try:
        connector.check_login(request.headers.get("Authorization", ""))
    except WebhookVerificationFailed:
        logger.warning("exchange %s: wrong user or password from %s", connector.alias, request.META.get("REMOTE_ADDR"))
        answer = failure(connector, _("The user or the password is wrong."), status=401)
        answer["WWW-Authenticate"] = 'Basic realm="1C", charset="UTF-8"'
        return answer
    session = commerceml_sessions.open_session(connector)
    cookie, sessid = commerceml_sessions.cookie_of(session), commerceml_sessions.sessid_of(session)
    moment = timezone.localtime()
    return say(
        connector, "success", commerceml_sessions.COOKIE, cookie, f"sessid={sessid}",
        f"timestamp={moment:%Y-%m-%dT%H:%M:%S}",
    )  # fmt: skip


def init(request: HttpRequest, connector: CommerceML, session: ExchangeSession, query: dict[str, str]) -> HttpResponse:
    version = connector.schema(query.get("version", ""))
    commerceml_sessions.set_version(session, version)
    lines = [f"zip={'yes' if connector.zip else 'no'}", f"file_limit={connector.file_limit}"]
    if "version" in query:
        lines += [f"sessid={commerceml_sessions.sessid_of(session)}", f"version={version}"]
    return say(connector, *lines)


def orders(
    request: HttpRequest, connector: CommerceML, session: ExchangeSession, query: dict[str, str]
) -> HttpResponseBase:
    content = commerceml_orders.query(connector, session)
    answer = StreamingHttpResponse(content, content_type=f"text/xml; charset={connector.encoding}")
    answer["Cache-Control"] = "no-store"
    return answer


def success(
    request: HttpRequest, connector: CommerceML, session: ExchangeSession, query: dict[str, str]
) -> HttpResponse:
    commerceml_orders.success(session)
    return say(connector, "success")


def take_file(
    request: HttpRequest, connector: CommerceML, session: ExchangeSession, query: dict[str, str]
) -> HttpResponse:
    if request.method != "POST":
        return failure(connector, _("A file is sent by POST."))
    # Read here, not by Django: its limit for forms is smaller than a piece may be.
    most = max(connector.file_limit, 1)
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    content = b"" if length.isdigit() and int(length[:20]) > most else request.read(most + 1)
    if len(content) > most or not content:
        text = _("A piece of a file may have %(most)d bytes, and must not be empty.")
        return failure(connector, text % {"most": most})
    file = commerceml_uploads.add_piece(connector, session, query.get("filename", ""), content)
    if file.status == ExchangeFile.READY:
        # Some versions of 1C never ask for the import.
        file = commerceml_import.enter(connector, file)
    return failed(connector, file) if file.status == ExchangeFile.FAILED else say(connector, "success")


def import_file(
    request: HttpRequest, connector: CommerceML, session: ExchangeSession, query: dict[str, str]
) -> HttpResponse:
    files = commerceml_uploads.files_named(session, query.get("filename", ""))
    if not files:
        return failure(connector, _("This file was not sent."))
    for file in files:
        if file.status == ExchangeFile.RECEIVING:
            commerceml_uploads.end_file(file)
        if file.status == ExchangeFile.READY:
            file = commerceml_import.enter(connector, file)
        if file.status == ExchangeFile.FAILED:
            return failed(connector, file)
        if file.status == ExchangeFile.READY:
            text = _("%(number)d documents were entered so far.") % {"number": file.taken}
            return say(connector, "progress", text)
    return say(connector, "success")


def failed(connector: CommerceML, file: ExchangeFile) -> HttpResponse:
    text = _("The file %(name)s cannot be read: %(why)s") % {"name": file.name, "why": file.problem}
    return failure(connector, text)


def info(request: HttpRequest, connector: CommerceML, session: ExchangeSession, query: dict[str, str]) -> HttpResponse:
    states = [(state.code, state.label) for state in connector.states()]
    body = write_reference(states, version=session.version or connector.schema(""), encoding=connector.encoding)
    return HttpResponse(body, content_type=f"text/xml; charset={connector.encoding}")


def goods(request: HttpRequest, connector: CommerceML, session: ExchangeSession, query: dict[str, str]) -> HttpResponse:
    """The exchange of goods: the shop's catalogue is its own. Refused, or taken and thrown away."""
    if connector.catalog == "refuse":
        return failure(connector, _("The shop takes no goods from 1C. Switch the export of goods off there."))
    if query.get("mode") == "init":
        return init(request, connector, session, query)
    return say(connector, "success")


Mode = Callable[[HttpRequest, CommerceML, ExchangeSession, dict[str, str]], HttpResponseBase]
MODES: dict[str, Mode] = {
    "init": init, "query": orders, "success": success, "file": take_file, "import": import_file, "info": info,
}  # fmt: skip
