"""What banks say: statements and the movements in them, and files that wait for a person's answer."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .fulfillment import OrderFulfillment


def _person(label: Any) -> models.ForeignKey:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=label
    )


class ImportDraft(models.Model):
    """A CSV file whose columns a person has still to confirm. Seen by who uploaded it; gone with the import, or after
    a day. It is the only place where a file's bytes are kept.
    """

    BANK, PAYOUT, TRACKING = "bank", "payout", "tracking"

    kind = models.CharField(max_length=16)
    file_name = models.CharField(_("File"), max_length=200)
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    # What was said on the upload page: account, currency, provider.
    answers = models.JSONField(default=dict)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "oscar_fulfillment"
        default_permissions = ()
        indexes = [models.Index(fields=["created_at"], name="ff_draft_age")]

    def __str__(self) -> str:
        return self.file_name


class BankStatement(models.Model):
    """The movements of one account in one file. The file itself is not kept: it is full of other people's data."""

    file_name = models.CharField(_("File"), max_length=200)
    sha256 = models.CharField(max_length=64)
    format = models.CharField(_("Format"), max_length=16)
    account = models.CharField(_("Account"), max_length=34)
    currency = models.CharField(_("Currency"), max_length=12)
    begins_on = models.DateField(_("From"), null=True)
    ends_on = models.DateField(_("To"), null=True)
    # Movements in the file; those that were new; those another file had brought already; those not booked yet.
    entry_count = models.PositiveIntegerField(_("Movements"), default=0)
    new_count = models.PositiveIntegerField(_("New"), default=0)
    known_count = models.PositiveIntegerField(_("Known already"), default=0)
    pending_count = models.PositiveIntegerField(_("Not booked yet"), default=0)
    left_out_lines = models.JSONField(default=list)
    # How the columns of a CSV file were read, for the next one of the same bank.
    layout = models.JSONField(default=dict)
    layout_of = models.CharField(max_length=32, blank=True, default="")
    imported_at = models.DateTimeField(_("Imported"))
    imported_by = _person(_("By"))
    imported_by_label = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-pk"]
        verbose_name = _("Bank statement")
        verbose_name_plural = _("Bank statements")
        default_permissions = ()
        constraints = [
            # The same file is taken once.
            models.UniqueConstraint(fields=["sha256", "account", "currency"], name="ff_statement_once"),
        ]
        indexes = [
            models.Index(fields=["layout_of", "-id"], name="ff_statement_layout", condition=~Q(layout_of="")),
            models.Index(fields=["account", "-id"], name="ff_statement_account"),
        ]

    def __str__(self) -> str:
        return self.file_name


class BankEntry(models.Model):
    """One movement. ``fingerprint`` makes it once over all files; ``amount`` is signed.

    ``new`` waits for a person, ``matched`` was booked for an order, ``ignored`` needs nothing (``why`` says what).
    What it may belong to is not stored: it depends on what the orders still lack when somebody looks.
    """

    NEW, MATCHED, IGNORED = "new", "matched", "ignored"
    #: Codes of ``why`` of movements that nobody need look at.
    OUTGOING, BY_HAND = "outgoing", "by_hand"

    statement = models.ForeignKey(BankStatement, on_delete=models.PROTECT, related_name="entries")
    fingerprint = models.CharField(max_length=40, unique=True)
    account = models.CharField(max_length=34)
    amount = models.DecimalField(_("Amount"), max_digits=12, decimal_places=2)
    currency = models.CharField(_("Currency"), max_length=12)
    booked_on = models.DateField(_("Booked"))
    valued_on = models.DateField(_("Value date"), null=True)
    name = models.CharField(_("Payer"), max_length=200, blank=True)
    # Masked: enough to recognise a regular payer.
    payer_account = models.CharField(_("Account"), max_length=12, blank=True)
    text = models.TextField(_("Text"), blank=True)
    reference = models.CharField(_("Reference"), max_length=35, blank=True)
    bank_reference = models.CharField(_("Bank’s number"), max_length=140, blank=True)
    charges = models.DecimalField(_("Charges"), max_digits=12, decimal_places=2, null=True)
    is_reversal = models.BooleanField(default=False)
    state = models.CharField(_("State"), max_length=16, default=NEW)
    why = models.CharField(max_length=32, blank=True, default="")
    note = models.CharField(_("Note"), max_length=300, blank=True, default="")
    # What stood in the way when somebody confirmed it, until it is confirmed.
    problem = models.CharField(max_length=300, blank=True, default="")
    fulfillment = models.ForeignKey(
        OrderFulfillment, null=True, on_delete=models.SET_NULL, related_name="bank_entries", verbose_name=_("Order")
    )
    decided_at = models.DateTimeField(_("Decided"), null=True)
    decided_by = _person(_("By"))
    decided_by_label = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["pk"]
        verbose_name = _("Movement on the account")
        verbose_name_plural = _("Movements on the account")
        default_permissions = ()
        indexes = [
            models.Index(fields=["statement", "state", "id"], name="ff_entry_state"),
            models.Index(fields=["id"], name="ff_entry_open", condition=Q(state="new")),
            # Looks for the same payment in another file.
            models.Index(fields=["account", "booked_on", "amount"], name="ff_entry_twin"),
        ]

    def __str__(self) -> str:
        return f"{self.booked_on} {self.amount} {self.currency}"

    @property
    def is_open(self) -> bool:
        return self.state == self.NEW

    @property
    def key(self) -> str:
        """What makes its booking once."""
        return f"bank-{self.pk}"
