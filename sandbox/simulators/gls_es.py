"""GLS Spain's web service for customers: GetExpCli on an .asmx page, in both versions of SOAP."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from werkzeug.wrappers import Request, Response

from . import soap
from .base import route
from .carriers import HOSTILE_TEXT, CarrierSimulator

UID = "6BAB7A53-3B6D-4D5A-9450-702D2FAC0B11"
NAMESPACE = "http://www.asmred.com/"
_MADRID = ZoneInfo("Europe/Madrid")


class GlsSpain(CarrierSimulator):
    """One customer, known by its ``uid``."""

    name, title = "gls_es", "GLS Spain"
    steps = {
        "announced": {"kind": "ESTADO", "number": "-10", "text": "GRABADO"},
        "collected": {"kind": "ESTADO", "number": "16", "text": "EN DELEGACION ORIGEN"},
        "in_transit": {"kind": "ESTADO", "number": "2", "text": "EN TRANSITO A DESTINO"},
        "out_for_delivery": {"kind": "ESTADO", "number": "6", "text": "EN REPARTO"},
        "attempt_failed": {"kind": "INCIDENCIA", "number": "9", "text": "AUSENTE -- NO ABRE NADIE, 2ª PLANTA"},
        "ready_for_pickup": {"kind": "ESTADO", "number": "22", "text": "ENTREGADO EN PARCELSHOP"},
        "on_hold": {"kind": "ESTADO", "number": "9", "text": "ALMACENADO"},
        "delivered": {"kind": "ESTADO", "number": "7", "text": "ENTREGADO"},
        "returning": {"kind": "ESTADO", "number": "15", "text": "EN DEVOLUCION"},
        "returned": {"kind": "ESTADO", "number": "12", "text": "DEVUELTA AL CLIENTE"},
        "cancelled": {"kind": "ESTADO", "number": "5", "text": "ANULADA"},
        "lost": {"kind": "ESTADO", "number": "20", "text": "CERRADO POR SINIESTRO"},
        "unknown": {"kind": "ESTADO", "number": "77", "text": "NUEVO ESTADO"},
        "hostile": {"kind": "INCIDENCIA", "number": "13", "text": f"DIRECCION INCORRECTA -- {HOSTILE_TEXT}"},
    }

    def new_code(self, number: int) -> str:
        return f"61197{number:09d}"

    @route("POST", "/b2b.asmx")
    def service(self, request: Request) -> Response:
        asked = soap.read(request, NAMESPACE)
        if asked.operation != "GetExpCli":
            raise soap.Fault("soap:Client", f"Server did not recognize the value of {asked.operation}.")
        if asked.version == soap.V11 and request.headers.get("SOAPAction") != f'"{NAMESPACE}GetExpCli"':
            raise soap.Fault("soap:Client", "Server did not recognize the value of HTTP Header SOAPAction.")
        try:
            uid = str(uuid.UUID(asked.parameters.get("uid", ""))).upper()
        except ValueError:
            reason = "Guid should contain 32 digits with 4 dashes."
            raise soap.Fault("soap:Server", f"Server was unable to process request. ---> {reason}") from None
        record = self.asked(asked.parameters.get("codigo", "")) if uid == UID else None
        found = _shipment(record) if record else "<Error>No se encuentra la expedición</Error>"
        return soap.reply(
            f'<GetExpCliResponse xmlns="{NAMESPACE}"><GetExpCliResult><expediciones xmlns="">{found}</expediciones>'
            "</GetExpCliResult></GetExpCliResponse>",
            version=asked.version,
        )


def _shipment(record: Mapping[str, Any]) -> str:
    events = record["events"]
    states = [event for event in events if event["kind"] == "ESTADO"]
    head = {
        "expedicion": record["code"][-9:],
        "codexp": record["code"][-9:],
        "codbar": record["code"],
        "nombre_dst": "DESTINATARIO DE PRUEBAS",
        "cp_dst": "28001",
        "codestado": states[-1]["number"] if states else "-10",
        "estado": states[-1]["text"] if states else "GRABADO",
        "incidencia": "SIN INCIDENCIA",
    }
    rows = "".join(f"<tracking>{_fields(_row(event))}</tracking>" for event in events)
    return f"<exp>{_fields(head)}<tracking_list>{rows}</tracking_list><digitalizaciones/></exp>"


def _row(event: Mapping[str, Any]) -> dict[str, str]:
    return {
        "fecha": datetime.fromisoformat(event["at"]).astimezone(_MADRID).strftime("%d/%m/%Y %H:%M:%S"),
        "tipo": event["kind"],
        "codigo": event["number"],
        "evento": event["text"],
        "plaza": "771",
        "nombreplaza": "ALCOBENDAS",
    }


def _fields(values: Mapping[str, str]) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())
