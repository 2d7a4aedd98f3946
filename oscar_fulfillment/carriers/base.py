"""What every carrier can do, and what some can: configured by alias, as Django configures CACHES.

Every carrier reads a tracking code as it was typed and links to the page that follows it. What else it can do, it
declares (:class:`Capability`) and overrides: follow parcels, be told by notifications, take orders, print labels, know
distances. Plain data in, plain data out (``carriers.events``); errors are those of :mod:`core.http`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from string import Formatter
from typing import Any
from urllib.parse import quote, urlsplit

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.core.exceptions import AdapterRejected, ConfigurationError

from .events import Address, CarrierOrderRequest, Distance, ParcelHint, RemoteOrder, Tracked

MAX_CODE = 64
_CODE = re.compile(r"[A-Z0-9](?:[A-Z0-9._/-]*[A-Z0-9])?", re.ASCII)
_LINK = re.compile(r"://|^//|^www\.|^mailto:", re.IGNORECASE)


class Capability(StrEnum):
    """What a carrier can do; decides which buttons show and what runs by itself."""

    TRACKING_URL = "tracking_url"  # a page that follows a code
    MAILS_TRACKING_LINK = "mails_tracking_link"  # the dispatch mails that link by itself
    TRACK = "track"  # can be asked for a parcel's events
    WEBHOOK = "webhook"  # tells of events by itself
    CREATE_ORDER = "create_order"  # takes orders and gives the tracking code
    CANCEL_ORDER = "cancel_order"
    FIND_ORDER = "find_order"  # an order can be found by our reference, also when its answer was lost
    LABEL = "label"  # prints the label of an order it took
    DISTANCE = "distance"  # knows how far its office is from an address
    PICKUP = "pickup"  # no carrier at all: the customer comes for the goods


class TrackingCodeError(ValueError):
    """The text is no tracking code of this carrier. ``code`` says why in a word, ``message`` to a person."""

    def __init__(self, code: str, message: Any):
        self.code = code
        self.message = message
        super().__init__(message)


class Carrier:
    """One carrier of the shop, built from ``OSCAR_FULFILLMENT["CARRIERS"][alias]``.

    Subclass it, declare ``capabilities``, and override what differs. No model, no database, no network here.
    """

    # What buttons and mails may rely on; "tracking_url" and "mails_tracking_link" follow from the two below.
    extra_capabilities: frozenset[str] = frozenset()
    name: Any = ""
    # Where a parcel can be followed: {code} is the quoted tracking code, {language} the two letters of the reader's.
    url_template: str = ""
    # Whether the dispatch mails the customer the tracking link by itself, also where nobody is asked.
    automatic_tracking_mail: bool = False
    # Whether the name says only that it is some carrier; customers are not told such a name.
    is_generic: bool = False
    # How many codes one call of ``track`` takes, and how many calls a minute the carrier allows (0: no limit known).
    track_batch: int = 1
    calls_per_minute: int = 0
    # Minutes between two questions about a parcel: the first ones, and the last repeats.
    track_every: Sequence[int] = (60, 120, 240)
    # Whether it is asked at all; the dashboard can stop it.
    is_polled: bool = True

    def __init__(
        self,
        *,
        alias: str,
        name: Any = None,
        url_template: str | None = None,
        automatic_tracking_mail: bool | None = None,
        creates_orders: bool = False,
        dispatches_on_pickup: bool = False,
    ):
        self.alias = alias
        # Whether the release orders the carriage by itself; only with CREATE_ORDER. The dashboard can switch it.
        self.creates_orders = creates_orders
        # Whether a parcel counts as sent once the carrier says that it has it.
        self.dispatches_on_pickup = dispatches_on_pickup
        self.name = name or self.name or alias
        if url_template is not None:
            self.url_template = url_template
        if automatic_tracking_mail is not None:
            self.automatic_tracking_mail = automatic_tracking_mail
        check_url_template(alias, self.url_template)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.alias!r}>"

    @property
    def capabilities(self) -> frozenset[str]:
        """What this carrier can do: members of :class:`Capability`, and words of a shop's own."""
        derived = {
            Capability.TRACKING_URL: bool(self.url_template),
            Capability.MAILS_TRACKING_LINK: self.automatic_tracking_mail,
        }
        return self.extra_capabilities | {word for word, able in derived.items() if able}

    def normalise_tracking_code(self, raw: Any) -> str:
        """The code as it is stored: without spaces, in capitals.

        :raises TrackingCodeError: (a ValueError) nothing was typed, or it is a link, markup, too long, or of no code's
            characters. What passes is ASCII letters, digits and ``. _ / -``, at most 64, and nothing else.
        """
        text = raw.strip() if isinstance(raw, str) else ""
        if not text:
            raise TrackingCodeError("empty", _("Enter the tracking code."))
        # The length first: nothing below should read a page of text.
        if len(text) > 2 * MAX_CODE or len(text.replace(" ", "")) > MAX_CODE:
            raise TrackingCodeError(
                "length", format_lazy(_("A tracking code has at most {count} characters."), count=MAX_CODE)
            )
        if _LINK.search(text):
            raise TrackingCodeError("link", _("Enter the tracking code alone, not the link."))
        code = text.replace(" ", "")
        # ASCII before capitals: str.upper() makes "ſ" an S.
        if not code.isascii() or not _CODE.fullmatch(code.upper()):
            raise TrackingCodeError(
                "characters", _("A tracking code has only letters without accents, digits, and . _ / - between them.")
            )
        return code.upper()

    def tracking_url(self, code: str, language: str = "") -> str:
        """The page that follows this code, "" if the carrier has none. Only ever http or https."""
        if not code or not self.url_template:
            return ""
        short = language.partition("-")[0].lower() if language else "en"
        return self.url_template.format(code=quote(code, safe=""), language=quote(short, safe=""))

    def matches(self, shipping_code: str, shipping_name: str) -> bool:
        """Whether an order's shipping method is this carrier's, so that the dispatch form can propose it."""
        return False

    # What some carriers can do

    def track(self, codes: Sequence[str]) -> list[Tracked]:
        """What the carrier knows of these parcels, at most ``track_batch``; an answer for each code, in any order.

        A code that the carrier does not know is an answer (``problem="not_found"``), not an error. The errors of the
        call (unavailable, rejected) concern all codes alike.
        """
        raise AdapterRejected(f"{self.alias} cannot be asked")

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> None:
        """Return if the notification proves where it comes from. Raises :class:`WebhookVerificationFailed`.

        ``headers`` have lower-case names. Query parameters hold what a carrier was told to send along (a secret token).
        """
        raise AdapterRejected(f"{self.alias} sends no notifications")

    def parse_notification(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> ParcelHint:
        """What a verified notification is about. :class:`AdapterRejected` for what cannot be read."""
        raise AdapterRejected(f"{self.alias} sends no notifications")

    def create_order(self, request: CarrierOrderRequest, *, key: str) -> RemoteOrder:
        """Order the carriage. ``key`` stays the same however often the call is repeated.

        :class:`AdapterUnanswered` when it may have been done: the caller asks :meth:`find_order` before it repeats.
        """
        raise AdapterRejected(f"{self.alias} takes no orders")

    def fetch_order(self, external_id: str) -> RemoteOrder:
        """How an order stands now."""
        raise AdapterRejected(f"{self.alias} takes no orders")

    def find_order(self, reference: str) -> RemoteOrder | None:
        """The order with our reference, None when the carrier has none (then ordering it again is safe)."""
        raise AdapterRejected(f"{self.alias} cannot search")

    def cancel_order(self, external_id: str) -> RemoteOrder:
        """Take an order back that the carrier has not begun."""
        raise AdapterRejected(f"{self.alias} cannot cancel")

    def label(self, external_id: str) -> bytes:
        """The carrier's own label as PDF. :class:`AdapterUnavailable` while it is still being made."""
        raise AdapterRejected(f"{self.alias} prints no labels")

    def distance(self, address: Address) -> Distance | None:
        """How far the carrier's office is from the address, None when it does not know."""
        raise AdapterRejected(f"{self.alias} knows no distances")


def names(word: str, *texts: str) -> bool:
    """Whether one of the texts has this word.

    Digits and marks may touch it ("sedex10", "correios_pac"), other letters not ("pacote", "English" for GLS).
    """
    pattern = re.compile(rf"(?<![^\W\d_]){re.escape(word)}(?![^\W\d_])", re.IGNORECASE)
    return any(pattern.search(str(text or "")) for text in texts)


def check_url_template(alias: str, template: str) -> None:
    """Refuse a template that could send a customer anywhere but to the carrier.

    :raises ConfigurationError: it is no http(s) address, lacks {code}, or has a placeholder where it may not be.
    """
    if not template:
        return
    where = f"carrier {alias!r}: url_template {template!r}"
    try:
        fields = [part[1:] for part in Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    for name, specification, conversion in fields:
        if name not in ("code", "language") or specification or conversion:
            raise ConfigurationError(f"{where}: only {{code}} and {{language}} may be filled in")
    if "code" not in {field[0] for field in fields}:
        raise ConfigurationError(f"{where}: has no {{code}}")
    if not template.isprintable() or " " in template or "\\" in template:
        raise ConfigurationError(f"{where}: has characters that are in no address")
    try:
        address = urlsplit(template)
        host = address.hostname
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    if address.scheme not in ("http", "https") or not host:
        raise ConfigurationError(f"{where}: is no http or https address")
    if "{" in address.netloc or "@" in address.netloc:
        raise ConfigurationError(f"{where}: the host must be written out")
