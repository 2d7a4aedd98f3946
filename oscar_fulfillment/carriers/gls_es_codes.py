"""GLS Spain's codes, as ``tracking_list`` gives them: a kind (``tipo``) and a number (``codigo``).

Numbers of states and of incidents overlap (10 is "sent back" and "not accepted"), so the kind is part of the code.
Source: GLS Spain's master tables (states of shipments, incidents), as shop back offices have them.
"""

from __future__ import annotations

from .events import IncidentClass as I
from .events import Meaning
from .events import TrackingState as S

#: From here on the parcel goes back. 13 and 14 are only thought of and asked for.
TURNS = frozenset({"ESTADO/10", "ESTADO/12", "ESTADO/15", "ESTADO/51"})
#: Kinds that are no events: links to the picture of a signature, and to a partner's page.
LINKS = frozenset({"POD", "URLPARTNER"})
#: Kinds that say something and move nothing: who took it, what the shop answered, remarks.
REMARKS = frozenset({"ENTREGA", "SOLUCION", "SEGUIMIENTO", "SEGUIMIENTO TX"})

_STATES = {
    "-10": Meaning(S.PENDING, "Grabado"),
    "0": Meaning(S.PENDING, "Manifestada"),
    "1": Meaning(S.ON_HOLD, "Retenida en delegación", I.HELD),
    "2": Meaning(S.IN_TRANSIT, "En tránsito a destino"),
    "3": Meaning(S.IN_TRANSIT, "En delegación destino"),
    "5": Meaning(S.CANCELLED, "Anulada"),
    "6": Meaning(S.OUT_FOR_DELIVERY, "En reparto"),
    "7": Meaning(S.DELIVERED, "Entregado"),
    "8": Meaning(S.DELIVERED_IN_PART, "Entrega parcial", I.PARTIAL_DELIVERY),
    "9": Meaning(S.ON_HOLD, "Almacenado"),
    "10": Meaning(S.RETURNING, "Devuelta", I.RETURNING),
    "11": Meaning(S.ON_HOLD, "Pendiente de datos, en delegación", I.ADDRESS_INCOMPLETE),
    "12": Meaning(S.RETURNED, "Devuelta al cliente", I.RETURNED),
    "13": Meaning(S.ON_HOLD, "Posible devolución", I.RETURNING),
    "14": Meaning(S.RETURNING, "Solicitud de devolución", I.RETURNING),
    "15": Meaning(S.RETURNING, "En devolución", I.RETURNING),
    "16": Meaning(S.IN_TRANSIT, "En delegación origen"),
    "17": Meaning(S.CANCELLED, "Destruido por orden del cliente"),
    "18": Meaning(S.ON_HOLD, "Retenido por orden de paga", I.HELD),
    "19": Meaning(S.IN_TRANSIT, "En plataforma de destino"),
    # Closed for loss or breakage: it will not arrive.
    "20": Meaning(S.LOST, "Cerrado por siniestro", I.LOST),
    "21": Meaning(S.IN_TRANSIT, "Recanalizada"),
    # Delivered to a shop, where the recipient comes for it.
    "22": Meaning(S.READY_FOR_PICKUP, "Entregado en ParcelShop"),
    "25": Meaning(S.READY_FOR_PICKUP, "ParcelShop confirma recepción"),
    "50": Meaning(S.OUT_FOR_DELIVERY, "Preconfirmada entrega"),
    "51": Meaning(S.RETURNING, "Entrega anulada (devuelta)", I.RETURNING),
    # It says that nothing more will come, not how it ended.
    "90": Meaning(S.INFO, "Cerrado definitivo"),
    "91": Meaning(S.DELIVERY_FAILED, "Con incidencia", I.DELIVERY_FAILED),
}

_INCIDENTS = {
    "0": Meaning(S.ON_HOLD, "Retenida", I.HELD),
    "2": Meaning(S.ON_HOLD, "Condiciones meteorológicas", I.FORCE_MAJEURE),
    "3": Meaning(S.ON_HOLD, "Falta expedición completa", I.WAITING_GOODS),
    "4": Meaning(S.ON_HOLD, "Faltan bultos", I.MISSING_PARCELS),
    "8": Meaning(S.IN_TRANSIT, "Clasificación en plataforma", I.MISROUTED),
    "9": Meaning(S.DELIVERY_FAILED, "Ausente", I.ABSENT),
    "10": Meaning(S.DELIVERY_FAILED, "No acepta expedición", I.REFUSED),
    "11": Meaning(S.DELIVERY_FAILED, "No acepta portes debidos o reembolso", I.REFUSED_PAYMENT),
    "12": Meaning(S.DELIVERY_FAILED, "Faltan datos", I.ADDRESS_INCOMPLETE),
    "13": Meaning(S.DELIVERY_FAILED, "Dirección incorrecta", I.ADDRESS_WRONG),
    "14": Meaning(S.DELIVERY_FAILED, "Cambio de domicilio", I.RECIPIENT_UNKNOWN),
    "15": Meaning(S.DELIVERY_FAILED, "Ausente segunda vez", I.ABSENT),
    "18": Meaning(S.IN_TRANSIT, "Retraso de ruta", I.CARRIER_DELAY),
    "19": Meaning(S.DELIVERY_FAILED, "Retorno no preparado", I.DELIVERY_FAILED),
    "20": Meaning(S.ON_HOLD, "Robada en parte", I.LOST),
    "21": Meaning(S.DELIVERY_FAILED, "Deteriorada", I.DAMAGED),
    "22": Meaning(S.ON_HOLD, "Contactando con el destinatario", I.RESCHEDULED),
    "23": Meaning(S.LOST, "Robada o perdida", I.LOST),
    "24": Meaning(S.IN_TRANSIT, "En aeropuerto", I.CARRIER_DELAY),
    "25": Meaning(S.ON_HOLD, "En aduana", I.CUSTOMS_HOLD),
    "26": Meaning(S.DELIVERY_FAILED, "Cerrado por vacaciones", I.CLOSED),
    "28": Meaning(S.DELIVERY_FAILED, "Desconocido", I.RECIPIENT_UNKNOWN),
    "29": Meaning(S.ON_HOLD, "Mal documentada", I.DOCUMENTS_MISSING),
    "40": Meaning(S.ON_HOLD, "Festivo", I.LOCAL_HOLIDAY),
    "41": Meaning(S.DELIVERY_FAILED, "Fuera de horario", I.CARRIER_DELAY),
    "42": Meaning(S.DELIVERY_FAILED, "No firma albarán DAC", I.ID_MISSING),
    "43": Meaning(S.ON_HOLD, "Falta albarán", I.DOCUMENTS_MISSING),
    "44": Meaning(S.ON_HOLD, "Documentación insular retenida", I.CUSTOMS_HOLD),
    "45": Meaning(S.DELIVERY_FAILED, "No tiene dinero", I.REFUSED_PAYMENT),
    "48": Meaning(S.IN_TRANSIT, "No enlaza", I.CARRIER_DELAY),
    "55": Meaning(S.DELIVERY_FAILED, "Cerrado hoy", I.CLOSED),
    "63": Meaning(S.IN_TRANSIT, "Masivo en reparto", I.CARRIER_DELAY),
    "64": Meaning(S.DELIVERY_FAILED, "Excedido tiempo de espera", I.DELIVERY_FAILED),
    "69": Meaning(S.IN_TRANSIT, "Entrega máxima 72 h", I.CARRIER_DELAY),
    "70": Meaning(S.DELIVERY_FAILED, "DNI no coincidente", I.ID_MISSING),
    "71": Meaning(S.IN_TRANSIT, "Clasificación red", I.MISROUTED),
    "72": Meaning(S.ON_HOLD, "Insular: falta documentación", I.DOCUMENTS_MISSING),
    "73": Meaning(S.IN_TRANSIT, "Tránsito marítimo", I.CARRIER_DELAY),
    "74": Meaning(S.IN_TRANSIT, "Aéreo +24 h", I.CARRIER_DELAY),
    "75": Meaning(S.IN_TRANSIT, "Avería", I.CARRIER_DELAY),
    "77": Meaning(S.DELIVERY_FAILED, "Teléfono incorrecto", I.PHONE_UNREACHABLE),
    "78": Meaning(S.IN_TRANSIT, "Clasificación red", I.MISROUTED),
    # Asked for: no turn yet.
    "80": Meaning(S.ON_HOLD, "El cliente solicita la devolución", I.RETURNING),
    # The shop's own answer, come back.
    "81": Meaning(S.INFO, "Facilitada solución por el cliente"),
    "82": Meaning(S.ON_HOLD, "Retenida por falta de documentación", I.DOCUMENTS_MISSING),
    "83": Meaning(S.ON_HOLD, "Exceso de peso o medidas", I.NOT_CARRIABLE),
    "85": Meaning(S.IN_TRANSIT, "Falta de tiempo", I.CARRIER_DELAY),
    "96": Meaning(S.INFO, "Facilitada solución por el destinatario", I.SOLVED_BY_RECIPIENT),
}

CODES = {
    **{f"ESTADO/{number}": meaning for number, meaning in _STATES.items()},
    **{f"INCIDENCIA/{number}": meaning for number, meaning in _INCIDENTS.items()},
    "RECANALIZACION": Meaning(S.IN_TRANSIT, "Recanalizada"),
    **{kind: Meaning(S.INFO) for kind in REMARKS},
}
