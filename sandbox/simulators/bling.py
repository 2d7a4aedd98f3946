"""Bling: a person issues the notes of the shop's orders, cancels them, and posts the parcels."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from werkzeug.exceptions import BadRequest
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from oscar_fulfillment.test.fiscal import make_key

from .base import route
from .bling_api import SITUATIONS, BlingApi
from .bling_notes import SERIES, make_xml
from .bling_wire import BRASILIA, CLIENT_ID, CLIENT_SECRET
from .control import NOTIFY, notify_choice, root

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "STORE", "Bling"]
#: The shop's sales channel.
STORE = 205_000_001
PENDING, CANCELLED, AUTHORISED = 1, 2, 5
_SHOWN = 40


class Bling(BlingApi):
    """An account with one sales channel."""

    # What people do

    def order_by_number(self, number: str) -> dict[str, Any]:
        """The order with the shop's number. KeyError for none."""
        for one in self.books.all("order"):
            if one["numeroLoja"] == number:
                return one
        raise KeyError(number)

    def issue(
        self, number: str, notify: str = "once", *, situation: int = AUTHORISED, kind: str = "nfe", xml: str = "",
        fields: Mapping[str, Any] | None = None, **said: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Issue the note of the order with the shop's ``number``. ``said`` changes the file, ``fields`` the document."""
        order = self.order_by_number(number)
        contact = self.books.get("contact", str(order["contato"]["id"]))
        assert contact is not None
        at = self.now().astimezone(BRASILIA)
        count = self.books.count("note") + 1
        said.setdefault("model", "65" if kind == "nfce" else "55")
        content = make_xml(order, contact, count, at, **said)
        access = make_key(number=count, series=SERIES, year_month=f"{at:%y%m}", model=said["model"])
        total = said.get("total", order["total"])
        note = {
            "id": 22_000_000_000 + count,
            "kind": kind,
            "tipo": 1,
            "situacao": situation,
            "numero": f"{count:06d}",
            "serie": SERIES,
            "chaveAcesso": access if situation != PENDING else "",
            "dataEmissao": self._stamp(),
            "dataOperacao": self._stamp(),
            "contato": order["contato"],
            "loja": order["loja"],
            "naturezaOperacao": {"id": 15_000_000_001},
            "valorNota": float(Decimal(str(total))),
            "numeroPedidoLoja": order["numeroLoja"],
            "xml": xml,
            "linkDanfe": "",
            "linkPDF": "",
            "transporte": {"volumes": [{"id": one["id"]} for one in order["transporte"]["volumes"]]},
            "file": content.decode(),
            **(fields or {}),
        }
        self.books.put("note", str(note["id"]), note)
        with self.books.change("order", str(order["id"])) as changed:
            changed["notaFiscal"] = {"id": note["id"] if kind == "nfe" else 0}
            changed["changed"] = self._stamp()
        self._hint_note("created", note, notify)
        return note

    def authorise(self, note_id: int, notify: str = "once") -> None:
        """The tax office answers for a note that waited."""
        with self.books.change("note", str(note_id)) as note:
            count = int(note["numero"])
            note["situacao"] = AUTHORISED
            note["chaveAcesso"] = make_key(
                number=count, series=SERIES, year_month=datetime.fromisoformat(note["dataEmissao"]).strftime("%y%m")
            )
        self._hint_note("updated", note, notify)

    def cancel_note(self, note_id: int, notify: str = "once") -> None:
        with self.books.change("note", str(note_id)) as note:
            note["situacao"] = CANCELLED
        self._hint_note("updated", note, notify)

    def _hint_note(self, what: str, note: Mapping[str, Any], notify: str) -> None:
        names = (
            "id",
            "tipo",
            "situacao",
            "numero",
            "dataEmissao",
            "dataOperacao",
            "contato",
            "naturezaOperacao",
            "loja",
        )
        data = {name: note[name] for name in names} | {"valorTotal": note["valorNota"]}
        family = "invoice" if note["kind"] == "nfe" else "consumer_invoice"
        self.hint(f"{family}.{what}", data, notify)

    def post(self, number: str, *codes: str, carrier: str = "Correios", notify: str = "once") -> None:
        """Labels are made for the order's parcels."""

        def posted(order: dict[str, Any]) -> None:
            order["transporte"]["contato"] = {"id": 1, "nome": carrier}
            order["transporte"]["volumes"] = [
                {"id": place, "servico": "PAC", "codigoRastreamento": code} for place, code in enumerate(codes, 1)
            ]

        self._change(self.order_by_number(number)["id"], posted, notify)

    def move(self, number: str, situation: int, notify: str = "once") -> None:
        """A person changes the situation of an order."""
        key = self.order_by_number(number)["id"]
        self._change(key, lambda order: order.update(situacao={"id": situation, "valor": 1}), notify)

    # The page

    @route("GET", "/", person=True)
    def page(self, request: Request) -> Response:
        orders = self.books.all("order", newest_first=True)[:_SHOWN]
        shown = Markup("").join(self._shown(request, order) for order in orders)
        empty = Markup("<p>No orders yet. They appear here when the shop releases one.</p>")
        return self.html(self.title, self.health(request) + self.held_form(request) + (shown or empty))

    def _shown(self, request: Request, order: Mapping[str, Any]) -> Markup:
        note = self.books.get("note", str(order["notaFiscal"]["id"]))
        is_issued = note is not None and note["situacao"] == AUTHORISED
        said = f"NF-e {int(note['numero'])}: {'issued' if is_issued else 'cancelled'}" if note else "No NF-e"
        act = Markup('<button name="do" value="{do}"{way}>{label}</button>')
        buttons = [act.format(do="cancel", way="", label="Cancel the NF-e")] if is_issued else [
            act.format(do="issue", way=Markup(' class="approve"'), label="Issue the NF-e"),
            act.format(do="issue_other", way="", label="Issue it over another sum"),
        ]  # fmt: skip
        codes = ", ".join(
            one["codigoRastreamento"] for one in order["transporte"]["volumes"] if one["codigoRastreamento"]
        )
        situations = Markup("").join(
            Markup('<option value="{}"{}>{}</option>').format(
                key, Markup(" selected") if key == order["situacao"]["id"] else "", name
            )
            for key, name in SITUATIONS.items()
        )
        return Markup(
            '<section id="order-{id}"><h2>Pedido {number} · {ours}</h2><p>{buyer}, R$ {total:.2f}. <strong>{said}</strong>{codes}</p>'
            '<form method="post" action="{root}orders" aria-label="{ours}"><input type="hidden" name="number" value="{ours}">'
            '{notify}<div class="buttons">{buttons}</div><div class="buttons"><label>Tracking code '
            '<input name="code" maxlength="40" autocomplete="off"></label><button name="do" value="post">Post it</button>'
            '<label>Situation <select name="situation">{situations}</select></label>'
            '<button name="do" value="move">Set it</button></div></form></section>'
        ).format(
            id=order["id"], number=order["numero"], ours=order["numeroLoja"], buyer=order["contato"]["nome"],
            total=order["total"], said=said, codes=f" Tracking: {codes}" if codes else "", root=root(request),
            notify=notify_choice(), buttons=Markup("").join(buttons), situations=situations,
        )  # fmt: skip

    @route("POST", "/orders", person=True)
    def happened(self, request: Request) -> Response:
        form = request.form
        number, notify = form.get("number", ""), form.get("notify", "once")
        try:
            order = self.order_by_number(number)
        except KeyError:
            raise BadRequest("no such order") from None
        if notify not in NOTIFY:
            raise BadRequest("no such way to notify")
        match form.get("do", ""):
            case "issue":
                self.issue(number, notify)
            case "issue_other":
                self.issue(number, notify, total=f"{order['total'] + 10:.2f}")
            case "cancel" if order["notaFiscal"]["id"]:
                self.cancel_note(order["notaFiscal"]["id"], notify)
            case "post" if form.get("code", "").strip():
                self.post(number, form["code"].strip().upper(), notify=notify)
            case "move" if form.get("situation", "") in map(str, SITUATIONS):
                self.move(number, int(form["situation"]), notify)
            case _:
                raise BadRequest("that cannot be done")
        return redirect(f"{root(request)}#{quote('order-' + str(order['id']))}", 303)
