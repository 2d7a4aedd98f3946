"""Where the tax office of each state answers, in its own name or by those who stand in for it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from oscar_fulfillment.core.exceptions import ConfigurationError

from .facts import NORMAL, PRODUCTION, SVC_AN, SVC_RS

#: States with a service of their own; Maranhão uses the national one, all others that of Rio Grande do Sul.
_OWN = frozenset({"AM", "BA", "GO", "MG", "MS", "MT", "PE", "PR", "RS", "SP"})
#: States for which Rio Grande do Sul stands in; the national service does for all others.
_STANDS_IN_RS = frozenset({"AM", "BA", "GO", "MA", "MS", "MT", "PE", "PR"})


class Service(Enum):
    """A web service: its name in the namespace of its envelope, its operation, and nfelib's name of it."""

    AUTHORISE = ("NFeAutorizacao4", "nfeAutorizacaoLote", "NFEAUTORIZACAO")
    RECEIPT = ("NFeRetAutorizacao4", "nfeRetAutorizacaoLote", "NFERETAUTORIZACAO")
    QUERY = ("NFeConsultaProtocolo4", "nfeConsultaNF", "NFECONSULTAPROTOCOLO")
    STATUS = ("NFeStatusServico4", "nfeStatusServicoNF", "NFESTATUSSERVICO")
    EVENT = ("NFeRecepcaoEvento4", "nfeRecepcaoEvento", "RECEPCAOEVENTO")
    VOID = ("NFeInutilizacao4", "nfeInutilizacaoNF", "NFEINUTILIZACAO")

    @property
    def namespace(self) -> str:
        return f"http://www.portalfiscal.inf.br/nfe/wsdl/{self.value[0]}"

    @property
    def action(self) -> str:
        return f"{self.namespace}/{self.value[1]}"


def contingency_type(state: str) -> int:
    """The emission type of a state's contingency: 6 (national) or 7 (Rio Grande do Sul)."""
    return SVC_RS if state in _STANDS_IN_RS else SVC_AN


def server_of(state: str, emission_type: int) -> str:
    """Who answers, by the name that the national portal lists."""
    if emission_type != NORMAL:
        return "SVC-RS" if emission_type == SVC_RS else "SVC-AN"
    if state in _OWN:
        return state
    return "SVAN" if state == "MA" else "SVRS"


def address_of(
    service: Service,
    *,
    state: str,
    environment: str,
    emission_type: int = NORMAL,
    given: Mapping[str, Any] | None = None,
) -> str:
    """Where a service is asked.

    ``given`` are addresses of the settings, used instead of the portal's: ``{"normal": ..., "contingency": ...}``, each
    with "{service}" where the name of the service goes. :class:`ConfigurationError` for a service that is not offered.
    """
    if given:
        template = str(given.get("normal" if emission_type == NORMAL else "contingency", ""))
        if not template:
            raise ConfigurationError("NFE: the addresses name none for the contingency")
        return template.replace("{service}", service.value[0])
    from nfelib.nfe.client.v4_0.servers import Endpoint, servers

    listed: Any = servers[server_of(state, emission_type)]
    found = listed["prod_endpoints" if environment == PRODUCTION else "dev_endpoints"].get(Endpoint[service.value[2]])
    if not found:
        raise ConfigurationError(f"{server_of(state, emission_type)} offers no {service.value[0]}")
    return str(found).partition("?")[0]
