"""The simulated tax office over real TLS, and a shop that issues notes there. For tests of every kind."""

from contextlib import contextmanager
from decimal import Decimal

from django.utils import timezone

from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.fiscal.emission.rules import TaxRules
from oscar_fulfillment.models import LaneHealth, OutboundMessage
from oscar_fulfillment.services import emission_issue, emission_watch, tax_profiles
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_cpf
from sandbox.simulators.sefaz import Sefaz
from sandbox.simulators.sefaz_tls import serve_tls

from .nfe_settings import SELLER, issuer, pki

CLERK = Actor.system("clerk")
LANE = "sefaz:sp"
BUYER = make_cpf("529982247")


class Office:
    """The simulator with the shop's settings for it."""

    def __init__(self, settings, sefaz, address):
        self.settings, self.sefaz, self.address = settings, sefaz, address
        self._before = dict(settings.OSCAR_FULFILLMENT)
        self.configure()

    def configure(self, seller=None, shop=None, **said):
        """Set the shop up; ``said`` as for :func:`issuer`."""
        self.settings.OSCAR_FULFILLMENT = {
            **self._before,
            "SELLERS": {"BRL": seller or SELLER},
            "NFE": {"BRL": issuer(self.address, **said)},
            "OUTBOX_BACKOFF": [0, 0, 0, 0, 0, 0, 0, 0],
            **(shop or {}),
        }
        emission_watch.register_issuers()

    @property
    def asked(self):
        """The services that were called, by name, in their order."""
        return [path.rpartition("/")[2].removesuffix("4") for _method, path, _headers, _body in self.sefaz.calls]


@contextmanager
def tax_office(settings, **options):
    sefaz = Sefaz(**options)
    with serve_tls(sefaz, pki()) as address:
        yield Office(settings, sefaz, address)


#: Rules of a small shop (Simples), and of a firm of the normal regime.
SIMPLES = TaxRules(ncm="69111010", cfop_inside="5102", cfop_outside="6108", icms="102", pis="49", cofins="49")
NORMAL = TaxRules(
    ncm="69111010",
    cfop_inside="5102",
    cfop_outside="6108",
    icms="00",
    icms_rate=Decimal(18),
    destinations={"PE": (Decimal("20.5"), Decimal(0)), "RJ": (Decimal(20), Decimal(2))},
    pis="01",
    pis_rate=Decimal("1.65"),
    cofins="01",
    cofins_rate=Decimal("7.6"),
    class_code="000001",
)


def profile(rules=SIMPLES, product_class=None, name="All articles", **options):
    return tax_profiles.save_tax_profile(actor=CLERK, name=name, product_class=product_class, rules=rules, **options)


def address(**said):
    return factories.address(
        **{
            "line1": "Av. Paulista, 1000 - ap. 71",
            "line3": "Bela Vista",
            "line4": "São Paulo",
            "state": "SP",
            "postcode": "01310-100",
            **said,
        }
    )


def released(*, tax_id=BUYER, kind="", at=None, make=factories.released_order, **options):
    """A released order whose buyer can have a note."""
    kind = kind or {11: "cpf", 14: "cnpj"}.get(len(tax_id), "")
    given = {"tax_id": tax_id, "tax_id_kind": kind, **options.pop("fulfillment", {})}
    return make(fulfillment=given, shipping_address=address(**(at or {})), **options)


def work(rounds=1):
    """Let the workers go on, as if every pause were over; what is due again is done in the next round."""
    for _round in range(rounds):
        OutboundMessage.objects.filter(status="pending").update(next_attempt_at=timezone.now())
        LaneHealth.objects.all().delete()
        outbox.drain(destination=LANE)


def issued(order, **options):
    """A note of this order, as far as its workers come in one round."""
    note = emission_issue.issue_note(order=order, actor=CLERK, **options)
    work()
    note.refresh_from_db()
    return note


def authorised(order, **options):
    note = issued(order, **options)
    assert note.status == "authorised", (note.answer_code, note.answer_text, note.problem)
    return note
