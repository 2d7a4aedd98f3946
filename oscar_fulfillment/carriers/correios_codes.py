"""What the tracking codes of Correios mean. An event is a type and a number: "BDE/01" is type BDE, number 1.

The codes and their texts follow ``correios/models/data.py`` of the package "correios" 6.4.8 (PyPI):

    Copyright 2016 Osvaldo Santana Neto

    Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance with
    the License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0

    Unless required by applicable law or agreed to in writing, software distributed under the License is distributed on
    an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the License for the
    specific language governing permissions and limitations under the License.

Changed here: only the codes with shortened texts are kept; each has a state and a class of incident of ours.

Where two codes share a headline the detail line decides; see ``correios_mapping``.
"""

from __future__ import annotations

from .events import IncidentClass, Meaning, TrackingState

_S, _I = TrackingState, IncidentClass

#: The last round: these types share their numbers.
_LAST_ROUND = ("BDE", "BDI", "BDR")
_BDE = {
    "00": Meaning(_S.DELIVERED, "Objeto entregue ao destinatário"),
    "01": Meaning(_S.DELIVERED, "Objeto entregue ao destinatário"),
    "02": Meaning(_S.DELIVERY_FAILED, "Carteiro não atendido - Entrega não realizada", _I.AWAITING_PICKUP),
    "03": Meaning(_S.ON_HOLD, "Remetente não retirou objeto na Unidade dos Correios", _I.PICKUP_EXPIRED),
    "04": Meaning(_S.RETURNING, "Cliente recusou-se a receber o objeto - Entrega não realizada", _I.REFUSED),
    "05": Meaning(_S.RETURNING, "A entrega não pode ser efetuada: objeto será devolvido ao remetente", _I.RETURNING),
    "06": Meaning(_S.RETURNING, "Cliente desconhecido no local - Entrega não realizada", _I.RECIPIENT_UNKNOWN),
    "07": Meaning(_S.DELIVERY_FAILED, "Endereço incorreto - Entrega não realizada", _I.ADDRESS_WRONG),
    "08": Meaning(_S.RETURNING, "Endereço incorreto - Entrega não realizada", _I.ADDRESS_WRONG),
    "09": Meaning(_S.IN_TRANSIT, "Objeto ainda não chegou à unidade: por favor, aguarde", _I.WAITING_GOODS),
    "10": Meaning(_S.RETURNING, "Cliente mudou-se - Entrega não realizada", _I.RECIPIENT_UNKNOWN),
    "12": Meaning(_S.ON_HOLD, "Remetente não retirou objeto na Unidade dos Correios", _I.PICKUP_EXPIRED),
    "13": Meaning(_S.LOST, "Objeto atingido por incêndio em unidade operacional", _I.LOST),
    "14": Meaning(_S.RETURNING, "Desistência de postagem pelo remetente", _I.RETURNING),
    "15": Meaning(_S.IN_TRANSIT, "Recebido na unidade de distribuição", _I.CARRIER_DELAY),
    "18": Meaning(_S.DELIVERY_FAILED, "Carteiro não atendido - Entrega não realizada", _I.ABSENT),
    "19": Meaning(_S.DELIVERY_FAILED, "Endereço incorreto - Entrega não realizada", _I.ADDRESS_WRONG),
    "20": Meaning(_S.DELIVERY_FAILED, "Carteiro não atendido - Entrega não realizada", _I.ABSENT),
    "21": Meaning(_S.RETURNING, "Carteiro não atendido - Entrega não realizada", _I.ABSENT),
    "22": Meaning(_S.IN_TRANSIT, "Objeto devolvido aos Correios", _I.CARRIER_DELAY),
    "23": Meaning(_S.RETURNED, "Objeto entregue ao remetente", _I.RETURNED),
    "24": Meaning(_S.READY_FOR_PICKUP, "Objeto disponível para retirada em Caixa Postal", _I.AWAITING_PICKUP),
    "25": Meaning(_S.DELIVERY_FAILED, "Empresa sem expediente - Entrega não realizada", _I.CLOSED),
    "26": Meaning(_S.RETURNING, "Destinatário não retirou objeto no prazo", _I.PICKUP_EXPIRED),
    "28": Meaning(_S.DELIVERY_FAILED, "Objeto e/ou conteúdo avariado", _I.DAMAGED),
    "29": Meaning(_S.LOST, "Objeto não localizado", _I.LOST),
    "30": Meaning(_S.IN_TRANSIT, "Saída não efetuada: em tratamento, aguarde", _I.CARRIER_DELAY),
    "32": Meaning(_S.INFO, "Objeto com data de entrega agendada", _I.RESCHEDULED),
    "33": Meaning(_S.RETURNING, "Destinatário não apresentou documento exigido", _I.ID_MISSING),
    "34": Meaning(_S.DELIVERY_FAILED, "Logradouro com numeração irregular", _I.ADDRESS_WRONG),
    "35": Meaning(_S.DELIVERY_FAILED, "Coleta ou entrega de objeto não efetuada", _I.DELIVERY_FAILED),
    "36": Meaning(_S.RETURNING, "Coleta ou entrega de objeto não efetuada", _I.RETURNING),
    "37": Meaning(_S.DELIVERY_FAILED, "Objeto e/ou conteúdo avariado por acidente com veículo", _I.DAMAGED),
    "38": Meaning(_S.IN_TRANSIT, "Objeto endereçado à empresa falida", _I.CLOSED),
    "39": Meaning(_S.DELIVERY_FAILED, "A entrega não pode ser efetuada", _I.DELIVERY_FAILED),
    "40": Meaning(_S.RETURNING, "A importação não foi autorizada pelos órgãos fiscalizadores", _I.CUSTOMS_HOLD),
    "41": Meaning(_S.ON_HOLD, "A entrega do objeto está condicionada à composição do lote", _I.HELD),
    "42": Meaning(_S.RETURNING, "Lote de objetos incompleto: objeto será devolvido ao remetente", _I.RETURNING),
    "43": Meaning(_S.ON_HOLD, "Objeto apreendido por órgão de fiscalização ou outro órgão anuente", _I.HELD),
    "44": Meaning(_S.ON_HOLD, "Aguardando órgão anuente apresentar documentação fiscal", _I.CUSTOMS_HOLD),
    "45": Meaning(_S.IN_TRANSIT, "Objeto recebido na unidade de distribuição", _I.CARRIER_DELAY),
    "46": Meaning(_S.DELIVERY_FAILED, "Tentativa de entrega não efetuada", _I.DELIVERY_FAILED),
    "47": Meaning(_S.IN_TRANSIT, "Saída para entrega cancelada", _I.CARRIER_DELAY),
    "48": Meaning(_S.RETURNING, "Retirada em Unidade dos Correios não autorizada pelo remetente", _I.RETURNING),
    "49": Meaning(_S.RETURNING, "As dimensões do objeto impossibilitam o tratamento e a entrega", _I.NOT_CARRIABLE),
    "50": Meaning(_S.LOST, "Objeto roubado", _I.LOST),
    "51": Meaning(_S.LOST, "Objeto roubado", _I.LOST),
    "52": Meaning(_S.LOST, "Objeto roubado", _I.LOST),
    "53": Meaning(_S.IN_TRANSIT, "Objeto reimpresso e reenviado", _I.CARRIER_DELAY),
    "54": Meaning(_S.ON_HOLD, "É necessário o pagamento do ICMS Importação", _I.CUSTOMS_PAYMENT),
    "55": Meaning(_S.ON_HOLD, "Solicitada revisão do tributo estabelecido", _I.CUSTOMS_HOLD),
    "56": Meaning(_S.RETURNING, "Declaração aduaneira ausente ou incorreta", _I.DOCUMENTS_MISSING),
    "57": Meaning(_S.IN_TRANSIT, "Revisão de tributo concluída - Objeto liberado", _I.CUSTOMS_HOLD),
    "58": Meaning(_S.ON_HOLD, "Revisão de tributo concluída - Tributo alterado", _I.CUSTOMS_PAYMENT),
    "59": Meaning(_S.ON_HOLD, "Revisão de tributo concluída - Tributo mantido", _I.CUSTOMS_PAYMENT),
    "60": Meaning(_S.ON_HOLD, "Objeto encontra-se aguardando prazo para refugo", _I.HELD),
    "61": Meaning(_S.LOST, "Objeto refugado", _I.LOST),
    "62": Meaning(_S.RETURNING, "Em devolução à origem por determinação da Receita Federal", _I.RETURNING),
    "66": Meaning(_S.IN_TRANSIT, "Área com distribuição sujeita a prazo diferenciado", _I.CARRIER_DELAY),
    "67": Meaning(_S.DELIVERED, "Objeto entregue ao destinatário"),
    "68": Meaning(_S.READY_FOR_PICKUP, "Objeto entregue na Caixa de Correios Inteligente", _I.AWAITING_PICKUP),
    "69": Meaning(_S.IN_TRANSIT, "Objeto com atraso na entrega", _I.CARRIER_DELAY),
    "70": Meaning(_S.DELIVERED, "Objeto entregue ao destinatário"),
    "71": Meaning(_S.ON_HOLD, "Objeto apreendido por: ANVISA/VIGILANCIA SANITARIA", _I.HELD),
    "72": Meaning(_S.ON_HOLD, "Objeto apreendido por: BOMBEIROS", _I.HELD),
    "73": Meaning(_S.ON_HOLD, "Objeto apreendido por: EXERCITO", _I.HELD),
    "74": Meaning(_S.ON_HOLD, "Objeto apreendido por: IBAMA", _I.HELD),
    "75": Meaning(_S.ON_HOLD, "Objeto apreendido por: POLICIA FEDERAL", _I.HELD),
    "76": Meaning(_S.ON_HOLD, "Objeto apreendido por: POLICIA CIVIL/MILITAR", _I.HELD),
    "77": Meaning(_S.ON_HOLD, "Evento RFB - Aguardando DTRAT", _I.CUSTOMS_HOLD),
    # "Contratante" is who has the contract, so the sender; who got it is for a person to find out.
    "79": Meaning(_S.INFO, "Objeto entregue ao contratante: contingência COVID-19", _I.UNKNOWN),
    "80": Meaning(_S.LOST, "Objeto extraviado", _I.LOST),
    "81": Meaning(_S.ON_HOLD, "Não foi autorizada a saída do objeto do país", _I.CUSTOMS_HOLD),
    "82": Meaning(_S.ON_HOLD, "Necessário complementar endereço de entrega", _I.ADDRESS_INCOMPLETE),
    "83": Meaning(_S.ON_HOLD, "Ação necessária à liberação do objeto não realizada pelo cliente", _I.CUSTOMS_HOLD),
    "84": Meaning(_S.INFO, "Verificando situação do objeto: por favor, aguarde", _I.UNKNOWN),
    "85": Meaning(_S.INFO, "Código do objeto fora do padrão: objeto será entregue sem rastreamento", _I.UNKNOWN),
    "86": Meaning(_S.DELIVERY_FAILED, "Objeto com conteúdo avariado", _I.DAMAGED),
    "87": Meaning(_S.IN_TRANSIT, "Objeto destinado a outro país", _I.MISROUTED),
    "89": Meaning(_S.RETURNING, "Localidade desconhecida no Brasil", _I.ADDRESS_WRONG),
    "98": Meaning(_S.LOST, "Objeto não localizado no fluxo postal", _I.LOST),
}
_OTHERS = {
    "BLQ/01": Meaning(_S.ON_HOLD, "Entrega de objeto bloqueada a pedido do remetente", _I.HELD),
    "BLQ/02": Meaning(_S.ON_HOLD, "Tentativa de suspensão da entrega: objeto em análise de destinação", _I.HELD),
    "BLQ/04": Meaning(_S.ON_HOLD, "Bloqueio", _I.HELD),
    "BLQ/05": Meaning(_S.RETURNING, "Solicitação de suspensão de entrega recebida", _I.RETURNING),
    "BLQ/11": Meaning(_S.ON_HOLD, "Solicitação de suspensão de entrega recebida", _I.HELD),
    "BLQ/21": Meaning(_S.ON_HOLD, "Solicitação de suspensão de entrega recebida", _I.HELD),
    "BLQ/22": Meaning(_S.RETURNING, "Solicitação de suspensão de entrega recebida", _I.RETURNING),
    "BLQ/30": Meaning(_S.ON_HOLD, "Bloqueio teste", _I.HELD),
    "BLQ/31": Meaning(_S.LOST, "Extravio varejo pós-indenizado", _I.LOST),
    "BLQ/41": Meaning(_S.ON_HOLD, "Bloqueio SEGOPE 4/1", _I.HELD),
    "BLQ/42": Meaning(_S.ON_HOLD, "Bloqueio SEGOPE 4/", _I.HELD),
    "BLQ/51": Meaning(_S.ON_HOLD, "Objeto bloqueado: revisão de impostos/tributos", _I.CUSTOMS_PAYMENT),
    "CD/00": Meaning(_S.IN_TRANSIT, "Objeto recebido na Unidade dos Correios"),
    "CMT/00": Meaning(_S.IN_TRANSIT, "Objeto recebido na Unidade dos Correios"),
    "CO/01": Meaning(_S.PICKED_UP, "Objeto coletado"),
    "DO/00": Meaning(_S.IN_TRANSIT, "Objeto encaminhado para"),
    "FC/01": Meaning(_S.RETURNING, "Objeto será devolvido por solicitação do remetente", _I.RETURNING),
    "FC/02": Meaning(_S.INFO, "Objeto com data de entrega agendada", _I.RESCHEDULED),
    "FC/03": Meaning(_S.IN_TRANSIT, "Objeto mal encaminhado: encaminhamento a ser corrigido", _I.MISROUTED),
    "FC/04": Meaning(_S.DELIVERY_FAILED, "A entrega não pode ser efetuada - Endereço incorreto", _I.ADDRESS_WRONG),
    "FC/05": Meaning(_S.IN_TRANSIT, "Objeto devolvido aos Correios", _I.CARRIER_DELAY),
    "FC/07": Meaning(_S.DELIVERY_FAILED, "A entrega não pode ser efetuada - Empresa sem expediente", _I.CLOSED),
    "FC/08": Meaning(_S.IN_TRANSIT, "Área com distribuição sujeita a prazo diferenciado", _I.CARRIER_DELAY),
    "FC/09": Meaning(_S.ON_HOLD, "Remetente não retirou objeto na Unidade dos Correios", _I.PICKUP_EXPIRED),
    "FC/10": Meaning(_S.IN_TRANSIT, "Objeto recebido na unidade de distribuição", _I.CARRIER_DELAY),
    "FC/11": Meaning(_S.LOST, "Objeto destruído com autorização do remetente", _I.LOST),
    "FC/12": Meaning(_S.ON_HOLD, "Objeto encaminhado para fiscalização - ANVISA", _I.CUSTOMS_HOLD),
    "FC/13": Meaning(_S.ON_HOLD, "Fiscalizado ANATEL", _I.CUSTOMS_HOLD),
    "FC/19": Meaning(_S.ON_HOLD, "Objeto encaminhado para fiscalização - ANATEL", _I.CUSTOMS_HOLD),
    "FC/24": Meaning(_S.ON_HOLD, "Em fiscalização pela Receita Federal", _I.CUSTOMS_HOLD),
    "FC/26": Meaning(_S.ON_HOLD, "RFB - Objeto Tributado - Emissão da nota de tributação", _I.CUSTOMS_PAYMENT),
    "FC/41": Meaning(_S.ON_HOLD, "Problemas na documentação do objeto", _I.DOCUMENTS_MISSING),
    "FC/42": Meaning(_S.ON_HOLD, "Objeto contém líquido, impossibilitando seu transporte", _I.NOT_CARRIABLE),
    "FC/47": Meaning(_S.RETURNING, "Objeto será devolvido por solicitação do contratante/remetente", _I.RETURNING),
    "FC/51": Meaning(_S.LOST, "Objeto roubado", _I.LOST),
    "LDE/00": Meaning(_S.RETURNING, "Objeto saiu para entrega ao remetente", _I.RETURNING),
    "LDE/09": Meaning(_S.RETURNING, "Objeto saiu para entrega ao remetente", _I.RETURNING),
    "LDI/00": Meaning(_S.READY_FOR_PICKUP, "Objeto aguardando retirada no endereço indicado", _I.AWAITING_PICKUP),
    "LDI/01": Meaning(_S.READY_FOR_PICKUP, "Objeto aguardando retirada no endereço indicado", _I.AWAITING_PICKUP),
    "LDI/02": Meaning(_S.READY_FOR_PICKUP, "Objeto disponível para retirada em Caixa Postal", _I.AWAITING_PICKUP),
    "LDI/03": Meaning(_S.READY_FOR_PICKUP, "Objeto aguardando retirada no endereço indicado", _I.AWAITING_PICKUP),
    "LDI/04": Meaning(_S.READY_FOR_PICKUP, "Objeto aguardando retirada no endereço indicado", _I.AWAITING_PICKUP),
    "LDI/11": Meaning(_S.IN_TRANSIT, "Objeto encaminhado para retirada no endereço indicado", _I.AWAITING_PICKUP),
    "LDI/13": Meaning(_S.IN_TRANSIT, "Objeto encaminhado para retirada no endereço indicado", _I.AWAITING_PICKUP),
    "LDI/14": Meaning(_S.READY_FOR_PICKUP, "Objeto aguardando retirada no endereço indicado", _I.AWAITING_PICKUP),
    "OEC/00": Meaning(_S.OUT_FOR_DELIVERY, "Objeto saiu para entrega ao destinatário"),
    "OEC/01": Meaning(_S.OUT_FOR_DELIVERY, "Objeto saiu para entrega ao destinatário"),
    "OEC/09": Meaning(_S.RETURNING, "Objeto saiu para entrega ao remetente", _I.RETURNING),
    "PAR/11": Meaning(_S.ON_HOLD, "Aguardando pagamento", _I.CUSTOMS_PAYMENT),
    "PAR/13": Meaning(_S.RETURNING, "Objeto devolvido ao país de origem", _I.RETURNING),
    "PAR/16": Meaning(_S.IN_TRANSIT, "Objeto recebido no Brasil", _I.CUSTOMS_HOLD),
    "PAR/17": Meaning(_S.IN_TRANSIT, "Objeto liberado pela alfândega"),
    "PAR/18": Meaning(_S.IN_TRANSIT, "Objeto recebido na unidade de exportação"),
    "PAR/21": Meaning(_S.ON_HOLD, "Encaminhado para fiscalização aduaneira", _I.CUSTOMS_HOLD),
    "PAR/25": Meaning(_S.ON_HOLD, "Faltam informações. Sua ação é necessária", _I.DOCUMENTS_MISSING),
    "PAR/26": Meaning(_S.ON_HOLD, "Destinatário recusou o objeto: objeto em análise de destinação", _I.REFUSED),
    "PAR/30": Meaning(_S.ON_HOLD, "Aguardando pagamento do despacho postal", _I.CUSTOMS_PAYMENT),
    "PAR/33": Meaning(_S.ON_HOLD, "Pagamento não confirmado pela operadora", _I.CUSTOMS_PAYMENT),
    "PAR/40": Meaning(_S.RETURNING, "Devolução a pedido: cliente solicitou a devolução da encomenda", _I.RETURNING),
    "PAR/41": Meaning(_S.ON_HOLD, "Prazo de pagamento encerrado", _I.CUSTOMS_PAYMENT),
    "PMT/01": Meaning(_S.IN_TRANSIT, "Objeto encaminhado para"),
    "PO/00": Meaning(_S.PICKED_UP, "Objeto postado"),
    "PO/01": Meaning(_S.PICKED_UP, "Objeto postado"),
    "PO/09": Meaning(_S.PICKED_UP, "Objeto postado após o horário limite da agência"),
    "RO/00": Meaning(_S.IN_TRANSIT, "Objeto encaminhado para"),
    "TRI/00": Meaning(_S.IN_TRANSIT, "Objeto encaminhado para"),
}
_LOST = "Objeto não localizado: houve indenização dos valores correspondentes"
_VOID = Meaning(_S.INFO, "Favor desconsiderar a informação anterior", _I.CORRECTION, retracts=True)
#: What a type means whatever its number; types that are not here mean nothing by themselves.
_TYPES = {
    "CD": Meaning(_S.IN_TRANSIT, "Objeto recebido na Unidade dos Correios"),
    "CMT": Meaning(_S.IN_TRANSIT, "Objeto recebido na Unidade dos Correios"),
    "CO": Meaning(_S.PICKED_UP, "Objeto coletado"),
    "DO": Meaning(_S.IN_TRANSIT, "Objeto encaminhado"),
    "EST": _VOID,
    "LDI": Meaning(_S.READY_FOR_PICKUP, "Objeto aguardando retirada no endereço indicado", _I.AWAITING_PICKUP),
    "OEC": Meaning(_S.OUT_FOR_DELIVERY, "Objeto saiu para entrega ao destinatário"),
    "PO": Meaning(_S.PICKED_UP, "Objeto postado"),
    "RO": Meaning(_S.IN_TRANSIT, "Objeto encaminhado"),
    "TRI": Meaning(_S.IN_TRANSIT, "Objeto encaminhado"),
}

#: "TYPE/NN", or the type alone -> meaning.
CODES: dict[str, Meaning] = {
    **_TYPES,
    **_OTHERS,
    **{f"EST/{number:02}": _VOID for number in (1, 2, 3, 4, 5, 6, 9)},
    **{f"IDC/{number:02}": Meaning(_S.LOST, _LOST, _I.LOST) for number in range(1, 8)},
    **{f"{kind}/{number}": meaning for kind in _LAST_ROUND for number, meaning in _BDE.items()},
}


def _last_round(*numbers: str) -> frozenset[str]:
    return frozenset(f"{kind}/{number}" for kind in _LAST_ROUND for number in numbers)


#: "Nobody answered the postman" and its like: what comes next is in the detail line.
ATTEMPTS = _last_round("02", "18", "20", "21", "35", "36")
#: What can happen only on the way back to the sender.
WAY_BACK = _last_round("03", "12", "23") | {"FC/09", "LDE/00", "LDE/09", "OEC/09", "PAR/13"}
