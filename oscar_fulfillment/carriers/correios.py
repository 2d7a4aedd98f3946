"""Correios, the Brazilian post: S10 codes ending in BR, and the services PAC and SEDEX.

Without an account it links to the public page, whose address has changed several times; its query parameter is seen as
``objetos``, ``objeto`` and ``codigo`` in the wild; a shop gives another one as ``OPTIONS["url_template"]``. Mails print
the code as text too.

With the account of a contract (``user``, ``access_code``, ``card``) parcels are followed by its REST API (CWS,
cws.correios.com.br), where the contract includes "API Rastro". Facts:

* ``POST /token/v1/autentica/cartaopostagem`` with HTTP Basic and the posting card gives a token of about a day.
  ``expiraEm`` is in Brasília's time and does not say so. An expired token is answered by 401 or 403.
* ``GET /srorastro/v1/objetos?codigosObjetos=A,B&resultado=T`` takes 50 codes, wants ``Accept-Language`` (SRO-018
  without it), and answers each code with its events or a message: SRO-020 is not known yet, SRO-019 is no code.
* It allows 50 calls a second to a contract, and there are no notifications.
"""

from __future__ import annotations

import base64
import re
import zoneinfo
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable, ConfigurationError
from oscar_fulfillment.core.http import HttpClient

from . import s10
from .base import Capability, Carrier, TrackingCodeError, names
from .correios_mapping import explained, token_from, tracked_from
from .events import Tracked
from .tokens import TokenKeeper

BASE_URL = "https://api.correios.com.br"
TIME_ZONE = "America/Sao_Paulo"
#: Codes in one question.
BATCH = 50
#: A token is renewed so many seconds before it ends.
MARGIN = 1800.0
_CODE = re.compile(r"[A-Z]{2}[0-9]{9}[A-Z]{2}", re.ASCII)


class Correios(Carrier):
    """Correios. Its tracking link is mailed at every dispatch, without asking.

    ``OPTIONS["services"]``: words of the shop's shipping methods that mean Correios (default PAC and SEDEX). The
    prefix of the code is not used for that: the lists of prefixes go stale.

    ``user``, ``access_code`` and ``card`` (the number of the cartão de postagem), all three or none: whether it can be
    asked. ``time_zone``: in which it writes its times.
    """

    name = _("Correios")
    url_template = "https://rastreamento.correios.com.br/app/index.php?objetos={code}"
    automatic_tracking_mail = True
    track_batch = BATCH
    calls_per_minute = 300

    def __init__(
        self,
        *,
        services: Sequence[str] = ("PAC", "SEDEX"),
        user: str = "",
        access_code: str = "",
        card: str = "",
        base_url: str = BASE_URL,
        time_zone: str = TIME_ZONE,
        read_timeout: float = 30.0,
        **options: Any,
    ):
        super().__init__(**options)
        self.services = tuple(services)
        given = [bool(value) for value in (user, access_code, card)]
        if any(given) != all(given):
            raise ConfigurationError("Correios needs user, access_code and card, or none of them")
        if not all(given):
            return
        try:
            self._zone = zoneinfo.ZoneInfo(time_zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError) as error:
            raise ConfigurationError(f"Correios: there is no time zone {time_zone!r}") from error
        self.extra_capabilities = frozenset({Capability.TRACK})
        credentials = base64.b64encode(f"{user}:{access_code}".encode()).decode()
        self._login = {"Authorization": f"Basic {credentials}"}
        self._card = str(card)
        # Without the language it refuses to answer.
        self._http = HttpClient(
            base_url, headers={"Accept-Language": "pt-BR"}, read=read_timeout, name=f"Correios {self.alias}"
        )
        self._tokens = TokenKeeper(self._log_in, margin=MARGIN, refusals=frozenset({401, 403}))

    def normalise_tracking_code(self, raw: Any) -> str:
        # Groups are often written with dots or dashes; no S10 number has them.
        code = re.sub(r"[._/-]", "", super().normalise_tracking_code(raw))
        try:
            item = s10.parse(code)
        except s10.S10Error as error:
            raise TrackingCodeError(error.code, error.message) from error
        if item.country != "BR":
            raise TrackingCodeError(
                "country",
                format_lazy(
                    _("Codes of Correios end in BR; {code} is of another country's post."),
                    code=code,
                ),
            )
        return code

    def service(self, shipping_code: str, shipping_name: str) -> str:
        """The service ("PAC", "SEDEX") that an order's shipping method names, "" if none."""
        return next((word for word in self.services if names(word, shipping_code, shipping_name)), "")

    def matches(self, shipping_code: str, shipping_name: str) -> bool:
        return names("correios", shipping_code, shipping_name) or bool(self.service(shipping_code, shipping_name))

    # Following

    def track(self, codes: Sequence[str]) -> list[Tracked]:
        """What Correios knows of at most 50 codes. One that is no code of a post is not asked for."""
        if Capability.TRACK not in self.extra_capabilities:
            return super().track(codes)
        if len(codes) > BATCH:
            raise AdapterRejected(gettext("Correios answers at most {count} codes at once.").format(count=BATCH))
        wanted = list(dict.fromkeys(code for code in codes if _CODE.fullmatch(code)))
        found = tracked_from(self._objects(wanted), wanted, self._zone) if wanted else []
        answers = {answer.code: answer for answer in found}
        return [answers.get(code, Tracked(code, problem="not_found")) for code in dict.fromkeys(codes)]

    def _objects(self, codes: Sequence[str]) -> Any:
        query = {"codigosObjetos": ",".join(codes), "resultado": "T"}

        def ask(token: str) -> Any:
            return self._http.get("/srorastro/v1/objetos", query=query, headers={"Authorization": f"Bearer {token}"})

        try:
            return self._tokens.call(ask)
        except AdapterRejected as error:
            raise explained(error) from error

    def _log_in(self) -> tuple[str, float]:
        """A new token and its seconds. Losing one harms nobody, so no answer means "try later"."""
        try:
            document = self._http.post(
                "/token/v1/autentica/cartaopostagem", {"numero": self._card}, headers=self._login
            )
        except AdapterUnavailable as error:
            raise AdapterUnavailable(str(error)) from error
        return token_from(document, datetime.now(UTC), self._zone)
