"""Bling's documents read and written: orders, contacts, notes, refusals. Pure.

Facts, from its documentation (developer.bling.com.br) and what public integrations report:

* A contact is named by its CPF or CNPJ (digits). An order needs the contact's id; ``numeroLoja`` is the number of the
  shop, and the same twice is refused. Its total is goods - desconto + frete + outrasDespesas.
* ``situacao`` of an order is an id: some are Bling's own (:data:`SITUATIONS`), merchants make others. That of a note is
  one of eleven numbers (:data:`ISSUED`, :data:`CANCELLED`; 1 waits, 4 was rejected, 9 denied, 11 blocked). ``tipo`` 1
  is a note of goods that leave.
* Refusals: ``{"error": {"type", "message", "description", "fields": [{"code", "msg", "element", ...}]}}``; with too
  many calls ``period`` is "second" or "day". Times are Brasília's and do not say so.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext

from oscar_fulfillment.core.exceptions import AdapterRejected
from oscar_fulfillment.core.streets import split_street

from .records import Change, Contact, InvoiceFacts, Notice, OrderRecord, TrackingFacts

ZONE = "America/Sao_Paulo"

# ---- Codes ----

#: Situations of an order that every account has.
SITUATIONS = {"6": "Em aberto", "9": "Atendido", "12": "Cancelado", "15": "Em andamento"}
OPEN, ORDER_CANCELLED = "6", "12"
#: Situations of a note: authorised, and authorised with its DANFE printed; cancelled.
ISSUED, CANCELLED = frozenset({5, 6}), frozenset({2})
#: Notes of goods that leave, and of a sale.
_OUT, _SALE = 1, 1
#: Events of webhooks, and what is read again then.
EVENTS = {"invoice": "nfe", "consumer_invoice": "nfce", "order": "order"}
_KEY = re.compile(r"[0-9]{6}[0-9A-Z]{12}[0-9]{26}", re.ASCII)

# ---- Orders out ----


@dataclass(frozen=True)
class Terms:
    """What the shop's settings say of orders in Bling. ``payments``: payment method -> id of their form of payment;
    ``services``: shipping method -> alias of their logistics service; ``freight``: who pays it (0: the sender)."""

    store: int = 0
    freight: int = 0
    payments: Mapping[str, int] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)


def order_body(order: OrderRecord, contact: int, terms: Terms) -> dict[str, Any]:
    """An order as Bling takes it; its total is the order's to the cent.

    Lines are at their prices after discounts. What is in no line (a discount on the whole, a surcharge, a cent of
    rounding) is ``desconto`` or ``outrasDespesas``.
    """
    goods = sum((line.unit_incl_tax * line.quantity for line in order.lines), Decimal(0))
    rest = order.total_incl_tax - goods - order.shipping_incl_tax
    day = order.placed_at.astimezone(ZoneInfo(ZONE)).date().isoformat()
    body: dict[str, Any] = {
        "numeroLoja": order.number,
        "data": day,
        "contato": {"id": contact},
        "itens": [
            {
                "codigo": line.sku,
                "descricao": line.title[:120],
                "unidade": "UN",
                "quantidade": line.quantity,
                "valor": money(line.unit_incl_tax),
            }
            for line in order.lines
        ],
        "transporte": _transport(order, terms),
        "observacoesInternas": order.link,
    }
    if rest > 0:
        body["outrasDespesas"] = money(rest)
    elif rest < 0:
        body["desconto"] = {"valor": money(-rest), "unidade": "REAL"}
    if terms.store:
        body["loja"] = {"id": terms.store}
    if form := terms.payments.get(order.payment_code):
        body["parcelas"] = [
            {"dataVencimento": day, "valor": money(order.total_incl_tax), "formaPagamento": {"id": form}}
        ]
    return body


def _transport(order: OrderRecord, terms: Terms) -> dict[str, Any]:
    found: dict[str, Any] = {"fretePorConta": terms.freight, "frete": money(order.shipping_incl_tax)}
    to = order.receiver
    if to is not None:
        found["etiqueta"] = {"nome": to.name, **_address(to), "nomePais": "BRASIL"}
    if service := terms.services.get(order.shipping_code):
        found["volumes"] = [{"servico": service}]
    return found


def contact_body(buyer: Contact, receiver: Contact | None) -> dict[str, Any]:
    """A contact that is not there yet."""
    place = buyer if buyer.line1 else receiver or buyer
    return {
        "nome": buyer.name,
        "tipo": "J" if buyer.tax_id_kind == "cnpj" else "F",
        "numeroDocumento": compact(buyer.tax_id),
        "situacao": "A",
        # No contributor of ICMS: whoever is one has a registration, which the shop does not know.
        "indicadorIe": 9,
        "email": buyer.email,
        "celular": "".join(c for c in buyer.phone if c.isdigit())[-11:],
        "endereco": {"geral": {**_address(place), "pais": "Brasil"}},
    }


def _address(place: Contact) -> dict[str, str]:
    street, number, rest = split_street(place.line1)
    code = compact(place.postcode)
    return {
        "endereco": street,
        "numero": number,
        "complemento": ", ".join(part for part in (rest, place.line2) if part),
        "bairro": place.line3,
        "municipio": place.city,
        "uf": place.state.upper(),
        "cep": f"{code[:5]}-{code[5:]}" if len(code) == 8 else place.postcode,
    }


def compact(text: Any) -> str:
    """Letters and digits alone: how two spellings of a number are compared."""
    return "".join(c for c in str(text or "") if c.isascii() and c.isalnum()).upper()


def money(amount: Decimal) -> float:
    """A sum as JSON has it: the shortest number that is this one at two places."""
    return float(f"{amount:.2f}")


# ---- Reading ----


def number_of(value: Any) -> int:
    """A positive id; 0 for what is none."""
    text = str(value if not isinstance(value, bool) else "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def words(value: Any, limit: int = 100) -> str:
    """A text of theirs, for our tables: one line, no control characters."""
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return " ".join("".join(c if c.isprintable() else " " for c in text[: limit * 4]).split())[:limit]


def inner(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A document within a document; an empty one where there is none."""
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def reference_of(order: Mapping[str, Any], terms: Terms) -> str:
    """Our number of an order of theirs; "" for an order that did not come from us."""
    if terms.store and number_of(inner(order, "loja").get("id")) not in (0, terms.store):
        return ""
    return words(order.get("numeroLoja"), 128)


def situation_of(order: Mapping[str, Any]) -> str:
    """The id of an order's situation; "" for none."""
    found = number_of(inner(order, "situacao").get("id"))
    return str(found) if found else ""


def parcels_of(order: Mapping[str, Any]) -> list[TrackingFacts]:
    """The tracking codes of an order's volumes, with their carrier as Bling calls it."""
    transport = inner(order, "transporte")
    carrier = words(inner(transport, "contato").get("nome"))
    volumes = transport.get("volumes")
    codes = [words(inner({"v": one}, "v").get("codigoRastreamento"), 64) for one in volumes or ()] if isinstance(
        volumes, list
    ) else []  # fmt: skip
    return [TrackingFacts(code=code, carrier=carrier) for code in dict.fromkeys(codes) if code]


def note_change(kind: str, note: Mapping[str, Any], *, reference: str, xml: bytes = b"") -> Change | None:
    """What a note says of one of our orders; None while it says nothing, or is no note of a sale.

    ``reference``: our number, where the note does not say it. ``kind``: "nfe" or "nfce".
    """
    situation = number_of(note.get("situacao"))
    if situation not in ISSUED | CANCELLED or number_of(note.get("tipo", _OUT)) != _OUT:
        return None
    if number_of(note.get("finalidade") or _SALE) != _SALE:
        return None
    key = compact(note.get("chaveAcesso"))
    number, series = words(note.get("numero"), 20).lstrip("0"), words(note.get("serie"), 3)
    if not _KEY.fullmatch(key):
        # Without its key it is not issued, and nothing that we could have entered.
        return None
    is_cancelled = situation in CANCELLED
    facts = InvoiceFacts(
        number=number,
        series=series,
        access_key=key,
        value=None if is_cancelled else amount(note.get("valorNota")),
        xml=b"" if is_cancelled else xml,
        cancelled=is_cancelled,
    )
    said = words(note.get("numeroPedidoLoja"), 128) or reference
    what = "cancelled" if is_cancelled else "issued"
    return Change(key=f"{kind}:{number_of(note.get('id'))}:{what}", reference=said, invoice=facts)


def amount(value: Any) -> Decimal | None:
    """A sum; None for what is none."""
    try:
        found = Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    return found if found.is_finite() and 0 <= found < 10**12 else None


def notice_from(body: bytes) -> Notice:
    """What a webhook names: ids alone, to be read again. AdapterRejected for what cannot be read."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AdapterRejected("the notification is not JSON") from error
    if not isinstance(document, Mapping):
        raise AdapterRejected("the notification is no document")
    event = words(document.get("event"))
    event_id = words(document.get("eventId")) or hashlib.sha256(body).hexdigest()
    kind = EVENTS.get(event.partition(".")[0], "")
    found = number_of(inner(document, "data").get("id"))
    # A word of its own: the same order may come to the same situation twice.
    again = (f"{kind}:{found}:{event_id}",) if kind and found else ()
    return Notice(event_id, read_again=again)


def stamp(moment: datetime) -> str:
    """A moment in their words."""
    return moment.astimezone(ZoneInfo(ZONE)).strftime("%Y-%m-%d %H:%M:%S")


# ---- Refusals ----


def _error(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, Mapping):
        return {}
    found = document.get("error")
    # The plain form of OAuth: {"error": "invalid_grant", "error_description": ...}
    return found if isinstance(found, Mapping) else {"type": found, "description": document.get("error_description")}


def error_kind(body: bytes) -> str:
    """The ``type`` of a refusal."""
    return words(_error(body).get("type"))


def limit_period(body: bytes) -> str:
    """Of what there were too many calls: "second" or "day"."""
    found = _error(body)
    said = (words(found.get("period")) or words(found.get("description"), 300)).lower()
    return "day" if any(word in said for word in ("day", "por dia", "diári")) else "second"


def explained(error: AdapterRejected) -> AdapterRejected:
    """The same refusal with Bling's words as its message."""
    if error.status == 401:
        message = gettext("Bling does not accept the shop any more. Connect it again.")
    elif error.status == 403:
        message = gettext("Bling does not allow this to the application: it lacks a scope.")
    else:
        message = gettext("Bling refused: {reason}").format(reason=_said(error.body) or error.status)
    return AdapterRejected(message, status=error.status, body=error.body)


def _said(body: bytes) -> str:
    found = _error(body)
    fields = found.get("fields")
    listed = list(fields.values() if isinstance(fields, Mapping) else fields if isinstance(fields, list) else ())
    details = [words(inner({"f": one}, "f").get("msg"), 300) for one in listed[:10]]
    general = words(found.get("description") or found.get("message"), 300)
    return " / ".join(dict.fromkeys(part for part in (general, *details) if part))
