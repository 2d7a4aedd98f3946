"""The tax office (SEFAZ) of a state and the one that stands in for it: NF-e, layout 4.00, environment for tests.

Its services answer over TLS only, to whoever shows a certificate of its authority (``sefaz_tls``); its page, where a
person decides how the day is, is a plain one. It checks the official schema, the key, the signature, the certificate,
the sums, and that no number is used twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from markupsafe import Markup
from werkzeug.exceptions import BadRequest, Forbidden
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from . import sefaz_rules as rules
from . import sefaz_wire as wire
from .base import route
from .control import Controlled, root
from .sefaz_wire import Decision, text_at

#: A buyer to whom nobody may sell.
DENIED_CPF = "11122233396"
#: How the service is: it works, pauses for a moment, or is stopped.
SERVICES = {"working": "It works", "paused": "It pauses (108)", "stopped": "It is stopped (109)"}
ANSWERS = {"now": "At once", "later": "Later, by receipt (103, 105, 104)"}
#: Questions about a receipt that are answered "still working".
_PATIENCE = 2
_SWITCHES = {
    "contingency": "The contingency is open",
    "late": "It is too late to cancel anything (501)",
    "denies": f"It denies the buyer with CPF {DENIED_CPF} (302)",
}


class Sefaz(Controlled):
    """The services of one state. ``ways`` say how it is today, until it is started again."""

    name, title = "sefaz", "SEFAZ"
    note = "A simulation on this machine: nothing here has a fiscal value."
    listed = "All notes"

    def __init__(self, *args: Any, now: Callable[[], datetime] | None = None, **options: Any):
        super().__init__(*args, **options)
        self.now = now or (lambda: datetime.now().astimezone())
        self.service, self.answers = "working", "now"
        self.contingency, self.late, self.denies = False, False, True
        #: Where its services are, once they are served.
        self.address = ""

    # Web services

    @route("POST", "/ws/<service>")
    def normal(self, request: Request, service: str) -> Response:
        return self._serve(request, service, stands_in=False)

    @route("POST", "/svc/<service>")
    def stand_in(self, request: Request, service: str) -> Response:
        return self._serve(request, service, stands_in=True)

    def _serve(self, request: Request, service: str, *, stands_in: bool) -> Response:
        shown = request.environ.get("SSL_CLIENT_CERT")
        if not shown:
            raise Forbidden("403.7: a client certificate is required")
        self.client = rules.owner_of(x509.load_pem_x509_certificate(shown.encode()))
        handlers = {
            "NFeStatusServico4": self._status, "NFeAutorizacao4": self._authorise, "NFeRetAutorizacao4": self._receipt,
            "NFeConsultaProtocolo4": self._query, "NFeRecepcaoEvento4": self._event, "NFeInutilizacao4": self._void,
        }  # fmt: skip
        if service not in handlers:
            raise BadRequest("no such service")
        asked = wire.read(request, service)
        with self.books.lock:
            return wire.reply(service, handlers[service](asked, stands_in))

    @property
    def _at(self) -> str:
        # The layout knows no fractions of seconds.
        return self.now().replace(microsecond=0).isoformat()

    def _state(self, stands_in: bool) -> Decision:
        if stands_in:
            is_open = self.contingency or self.service != "working"
            return (
                Decision("107", "Serviço em Operação")
                if is_open
                else Decision("114", "SVC-RS desabilitada pela SEFAZ de Origem")
            )
        return {
            "working": Decision("107", "Serviço em Operação"),
            "paused": Decision("108", "Serviço Paralisado Momentaneamente (curto prazo)"),
            "stopped": Decision("109", "Serviço Paralisado sem Previsão"),
        }[self.service]

    def _status(self, asked: Any, stands_in: bool) -> str:
        return wire.status(self._state(stands_in), text_at(asked, "cUF"), self._at)

    # Notes

    def _authorise(self, asked: Any, stands_in: bool) -> str:
        state = self._state(stands_in)
        note = asked.find(f"{{{wire.NFE}}}NFe")
        if asked.tag != f"{{{wire.NFE}}}enviNFe" or note is None or not text_at(asked, "idLote").isdigit():
            return wire.lot(Decision("215", "Rejeição: Falha no schema XML"), "35", self._at)
        uf = text_at(note, "infNFe/ide/cUF")
        if state.code != "107":
            return wire.lot(state, uf, self._at)
        document = wire.alone(note)
        if refusal := rules.schema_refusal(document):
            return wire.lot(refusal, uf, self._at)
        body = note.find(f"{{{wire.NFE}}}infNFe")
        key = body.get("Id")[3:]
        decision = self._decide(document, body, key, stands_in)
        known = self.books.get("note", key)
        found = known["protocol"] if known and decision.code in ("100", "302") else None
        found = found or wire.protocol(key, rules.digest_of(document), decision, self._at)
        if self.answers == "later":
            number = f"35{self.books.count('lot') + 1:013d}"
            self.books.put("lot", number, {"protocol": found, "asked": 0, "uf": uf})
            return wire.lot(Decision("103", "Lote recebido com sucesso"), uf, self._at, receipt=number)
        return wire.lot(Decision("104", "Lote processado"), uf, self._at, found=found)

    def _decide(self, document: bytes, body: Any, key: str, stands_in: bool) -> Decision:
        """Judge a note that has the right form, and write down what becomes of it."""
        issuer = text_at(body, "emit/CNPJ")
        wanted = ("6", "7") if stands_in else ("1",)
        if text_at(body, "ide/tpAmb") != "2":
            return Decision("252", "Rejeição: Ambiente informado diverge do Ambiente de recebimento")
        if text_at(body, "ide/tpEmis") not in wanted:
            return Decision("563" if stands_in else "570", "Rejeição: Tipo de Emissão inválido para este ambiente")
        for refusal in (rules.key_refusal(body), rules.signature_refusal(document, "infNFe", issuer)):
            if refusal:
                return refusal
        if self.client[:8] != issuer[:8]:
            return Decision("283", "Rejeição: Certificado Transmissor - erro Cadeia de Certificação")
        if refusal := self._number_refusal(body, key):
            return refusal
        if refusal := rules.business_refusal(body, self.now()):
            return refusal
        if self.denies and text_at(body, "dest/CPF") == DENIED_CPF:
            return self._record(document, body, key, "302", "Uso Denegado: Irregularidade fiscal do destinatário")
        return self._record(document, body, key, "100", "Autorizado o uso da NF-e")

    def _number_refusal(self, body: Any, key: str) -> Decision | None:
        number = self._number(body)
        if self.books.get("void", number):
            return Decision("206", "Rejeição: NF-e já está inutilizada na Base de dados da SEFAZ")
        used = self.books.get("number", number)
        if used is None:
            return None
        if used["key"] != key:
            words = f"Rejeição: Duplicidade de NF-e, com diferença na Chave de Acesso [chNFe:{used['key']}]"
            return Decision("539", words)
        if self.books.get("note", key)["code"] == "302":
            return Decision("205", "Rejeição: NF-e está denegada na base de dados da SEFAZ")
        return Decision("204", f"Rejeição: Duplicidade de NF-e [chNFe:{key}]")

    @staticmethod
    def _number(body: Any) -> str:
        return f"{text_at(body, 'emit/CNPJ')}-{text_at(body, 'ide/serie')}-{text_at(body, 'ide/nNF')}"

    def _record(self, document: bytes, body: Any, key: str, code: str, text: str) -> Decision:
        decision = Decision(code, text, f"135{self.now():%y}{self.books.count('note') + 1:010d}")
        self.books.put("number", self._number(body), {"key": key})
        self.books.put(
            "note",
            key,
            {
                "key": key, "code": code, "total": text_at(body, "total/ICMSTot/vNF"), "at": self._at,
                "number": text_at(body, "ide/nNF"), "series": text_at(body, "ide/serie"), "emission": text_at(body, "ide/tpEmis"),
                "protocol": wire.protocol(key, rules.digest_of(document), decision, self._at), "events": [],
                "document": document.decode(),
            },
        )  # fmt: skip
        return decision

    def _receipt(self, asked: Any, stands_in: bool) -> str:
        number = text_at(asked, "nRec")
        if self.books.get("lot", number) is None:
            return wire.receipt(Decision("106", "Lote não localizado"), number, "35", self._at)
        with self.books.change("lot", number) as lot:
            lot["asked"] += 1
            if lot["asked"] <= _PATIENCE:
                return wire.receipt(Decision("105", "Lote em processamento"), number, lot["uf"], self._at)
        return wire.receipt(Decision("104", "Lote processado"), number, lot["uf"], self._at, lot["protocol"])

    def _query(self, asked: Any, stands_in: bool) -> str:
        key, state = text_at(asked, "chNFe"), self._state(stands_in)
        note = self.books.get("note", key)
        if state.code != "107":
            return wire.query(state, key, key[:2], self._at)
        if note is None:
            return wire.query(
                Decision("217", "Rejeição: NF-e não consta na base de dados da SEFAZ"), key, key[:2], self._at
            )
        texts = {"100": "Autorizado o uso da NF-e", "101": "Cancelamento de NF-e homologado", "302": "Uso Denegado"}
        events = "".join(
            f'<procEventoNFe versao="1.00">{told["document"]}{told["answer"]}</procEventoNFe>'
            for told in note["events"]
        )
        return wire.query(Decision(note["code"], texts[note["code"]]), key, key[:2], self._at, note["protocol"], events)

    # Events, numbers

    def _event(self, asked: Any, stands_in: bool) -> str:
        event = asked.find(f"{{{wire.NFE}}}evento")
        if event is None:
            return wire.event_lot(Decision("215", "Rejeição: Falha no schema XML"), "35", "0")
        body = event.find(f"{{{wire.NFE}}}infEvento")
        key, kind, number = (text_at(body, name) for name in ("chNFe", "tpEvento", "nSeqEvento"))
        if self._state(stands_in).code != "107":
            return wire.event_lot(self._state(stands_in), key[:2], text_at(asked, "idLote"))
        document = wire.alone(event)
        decision = self._judge_event(document, body, key, kind, number)
        answer = wire.event(decision, key, kind, number, self._at)
        if decision.code == "135":
            with self.books.change("note", key) as note:
                note["events"].append({"kind": kind, "number": number, "document": document.decode(), "answer": answer})
                note["code"] = "101" if kind == "110111" else note["code"]
        return wire.event_lot(Decision("128", "Lote de Evento Processado"), key[:2], text_at(asked, "idLote"), answer)

    def _judge_event(self, document: bytes, body: Any, key: str, kind: str, number: str) -> Decision:
        note = self.books.get("note", key)
        detail = body.find(f"{{{wire.NFE}}}detEvento")
        text = text_at(detail, "xJust") or text_at(detail, "xCorrecao")
        if kind not in ("110111", "110110") or not 15 <= len(text) <= (255 if kind == "110111" else 1000):
            return Decision("225", "Rejeição: Falha no Schema XML do evento")
        if body.get("Id") != f"ID{kind}{key}{number.zfill(2)}":
            return Decision("572", "Rejeição: Erro Atributo ID do evento não corresponde à concatenação dos campos")
        if refusal := rules.signature_refusal(document, "infEvento", text_at(body, "CNPJ")):
            return refusal
        if note is None:
            return Decision("494", "Rejeição: Chave de Acesso inexistente")
        if any(told["kind"] == kind and told["number"] == number for told in note["events"]):
            return Decision("573", "Rejeição: Duplicidade de Evento")
        if note["code"] == "101":
            return Decision("420", "Rejeição: Cancelamento para NF-e já cancelada")
        if kind == "110111":
            if f"<nProt>{text_at(detail, 'nProt')}</nProt>" not in note["protocol"]:
                return Decision("222", "Rejeição: Protocolo de Autorização de Uso difere do cadastrado")
            if self.late or self.now() - datetime.fromisoformat(note["at"]) > timedelta(hours=24):
                return Decision("501", "Rejeição: Prazo de cancelamento superior ao previsto na Legislação")
        return Decision(
            "135", "Evento registrado e vinculado a NF-e", f"135{self.now():%y}{900 + len(note['events']):010d}"
        )

    def _void(self, asked: Any, stands_in: bool) -> str:
        body = asked.find(f"{{{wire.NFE}}}infInut")
        uf, issuer, series = (text_at(body, name) for name in ("cUF", "CNPJ", "serie"))
        if self._state(stands_in).code != "107":
            return wire.voiding(self._state(stands_in), uf, self._at)
        if refusal := rules.signature_refusal(wire.alone(asked), "infInut", issuer):
            return wire.voiding(refusal, uf, self._at)
        numbers = [
            f"{issuer}-{series}-{number}"
            for number in range(int(text_at(body, "nNFIni")), int(text_at(body, "nNFFin")) + 1)
        ]
        if all(self.books.get("void", number) for number in numbers):
            return wire.voiding(
                Decision("563", "Rejeição: Já existe pedido de Inutilização com a mesma faixa"), uf, self._at
            )
        if any(self.books.get("number", number) for number in numbers):
            return wire.voiding(Decision("241", "Rejeição: Um número da faixa já foi utilizado"), uf, self._at)
        for number in numbers:
            self.books.put("void", number, {"number": number})
        protocol = f"135{self.now():%y}{500 + self.books.count('void'):010d}"
        return wire.voiding(Decision("102", "Inutilização de número homologado", protocol), uf, self._at)

    # Its page

    @route("GET", "/", person=True)
    def page(self, request: Request) -> Response:
        rows = Markup("").join(
            Markup(
                "<tr><td>{number}/{series}</td><td>{total}</td><td>{state}</td><td><code>{key}</code></td></tr>"
            ).format(**note, state=_STATES.get(note["code"], note["code"]))
            for note in self.books.all("note", newest_first=True)
        )
        table = Markup("<table><tr><th>Note</th><th>R$</th><th>State</th><th>Key</th></tr>{rows}</table>").format(
            rows=rows
        )
        body = Markup(
            '{health}<form method="post" action="{root}ways">{service}{answers}{switches}'
            '<div class="buttons"><button class="approve">From now on</button></div></form>{table}'
        ).format(
            health=self.health(request), root=root(request), table=table if rows else Markup("<p>No note yet.</p>"),
            service=_choice("service", "The service", SERVICES, self.service),
            answers=_choice("answers", "It answers", ANSWERS, self.answers),
            switches=Markup("").join(_switch(name, label, getattr(self, name)) for name, label in _SWITCHES.items()),
        )  # fmt: skip
        return self.html(self.title, body)

    @route("POST", "/ways", person=True)
    def change_ways(self, request: Request) -> Response:
        form = request.form
        if form.get("service") not in SERVICES or form.get("answers") not in ANSWERS:
            raise BadRequest("no such way")
        self.service, self.answers = form["service"], form["answers"]
        for name in _SWITCHES:
            setattr(self, name, name in form)
        return redirect(root(request), 303)


_STATES = {"100": "authorised", "101": "cancelled", "302": "denied"}


def _choice(name: str, label: str, options: dict[str, str], chosen: str) -> Markup:
    made = Markup("").join(
        Markup('<option value="{}"{}>{}</option>').format(value, Markup(" selected") if value == chosen else "", text)
        for value, text in options.items()
    )
    return Markup('<p><label>{} <select name="{}">{}</select></label></p>').format(label, name, made)


def _switch(name: str, label: str, is_on: bool) -> Markup:
    checked = Markup(" checked") if is_on else ""
    return Markup('<p><label><input type="checkbox" name="{}" value="1"{}> {}</label></p>').format(name, checked, label)
