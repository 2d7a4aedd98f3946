"""Correios, CWS: tokens by posting card, and the tracking of objects (SRO Rastro). It tells nothing by itself.

Times are Brasília's and do not say so, the newest event comes first, and an object that is not posted is not known.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from werkzeug.wrappers import Request, Response

from .base import route
from .carriers import HOSTILE_TEXT, CarrierSimulator

USER, ACCESS_CODE, CARD = "simulado", "simulated-correios-access-code", "0067599079"
_BRASILIA = ZoneInfo("America/Sao_Paulo")
_LANGUAGES = ("pt-BR", "en", "es-ES")
_MOST = 50
_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)
_TREATMENT = {"tipo": "Unidade de Tratamento", "endereco": {"cidade": "CAJAMAR", "uf": "SP"}}
_DELIVERY = {"tipo": "Unidade de Distribuição", "endereco": {"cidade": "CURITIBA", "uf": "PR"}}
_AGENCY = {"tipo": "Agência dos Correios", "endereco": {"cidade": "SAO PAULO", "uf": "SP"}}


def _said(kind: str, number: str, text: str, detail: str = "", unit: Mapping[str, Any] = _DELIVERY) -> dict[str, Any]:
    return {"codigo": kind, "tipo": number, "descricao": text, "detalhe": detail, "unidade": unit}


class Correios(CarrierSimulator):
    """One contract with its posting card and "API Rastro" (``has_tracking``)."""

    name, title = "correios", "Correios"
    steps = {
        "collected": _said("PO", "01", "Objeto postado", unit=_AGENCY),
        "in_transit": _said("DO", "01", "Objeto em transferência - por favor aguarde", unit=_TREATMENT)
        | {"unidadeDestino": _DELIVERY},
        "out_for_delivery": _said("OEC", "01", "Objeto saiu para entrega ao destinatário"),
        "attempt_failed": _said(
            "BDE", "20", "Carteiro não atendido - Entrega não realizada", "Será realizada nova tentativa de entrega"
        ),
        "ready_for_pickup": _said("LDI", "01", "Objeto aguardando retirada no endereço indicado", unit=_AGENCY),
        "on_hold": _said("BLQ", "01", "Entrega de objeto bloqueada a pedido do remetente"),
        "delivered": _said("BDE", "01", "Objeto entregue ao destinatário", "Recebido por: ANNA EXAMPLE"),
        "returning": _said(
            "BDE", "26", "Destinatário não retirou objeto no prazo", "Objeto será devolvido ao remetente"
        ),
        "returned": _said("BDE", "23", "Objeto entregue ao remetente", unit=_AGENCY),
        "lost": _said("BDE", "80", "Objeto extraviado"),
        "correction": _said("EST", "01", "Favor desconsiderar a informação anterior"),
        "unknown": _said("XPT", "77", "Objeto em situação nova"),
        "hostile": _said("BDE", "46", HOSTILE_TEXT, HOSTILE_TEXT)
        | {"unidade": {"tipo": HOSTILE_TEXT, "endereco": {"cidade": HOSTILE_TEXT, "uf": HOSTILE_TEXT}}},
    }

    def __init__(self, *args: Any, has_tracking: bool = True, **options: Any):
        super().__init__(*args, **options)
        self.has_tracking = has_tracking

    def new_code(self, number: int) -> str:
        serial = f"{number:08d}"
        rest = sum(int(digit) * weight for digit, weight in zip(serial, _WEIGHTS, strict=True)) % 11
        return f"AA{serial}{ {0: 5, 1: 0}.get(rest, 11 - rest) }BR"

    # API

    @route("POST", "/token/v1/autentica/cartaopostagem")
    def log_in(self, request: Request) -> Response:
        wanted = "Basic " + base64.b64encode(f"{USER}:{ACCESS_CODE}".encode()).decode()
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), wanted.encode()):
            return self._refused(401, "GTW-013: Usuário ou código de acesso inválido.")
        body = request.get_json(silent=True)
        if not isinstance(body, dict) or body.get("numero") != CARD:
            return self._refused(400, "TKN-012: Cartão de postagem inválido.")
        token, now = self.issue_token(), self.now().astimezone(_BRASILIA)
        return self.json(
            {
                "ambiente": "PRODUCAO",
                "id": USER,
                "perfil": "PJ",
                "cartaoPostagem": {"numero": CARD, "contrato": "9912345678", "dr": 72},
                "emissao": now.strftime("%Y-%m-%dT%H:%M:%S"),
                "expiraEm": (now + self.token_life).strftime("%Y-%m-%dT%H:%M:%S"),
                "zoneOffset": "-03:00",
                "token": token,
            },
            201,
        )

    @route("GET", "/srorastro/v1/objetos")
    def objects(self, request: Request) -> Response:
        codes = [code for code in request.args.get("codigosObjetos", "").split(",") if code]
        return self._answer(request, codes)

    @route("GET", "/srorastro/v1/objetos/<code>")
    def one(self, request: Request, code: str) -> Response:
        return self._answer(request, [code])

    def _answer(self, request: Request, codes: list[str]) -> Response:
        if not self.has_token(request):
            return self._refused(403, "GTW-006: Token inválido.")
        if not self.has_tracking:
            return self._refused(403, "GTW-012: Contrato sem acesso à API.")
        if request.headers.get("Accept-Language") not in _LANGUAGES:
            return self._refused(400, "SRO-018: Accept-Language inválido.")
        if not 0 < len(codes) <= _MOST:
            return self._refused(400, "SRO-008: Informe de 1 a 50 objetos.")
        kind = request.args.get("resultado", "T")
        if kind not in ("T", "U", "P"):
            return self._refused(400, "SRO-009: Tipo de resultado inválido.")
        objects = [self._object(code, kind) for code in codes]
        return self.json({"versao": "1.5.2", "quantidade": len(objects), "objetos": objects, "tipoResultado": kind})

    def _object(self, code: str, kind: str) -> dict[str, Any]:
        if len(code) != 13:
            return {"codObjeto": code, "mensagem": "SRO-019: Objeto inválido"}
        record = self.asked(code)
        if not record or not record["events"]:
            text = "SRO-020: Objeto não encontrado na base de dados dos Correios."
            return {"codObjeto": code, "mensagem": text}
        events = [self.wire(event) for event in reversed(record["events"])]
        return {
            "codObjeto": code,
            "tipoPostal": {"sigla": code[:2], "descricao": "ETIQUETA LOGICA PAC", "categoria": "ENCOMENDA PAC"},
            "modalidade": "F",
            "eventos": events[:1] if kind == "U" else events[-1:] if kind == "P" else events,
        }

    def wire(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """An event as they write it: without what is empty, its time in Brasília."""
        at = datetime.fromisoformat(event["at"]).astimezone(_BRASILIA)
        names = ("codigo", "tipo", "descricao", "detalhe", "unidade", "unidadeDestino")
        return {"dtHrCriado": at.strftime("%Y-%m-%dT%H:%M:%S")} | {
            name: event[name] for name in names if event.get(name)
        }

    def _refused(self, status: int, words: str) -> Response:
        return self.json({"msgs": [words], "date": self.now().isoformat(), "method": "GET"}, status)
