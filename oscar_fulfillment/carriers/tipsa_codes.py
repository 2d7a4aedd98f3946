"""TIPSA's codes: statuses (``V_COD_TIPO_EST``) and incidents (``V_COD_TIPO_INC``), each with one meaning of ours.

Statuses: TIPSA's "Documentación WebServices", table of status types. Envialia runs the same software with other
numbers (there 3 is an incident and 4 delivered): this table is TIPSA's alone. Incidents: TIPSA publishes no full list;
these are the codes that shop back offices and its own example show. They disagree on DO and FE, so TIPSA's words are
shown beside ours. Status 18 and incident EPA were seen without a meaning: both are left out, and show as unknown.
"""

from __future__ import annotations

from .events import IncidentClass as I
from .events import Meaning
from .events import TrackingState as S

#: The status that says no more than "see the incidents".
INCIDENT = "EST/4"
#: From here on the parcel goes back.
TURNS = frozenset({"EST/5"})

STATUSES = {
    "EST/0": Meaning(S.PENDING, "Documentado"),
    "EST/1": Meaning(S.IN_TRANSIT, "En tránsito"),
    "EST/2": Meaning(S.OUT_FOR_DELIVERY, "En reparto"),
    "EST/3": Meaning(S.DELIVERED, "Entregado"),
    "EST/4": Meaning(S.DELIVERY_FAILED, "Incidencia", I.DELIVERY_FAILED),
    "EST/5": Meaning(S.RETURNED, "Devuelto", I.RETURNED),
    "EST/6": Meaning(S.ON_HOLD, "Falta de expedición", I.WAITING_GOODS),
    "EST/7": Meaning(S.IN_TRANSIT, "Recanalizado"),
    "EST/9": Meaning(S.ON_HOLD, "Falta de expedición administrativa", I.WAITING_GOODS),
    "EST/10": Meaning(S.CANCELLED, "Destruido"),
    "EST/11": Meaning(S.PICKED_UP, "Recogida"),
    "EST/12": Meaning(S.IN_TRANSIT, "Leída por repartidor"),
    "EST/13": Meaning(S.IN_TRANSIT, "Leída"),
    "EST/14": Meaning(S.READY_FOR_PICKUP, "Disponible para recoger"),
    "EST/15": Meaning(S.DELIVERED_IN_PART, "Entrega parcial", I.PARTIAL_DELIVERY),
}

INCIDENTS = {
    "INC/ADU": Meaning(S.ON_HOLD, "Mercancía en aduana", I.CUSTOMS_HOLD),
    "INC/AS": Meaning(S.DELIVERY_FAILED, "Ausente", I.ABSENT),
    "INC/C": Meaning(S.DELIVERY_FAILED, "Cerrado", I.CLOSED),
    "INC/DI": Meaning(S.DELIVERY_FAILED, "Dirección incorrecta", I.ADDRESS_WRONG),
    # No turn: the courier wants to send it back, and the shop can still say no.
    "INC/DO": Meaning(S.DELIVERY_FAILED, "Devolución a origen", I.RETURNING),
    "INC/EAD": Meaning(S.ON_HOLD, "Entrega aplazada por destinatario", I.RESCHEDULED),
    "INC/EDT": Meaning(S.DELIVERY_FAILED, "Envío deteriorado", I.DAMAGED),
    # Often administrative, and solved by itself within a day: not lost yet.
    "INC/EXM": Meaning(S.ON_HOLD, "Extravío de mercancía", I.LOST),
    "INC/FB": Meaning(S.ON_HOLD, "Faltan bultos", I.MISSING_PARCELS),
    "INC/FD": Meaning(S.DELIVERY_FAILED, "Faltan datos", I.ADDRESS_INCOMPLETE),
    "INC/FE": Meaning(S.ON_HOLD, "Falta expedición", I.WAITING_GOODS),
    "INC/FL": Meaning(S.ON_HOLD, "Fiesta local", I.LOCAL_HOLIDAY),
    "INC/MC": Meaning(S.IN_TRANSIT, "Mal canalizado", I.MISROUTED),
    "INC/MCC": Meaning(S.INFO, "Mal clasificada", I.CORRECTION, retracts=True),
    "INC/NAM": Meaning(S.DELIVERY_FAILED, "No acepta mercancía", I.REFUSED),
    "INC/RD": Meaning(S.ON_HOLD, "Recogen en delegación", I.PICKUP_REQUESTED),
}

CODES = {**STATUSES, **INCIDENTS}
