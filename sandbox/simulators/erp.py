"""An ERP: it fetches released orders from the shop's API, acknowledges them, and sends the fiscal document back.

It knows the API from its documentation alone. Orders of shops that push come to ``/erp/orders``, signed as Standard
Webhooks has it. A person decides when it works; or it works by itself, and invoices what it has for a while.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from typing import Any
from urllib.parse import quote, urlsplit

import urllib3
from markupsafe import Markup
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from oscar_fulfillment.test.fiscal import make_key

from .base import route
from .control import Controlled, root
from .standard_webhooks import is_signed

logger = logging.getLogger("sandbox.simulators")

#: The keys that the demo shop gives it: for what it fetches, and for what the shop pushes; and the secret by which that
#: is signed.
KEY = "ofk_sandboxerp22_simulated-key-of-the-demo-erp-and-no-secret"
PUSH_KEY = "ofk_sandboxpush2_simulated-key-for-pushed-orders-and-no-secret"
SECRET = "whsec_c2ltdWxhdGVkLXNlY3JldC1vZi10aGUtZGVtby1lcnA="
#: Seconds after which it invoices by itself what it fetched, and between two looks.
AFTER, EVERY = 3.0, 1.0
_SHOWN = 40


class Erp(Controlled):
    """Orders by their number in the shop, each with the document and the code that it got here."""

    name, title = "erp", "Lagoa ERP"
    note = "A simulation on this machine. It works with the shop's orders."
    listed = "All orders"

    @property
    def setup(self) -> dict[str, Any]:
        return self.books.get("setup", "setup") or {"api": "", "key": KEY, "alone": False}

    def set_up(self, **values: Any) -> None:
        """``api``: the address of the shop's API; ``key``: ours there; ``alone``: whether we work by ourselves."""
        self.books.put("setup", "setup", {**self.setup, **values})

    def configure(self, url: str) -> None:
        """The shop's address, once it is known; from then on there is work to do."""
        parts = urlsplit(url)
        self.set_up(api=f"{parts.scheme}://{parts.netloc}/api/fulfillment")
        threading.Thread(target=self._work_on, daemon=True, name="erp").start()

    def _work_on(self) -> None:
        while True:
            time.sleep(EVERY)
            if self.setup["alone"]:
                try:
                    self.work()
                except Exception:  # it goes on, whatever a shop answers
                    logger.exception("the ERP stumbled")

    # What it does

    def ask(self, method: str, path: str, body: Any = None, key: str = "") -> tuple[int, Any]:
        """Call the shop: status (0: nobody answered) and document. ``key``: another than that of the setup."""
        setup = self.setup
        headers = {"Authorization": f"Bearer {key or setup['key']}", "Content-Type": "application/json"}
        if method == "POST":
            # The same of what it does is the same call, however often a person clicks.
            headers["Idempotency-Key"] = uuid.uuid5(uuid.NAMESPACE_URL, f"{path} {json.dumps(body)}").hex
        data = None if body is None else json.dumps(body).encode()
        try:
            answer = urllib3.request(
                method, f"{setup['api']}{path}", body=data, headers=headers, timeout=15, retries=False
            )
            return answer.status, json.loads(answer.data or b"null")
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            return 0, {"detail": str(error)}

    def fetch(self) -> int:
        """Take over what is released, page by page, and say so; how many orders."""
        count, cursor = 0, ""
        while True:
            status, page = self.ask("GET", f"/orders?status=released&limit=10&cursor={quote(cursor)}")
            if status != 200:
                self.set_up(said=_problem(status, page))
                return count
            taken = [
                {"number": each["number"], "external_id": self._keep(each, pushed=False)["id"]}
                for each in page["orders"]
            ]
            if taken:
                self.ask("POST", "/orders/acknowledge", {"orders": taken})
            count += len(taken)
            cursor = page["next_cursor"]
            if not cursor:
                self.set_up(said="")
                return count

    def _keep(self, order: dict[str, Any], *, pushed: bool) -> dict[str, Any]:
        with self.books.lock:
            known = self.books.get("order", order["number"])
            kept = known or {"id": f"L-{1000 + self.books.count('order')}", "came": time.time(), "times": 0}
            kept |= {"order": order, "times": kept["times"] + 1, "pushed": pushed}
            return self.books.put("order", order["number"], kept)

    def invoice(self, number: str) -> int:
        """Issue a note for an order and send it to the shop; the status of the answer."""
        with self.books.lock:
            kept = self._get(number)
            if "note" not in kept:
                note = 5000 + self.books.count("note") + 1
                self.books.put("note", str(note), {"order": number})
                kept["note"] = {"number": str(note), "key": make_key(number=note)}
                self.books.put("order", number, kept)
        order, note = kept["order"], kept["note"]
        body = {
            "type": "Output", "issuanceDate": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "invoiceNumber": note["number"], "invoiceKey": note["key"],
            "invoiceValue": order["total_incl_tax"].replace(".", ""),
            "items": [{"id": line["sku"], "quantity": line["quantity"], "price": 0} for line in order["lines"]],
        }  # fmt: skip
        return self._told(number, "POST", f"/orders/{quote(number)}/invoice", body)

    def send_goods(self, number: str) -> int:
        """Give the goods of an order to the carrier; the status of the shop's answer."""
        kept = self._get(number)
        code = f"LX{int(kept['id'][2:]):08d}0BR"
        if "note" in kept:
            path = f"/orders/{quote(number)}/invoice/{kept['note']['number']}"
            return self._told(number, "PATCH", path, {"courier": "other", "trackingNumber": code})
        path = f"/orders/{quote(number)}/tracking"
        return self._told(number, "POST", path, {"carrier": "other", "tracking_code": code})

    def _told(self, number: str, method: str, path: str, body: Any) -> int:
        status, found = self.ask(method, path, body, PUSH_KEY if self._get(number)["pushed"] else "")
        with self.books.change("order", number) as kept:
            kept["said"] = _problem(status, found) if status != 200 else ""
            kept["shipping"] = found.get("shipping_status", "") if status == 200 else kept.get("shipping", "")
        return status

    def work(self) -> None:
        """What it does when it works by itself."""
        self.fetch()
        for kept in self.books.all("order"):
            is_due = kept["order"]["flow"] == "BRAZIL" and time.time() - kept["came"] >= AFTER
            if is_due and kept.get("shipping", "") == "" and not kept.get("said"):
                self.invoice(kept["order"]["number"])

    def _get(self, number: str) -> dict[str, Any]:
        kept = self.books.get("order", number)
        if kept is None:
            raise NotFound("no such order")
        return kept

    # What the shop pushes

    @route("POST", "/orders")
    def take(self, request: Request) -> Response:
        body = request.get_data()
        if not is_signed(request.headers, body, SECRET):
            return self.json({"error": "signed by nobody we know"}, 401)
        try:
            kept = self._keep(json.loads(body)["data"]["order"], pushed=True)
        except (ValueError, KeyError, TypeError):
            return self.json({"error": "no order in it"}, 400)
        return self.json({"id": kept["id"], "number": kept["id"]}, 201)

    # The page

    @route("GET", "/", person=True)
    def page(self, request: Request) -> Response:
        setup = self.setup
        body = Markup(
            '<form method="post" action="{root}work"><div class="buttons"><button name="do" value="fetch">Fetch '
            'released orders</button><button name="do" value="{turn}" aria-pressed="{pressed}">It works by itself'
            "</button></div></form>{said}<h2>Orders</h2>{orders}<h2>The shop's API</h2>"
            '<form method="post" action="{root}setup"><p><label>Address<br><input name="api" size="50" value="{api}">'
            '</label></p><p><label>Key<br><input name="key" size="50" autocomplete="off" spellcheck="false" '
            'value="{key}"></label></p><button>Keep them</button></form>'
        ).format(
            root=root(request),
            turn="by_hand" if setup["alone"] else "alone",
            pressed="true" if setup["alone"] else "false",
            said=Markup("<p><strong>{}</strong></p>").format(setup["said"]) if setup.get("said") else "",
            orders=self._orders(request),
            api=setup["api"],
            key=setup["key"],
        )
        return self.html(self.title, self.health(request) + body)

    def _orders(self, request: Request) -> Markup:
        found = self.books.all("order", newest_first=True)[:_SHOWN]
        if not found:
            return Markup("<p>None yet.</p>")
        rows = Markup("").join(
            Markup(
                '<tr id="order-{number}"><th scope="row">{id}<br>{number}</th><td>{total} {currency}<br>{name}</td><td>'
                "{note}<br>{shipping} {said}</td><td>"
                '<form method="post" action="{root}orders/{path}"><button name="do" value="invoice">Invoice</button> '
                '<button name="do" value="send">Send the goods</button></form></td></tr>'
            ).format(
                id=kept["id"],
                number=kept["order"]["number"],
                path=quote(kept["order"]["number"]),
                total=kept["order"]["total_incl_tax"],
                currency=kept["order"]["currency"],
                name=kept["order"]["customer"]["name"],
                note=f"NF-e {kept['note']['number']}" if "note" in kept else "no note",
                shipping=kept.get("shipping", ""),
                said=kept.get("said", ""),
                root=root(request),
            )
            for kept in found
        )
        heads = "<tr><th scope=col>Order</th><th scope=col>Total</th><th scope=col>Note</th><td></td></tr>"
        return Markup(
            '<div class="wide" tabindex="0" role="region" aria-label="Orders"><table><thead>{heads}</thead><tbody>{rows}'
            "</tbody></table></div><style>.wide{{overflow-x:auto}}input{{max-width:100%;box-sizing:border-box}}</style>"
        ).format(heads=Markup(heads), rows=rows)

    @route("POST", "/work", person=True)
    def start_work(self, request: Request) -> Response:
        wanted = request.form.get("do")
        if wanted == "fetch":
            self.fetch()
        elif wanted in ("alone", "by_hand"):
            self.set_up(alone=wanted == "alone")
        else:
            raise BadRequest("no such thing")
        return redirect(root(request), 303)

    @route("POST", "/orders/<number>", person=True)
    def work_order(self, request: Request, number: str) -> Response:
        ways = {"invoice": self.invoice, "send": self.send_goods}
        if request.form.get("do") not in ways:
            raise BadRequest("no such thing")
        ways[request.form["do"]](number)
        return redirect(f"{root(request)}#order-{quote(number)}", 303)

    @route("POST", "/setup", person=True)
    def keep_setup(self, request: Request) -> Response:
        address = request.form.get("api", "").strip().rstrip("/")
        if urlsplit(address).scheme not in ("http", "https"):
            raise BadRequest("no address of an API")
        self.set_up(api=address, key=request.form.get("key", "").strip(), said="")
        return redirect(root(request), 303)


def _problem(status: int, found: Any) -> str:
    """What the shop says is wrong, in a line."""
    said = found if isinstance(found, dict) else {}
    listed = [str(error.get("detail", "")) for error in said.get("errors", ()) if isinstance(error, dict)]
    return f"{status}: {' '.join(listed) or said.get('detail') or said.get('title', '')}"[:300]
