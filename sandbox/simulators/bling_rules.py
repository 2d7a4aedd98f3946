"""What Bling refuses, in the shape in which it does, and what an order there costs."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from oscar_fulfillment.fiscal.checkdigits import cnpj_check_digits, cpf_check_digits

CENT = Decimal("0.01")


class ApiError(Exception):
    """A refusal: status and body."""

    def __init__(
        self, status: int, kind: str, description: str, fields: list[tuple[str, str]] | None = None, **more: Any
    ):
        super().__init__(description)
        error: dict[str, Any] = {"type": kind, "message": kind, "description": description, **more}
        if fields:
            error["fields"] = [
                {"code": 49, "msg": text, "element": element, "namespace": "VENDAS", "collection": []}
                for element, text in fields
            ]
        self.status, self.document = status, {"error": error}


def invalid(*fields: tuple[str, str]) -> ApiError:
    return ApiError(400, "VALIDATION_ERROR", "Não foi possível salvar: há problemas de validação.", list(fields))


def absent(what: str) -> ApiError:
    return ApiError(404, "RESOURCE_NOT_FOUND", f"{what} não encontrado")


def too_many(period: str, limit: int) -> ApiError:
    words = {"second": "por segundo", "day": "por dia"}[period]
    text = f"O limite de requisições {words} foi atingido, tente novamente mais tarde."
    return ApiError(429, "TOO_MANY_REQUESTS", text, limit=limit, period=period)


def total_of(body: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    """(goods, total) of an order; ApiError for what is none."""
    items = body.get("itens")
    if not isinstance(items, list) or not items:
        raise invalid(("itens", "Informe ao menos um item"))
    goods = Decimal(0)
    for item in items:
        try:
            quantity, price = Decimal(str(item["quantidade"])), Decimal(str(item["valor"]))
        except (KeyError, TypeError, ArithmeticError):
            raise invalid(("itens", "Item sem quantidade ou valor")) from None
        if quantity <= 0 or price < 0 or not item.get("descricao"):
            raise invalid(("itens", "Item inválido"))
        goods += (quantity * price).quantize(CENT)
    discount = Decimal(str((body.get("desconto") or {}).get("valor", 0)))
    freight = Decimal(str((body.get("transporte") or {}).get("frete", 0)))
    total = goods - discount + freight + Decimal(str(body.get("outrasDespesas", 0)))
    return goods, total.quantize(CENT)


def check_order(body: Mapping[str, Any]) -> None:
    """Everything but whether its number is taken."""
    _goods, total = total_of(body)
    if not body.get("data"):
        raise invalid(("data", "Informe a data da venda"))
    parts = body.get("parcelas") or []
    if parts and sum(Decimal(str(part["valor"])) for part in parts) != total:
        raise invalid(("parcelas", "A soma das parcelas difere do total da venda"))
    if any(not (part.get("formaPagamento") or {}).get("id") for part in parts):
        raise invalid(("parcelas", "Informe a forma de pagamento"))


def check_contact(body: Mapping[str, Any]) -> None:
    document = str(body.get("numeroDocumento") or "")
    if not body.get("nome"):
        raise invalid(("nome", "Informe o nome do contato"))
    is_person = body.get("tipo") == "F"
    length, digits = (9, cpf_check_digits) if is_person else (12, cnpj_check_digits)
    if len(document) != length + 2 or not document.isalnum() or document[length:] != digits(document[:length]):
        raise invalid(("numeroDocumento", "O CPF ou CNPJ informado é inválido"))
