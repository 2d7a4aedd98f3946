"""How 1C speaks to a shop: HTTP Basic, a cookie from the body, files in pieces. Written from the protocol alone."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import urllib3

#: (method, address, headers, body) -> (status, body).
Call = Callable[[str, str, Mapping[str, str], bytes], tuple[int, bytes]]


class Stopped(Exception):
    """The shop said no, or nothing; str() is what 1C shows to its user."""


def call_by_http(method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    try:
        answer = urllib3.request(
            method, url, headers=dict(headers), body=body or None, timeout=30, retries=False, redirect=False
        )
        return answer.status, answer.data
    except urllib3.exceptions.HTTPError as error:
        raise Stopped(f"Сайт не отвечает: {error}") from error


def decode(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1251", "replace")


@dataclass
class Exchange:
    """One session with the shop at ``url``. ``version`` "" is a 1C from before there were versions."""

    url: str
    user: str
    password: str
    version: str = ""
    call: Call = call_by_http
    kind: str = "sale"
    cookie: str = ""
    sessid: str = ""
    zip: bool = False
    limit: int = 0

    def say(self, mode: str, body: bytes = b"", method: str = "", **fields: str) -> bytes:
        """One call; the names of files go in windows-1251 where they have Cyrillic letters, as older versions do."""
        query = {"type": self.kind, "mode": mode, **({"sessid": self.sessid} if self.sessid else {}), **fields}
        address = f"{self.url}?{urlencode(query, encoding='cp1251', errors='replace')}"
        headers = {"Authorization": "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()}
        if self.cookie:
            headers["Cookie"] = self.cookie
        if body:
            headers["Content-Type"] = "application/octet-stream"
        status, answer = self.call(method or ("POST" if body else "GET"), address, headers, body)
        if status != 200:
            raise Stopped(f"{status}: {decode(answer)[:300].strip()}")
        return answer

    def lines(self, mode: str, body: bytes = b"", **fields: str) -> list[str]:
        found = decode(self.say(mode, body, **fields)).strip().splitlines() or [""]
        if found[0].strip() == "failure":
            raise Stopped(" ".join(found[1:]) or "failure")
        return [line.strip() for line in found]

    def login(self) -> None:
        found = self.lines("checkauth")
        if found[0] != "success" or len(found) < 3:
            raise Stopped(f"Не удалось войти: {found}")
        self.cookie = f"{found[1]}={found[2]}"
        for line in found[3:]:
            if line.startswith("sessid="):
                self.sessid = line.partition("=")[2] if self.version else ""

    def init(self) -> None:
        found = dict(
            line.partition("=")[::2]
            for line in self.lines("init", **({"version": self.version} if self.version else {}))
        )
        self.zip, self.limit = found.get("zip") == "yes", int(found.get("file_limit") or 0)
        self.sessid = found.get("sessid", self.sessid)

    def query(self) -> bytes:
        return self.say("query")

    def success(self) -> None:
        if self.lines("success")[0] != "success":
            raise Stopped("Сайт не подтвердил получение заказов")

    def send(self, name: str, content: bytes, *, packed: bool = False, piece: int = 0) -> None:
        """A file in pieces of ``piece`` bytes (0: what the shop takes at most)."""
        for part in pieces(pack(name, content) if packed else content, piece or self.limit):
            self.lines("file", part, filename=zip_name(name) if packed else name)

    def enter(self, name: str) -> int:
        """Ask for the import until it is done; how many times."""
        for asked in range(1, 1000):
            if self.lines("import", filename=name)[0] != "progress":
                return asked
        raise Stopped("Загрузка не заканчивается")


def pieces(content: bytes, limit: int) -> list[bytes]:
    return [content[start : start + limit] for start in range(0, len(content), limit)] if limit else [content]


def last_part(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


def zip_name(name: str) -> str:
    return name.rpartition(".")[0] + ".zip"


def pack(name: str, content: bytes) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as inside:
        inside.writestr(last_part(name), content)
    return whole.getvalue()
