"""Bitrix24 CRM: an order is a deal, and its status is the stage of the deal; either side may move it.

An order costs two calls (look, then make contact, deal and rows in one batch), a status two (look, then move). A deal
is found again by ORIGINATOR_ID and ORIGIN_ID, our number. Before a deal is moved it is looked where it stands: a person
who was faster is heard, not overruled. Events name only an id, come late and in any order, so the deal is read again;
what no event told of is found by DATE_MODIFY.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext

from oscar_fulfillment.core.exceptions import (
    AdapterError,
    AdapterRejected,
    ConfigurationError,
    WebhookVerificationFailed,
)
from oscar_fulfillment.core.signatures import verify_token

from . import bitrix24_mapping as mapping
from .base import ANY_MOVE, ORDER, STATE, Capability, Connector
from .bitrix24_wire import BATCH, DEPTH, LEAK, Bitrix24Wire, DealNotFound, as_object
from .records import Change, Notice, OrderRecord, OutsideState, Page, Pushed, Task

#: Seconds for which the names of stages are remembered.
_REMEMBERED = 3600.0


class Bitrix24(Connector):
    """``webhook_url``: the address of an incoming webhook with the right "crm", a secret.

    ``application_tokens``: of the outgoing webhook, whose events are believed; without them it is only asked.
    ``pipeline``: where deals are made; ``pipelines`` names others by flow or currency ({"RUB": 5}). ``fields``: further
    fields of the deal ({"UF_CRM_1": "{shipping}"}). ``title``: of the deal, "Order {number}" by default.
    ``responsible``: the id of a user. ``originator``: our name in their books, another for each shop of a portal.
    ``rate``: calls that the portal holds, and that it forgets per second.
    """

    name, kind = "Bitrix24", "crm"
    extra_capabilities = frozenset(
        {Capability.FIND, Capability.REVISE, Capability.STATES, Capability.PULL, Capability.NOTIFIES}
    )
    told: Mapping[str, frozenset[str]] = {
        ORDER: frozenset({"edit_order", "revert_edit"}),
        STATE: frozenset({ANY_MOVE}),
    }
    default_order_at = "placed"
    rules = mapping.RULES

    def __init__(
        self,
        *,
        alias: str,
        webhook_url: str,
        application_tokens: Sequence[str] = (),
        pipeline: int = 0,
        pipelines: Mapping[str, int] | None = None,
        fields: Mapping[str, str] | None = None,
        title: str = "",
        responsible: int | None = None,
        originator: str = "",
        rate: tuple[float, float] = (DEPTH, LEAK),
        read_timeout: float = 30.0,
        **options: Any,
    ):
        super().__init__(alias=alias, **options)
        if isinstance(application_tokens, str) or not all(application_tokens):
            raise ConfigurationError("Bitrix24: application_tokens is a list of tokens")
        self._tokens = tuple(application_tokens)
        self._pipeline, self._pipelines = pipeline, dict(pipelines or {})
        self._fields, self._title, self._responsible = dict(fields or {}), title, responsible
        self._originator = originator or f"oscar-{alias}"
        self._wire = Bitrix24Wire(webhook_url, name=f"Bitrix24 {alias}", read=read_timeout, rate=rate)
        self._labels: dict[str, str] = {}
        self._labels_until = 0.0

    @property
    def capabilities(self) -> frozenset[str]:
        return super().capabilities - (frozenset() if self._tokens else {Capability.NOTIFIES})

    # Stages

    def _pipeline_for(self, flow: str, currency: str) -> int:
        return self._pipelines.get(flow, self._pipelines.get(currency, self._pipeline))

    def state_for(self, state: str, flow: str, currency: str) -> str:
        """A rule's "EXECUTING" is "C5:EXECUTING" for orders that go to pipeline 5."""
        return mapping.in_pipeline(state, self._pipeline_for(flow, currency))

    def plain_state(self, state: str) -> str:
        return mapping.plain(state)

    def states(self) -> Sequence[OutsideState]:
        """The stages of all pipelines; two calls for up to fifty pipelines."""
        listed = as_object(self._wire.ask("crm.category.list", {"entityTypeId": 2})["result"]).get("categories")
        pipelines = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
        found: list[OutsideState] = []
        for start in range(0, len(pipelines), BATCH):
            part = {f"p{n}": row for n, row in enumerate(pipelines[start : start + BATCH])}
            commands = {
                name: ("crm.status.list", {"filter": {"ENTITY_ID": _directory(row)}}) for name, row in part.items()
            }
            answers = self._wire.batch(commands, halt=False, asks=True)
            for name, row in part.items():
                found += mapping.stages_from(row, answers[name], only_one=len(pipelines) == 1)
        return [*found, OutsideState(mapping.DELETED, gettext("Deleted"))]

    def _names(self) -> Mapping[str, str]:
        """What people call the stages; nothing where that cannot be asked now."""
        if time.monotonic() >= self._labels_until:
            self._labels_until = time.monotonic() + _REMEMBERED
            try:
                self._labels = {state.code: state.label for state in self.states()}
            except AdapterError:
                self._labels_until = time.monotonic() + 60
        return self._labels

    # Outward

    def push(self, task: Task) -> Pushed:
        if task.kind == STATE:
            return self._move(task)
        if task.kind != ORDER:
            return super().push(task)
        if task.own.external_id:
            return self._revise(task.order, task.own.external_id)
        deal, contact = self._look(task.order)
        if deal:
            return self._left_there(task, deal)
        return self._make(task, contact)

    def find(self, task: Task) -> Pushed | None:
        if task.kind != ORDER:
            return None
        deal, _contact = self._look(task.order)
        return self._left_there(task, deal) if deal else None

    def _look(self, order: OrderRecord) -> tuple[dict[str, Any], str]:
        """The deal of an order and the contact of its buyer, as far as there are any; one call."""
        origin = {"=ORIGINATOR_ID": self._originator, "=ORIGIN_ID": order.number}
        commands: dict[str, tuple[str, Mapping[str, Any]]] = {
            "deal": ("crm.deal.list", {"filter": origin, "select": list(mapping.SELECT), "order": {"ID": "ASC"}})
        }
        for name, kind, value in (("phone", "PHONE", order.buyer.phone), ("email", "EMAIL", order.buyer.email)):
            if value:
                values = [mapping.text(value)]
                wanted = {"type": kind, "values": values, "entity_type": "CONTACT"}
                commands[name] = ("crm.duplicate.findbycomm", wanted)
        answers = self._wire.batch(commands, halt=False, asks=True)
        listed = answers["deal"]
        deals = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
        # A filter that a portal does not understand is left out by it: then this is anybody's deal.
        mine = [
            row for row in deals
            if row.get("ORIGIN_ID") == order.number and row.get("ORIGINATOR_ID") == self._originator
        ]  # fmt: skip
        return (mine[0] if mine else {}), mapping.contact_found(answers.get("phone"), answers.get("email"))

    def _make(self, task: Task, contact: str) -> Pushed:
        order = task.order
        fields = mapping.deal_fields(order, self._fields, self._title) | {
            "ORIGINATOR_ID": self._originator,
            "ORIGIN_ID": order.number,
            "CATEGORY_ID": self._pipeline_for(order.flow, order.currency),
            "OPENED": "Y",
            "CONTACT_IDS": [contact or "$result[contact]"],
        }
        if task.state:
            fields["STAGE_ID"] = task.state
        if self._responsible is not None:
            fields["ASSIGNED_BY_ID"] = self._responsible
        commands: dict[str, tuple[str, Mapping[str, Any]]] = {}
        if not contact:
            commands["contact"] = ("crm.contact.add", {"fields": mapping.contact_fields(order.buyer, self._originator)})
        commands["deal"] = ("crm.deal.add", {"fields": fields})
        commands |= self._rows(order, "$result[deal]")
        answers = self._wire.batch(commands, halt=True)
        return self._pushed(as_object(answers["now"]))

    def _rows(self, order: OrderRecord, deal: str) -> dict[str, tuple[str, Mapping[str, Any]]]:
        return {
            "rows": ("crm.deal.productrows.set", {"id": deal, "rows": mapping.product_rows(order)}),
            "now": ("crm.deal.get", {"id": deal}),
        }

    def _revise(self, order: OrderRecord, external_id: str) -> Pushed:
        """Sum, rows and texts anew; where it stands is left alone."""
        fields = mapping.deal_fields(order, self._fields, self._title)
        commands: dict[str, tuple[str, Mapping[str, Any]]] = {
            "deal": ("crm.deal.update", {"id": external_id, "fields": fields}),
            **self._rows(order, external_id),
        }
        self._wire.batch(commands, halt=True)
        return Pushed(external_id, link=self._link(external_id))

    def _left_there(self, task: Task, deal: Mapping[str, Any]) -> Pushed:
        """The deal that an earlier try made, completed: that may have been cut off before the rows."""
        pushed = self._pushed(deal)
        self._revise(task.order, pushed.external_id)
        if not mapping.was_moved(deal):
            return pushed
        found = mapping.change_of(deal, self._originator, {})
        return Pushed(pushed.external_id, pushed.number, link=pushed.link, found=found)

    def _pushed(self, deal: Mapping[str, Any]) -> Pushed:
        number = mapping.deal_id(deal.get("ID"))
        if not number:
            raise AdapterRejected(gettext("Bitrix24 gave the deal no number."))
        return Pushed(
            number, number, mapping.stage_of(deal), self._link(number), at=mapping.moved_at(deal)
        )  # fmt: skip

    def _link(self, number: str) -> str:
        return f"{self._wire.portal}/crm/deal/details/{number}/"

    def _move(self, task: Task) -> Pushed:
        number = task.known.external_id
        deal = as_object(self._wire.ask("crm.deal.get", {"id": number})["result"])
        stands = mapping.stage_of(deal)
        # A person may have taken the deal to another pipeline, where the stages have other ids.
        wanted = mapping.in_pipeline(mapping.plain(task.state), mapping.pipeline_of(deal))
        if stands == wanted:
            return Pushed(number, state=stands, at=mapping.moved_at(deal))
        if task.known.state and stands != task.known.state:
            found = mapping.change_of(deal, self._originator, self._names())
            if found is not None:
                return Pushed(number, found=found)
        commands: dict[str, tuple[str, Mapping[str, Any]]] = {
            "deal": ("crm.deal.update", {"id": number, "fields": {"STAGE_ID": wanted}}),
            "now": ("crm.deal.get", {"id": number}),
        }
        now = as_object(self._wire.batch(commands, halt=True)["now"])
        stands = mapping.stage_of(now)
        if stands == mapping.stage_of(deal):
            raise AdapterRejected(gettext("Bitrix24 has no stage {stage} for this deal.").format(stage=wanted))
        # Somebody, or a robot of theirs, may have moved it on at once.
        return Pushed(number, state=wanted, at=mapping.moved_at(now) if stands == wanted else None)

    # Inward

    def fetch(self, external_id: str) -> Change | None:
        if not mapping.deal_id(external_id):
            return None
        try:
            deal = self._wire.ask("crm.deal.get", {"id": external_id})["result"]
        except DealNotFound:
            return mapping.deleted(external_id)
        found = mapping.change_of(deal, self._originator, {})
        return mapping.change_of(deal, self._originator, self._names()) if found else None

    def pull(self, cursor: str) -> Page:
        """Deals by when they changed. The cursor is a time, or "time|id" within one second of many changes.

        A place in a list would move with every change; a time and an id do not.
        """
        since, _bar, after = cursor.partition("|")
        wanted: dict[str, Any] = {"=ORIGINATOR_ID": self._originator}
        order = {"DATE_MODIFY": "ASC", "ID": "ASC"}
        if since:
            wanted[">=DATE_MODIFY"] = since
        if after:
            wanted |= {"<=DATE_MODIFY": since, ">ID": after}
            order = {"ID": "ASC"}
        document = self._wire.ask(
            "crm.deal.list", {"filter": wanted, "order": order, "select": list(mapping.SELECT), "start": 0}
        )
        listed = document["result"]
        deals = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
        labels = self._names() if deals else {}
        changes = tuple(
            change for deal in deals if (change := mapping.change_of(deal, self._originator, labels)) is not None
        )
        following, more = mapping.following(deals, since, after, full="next" in document)
        return Page(changes, following, more)

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> None:
        try:
            given = mapping.form(body).get("auth[application_token]")
        except AdapterRejected as error:
            raise WebhookVerificationFailed("this is no event of Bitrix24") from error
        verify_token(given, self._tokens)

    def parse_notification(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Notice:
        return mapping.notice_of(body)


def _directory(pipeline: Mapping[str, Any]) -> str:
    number = str(pipeline.get("id") or 0)
    return "DEAL_STAGE" if number == "0" else f"DEAL_STAGE_{number[:10]}"
