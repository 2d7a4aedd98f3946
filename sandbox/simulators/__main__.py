"""Serve every simulator below its own path: ``python -m sandbox.simulators --port 8001``."""

from __future__ import annotations

import argparse
import importlib
import sys
import threading
from pathlib import Path

from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import run_simple
from werkzeug.wrappers import Response

from oscar_fulfillment.fiscal.emission import missing_packages

from .base import Simulator
from .books import Books

#: path -> "module:class"; the simulators of the sandbox.
SIMULATORS = {
    "yookassa": "sandbox.simulators.yookassa:YooKassa",
    "mercadopago": "sandbox.simulators.mercadopago:MercadoPago",
    "pagarme": "sandbox.simulators.pagarme:PagarMe",
    "datatrans": "sandbox.simulators.datatrans:Datatrans",
    "correios": "sandbox.simulators.correios:Correios",
    "melhor_envio": "sandbox.simulators.melhor_envio:MelhorEnvio",
    "cdek": "sandbox.simulators.cdek:Cdek",
    "tipsa": "sandbox.simulators.tipsa:Tipsa",
    "gls_es": "sandbox.simulators.gls_es:GlsSpain",
    "onec": "sandbox.simulators.onec:OneC",
    "bling": "sandbox.simulators.bling:Bling",
    "bitrix24": "sandbox.simulators.bitrix24:Bitrix24",
    "erp": "sandbox.simulators.erp:Erp",
    "receiver": "sandbox.simulators.receiver:Receiver",
    "abaninja": "sandbox.simulators.abaninja:AbaNinja",
    "sefaz": "sandbox.simulators.sefaz:Sefaz",
}


def build(data: Path | None = None) -> dict[str, Simulator]:
    """All simulators, each with books of its own in ``data`` (None: in memory)."""
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
    found = {}
    for name, dotted in SIMULATORS.items():
        module, _colon, cls = dotted.partition(":")
        if name == "sefaz" and missing_packages():
            continue  # the extra [nfe-emit] is not installed
        books = Books(str(data / f"{name}.sqlite3") if data else ":memory:")
        found[name] = getattr(importlib.import_module(module), cls)(books)
    return found


def application(simulators: dict[str, Simulator]) -> DispatcherMiddleware:
    """One WSGI application with all of them."""
    links = "".join(f'<li><a href="/{name}/">{simulator.title}</a>' for name, simulator in simulators.items())
    index = Response(f'<!doctype html><html lang="en"><title>Simulators</title><ul>{links}</ul>', mimetype="text/html")
    return DispatcherMiddleware(index, {f"/{name}": simulator for name, simulator in simulators.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description="Vendors on this machine.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--shop", default="", help="the shop's address, for vendors that are told it once")
    parser.add_argument("--data", type=Path, default=None, help="folder for their books; default: memory")
    parser.add_argument("--tls-port", type=int, default=0, help="where the tax office asks for certificates")
    parser.add_argument("--pki", type=Path, default=None, help="folder of the tax office's authority")
    options = parser.parse_args()
    simulators = build(options.data)
    if options.tls_port and options.pki is not None:
        open_tax_office(simulators, options.host, options.tls_port, options.pki)
    if options.shop:
        tell_address(simulators, options.shop)
    run_simple(options.host, options.port, application(simulators), threaded=True)


def open_tax_office(simulators: dict[str, Simulator], host: str, port: int, folder: Path) -> None:
    """Serve the tax office over TLS, in a thread beside the others; they go on where that cannot be done."""
    from .sefaz_pki import Pki
    from .sefaz_tls import make_tls_server

    pki = Pki(folder)
    if "sefaz" not in simulators or not pki.is_there:
        return
    try:
        server = make_tls_server(simulators["sefaz"], pki, host, port)
    except OSError as error:
        print(f"simulators: no tax office: {error}", file=sys.stderr)
        return
    threading.Thread(target=server.serve_forever, daemon=True).start()


def tell_address(simulators: dict[str, Simulator], shop: str) -> None:
    """What a merchant enters in a vendor's back office: where notifications go (others get it with each payment)."""
    for name, simulator in simulators.items():
        family = getattr(simulator, "family", "payments")
        url = f"{shop}/" + getattr(simulator, "shop_path", f"fulfillment/webhooks/{family}/{name}/")
        if hasattr(simulator, "configure"):
            simulator.configure(url)
        elif hasattr(simulator, "hook_url"):
            simulator.hook_url = url


if __name__ == "__main__":
    main()
