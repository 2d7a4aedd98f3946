"""1C: trade management. It calls the shop, not the other way round: a person presses "Exchange now".

What a person does to an order here (paid, sent, cancelled) goes back with the next exchange.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from .base import route
from .control import Controlled, root
from .onec_documents import read_orders, write_orders
from .onec_wire import Call, Exchange, Stopped, call_by_http, last_part

USER, PASSWORD = "1c-sandbox", "пароль обмена"
ACTIONS = {"pay": "Paid", "send": "Goods sent", "cancel": "Cancel", "complete": "Completed"}
_VERSIONS = {"3.1": "3.1 (containers)", "2.08": "2.08", "": "before versions"}
_ENCODINGS = ("windows-1251", "utf-8")
_SHOWN = 50


class OneC(Controlled):
    """Its orders, how it speaks, and what its last exchange came to."""

    name, title = "onec", "1C: Trade"
    note = "A simulation on this machine. It comes for the shop's orders when you say so."
    listed = "All orders"
    #: Where the shop waits for it, below the shop's address.
    shop_path = "fulfillment/exchange/1c/onec/"
    hook_url = ""

    def __init__(
        self, *args: Any, user: str = USER, password: str = PASSWORD, call: Call = call_by_http, **options: Any
    ):
        super().__init__(*args, **options)
        self.user, self.password, self.call = user, password, call

    @property
    def setup(self) -> dict[str, Any]:
        born = {
            "version": "3.1",
            "encoding": "windows-1251",
            "attributes": False,
            "zip": True,
            "asks": True,
            "piece": 0,
        }
        return born | (self.books.get("setup", "setup") or {})

    def set_up(self, **values: Any) -> None:
        """How it speaks: version, encoding, attributes, zip, asks (for the import), piece (bytes, 0: as allowed)."""
        self.books.put("setup", "setup", self.setup | values)

    # The exchange

    def exchange(self) -> str:
        """A whole session; what it came to, in words."""
        setup = self.setup
        wire = Exchange(self.hook_url, self.user, self.password, setup["version"], self.call)
        try:
            wire.login()
            wire.init()
            fetched = self.fetch(wire)
            told = self.tell_shop(wire)
            words = f"{fetched} orders fetched, {told} told of"
        except Stopped as error:
            words = f"Stopped: {error}"
        self.books.put("log", "last", {"words": words, "at": f"{datetime.now(UTC):%H:%M:%S}"})
        return words

    def fetch(self, wire: Exchange, *, killed: bool = False) -> int:
        """Page by page until one is empty. ``killed``: it dies before it says that it has them."""
        total = 0
        while True:
            orders = read_orders(wire.query())
            for order in orders:
                self.keep(order)
            if killed:
                return len(orders)
            wire.success()
            total += len(orders)
            if not orders:
                return total

    def keep(self, order: dict[str, Any]) -> None:
        """Write an order down, or what changed of it: the shop's id makes it one."""
        with self.books.lock:
            known = self.books.get("order", order["id"])
            if known is None:
                number = self.books.count("order") + 1
                now = datetime.now(UTC)
                known = {
                    "number_1c": f"ЦБ-{number:06d}",
                    "date_1c": f"{now:%Y-%m-%dT%H:%M:%S}",
                    "times": 0,
                    "tell": True,
                }
            self.books.put("order", order["id"], known | order | {"times": known["times"] + 1})

    def tell_shop(self, wire: Exchange) -> int:
        """Send back what changed here since the last exchange."""
        setup = self.setup
        changed = [order for order in self.books.all("order") if order.get("tell")]
        if not changed:
            return 0
        content = write_orders(
            changed, encoding=setup["encoding"], version=setup["version"], attributes=setup["attributes"]
        )
        name = "C:\\Users\\1С\\AppData\\Local\\Temp\\v8_8789_c.xml"
        packed = setup["zip"] and wire.zip
        wire.send(name, content, packed=packed, piece=setup["piece"])
        if setup["asks"]:
            wire.enter(last_part(name) if packed else name)
        for order in changed:
            with self.books.change("order", order["id"]) as kept:
                kept["tell"] = False
        return len(changed)

    # What a person does

    def act(self, key: str, action: str) -> None:
        """One of :data:`ACTIONS` at an order, by the shop's id. KeyError for an order that is not here."""
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
        values = {
            "pay": {"paid_at": now}, "send": {"sent_at": now}, "cancel": {"cancelled": True},
            "complete": {"state": "[F] Выполнен"},
        }[action]  # fmt: skip
        with self.books.change("order", key) as order:
            order.update(values, tell=True)

    # Pages

    @route("GET", "/", person=True)
    def page(self, request: Request) -> Response:
        setup, last = self.setup, self.books.get("log", "last")
        body = Markup(
            '<form method="post" action="{root}exchange"><button class="approve">Exchange now</button></form>{last}'
            '<h2>How it speaks</h2><form method="post" action="{root}setup"><p><label>Version <select name="version">{versions}'
            '</select></label> <label>Encoding <select name="encoding">{encodings}</select></label></p><p>{checks}</p>'
            "<button>Keep</button></form><h2>Orders</h2>{orders}"
        ).format(
            root=root(request),
            last=Markup('<p class="note" id="last">{words} ({at})</p>').format(**last) if last else "",
            versions=_options(_VERSIONS, setup["version"]),
            encodings=_options({name: name for name in _ENCODINGS}, setup["encoding"]),
            checks=Markup("").join(
                Markup('<label><input type="checkbox" name="{name}" value="1"{on}> {label}</label> ').format(
                    name=name, label=label, on=Markup(" checked") if setup[name] else ""
                )
                for name, label in (("zip", "Zip"), ("attributes", "Attributes"), ("asks", "Asks for the import"))
            ),
            orders=self._orders(request),
        )
        return self.html(self.title, body)

    def _orders(self, request: Request) -> Markup:
        rows = self.books.all("order", newest_first=True)[:_SHOWN]
        if not rows:
            return Markup("<p>None yet.</p>")
        return Markup("").join(
            Markup(
                '<section class="order" id="{id}"><h2>{number_1c}: {number}</h2><p>{buyer}, {total} {currency}, {status}<br>'
                '{goods}<br><strong>{state}</strong></p><form method="post" action="{root}orders/{id}"><div class="buttons">'
                "{buttons}</div></form></section>"
            ).format(
                root=root(request),
                id=order["id"],
                number_1c=order["number_1c"],
                number=order["number"],
                buyer=order["buyer"],
                total=order["total"],
                currency=order["currency"],
                status=order["status"],
                goods="; ".join(order["goods"]),
                state=_state(order),
                buttons=Markup("").join(
                    Markup('<button name="action" value="{name}">{label}</button>').format(name=name, label=label)
                    for name, label in ACTIONS.items()
                ),
            )
            for order in rows
        )

    @route("POST", "/exchange", person=True)
    def press(self, request: Request) -> Response:
        self.exchange()
        return redirect(root(request), 303)

    @route("POST", "/setup", person=True)
    def keep_setup(self, request: Request) -> Response:
        form = request.form
        if form.get("version") not in _VERSIONS or form.get("encoding") not in _ENCODINGS:
            raise BadRequest("no such version or encoding")
        flags = {name: name in form for name in ("zip", "attributes", "asks")}
        self.set_up(version=form["version"], encoding=form["encoding"], **flags)
        return redirect(root(request), 303)

    @route("POST", "/orders/<key>", person=True)
    def press_action(self, request: Request, key: str) -> Response:
        if request.form.get("action") not in ACTIONS:
            raise BadRequest("no such action")
        try:
            self.act(key, request.form["action"])
        except KeyError:
            raise NotFound from None
        return redirect(f"{root(request)}#{key}", 303)


def _state(order: dict[str, Any]) -> str:
    words = [
        word for name, word in (("paid_at", "paid"), ("sent_at", "sent"), ("cancelled", "cancelled"), ("state", "completed"))
        if order.get(name)
    ]  # fmt: skip
    return ", ".join(words or ["open"]) + (", to be told" if order.get("tell") else "")


def _options(labels: dict[str, str], chosen: str) -> Markup:
    return Markup("").join(
        Markup('<option value="{value}"{on}>{label}</option>').format(
            value=value, label=label, on=Markup(" selected") if value == chosen else ""
        )
        for value, label in labels.items()
    )
