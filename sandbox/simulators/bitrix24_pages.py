"""The pages of Bitrix24's simulator: a board of deals by stage, and one deal, where a person moves or deletes it."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from .base import route
from .bitrix24_rules import PIPELINES, Refused, stages
from .control import NOTIFY, Controlled, notify_choice, root


class DealPages(Controlled):
    """Subclasses keep the deals: :meth:`deal`, :attr:`deals`, :meth:`change`, :meth:`delete`."""

    @property
    def deals(self) -> list[dict[str, Any]]:
        raise NotImplementedError

    def deal(self, number: str | int) -> dict[str, Any]:
        raise NotImplementedError

    def change(self, number: str, *, stage: str = "", how: str = "once", **fields: Any) -> dict[str, Any]:
        raise NotImplementedError

    def delete(self, number: str, how: str = "once") -> None:
        raise NotImplementedError

    @route("GET", "/", person=True)
    def board(self, request: Request) -> Response:
        deals = self.deals[::-1]
        boards = Markup("").join(self._pipeline(request, number, deals) for number in PIPELINES)
        return self.html(self.title, self.health(request) + self.held_form(request) + boards + _STYLE)

    def _pipeline(self, request: Request, pipeline: int, deals: list[dict[str, Any]]) -> Markup:
        mine = [deal for deal in deals if deal["CATEGORY_ID"] == str(pipeline)]
        columns = Markup("").join(
            Markup('<section class="stage" data-stage="{code}"><h3>{label} <small>{count}</small></h3>{cards}</section>')
            .format(code=code, label=label, count=len(found), cards=Markup("").join(self._card(request, d) for d in found))
            for code, label in stages(pipeline).items()
            for found in [[deal for deal in mine if deal["STAGE_ID"] == code]]
        )  # fmt: skip
        return Markup(
            '<h2>{name}</h2><div class="board" tabindex="0" role="group" aria-label="{name}">{columns}</div>'
        ).format(name=PIPELINES[pipeline], columns=columns)

    @staticmethod
    def _card(request: Request, deal: dict[str, Any]) -> Markup:
        return Markup(
            '<p class="card"><a href="{root}crm/deal/details/{id}/">{title}</a><br>{sum} {currency}</p>'
        ).format(
            root=root(request),
            id=deal["ID"],
            title=deal["TITLE"],
            sum=deal["OPPORTUNITY"],
            currency=deal["CURRENCY_ID"],
        )

    @route("GET", "/crm/deal/details/<number>/", person=True)
    def details(self, request: Request, number: str) -> Response:
        deal = self._one(number)
        buttons = Markup("").join(
            Markup('<button name="stage" value="{code}" aria-pressed="{pressed}">{label}</button>').format(
                code=code, label=label, pressed="true" if code == deal["STAGE_ID"] else "false"
            )
            for code, label in stages(int(deal["CATEGORY_ID"])).items()
        )
        contact = self.books.get("contact", str(deal["CONTACT_ID"])) or {}
        told = [each["VALUE"] for kind in ("PHONE", "EMAIL") for each in contact.get(kind, [])]
        rows = Markup("").join(
            Markup("<tr><td>{name}</td><td>{quantity}</td><td>{price}</td></tr>").format(
                name=row.get("PRODUCT_NAME", ""), quantity=row.get("QUANTITY", ""), price=row.get("PRICE", "")
            )
            for row in deal["rows"]
        )
        body = Markup(
            '<p class="sum">{sum} {currency}</p><p>{pipeline} · <strong id="stage">{stage}</strong></p>'
            '<p>{name} · {told}</p><p class="note">{comments}</p>'
            '<form method="post">{notify}<div class="buttons">{buttons}</div>'
            '<div class="buttons"><button name="delete" value="1">Delete the deal</button></div></form>'
            "<table><thead><tr><th>Product</th><th>Pieces</th><th>Price</th></tr></thead><tbody>{rows}</tbody></table>"
            '<p class="note">{origin}, changed {changed}</p><p><a href="{root}">All deals</a></p>'
        ).format(
            sum=deal["OPPORTUNITY"], currency=deal["CURRENCY_ID"], pipeline=PIPELINES[int(deal["CATEGORY_ID"])],
            stage=stages(int(deal["CATEGORY_ID"]))[deal["STAGE_ID"]], told=", ".join(told), notify=notify_choice(),
            name=f"{contact.get('NAME', '')} {contact.get('LAST_NAME', '')}", comments=deal.get("COMMENTS") or "",
            buttons=buttons, rows=rows, origin=f"{deal['ORIGINATOR_ID']} {deal['ORIGIN_ID']}",
            changed=deal["DATE_MODIFY"], root=root(request),
        )  # fmt: skip
        return self.html(str(deal["TITLE"]), body + Markup("<style>p{overflow-wrap:anywhere}</style>"))

    @route("POST", "/crm/deal/details/<number>/", person=True)
    def moved(self, request: Request, number: str) -> Response:
        deal, how = self._one(number), request.form.get("notify", "once")
        stage = request.form.get("stage", "")
        if how not in NOTIFY:
            raise BadRequest("no such way")
        if "delete" in request.form:
            self.delete(deal["ID"], how)
            return redirect(root(request), 303)
        if stage not in stages(int(deal["CATEGORY_ID"])):
            raise BadRequest("no such stage")
        self.change(deal["ID"], stage=stage, how=how)
        return redirect(f"{root(request)}crm/deal/details/{deal['ID']}/", 303)

    def _one(self, number: str) -> dict[str, Any]:
        try:
            return self.deal(number)
        except Refused:
            raise NotFound("no such deal") from None


_STYLE = Markup(
    "<style>main{max-width:none}.board{display:flex;gap:.6rem;overflow-x:auto}.stage{flex:1 0 9rem;background:#eef1f4;"
    "border-radius:8px;padding:.5rem}.stage h3{font-size:.9rem;margin:0 0 .5rem}.card{background:#fff;border-radius:6px;"
    "padding:.5rem;margin:0 0 .5rem;box-shadow:0 1px 2px #0002}</style>"
)
