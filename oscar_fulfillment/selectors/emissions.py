"""Notes of our own for their pages: the queue by state, gaps in the numbers, the issuers and their certificates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Window
from django.db.models.functions import Lead

from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.fiscal.emission.certificates import WARNING, load_certificate
from oscar_fulfillment.models import NfeEmission, NfeSeries, NfeVoiding

from .issuers import Issuing, certificate_problem, find_issuing, issuing_aliases

#: The tabs of the queue, in their order: name -> the states that are in it.
TABS: dict[str, tuple[str, ...]] = {
    "attention": (NfeEmission.REJECTED, NfeEmission.DENIED),
    "under_way": NfeEmission.OPEN,
    "authorised": (NfeEmission.AUTHORISED,),
    "over": (NfeEmission.CANCELLED, NfeEmission.VOIDED),
}
#: So many gaps are listed at most.
MOST_GAPS = 50


def listed() -> QuerySet[NfeEmission]:
    """Notes without their files."""
    rows = NfeEmission._default_manager.defer("xml", "proc_xml", "content")
    return rows.select_related("fulfillment", "invoice")


def in_tab(tab: str) -> QuerySet[NfeEmission]:
    """The notes of a tab, newest first. What is authorised and not entered needs attention too."""
    rows = listed()
    waits = Q(status=NfeEmission.AUTHORISED, invoice=None)
    if tab == "attention":
        return rows.filter(Q(status__in=TABS[tab]) | waits)
    return rows.filter(status__in=TABS[tab]).exclude(waits)


def counts() -> dict[str, int]:
    """How many notes each tab has; one statement."""
    waits = Q(status=NfeEmission.AUTHORISED, invoice=None)
    found = NfeEmission._default_manager.aggregate(
        attention=Count("pk", filter=Q(status__in=TABS["attention"]) | waits),
        **{
            tab: Count("pk", filter=Q(status__in=states) & ~waits) for tab, states in TABS.items() if tab != "attention"
        },
    )
    return {tab: found[tab] for tab in TABS}


def search(typed: str) -> QuerySet[NfeEmission]:
    """Notes by access key, by their number, or by their order's."""
    text = typed.strip()
    found = Q(fulfillment__number=text)
    key = "".join(text.split()).upper()
    if len(key) == 44:
        found |= Q(access_key=key)
    if text.isascii() and text.isdecimal() and len(text) <= 9:
        found |= Q(number=int(text))
    return listed().filter(found)


@dataclass(frozen=True)
class Gap:
    """Numbers of a series that no note has and that are not voided."""

    alias: str
    series: NfeSeries
    first: int
    last: int


def gaps(issuing: Issuing, series: NfeSeries) -> list[Gap]:
    """What is missing between the first note of ours and the next number: another program's, or a lost one."""
    named = {"issuer": series.issuer, "environment": series.environment, "series": series.series}
    rows = NfeEmission._default_manager.filter(**named)
    following = rows.annotate(after=Window(Lead("number"), order_by="number")).order_by("number")
    # Computed by the database: a series has as many rows as the shop has notes.
    holes = [
        (number, after)
        for number, after in following.filter(after__gt=F("number") + 1)[:MOST_GAPS].values_list("number", "after")
    ]
    last = rows.order_by("-number").values_list("number", flat=True).first()
    if last is not None and series.next_number > last + 1:
        holes.append((last, series.next_number))
    voided = NfeVoiding._default_manager.filter(series=series).exclude(status=NfeVoiding.REFUSED)
    ranges = list(voided.values_list("first", "last"))
    found = []
    for before, after in holes:
        found += [Gap(issuing.alias, series, *hole) for hole in _without(before + 1, after - 1, ranges)]
    return found


def _without(first: int, last: int, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The numbers from first to last that are in none of these ranges, as ranges."""
    holes = [(first, last)]
    for begin, end in ranges:
        left = []
        for low, high in holes:
            if end < low or begin > high:
                left.append((low, high))
                continue
            if low < begin:
                left.append((low, begin - 1))
            if end < high:
                left.append((end + 1, high))
        holes = left
    return holes


@dataclass(frozen=True)
class IssuerState:
    """An issuer as its page shows it. ``problem``: why nothing can be issued."""

    alias: str
    issuing: Issuing | None
    problem: str = ""
    not_after: datetime | None = None
    days_left: int = 0
    series: NfeSeries | None = None
    gaps: tuple[Gap, ...] = ()
    #: Notes that wait for the tax office, and since when nobody is reached.
    in_contingency: int = 0

    @property
    def ends_soon(self) -> bool:
        return self.not_after is not None and self.days_left < WARNING.days


def issuers() -> list[IssuerState]:
    """Every issuer of the settings with its certificate, series and gaps."""
    return [_issuer(alias) for alias in issuing_aliases()]


def _issuer(alias: str) -> IssuerState:
    try:
        issuing = find_issuing(alias)
    except ConfigurationError as error:
        return IssuerState(alias, None, str(error))
    series = NfeSeries._default_manager.filter(
        issuer=issuing.issuer.cnpj, environment=issuing.environment, series=issuing.series
    ).first()
    found: dict[str, Any] = {"series": series, "gaps": tuple(gaps(issuing, series)) if series is not None else ()}
    found["in_contingency"] = NfeEmission._default_manager.filter(
        issuer=issuing.issuer.cnpj, environment=issuing.environment, status=NfeEmission.CONTINGENCY
    ).count()
    try:
        certificate = load_certificate(issuing.certificate_path, issuing.password)
    except ConfigurationError as error:
        return IssuerState(alias, issuing, str(error), **found)
    return IssuerState(
        alias, issuing, certificate_problem(certificate, issuing.issuer.cnpj), certificate.not_after,
        certificate.days_left(), **found,
    )  # fmt: skip
