"""AbaNinja's API v2 over HTTP: paths, envelope, pages, actions, the queue, refusals in words.

``{base}/accounts/{account}/{area}/v2/...`` with ``Authorization: Bearer``; answers are ``{status, message, data}``. 400
and 422 say what is wrong, 401 is the key, 403 its scope, 409 a customer that is there already; what is created may be
answered by 202 and a place in a queue.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable
from oscar_fulfillment.core.http import Answer, HttpClient, segment

from .abaninja_customers import clean
from .abaninja_mapping import uuid_of

BASE_URL = "https://api.abaninja.ch"
#: Entries of one page, and the most pages that are looked through for something.
PAGE, PAGES = 100, 50
INVOICES, DELIVERY_NOTES, CREDIT_NOTES = "invoices", "delivery-notes", "credit-notes"


class Wire:
    """One account. What it returns is the ``data`` of answers."""

    def __init__(self, account: str, api_key: str, *, base_url: str, read: float, name: str):
        self.name = name
        self._root = f"/accounts/{segment(account)}"
        headers = {"Authorization": f"Bearer {api_key}"}
        self._http = HttpClient(base_url, headers=headers, read=read, name=name)

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        accept: Collection[int] = (),
    ) -> Answer:
        """One call below the account. A refused key is "later": nothing was done, and somebody has to renew it."""
        try:
            return self._http.request(method, f"{self._root}{path}", query=query, json_body=body, accept=accept)
        except AdapterRejected as error:
            raise explained(error, self.name) from error

    def get(self, path: str, **query: Any) -> Any:
        """The answer of a GET, whole. Every failure to answer is AdapterUnavailable: nothing was changed."""
        try:
            return self.call("GET", path, query=query or None).json()
        except AdapterUnanswered as error:
            raise AdapterUnavailable(str(error)) from error

    # Documents

    def document(self, kind: str, uuid: str) -> Mapping[str, Any] | None:
        """A document by its id; None where there is none."""
        try:
            found = documents_in(self.get(f"/documents/v2/{kind}/{segment(uuid)}"))
        except AdapterRejected as error:
            if error.status == 404:
                return None
            raise
        return found[0] if found else None

    def page(self, kind: str, since: str, number: int) -> tuple[list[Mapping[str, Any]], bool]:
        """A page of what changed since a day, and whether there may be another."""
        return _page(self.get(f"/documents/v2/{kind}", updatedSince=since, page=number, limit=PAGE), number)

    def documents(self, kind: str, since: str) -> Iterator[Mapping[str, Any]]:
        """All of a kind that changed since a day. AdapterRejected where that are too many to look through."""
        yield from self._all(f"/documents/v2/{kind}", updatedSince=since)

    def payments(self) -> Iterator[Mapping[str, Any]]:
        """All payments of the account. Their list is a guess by analogy: where there is none, there are none."""
        try:
            yield from self._all("/finances/v2/payments")
        except AdapterRejected as error:
            if error.status not in (404, 405):
                raise

    def _all(self, path: str, **query: Any) -> Iterator[Mapping[str, Any]]:
        seen: set[str] = set()
        for number in range(1, PAGES + 1):
            found, more = _page(self.get(path, **query, page=number, limit=PAGE), number)
            fresh = [entry for entry in found if str(entry.get("uuid")) not in seen]
            seen.update(str(entry.get("uuid")) for entry in fresh)
            yield from fresh
            if not more or not fresh:
                return
        raise AdapterRejected(_("AbaNinja has too many entries since then to look through. Look there yourself."))

    def actions(self, kind: str, uuid: str) -> set[str]:
        """What can be done with a document now."""
        found = _data(self.get(f"/documents/v2/{kind}/{segment(uuid)}/actions"))
        if isinstance(found, Mapping):
            return {str(name) for name in found}
        names = [entry.get("action") or entry.get("name") if isinstance(entry, Mapping) else entry for entry in found]
        return {name for name in names if isinstance(name, str)}

    def act(self, kind: str, uuid: str, action: str) -> list[Mapping[str, Any]]:
        """Do it; what documents come back, if any."""
        answer = self.call("PATCH", f"/documents/v2/{kind}/{segment(uuid)}/actions/{segment(action)}", body={})
        return documents_in(answer.json()) if answer.body.strip() else []

    def create_invoice(self, body: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, str]:
        """The invoice that was made; or None and its place in the queue."""
        answer = self.call("POST", "/documents/v2/invoices", body={"documents": [body]})
        found = documents_in(answer.json())
        if answer.status == 202:
            made = [entry for entry in found if entry.get("documentTotal") is not None]
            return (made[0], "") if made else (None, queue_of(answer.json()))
        if not found or not uuid_of(found[0].get("uuid")):
            raise AdapterUnanswered(f"{self.name} did not say which invoice it made")
        return found[0], ""

    def queued(self, queue: str) -> Mapping[str, Any] | None:
        """The invoice of a place in the queue, None while it waits. AdapterRejected where it failed."""
        data = _data(self.get(f"/documents/v2/queue/{segment(queue)}"))
        if not isinstance(data, Mapping):
            return None
        details = [entry for entry in data.get("details") or () if isinstance(entry, Mapping)]
        if data.get("failed"):
            words = "; ".join(clean(entry.get("message"), 300) for entry in details)
            raise AdapterRejected(_("AbaNinja did not make the invoice: %(words)s") % {"words": words or "-"})
        made = [entry.get("invoice") for entry in details if data.get("successful")]
        return next((entry for entry in made if isinstance(entry, Mapping) and uuid_of(entry.get("uuid"))), None)


def _data(envelope: Any) -> Any:
    found = envelope.get("data") if isinstance(envelope, Mapping) else envelope
    return found if isinstance(found, (Mapping, list)) else []


def documents_in(envelope: Any) -> list[Mapping[str, Any]]:
    """The documents of an answer, however they are wrapped: one, a list, or below ``documents``."""
    found = _data(envelope)
    entries = found if isinstance(found, list) else [found]
    documents: list[Any] = []
    for entry in entries:
        inner = entry.get("documents") if isinstance(entry, Mapping) else None
        documents += inner if isinstance(inner, list) else [entry]
    return [entry for entry in documents if isinstance(entry, Mapping) and entry.get("uuid")]


def queue_of(envelope: Any) -> str:
    """The id of a place in the queue, "" where an answer names none."""
    found = _data(envelope)
    entry = found if isinstance(found, Mapping) else next((each for each in found if isinstance(each, Mapping)), {})
    return uuid_of(entry.get("uuid")) or uuid_of(entry.get("queueUuid"))


def _page(envelope: Any, number: int) -> tuple[list[Mapping[str, Any]], bool]:
    found = documents_in(envelope)
    meta = envelope.get("meta") if isinstance(envelope, Mapping) else None
    last = (meta.get("last_page") or meta.get("lastPage")) if isinstance(meta, Mapping) else None
    # An account may give less than it was asked for: only an empty page, or its own word, is the end.
    return found, bool(found) and (not isinstance(last, int) or number < last)


def explained(error: AdapterRejected, name: str) -> Exception:
    """A refusal in words. A key that counts no more is no refusal of what was sent."""
    if error.status == 401:
        return AdapterUnavailable(_("AbaNinja does not accept the key: it is wrong, or too old."))
    said = words_of(error.body)
    if error.status == 403:
        text = _("AbaNinja does not allow this to the key: %(words)s") % {"words": said or "-"}
    elif error.status == 404:
        text = _("AbaNinja does not know it (any more): %(words)s") % {"words": said or "-"}
    else:
        text = _("AbaNinja refused: %(words)s") % {"words": said or str(error.status)}
    return AdapterRejected(text, status=error.status, body=error.body)


def words_of(body: bytes) -> str:
    """What a refusal says, in one line."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(found, Mapping):
        return ""
    errors = found.get("errors")
    parts = [clean(found.get("message"), 300)]
    if isinstance(errors, Mapping):
        parts += [f"{clean(name, 60)}: {clean(_first(said), 200)}" for name, said in list(errors.items())[:10]]
    return "; ".join(part for part in parts if part)


def _first(said: Any) -> Any:
    return said[0] if isinstance(said, list) and said else said
