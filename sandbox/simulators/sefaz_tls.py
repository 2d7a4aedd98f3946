"""Serving a simulator over TLS to those who show a certificate of its authority, beside its plain pages."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.serving import BaseWSGIServer, make_server

from .sefaz_pki import Pki


def server_context(pki: Pki) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(pki.server)
    context.load_verify_locations(cafile=pki.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def make_tls_server(application: Any, pki: Pki, host: str, port: int) -> BaseWSGIServer:
    """A server for ``serve_forever``; port 0 takes a free one.

    Handshakes are made in the threads of the connections: a client that stalls keeps nobody waiting.
    """
    server = make_server(host, port, application, threaded=True)
    server.daemon_threads = True
    server.ssl_context = server_context(pki)
    server.socket = server.ssl_context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


@contextmanager
def serve_tls(application: Any, pki: Pki, port: int = 0, host: str = "127.0.0.1") -> Iterator[str]:
    """Run in a thread; yields the base address."""
    server = make_tls_server(application, pki, host, port)
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
