"""Bling's API v3: contacts, orders of sale, their situations, notes and their files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Request, Response

from .base import route
from .bling_rules import absent, check_contact, check_order, invalid, total_of
from .bling_wire import BRASILIA, BlingWire

SITUATIONS = {6: "Em aberto", 9: "Atendido", 12: "Cancelado", 15: "Em andamento", 24: "Verificado"}


class BlingApi(BlingWire):
    """What the shop calls."""

    # Contacts

    @route("GET", "/Api/v3/contatos")
    def contacts(self, request: Request) -> Response:
        document = request.args.get("numeroDocumento", "")

        def found() -> list[Any]:
            known = [one for one in self.books.all("contact") if document in ("", one["numeroDocumento"])]
            shown = ("id", "nome", "codigo", "situacao", "numeroDocumento", "telefone", "celular")
            return self.page_of(request, [{name: one.get(name, "") for name in shown} for one in known])

        return self.call(request, found)

    @route("POST", "/Api/v3/contatos")
    def new_contact(self, request: Request) -> Response:
        def made() -> dict[str, Any]:
            body = self._body(request)
            check_contact(body)
            if any(one["numeroDocumento"] == body["numeroDocumento"] for one in self.books.all("contact")):
                raise invalid(("numeroDocumento", "O CPF ou CNPJ já está cadastrado em outro contato"))
            key = 16_000_000_000 + self.books.count("contact") + 1
            self.books.put("contact", str(key), {"id": key, "codigo": "", **body})
            return {"id": key}

        return self.call(request, made, 201)

    @staticmethod
    def _body(request: Request) -> dict[str, Any]:
        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            raise invalid(("", "O corpo da requisição é inválido"))
        return body

    # Orders

    @route("GET", "/Api/v3/pedidos/vendas")
    def orders(self, request: Request) -> Response:
        numbers = request.args.getlist("numerosLojas[]")
        since, store = request.args.get("dataAlteracaoInicial", ""), request.args.get("idLoja", "")

        def found() -> list[Any]:
            known = [
                one
                for one in self.books.all("order")
                if (not numbers or one["numeroLoja"] in numbers)
                and one["changed"] >= since
                and store in ("", str(one["loja"]["id"]))
            ]
            return self.page_of(request, [self._listed(one) for one in known])

        return self.call(request, found)

    def _listed(self, order: Mapping[str, Any]) -> dict[str, Any]:
        names = ("id", "numero", "numeroLoja", "data", "totalProdutos", "total", "contato", "situacao", "loja")
        return {name: order[name] for name in names}

    @route("GET", "/Api/v3/pedidos/vendas/<int:key>")
    def order(self, request: Request, key: int) -> Response:
        return self.call(request, lambda: {k: v for k, v in self._order(key).items() if k != "changed"})

    def _order(self, key: int | str) -> dict[str, Any]:
        found = self.books.get("order", str(key))
        if found is None:
            raise absent("Pedido de venda")
        return found

    @route("POST", "/Api/v3/pedidos/vendas")
    def new_order(self, request: Request) -> Response:
        def made() -> dict[str, Any]:
            body = self._body(request)
            check_order(body)
            number = body.get("numeroLoja", "")
            if number and any(one["numeroLoja"] == number for one in self.books.all("order")):
                raise invalid(("numeroLoja", f"Já existe um pedido com o número de loja {number}"))
            count = self.books.count("order") + 1
            document = self._document(body, 25_000_000_000 + count, 1000 + count)
            self.books.put("order", str(document["id"]), document)
            self.hint("order.created", self._hinted(document))
            return {"id": document["id"]}

        return self.call(request, made, 201)

    @route("PUT", "/Api/v3/pedidos/vendas/<int:key>")
    def change_order(self, request: Request, key: int) -> Response:
        def made() -> dict[str, Any]:
            old, body = self._order(key), self._body(request)
            check_order(body)
            if old["notaFiscal"]["id"]:
                raise invalid(("notaFiscal", "A venda já tem nota fiscal e não pode ser alterada"))
            kept = {name: old[name] for name in ("numero", "situacao", "notaFiscal")}
            self.books.put("order", str(key), {**self._document(body, key, old["numero"]), **kept})
            self.hint("order.updated", self._hinted(self._order(key)))
            return {"id": key}

        return self.call(request, made)

    def _document(self, body: Mapping[str, Any], key: int, number: int) -> dict[str, Any]:
        contact = self.books.get("contact", str((body.get("contato") or {}).get("id", "")))
        if contact is None:
            raise invalid(("contato", "O contato não existe"))
        goods, total = total_of(body)
        transport = body.get("transporte") or {}
        volumes = [
            {"id": place, "codigoRastreamento": "", **one}
            for place, one in enumerate(transport.get("volumes") or [], 1)
        ]
        return {
            **body,
            "id": key,
            "numero": number,
            "numeroLoja": body.get("numeroLoja", ""),
            "totalProdutos": float(goods),
            "total": float(total),
            "contato": {"id": contact["id"], "nome": contact["nome"], "numeroDocumento": contact["numeroDocumento"]},
            "situacao": {"id": 6, "valor": 0},
            "loja": {"id": (body.get("loja") or {}).get("id", 0)},
            "notaFiscal": {"id": 0},
            "transporte": {**transport, "contato": {"id": 0, "nome": ""}, "volumes": volumes},
            "changed": self._stamp(),
        }

    def _stamp(self) -> str:
        return self.now().astimezone(BRASILIA).strftime("%Y-%m-%d %H:%M:%S")

    @staticmethod
    def _hinted(order: Mapping[str, Any]) -> dict[str, Any]:
        names = ("id", "data", "numero", "numeroLoja", "total", "contato", "situacao", "loja")
        return {name: order[name] for name in names}

    @route("PATCH", "/Api/v3/pedidos/vendas/<int:key>/situacoes/<int:situation>")
    def situation(self, request: Request, key: int, situation: int) -> Response:
        def changed() -> None:
            if situation not in SITUATIONS:
                raise absent("Situação")
            self._change(key, lambda order: order.update(situacao={"id": situation, "valor": 1}))

        return self.call(request, changed)

    def _change(self, key: int | str, do: Any, notify: str = "once") -> None:
        self._order(key)
        with self.books.change("order", str(key)) as order:
            do(order)
            order["changed"] = self._stamp()
        self.hint("order.updated", self._hinted(order), notify)

    @route("GET", "/Api/v3/situacoes/modulos")
    def modules(self, request: Request) -> Response:
        return self.call(
            request, lambda: [{"id": 98309, "nome": "Vendas", "descricao": "Vendas", "criarSituacoes": True}]
        )

    @route("GET", "/Api/v3/situacoes/modulos/<int:module>")
    def situations(self, request: Request, module: int) -> Response:
        return self.call(
            request, lambda: [{"id": key, "nome": name, "idHerdado": 0} for key, name in SITUATIONS.items()]
        )

    # Notes

    @route("GET", "/Api/v3/<any(nfe, nfce):kind>")
    def notes(self, request: Request, kind: str) -> Response:
        situation, since = request.args.get("situacao", ""), request.args.get("dataEmissaoInicial", "")

        def found() -> list[Any]:
            names = ("id", "tipo", "situacao", "numero", "dataEmissao", "dataOperacao", "contato", "loja")
            known = [
                {name: one[name] for name in names}
                for one in self.books.all("note", newest_first=True)
                if one["kind"] == kind and situation in ("", str(one["situacao"])) and one["dataEmissao"] >= since
            ]
            return self.page_of(request, known)

        return self.call(request, found)

    @route("GET", "/Api/v3/<any(nfe, nfce):kind>/<int:key>")
    def get_note(self, request: Request, kind: str, key: int) -> Response:
        def found() -> dict[str, Any]:
            note = self.books.get("note", str(key))
            if note is None or note["kind"] != kind:
                raise absent("Nota fiscal")
            hidden = ("kind", "file")
            address = f"{request.host_url.rstrip('/')}{request.root_path}/relatorios/nfe.xml.php?chaveAcesso={note['chaveAcesso']}"
            shown = {name: value for name, value in note.items() if name not in hidden}
            return {**shown, "xml": note["xml"] or (address if note["chaveAcesso"] else "")}

        return self.call(request, found)

    @route("GET", "/relatorios/nfe.xml.php")
    def file(self, request: Request) -> Response:
        wanted = request.args.get("chaveAcesso", "")
        note = next((one for one in self.books.all("note") if wanted and one["chaveAcesso"] == wanted), None)
        if note is None:
            return Response("<html>Nota não encontrada</html>", mimetype="text/html")
        return Response(note["file"], mimetype="application/xml")
