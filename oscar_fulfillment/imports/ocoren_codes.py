"""The occurrence codes of Proceda's OCOREN, each with one meaning of ours.

The table of the Proceda layouts 3.0 to 5.0 ("tabela de ocorrências na entrega"), 00 to 99, in short words of our own;
carriers add codes above 99, which show as unknown. What a code leaves open is not guessed: 02 (outside the day that
was agreed) and 99 (others) move nothing. The observation code beside it says whether a part or all was refused.
"""

from __future__ import annotations

from oscar_fulfillment.carriers.events import IncidentClass as I
from oscar_fulfillment.carriers.events import Meaning
from oscar_fulfillment.carriers.events import TrackingState as S

#: From these on the goods are on their way back or there.
TURNS = frozenset({"OCO/25"})

_FAILED, _HOLD, _MOVES = S.DELIVERY_FAILED, S.ON_HOLD, S.IN_TRANSIT

_TABLE: dict[str, tuple[S, str, I | None]] = {
    "00": (S.PICKED_UP, "Transporte iniciado", None),
    "01": (S.DELIVERED, "Entrega realizada", None),
    "02": (S.INFO, "Fora da data programada", I.CARRIER_DELAY),
    "03": (_FAILED, "Recusada: sem pedido de compra", I.REFUSED),
    "04": (_FAILED, "Recusada: pedido cancelado", I.REFUSED),
    "05": (_FAILED, "Sem espaço no depósito do destinatário", I.DELIVERY_FAILED),
    "06": (_FAILED, "Endereço não localizado", I.ADDRESS_WRONG),
    "07": (_HOLD, "Devolução não autorizada", I.HELD),
    "08": (_FAILED, "Preço diferente do pedido", I.REFUSED),
    "09": (_FAILED, "Mercadoria diferente do pedido", I.REFUSED),
    "10": (_FAILED, "Só recebe com frete pago", I.REFUSED_PAYMENT),
    "11": (_FAILED, "Recusada: embalagem deficiente", I.REFUSED),
    "12": (_HOLD, "Redespacho não indicado", I.DOCUMENTS_MISSING),
    "13": (_FAILED, "Cidade não atendida", I.NOT_CARRIABLE),
    "14": (_FAILED, "Mercadoria sinistrada", I.DAMAGED),
    "15": (_FAILED, "Embalagem sinistrada", I.DAMAGED),
    "16": (_FAILED, "Pedido em duplicidade", I.REFUSED),
    "17": (_FAILED, "Fora da embalagem de atacado", I.REFUSED),
    "18": (_FAILED, "Mercadorias trocadas", I.MISROUTED),
    "19": (_FAILED, "Reentrega pedida pelo cliente", I.RESCHEDULED),
    "20": (_FAILED, "Sem tempo hábil para a entrega", I.CARRIER_DELAY),
    "21": (_FAILED, "Estabelecimento fechado", I.CLOSED),
    "22": (_MOVES, "Reentrega sem cobrança", None),
    "23": (S.LOST, "Extravio em trânsito", I.LOST),
    "24": (S.DELIVERED, "Reentregue ao destinatário", None),
    "25": (S.RETURNED, "Devolvida à origem", I.RETURNED),
    "26": (_HOLD, "Nota fiscal retida pela fiscalização", I.HELD),
    "27": (S.LOST, "Roubo de carga", I.LOST),
    "28": (_HOLD, "Retida até segunda ordem", I.HELD),
    "29": (S.READY_FOR_PICKUP, "Cliente retira na transportadora", I.AWAITING_PICKUP),
    "30": (_HOLD, "Problema com a documentação", I.DOCUMENTS_MISSING),
    "31": (S.DELIVERED, "Entregue com indenização", None),
    "32": (S.DELIVERED_IN_PART, "Falta, com reposição pedida", I.MISSING_PARCELS),
    "33": (_FAILED, "Falta, em reconferência", I.MISSING_PARCELS),
    "34": (_FAILED, "Fechado para balanço", I.CLOSED),
    "35": (_FAILED, "Quantidade diferente da nota", I.MISSING_PARCELS),
    "36": (_HOLD, "Documentos extraviados no aéreo", I.DOCUMENTS_MISSING),
    "37": (S.LOST, "Carga extraviada no aéreo", I.LOST),
    "38": (_FAILED, "Carga avariada no aéreo", I.DAMAGED),
    "39": (_MOVES, "Corte de carga na pista", I.CARRIER_DELAY),
    "40": (_MOVES, "Aeroporto de origem fechado", I.FORCE_MAJEURE),
    "41": (_FAILED, "Pedido incompleto", I.REFUSED),
    "42": (_FAILED, "Nota com produtos de vários setores", I.REFUSED),
    "43": (_MOVES, "Feriado", I.LOCAL_HOLIDAY),
    "44": (_MOVES, "Excesso de veículos", I.CARRIER_DELAY),
    "45": (_FAILED, "Destinatário encerrou atividades", I.CLOSED),
    "46": (_FAILED, "Responsável ausente", I.ABSENT),
    "47": (_FAILED, "Destinatário em greve", I.CLOSED),
    "48": (_MOVES, "Aeroporto de destino fechado", I.FORCE_MAJEURE),
    "49": (_MOVES, "Voo cancelado", I.CARRIER_DELAY),
    "50": (_MOVES, "Greve geral", I.FORCE_MAJEURE),
    "51": (_FAILED, "Mercadoria vencida", I.REFUSED),
    "52": (_MOVES, "Entregue para redespacho", None),
    "53": (S.PENDING, "Não embarcada, ficou na origem", I.WAITING_GOODS),
    "54": (_MOVES, "Embarcada sem conhecimento", I.DOCUMENTS_MISSING),
    "55": (_HOLD, "Redespachante não localizado", I.ADDRESS_INCOMPLETE),
    "56": (_FAILED, "Não aceita pagar na entrega", I.REFUSED_PAYMENT),
    "57": (_FAILED, "Cidade do redespachante não atendida", I.NOT_CARRIABLE),
    "58": (_MOVES, "Quebra do veículo", I.CARRIER_DELAY),
    "59": (_FAILED, "Cliente sem verba para o frete", I.REFUSED_PAYMENT),
    "60": (_FAILED, "Endereço errado", I.ADDRESS_WRONG),
    "61": (_FAILED, "Cliente sem verba na entrega", I.REFUSED_PAYMENT),
    "62": (_FAILED, "Recusada: valor do frete errado", I.REFUSED_PAYMENT),
    "63": (_FAILED, "Identificação do cliente insuficiente", I.ADDRESS_INCOMPLETE),
    "64": (_FAILED, "Cliente não identificado", I.RECIPIENT_UNKNOWN),
    "65": (_HOLD, "Falar com o comprador", I.HELD),
    "66": (_FAILED, "Troca não disponível", I.DELIVERY_FAILED),
    "67": (S.INFO, "Fins estatísticos", None),
    "68": (_FAILED, "Data diferente da do pedido", I.RESCHEDULED),
    "69": (_HOLD, "Substituição tributária", I.DOCUMENTS_MISSING),
    "70": (_HOLD, "Sistema fora do ar", I.CARRIER_DELAY),
    "71": (_FAILED, "Não recebe pedido parcial", I.REFUSED),
    "72": (_FAILED, "Só recebe pedido parcial", I.REFUSED),
    "73": (_HOLD, "Redespacho só com frete pago", I.REFUSED_PAYMENT),
    "74": (_FAILED, "Ninguém autorizado a receber", I.ABSENT),
    "75": (_MOVES, "Embarcada para rota errada", I.MISROUTED),
    "76": (_FAILED, "Acesso interditado", I.ACCESS_RESTRICTED),
    "77": (_FAILED, "Destinatário mudou de endereço", I.ADDRESS_WRONG),
    "78": (_FAILED, "Avaria total", I.DAMAGED),
    "79": (_FAILED, "Avaria parcial", I.DAMAGED),
    "80": (S.LOST, "Extravio total", I.LOST),
    "81": (_FAILED, "Extravio parcial", I.MISSING_PARCELS),
    "82": (S.INFO, "Sobra sem nota fiscal", None),
    "83": (_HOLD, "Na SUFRAMA para internação", I.CUSTOMS_HOLD),
    "84": (_HOLD, "Retirada para conferência", I.HELD),
    "85": (_HOLD, "Apreensão fiscal", I.HELD),
    "86": (_MOVES, "Excesso de carga", I.CARRIER_DELAY),
    "87": (_FAILED, "Férias coletivas", I.CLOSED),
    "88": (_FAILED, "Recusada, em negociação", I.REFUSED),
    "89": (_HOLD, "Aguarda refaturamento", I.DOCUMENTS_MISSING),
    "90": (_FAILED, "Recusada pelo redespachante", I.REFUSED),
    "91": (_MOVES, "Entrega programada", None),
    "92": (_HOLD, "Problemas fiscais", I.DOCUMENTS_MISSING),
    "93": (_HOLD, "Aguarda carta de correção", I.DOCUMENTS_MISSING),
    "94": (_FAILED, "Recusada: condições de pagamento", I.REFUSED_PAYMENT),
    "95": (_MOVES, "Aguarda voo de conexão", None),
    "96": (_FAILED, "Sem embalagem para o aéreo", I.NOT_CARRIABLE),
    "97": (_FAILED, "Maior que o porão da aeronave", I.NOT_CARRIABLE),
    "98": (_MOVES, "Chegada na cidade de destino", None),
    "99": (S.INFO, "Outra ocorrência", None),
}

CODES: dict[str, Meaning] = {f"OCO/{code}": Meaning(state, text, why) for code, (state, text, why) in _TABLE.items()}

# "Delivered", and the observation that it was not, or not all of it.
_REFUSED = Meaning(_FAILED, "Recusa total", I.REFUSED)
_PARTLY = Meaning(S.DELIVERED_IN_PART, "Recusa parcial", I.PARTIAL_DELIVERY)
CODES |= {
    f"OCO/{code}/{observed}": meaning
    for code in ("01", "24", "31")
    for observed, meaning in (("01", _REFUSED), ("02", _PARTLY), ("04", _REFUSED), ("05", _PARTLY))
}
