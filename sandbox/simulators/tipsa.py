"""TIPSA's DinaPaq: logins with sessions, statuses, incidents and distances, as XML inside the XML of SOAP."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from werkzeug.wrappers import Request, Response

from . import soap
from .base import route
from .carriers import HOSTILE_TEXT, CarrierSimulator

AGENCY, CUSTOMER, PASSWORD = "028002", "33333", "Pr%20#23&<tipsa>"
NAMESPACE = "http://tempuri.org/"
_MADRID = ZoneInfo("Europe/Madrid")
#: Wrong logins in a row before the address is blocked, and for how long.
_PATIENCE, _BLOCKED = 5, timedelta(minutes=10)


class Tipsa(CarrierSimulator):
    """An agency's customer. ``encoding``, ``declare`` and ``fault_status`` are how older servers differ."""

    name, title = "tipsa", "TIPSA"
    token_life = timedelta(minutes=25)
    encoding, declare, fault_status = "utf-8", True, 200
    #: town, postcode -> kilometres from the agency that delivers there.
    towns: Mapping[tuple[str, str], str] = {("MADRID", "28001"): "4.5", ("RASCAFRIA", "28740"): "91.25"}
    steps = {
        "announced": {"status": "0"},
        "collected": {"status": "11"},
        "in_transit": {"status": "1"},
        "out_for_delivery": {"status": "2"},
        "attempt_failed": {"status": "4", "incident": "AS", "note": "No abre nadie, 2ª planta"},
        "ready_for_pickup": {"status": "14"},
        "on_hold": {"status": "6"},
        "delivered": {"status": "3"},
        "returned": {"status": "5"},
        "cancelled": {"status": "10"},
        "correction": {"status": "4", "incident": "MCC", "note": "Se clasificó mal"},
        "unknown": {"status": "18"},
        "hostile": {"status": "4", "incident": "DI", "note": HOSTILE_TEXT},
    }

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.wrong_logins = 0
        self.blocked_until = datetime.min.replace(tzinfo=UTC)

    def new_code(self, number: int) -> str:
        return f"{AGENCY}{AGENCY}{number:010d}"

    def block(self) -> None:
        """Take no login from anybody for ten minutes."""
        self.blocked_until = self.now() + _BLOCKED

    def solve(self, code: str) -> None:
        """The newest incident of a parcel is closed as solved."""
        with self.books.change("parcel", code) as record:
            [*_older, last] = [event for event in record["events"] if event.get("incident")]
            last["solved"] = max(self.now(), datetime.fromisoformat(last["at"])).isoformat()

    # The services

    @route("POST", "/SOAP")
    def service(self, request: Request) -> Response:
        service = request.args.get("service", "")
        asked = soap.read(request, NAMESPACE)
        operations: dict[str, Callable[[soap.Asked], dict[str, str]]] = {
            "LoginWSService___LoginCli2": self.log_in,
            "WebServService___ConsEnvEstados": self.statuses,
            "WebServService___ConsEnvIncidencias": self.incidents,
            "WebServService___ConsKilometros": self.kilometres,
        }
        action = f'"urn:DinaPaq-{asked.operation.replace("___", "#")}"'
        if asked.operation not in operations or not asked.operation.startswith(f"{service}___"):
            raise self.fault("ERODispatcherException", f"Unknown method {asked.operation} of {service}")
        if request.headers.get("SOAPAction") != action:
            raise self.fault("ERODispatcherException", "Wrong SOAPAction")
        if service == "WebServService" and self._tokens.get(asked.header.get("ID", ""), self._past) <= self.now():
            raise self.fault("EROSessionNotFound", f"Session {asked.header.get('ID', '')} could not be found.")
        answer = operations[asked.operation](asked)
        fields = "".join(f"<v1:{name}>{value}</v1:{name}>" for name, value in answer.items())
        return soap.reply(
            f'<v1:{asked.operation}Response xmlns:v1="{NAMESPACE}">{fields}</v1:{asked.operation}Response>',
            encoding=self.encoding,
            declare=self.declare,
        )

    _past = datetime.min.replace(tzinfo=UTC)

    def fault(self, code: str, text: str) -> soap.Fault:
        return soap.Fault(code, text, self.fault_status)

    def log_in(self, asked: soap.Asked) -> dict[str, str]:
        if self.blocked_until > self.now():
            raise self.fault("Exception", "3: IP bloqueada temporalmente.")
        given = tuple(asked.parameters.get(name) for name in ("strCodAge", "strCod", "strPass"))
        if given != (AGENCY, CUSTOMER, PASSWORD):
            self.wrong_logins += 1
            if self.wrong_logins >= _PATIENCE:
                self.block()
            raise self.fault("Exception", "1: Cliente o password incorrecto.")
        self.wrong_logins = 0
        self.login_count += 1
        session = f"{{{str(uuid.uuid4()).upper()}}}"
        self._tokens[session] = self.now() + self.token_life
        return {
            "Result": "true",
            "strNom": "CLIENTE DE PRUEBAS",
            "strVersion": "0.01.71",
            "strError": "0",
            "strSesion": session,
            "strURLDetSegEnv": "https://example.com/detalle_envio.php?servicio={GUID}&amp;fecha={FECHA}",
        }

    def statuses(self, asked: soap.Asked) -> dict[str, str]:
        rows = [
            {
                "I_ID": str(number),
                "V_COD_TIPO_EST": event["status"],
                "D_FEC_HORA_ALTA": _written(event["at"]),
                "V_COD_USU_ALTA": "99912",
                "V_COD_AGE_ALTA": AGENCY,
            }
            for number, event in enumerate(self._events(asked), 1)
        ]
        found = "".join(f"<ENV_ESTADOS {soap.attributes(row)}/>" for row in rows)
        return {"strEnvEstados": _inside(f"<CONSULTA>{found}</CONSULTA>")}

    def incidents(self, asked: soap.Asked) -> dict[str, str]:
        rows = [event for event in self._events(asked) if event.get("incident")]
        found = "".join(_incident(number, event) for number, event in enumerate(rows, 1))
        return {"strEnvIncidencias": _inside(f"<CONSULTA>{found}</CONSULTA>")}

    def kilometres(self, asked: soap.Asked) -> dict[str, str]:
        town = (asked.parameters.get("strPobla", "").upper(), asked.parameters.get("strCP", ""))
        if town not in self.towns:
            raise self.fault("Exception", "1: La población no existe.")
        return {"dKms": self.towns[town], "boKmC": "false"}

    def _events(self, asked: soap.Asked) -> list[dict[str, Any]]:
        given = asked.parameters
        record = self.asked("".join(given.get(name, "") for name in ("strCodAgeCargo", "strCodAgeOri", "strAlbaran")))
        return record["events"] if record else []


def _incident(number: int, event: Mapping[str, Any]) -> str:
    row = {
        "I_ID": str(number),
        "V_COD_TIPO_INC": event["incident"],
        "T_OBS": event.get("note", ""),
        "D_FEC_HORA_CIERRE": _written(event["solved"]) if event.get("solved") else "",
        "B_RESUELTA": str(bool(event.get("solved"))),
        "D_FEC_HORA_ALTA": _written(event["at"]),
        "V_COD_USU_ALTA": "99912",
    }
    act = {
        "I_ID": "1",
        "V_COD_TIPO_ACTU": "9999",
        "V_DES_TIPO_ACTU": "GENERACIÓN DE INCIDENCIA",
        "D_FEC_HORA_ALTA": _written(event["at"]),
        "B_LEIDA": "True",
        "V_TIPO": "INT",
    }
    return f"<ENV_INCIDENCIAS><INC {soap.attributes(row)}/><ACT {soap.attributes(act)}/></ENV_INCIDENCIAS>"


def _inside(document: str) -> str:
    """A document as the text of another: this carrier writes short ones escaped, the others as CDATA."""
    return escape(document, quote=False) if len(document) < 300 else f"<![CDATA[{document}]]>"


def _written(at: str) -> str:
    return datetime.fromisoformat(at).astimezone(_MADRID).strftime("%m/%d/%Y %H:%M:%S")
