"""Which addresses a merchant may have us call: public ones, so that nobody reads the inside of the shop's network.

Two looks. :func:`read_url` judges the text, when it is typed and before each call; :func:`resolve` asks for the
addresses of the name and leaves out what is not public. Whoever calls must connect to one of those very addresses: the
name may lead elsewhere a moment later (DNS rebinding). See :mod:`core.public_http`.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _

from .exceptions import FulfillmentError

#: The longest address, in characters.
LONGEST = 500
#: Seconds to find out where a name leads.
PATIENCE = 5.0

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
#: Not global in the tables of newer Pythons, or global and yet the inside of a cloud.
_INSIDE = [
    ipaddress.ip_network(net)
    for net in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "2002::/16", "2001::/32", "3fff::/20")
]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")

REFUSALS: dict[str, Any] = {
    "unreadable": _("This is not the address of a web page."),
    "scheme": _("The address must begin with https://."),
    "user": _("The address must not hold a user name or password."),
    "fragment": _("The address must not hold a “#”."),
    "port": _("This port is not called."),
    "host": _("This is not the name of a host."),
    "inside": _("Only public addresses are called, and this one is not."),
    "unknown_host": _("The name of the host leads nowhere at the moment."),
}


class AddressRefused(FulfillmentError):
    """This address is not called; ``code`` is a key of :data:`REFUSALS`."""

    def __init__(self, code: str):
        self.code = code
        super().__init__(str(REFUSALS[code]))


@dataclass(frozen=True)
class Rules:
    """What is called beside public addresses by https. ``allow_hosts``: host, or host:port."""

    allow_hosts: frozenset[str] = frozenset()
    allow_http: bool = False
    ports: frozenset[int] = frozenset({443})

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Rules:
        """The rules from a dict of settings."""
        ports = frozenset(given["ports"]) | ({80} if given["allow_http"] else set())
        return cls(frozenset(host.lower() for host in given["allow_hosts"]), bool(given["allow_http"]), ports)


@dataclass(frozen=True)
class Target:
    """An address that may be called, taken apart. ``is_exempt``: the rules name its host."""

    scheme: str
    host: str
    port: int
    path: str
    is_exempt: bool

    @property
    def is_secure(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """The header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_secure else 80) else f"{host}:{self.port}"


def read_url(url: str, rules: Rules) -> Target:
    """The parts of an address, or :class:`AddressRefused`. Asks nobody."""
    # Parsers differ in what they make of these: refused before any parser sees them.
    if not url or len(url) > LONGEST or not url.isprintable() or " " in url or "\\" in url:
        raise AddressRefused("unreadable")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise AddressRefused("unreadable") from None
    if parts.scheme not in ("http", "https"):
        raise AddressRefused("scheme")
    if "@" in parts.netloc:
        raise AddressRefused("user")
    if "#" in url:
        raise AddressRefused("fragment")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise AddressRefused("unreadable")
    host = _host(host or "")
    usual = 443 if parts.scheme == "https" else 80
    port = usual if port is None else port
    is_exempt = host in rules.allow_hosts or f"{host}:{port}" in rules.allow_hosts
    target = Target(parts.scheme, host, port, path, is_exempt)
    if port == 0:
        raise AddressRefused("port")
    if not is_exempt:
        _judge(target, rules)
    return target


def _host(text: str) -> str:
    """A host in its plain form: a name in ASCII, or a number as it is written everywhere."""
    if ":" in text:
        try:
            return str(ipaddress.IPv6Address(text))  # a zone ("%eth0") is parsed and judged like any other
        except ValueError:
            raise AddressRefused("host") from None
    try:
        name = text.encode("idna").decode().lower().removesuffix(".")
    except UnicodeError:
        raise AddressRefused("host") from None
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("host")
    # What ends in a number is read as an IPv4 address by resolvers, in many ways: 127.1, 0x7f000001, 0177.0.0.1.
    if labels[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise AddressRefused("host") from None
    return name


def _judge(target: Target, rules: Rules) -> None:
    if not target.is_secure and not rules.allow_http:
        raise AddressRefused("scheme")
    if target.port not in rules.ports:
        raise AddressRefused("port")
    literal = _literal(target.host)
    if literal is not None and not is_public(literal):
        raise AddressRefused("inside")
    if literal is None and ("." not in target.host or target.host.endswith((".localhost", ".local", ".internal"))):
        raise AddressRefused("inside")


def _literal(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def is_public(address: str) -> bool:
    """Whether an IP address is one that everybody in the world may call. One that embeds an IPv4 address is that."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip.scope_id or ip not in _GLOBAL_UNICAST:
            return False  # mapped and compatible IPv4, link-local, unique local, multicast
    elif ip.is_reserved:
        return False
    if any(ip in net for net in _INSIDE if net.version == ip.version):
        return False
    return ip.is_global and not ip.is_multicast


def resolve(target: Target) -> list[str]:
    """The IP addresses that may be called for this target, in the system's order; never empty.

    :class:`AddressRefused` with "unknown_host" (which may be over soon) or "inside".
    """
    if (literal := _literal(target.host)) is not None:
        return [literal]
    found = list(dict.fromkeys(_in_time(target.host, target.port)))
    if not found:
        raise AddressRefused("unknown_host")
    allowed = found if target.is_exempt else [address for address in found if is_public(address)]
    if not allowed:
        raise AddressRefused("inside")
    return allowed


def _in_time(host: str, port: int) -> Iterable[str]:
    """What the system's resolver says, or nothing after :data:`PATIENCE`: it cannot be told to hurry."""
    answer: list[str] = []

    def ask() -> None:
        with contextlib.suppress(OSError, UnicodeError):
            answer.extend(look_up(host, port))

    thread = threading.Thread(target=ask, daemon=True, name="resolve")
    thread.start()
    thread.join(PATIENCE)
    return list(answer)


def look_up(host: str, port: int) -> list[str]:
    """Ask the system's resolver."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
