"""What can happen to a payment at Pagar.me: by the buyer, the issuer, the risk check, the time, the shop's calls."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from .pagarme_documents import Document, aged, at, charge_of, next_transaction, when
from .payments import PaymentSimulator

Kinds = tuple[str, ...] | None

#: Long enough for what depends on days: a boleto's clearing, a hold.
DAYS = timedelta(days=5, hours=1)


class Buyer(PaymentSimulator):
    """Each ``on_...`` changes the order and says which hooks tell of it; None for what is not possible."""

    decisions = ("approve", "refuse_issuer", "refuse_antifraud", "review", "expire", "expire_hold", "pay_late",
                 "pay_twice", "charge_back", "refuse_refund")  # fmt: skip
    now: Callable[[], datetime]

    # The buyer and the issuer

    def _waiting(self, order: Document) -> Document | None:
        """The charge that waits for the buyer, or for the risk check; on an open page it is made now."""
        checkout = (order.get("checkouts") or [{}])[-1]
        if not order.get("charges") and checkout.get("status") == "open":
            order["charges"] = [charge_of(order, "credit_card", self.now())]
            checkout |= {"status": "closed", "closed_at": at(self.now())}
        charge: Document | None = (order.get("charges") or [None])[-1]
        if charge is None or charge["status"] != "pending":
            return None
        transaction = charge["last_transaction"]
        if (
            transaction["status"] == "authorized_pending_capture"
            and transaction["antifraud_response"]["status"] == "approved"
        ):
            return None  # waits for the shop
        return charge

    def on_approve(self, order: Document) -> Kinds:
        charge = self._waiting(order)
        if charge is None or self._overdue(charge):
            return None
        if charge["payment_method"] == "credit_card":
            transaction = charge["last_transaction"]
            transaction["antifraud_response"] |= {"status": "approved", "score": "very_low"}
            transaction["status"] = "authorized_pending_capture"
            if transaction["operation_type"] == "auth_only":
                return ("charge.pending",)
            transaction["status"] = "captured"
        self._paid(order, charge, charge["amount"])
        return ("charge.paid", "order.paid")

    def on_refuse_issuer(self, order: Document) -> Kinds:
        charge = self._waiting(order)
        if charge is None or charge["payment_method"] != "credit_card":
            return None
        charge["last_transaction"]["antifraud_response"] = {}
        self._failed(order, charge, "not_authorized", "Transação não autorizada. Cartão sem limite.", "1016")
        return ("charge.payment_failed", "order.payment_failed")

    def on_refuse_antifraud(self, order: Document) -> Kinds:
        charge = self._waiting(order)
        if charge is None or charge["payment_method"] != "credit_card":
            return None
        self._failed(order, charge, "voided", "Transação reprovada pelo antifraude", "0000")
        charge["last_transaction"]["antifraud_response"] |= {"status": "reproved", "score": "very_high"}
        return ("charge.antifraud_reproved", "charge.payment_failed", "order.payment_failed")

    def on_review(self, order: Document) -> Kinds:
        charge = self._waiting(order)
        if charge is None or charge["payment_method"] != "credit_card":
            return None
        charge["last_transaction"]["status"] = "authorized_pending_capture"
        charge["last_transaction"]["antifraud_response"] |= {"status": "manual", "score": "moderated"}
        return ("charge.antifraud_manual",)

    def on_pay_late(self, order: Document) -> Kinds:
        charge = self._waiting(order)
        if charge is None or not self._overdue(charge):
            return None
        self._paid(order, charge, charge["amount"])
        return ("charge.paid", "order.paid")

    def on_pay_twice(self, order: Document) -> Kinds:
        charge = (order.get("charges") or [{}])[-1]
        if charge.get("payment_method") != "boleto" or charge["status"] not in ("pending", "paid"):
            return None
        self._paid(order, charge, 2 * charge["amount"], "overpaid")
        return ("charge.overpaid",)

    def on_charge_back(self, order: Document) -> Kinds:
        charge = (order.get("charges") or [{}])[-1]
        if charge.get("payment_method") != "credit_card" or charge["status"] != "paid":
            return None
        next_transaction(charge, self.now(), status="chargedback")
        charge["status"] = "chargedback"
        return ("charge.chargedback",)

    def on_refuse_refund(self, order: Document) -> Kinds:
        charge = (order.get("charges") or [{}])[-1]
        if charge.get("payment_method") == "boleto" or charge.get("status") != "paid":
            return None
        self.let_refund(order["id"], "fails")
        return ()

    def let_refund(self, order_id: str, how: str) -> None:
        """What the next refund of this order comes to: "fails", "pending" (see :meth:`settle_refund`), "" is done."""
        self.books.put("next_refund", order_id, {"how": how})

    def underpay(self, order_id: str, cents: int) -> None:
        """A boleto is paid short (no page offers it: banks rarely let it happen)."""
        with self.books.change("order", order_id) as order:
            self._paid(order, order["charges"][-1], cents, "underpaid")

    # The time

    def on_expire(self, order: Document) -> Kinds:
        charge, checkout = (order.get("charges") or [None])[-1], (order.get("checkouts") or [{}])[-1]
        if charge is None and checkout.get("status") == "open":
            self._age(order, when(checkout["expires_at"]) - self.now() + timedelta(seconds=1))
            return ("checkout.canceled", "order.updated")  # a checkout does not name its order
        if charge is None or charge["status"] != "pending" or charge["payment_method"] == "credit_card":
            return None
        transaction = charge["last_transaction"]
        if charge["payment_method"] == "pix":
            self._age(order, when(transaction["expires_at"]) - self.now() + timedelta(seconds=1))
            return ("charge.payment_failed", "order.payment_failed")
        self._age(order, when(transaction["due_at"]) - self.now() + DAYS)
        return ("charge.updated",)

    def on_expire_hold(self, order: Document) -> Kinds:
        charge = (order.get("charges") or [{}])[-1]
        held = charge.get("last_transaction", {}).get("status") == "authorized_pending_capture"
        if not held or charge["status"] != "pending":
            return None
        self._age(order, when(charge["last_transaction"]["created_at"]) - self.now() + DAYS)
        return ("charge.updated",)

    @staticmethod
    def _age(order: Document, by: timedelta) -> None:
        order.update(aged(order, by))

    def _overdue(self, charge: Document) -> bool:
        return charge["payment_method"] == "boleto" and when(charge["last_transaction"]["due_at"]) < self.now()

    # Money

    def _paid(self, order: Document, charge: Document, cents: int, status: str = "paid") -> None:
        if charge["payment_method"] != "credit_card":
            next_transaction(charge, self.now(), status=status, paid_amount=cents, paid_at=at(self.now()))
        charge |= {"status": status, "paid_amount": cents, "paid_at": at(self.now()), "updated_at": at(self.now())}
        order["status"] = "paid" if status != "underpaid" else "pending"

    def _failed(self, order: Document, charge: Document, status: str, message: str, code: str) -> None:
        changes = {"acquirer_message": message, "acquirer_return_code": code}
        next_transaction(charge, self.now(), status=status, success=False, **changes)
        charge["status"] = order["status"] = "failed"

    def take(self, order: Document, charge: Document, amount: int) -> None:
        """Capture of a hold; what is not taken is given back."""
        whole = amount == charge["amount"]
        status = "captured" if whole else "partial_capture"
        next_transaction(charge, self.now(), status=status, operation_type="capture", amount=amount)
        self._paid(order, charge, amount)
        if not whole:
            charge["canceled_amount"] = charge["amount"] - amount

    def give_up(self, order: Document, charge: Document) -> None:
        """A charge without money is closed."""
        next_transaction(charge, self.now(), status="voided", operation_type="cancel")
        charge |= {"status": "canceled", "canceled_at": at(self.now()), "canceled_amount": charge["amount"]}
        order["status"] = "canceled"

    @staticmethod
    def given_back(charge: Document) -> int:
        """What was refunded: without the part of a hold that never was taken."""
        rest = max(charge["amount"] - charge["paid_amount"], 0) if charge["payment_method"] == "credit_card" else 0
        return max(charge.get("canceled_amount", 0) - rest, 0)

    def give_back(self, order: Document, charge: Document, amount: int) -> None:
        """A refund, that may fail or take its time."""
        how = (self.books.get("next_refund", order["id"]) or {"how": ""})["how"]
        self.let_refund(order["id"], "")
        if how == "fails":
            errors = {"code": "400", "errors": [{"message": "Saldo insuficiente para realizar o estorno"}]}
            next_transaction(
                charge, self.now(), status="error_on_refunding", success=False, amount=amount, acquirer_message="",
                gateway_response=errors,
            )  # fmt: skip
            return
        if how == "pending":
            charge["pending_cancellation"] = True
            next_transaction(charge, self.now(), status="waiting_cancellation", operation_type="cancel", amount=amount)
            return
        self._refunded(order, charge, amount)

    def _refunded(self, order: Document, charge: Document, amount: int) -> None:
        whole = self.given_back(charge) + amount == charge["paid_amount"]
        status = "refunded" if whole else "partial_refunded"
        next_transaction(charge, self.now(), status=status, operation_type="cancel", amount=amount)
        charge["canceled_amount"] = charge.get("canceled_amount", 0) + amount
        charge["pending_cancellation"] = False
        if whole:
            charge |= {"status": "canceled", "canceled_at": at(self.now())}
            order["status"] = "canceled"

    def settle_refund(self, order_id: str) -> None:
        """A refund that took its time is done."""
        with self.books.change("order", order_id) as order:
            charge = order["charges"][-1]
            self._refunded(order, charge, charge["last_transaction"]["amount"])
