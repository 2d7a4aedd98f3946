"""A customer's session with TIPSA's software DinaPaq: one login, every operation, and no storm of logins.

TIPSA blocks the address of a server that logs in wrongly too often, for ten minutes or more. So a refused login is
remembered (in Django's cache, for all workers) and nobody tries again until it is over; and a session that is gone is
renewed once per call, never in a loop.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from django.core.cache import cache
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable
from oscar_fulfillment.core.http import HttpClient

from . import soap

logger = logging.getLogger("oscar_fulfillment.carriers")

BASE_URL = "https://ws.tipsa-dinapaq.com"
NAMESPACE = "http://tempuri.org/"
#: Seconds without a login after one that was refused: so long TIPSA blocks an address, at least.
REST = 600
#: Faults of a session that is over; the second one is what an unreadable session gives.
GONE = frozenset({"EROSessionNotFound", "EConvertError"})
#: How a login is refused: no such customer or password, no web service for it, not active; the address is blocked.
_REFUSED, _BLOCKED = frozenset({"1", "2", "4"}), "3"


class TipsaSession:
    """Calls of DinaPaq's operations for one customer of one agency. Thread-safe; keep one per account."""

    def __init__(
        self,
        *,
        agency: str,
        customer: str,
        password: str,
        base_url: str = BASE_URL,
        read_timeout: float = 30.0,
        name: str = "TIPSA",
        clock: Callable[[], float] = time.time,
    ):
        self.agency, self.customer, self.name = agency, customer, name
        self._password, self._clock = password, clock
        http = HttpClient(base_url, read=read_timeout, name=name)
        self._soap = soap.SoapClient(http, namespace=NAMESPACE)
        # The mark of these very credentials: whoever mends the password need not wait.
        self._refusal = _mark("refused", http.base_url, agency, customer, password)
        self._block = _mark("blocked", http.base_url)
        self._id = ""
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<TipsaSession {self.name}>"

    def call(self, operation: str, /, *, changes: bool = False, **parameters: Any) -> Any:
        """The element that an operation of WebServService answers with.

        :raises SoapFault: TIPSA says no. Faults are numbered: "4: El envío no existe".
        :raises AdapterRejected: the login is refused, now or less than ten minutes ago.
        :raises AdapterUnavailable: ask later; with ``changes`` :class:`AdapterUnanswered` when it may have been done.
        """
        session = self._id or self._log_in("")
        try:
            return self._ask("WebServService", operation, parameters, session=session, changes=changes)
        except soap.SoapFault as fault:
            if fault.code not in GONE:
                raise
        session = self._log_in(session)
        try:
            return self._ask("WebServService", operation, parameters, session=session, changes=changes)
        except soap.SoapFault as fault:
            if fault.code not in GONE:
                raise
            # Whatever it is that TIPSA cannot read, another login would not mend it.
            message = gettext("TIPSA does not know the session that it has just given.")
            raise self._remember(self._refusal, message, later=True) from fault

    def _ask(self, service: str, operation: str, parameters: Any, *, session: str, changes: bool = False) -> Any:
        return self._soap.call(
            "/SOAP",
            f"{service}___{operation}",
            parameters,
            action=f"urn:DinaPaq-{service}#{operation}",
            query={"service": service},
            header={"ROClientIDHeader": {"ID": session}},
            changes=changes,
        )

    # Logging in

    def _log_in(self, instead_of: str) -> str:
        with self._lock:
            # Somebody else was faster.
            if self._id and self._id != instead_of:
                return self._id
            self._id = ""
            self._rest()
            parameters = {"strCodAge": self.agency, "strCod": self.customer, "strPass": self._password}
            try:
                answer = self._ask("LoginWSService", "LoginCli2", parameters, session="")
            except soap.SoapFault as fault:
                raise self._refused(fault.text.partition(":")[0].strip(), fault.text) from fault
            session = soap.text_of(answer, "strSesion", limit=100)
            if soap.text_of(answer, "Result").lower() != "true" or not session:
                number = soap.text_of(answer, "strError", limit=10)
                raise self._refused(number, number or "strSesion")
            self._id = session
            return session

    def _refused(self, number: str, reason: str) -> AdapterRejected | AdapterUnavailable:
        if number in _REFUSED:
            message = gettext("TIPSA does not accept the agency, the customer code and the password ({reason}).")
        elif number == _BLOCKED:
            message = gettext("TIPSA has blocked this server's address for some minutes ({reason}).")
        else:
            message = gettext("TIPSA takes no login at the moment ({reason}).")
        logger.warning("%s: login refused (%s)", self.name, reason)
        key = self._block if number == _BLOCKED else self._refusal
        return self._remember(key, message.format(reason=reason), later=number not in _REFUSED)

    def _rest(self) -> None:
        """Raise what the last login was refused with, as long as nobody may try again."""
        for key in (self._block, self._refusal):
            told = cache.get(key)
            if told and told["until"] > self._clock():
                raise _error(told["message"], later=told["later"])

    def _remember(self, key: str, message: str, *, later: bool) -> AdapterRejected | AdapterUnavailable:
        """Let nobody log in for a while; returns the error to raise. ``later``: it is no matter of the credentials."""
        cache.set(key, {"message": message, "later": later, "until": self._clock() + REST}, timeout=REST)
        return _error(message, later=later)


def _error(message: str, *, later: bool) -> AdapterRejected | AdapterUnavailable:
    return AdapterUnavailable(message) if later else AdapterRejected(message)


def _mark(*parts: str) -> str:
    """A key of the cache from which no password can be read."""
    return f"oscar_fulfillment:tipsa:{salted_hmac('oscar_fulfillment.tipsa', chr(0).join(parts)).hexdigest()}"
