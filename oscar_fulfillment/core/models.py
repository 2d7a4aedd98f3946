"""What an object needs so that :mod:`core.transitions` can move it: two columns, and a history table beside it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext_lazy as _


class Tracked(models.Model):
    """An object with statuses, moved only by ``transitions.apply()``.

    ``version`` is the number of the newest history row, ``history_hash`` that row's hash: the head of the chain.
    """

    version = models.PositiveIntegerField(_("Version"), default=0, editable=False)
    history_hash = models.CharField(_("History hash"), max_length=64, default="", editable=False)

    class Meta:
        abstract = True


class AppendOnlyQuerySet(models.QuerySet):
    """Rows that are written once."""

    def update(self, **kwargs: Any) -> int:
        raise TypeError("history rows are never changed")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("history rows are never deleted")


class HistoryRow(models.Model):
    """One thing that happened: who, when, from where to where, and why. Append-only, hash-chained per object.

    The hash covers the row and the hash before it, so a changed, removed or inserted row breaks the chain.
    ``actor`` may become null when a user is deleted; ``actor_label`` stays and is part of the hash.
    """

    sequence = models.PositiveIntegerField(_("Number"))
    machine = models.CharField(_("Subject"), max_length=32)
    action = models.CharField(_("Action"), max_length=64)
    from_status = models.CharField(_("From"), max_length=32, blank=True)
    to_status = models.CharField(_("To"), max_length=32, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("By"),
    )
    actor_kind = models.CharField(_("Kind of actor"), max_length=16)
    actor_label = models.CharField(_("Actor"), max_length=150, blank=True)
    reason = models.TextField(_("Reason"), blank=True)
    data = models.JSONField(_("Details"), default=dict, blank=True, encoder=DjangoJSONEncoder)
    idempotency_key = models.CharField(_("Idempotency key"), max_length=100, blank=True)
    created_at = models.DateTimeField(_("When"))
    hash = models.CharField(max_length=64, editable=False)

    objects = AppendOnlyQuerySet.as_manager()

    #: The name of the foreign key to the object whose history this is.
    subject_field: str

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.sequence}. {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("history is written by core.transitions.apply() only")

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("history rows are never deleted")

    def compute_hash(self, previous: str) -> str:
        """SHA-256 over the previous hash and this row's content (canonical JSON, UTC time in microseconds)."""
        content = [
            previous,
            getattr(self, f"{self.subject_field}_id"),
            self.sequence,
            self.machine,
            self.action,
            self.from_status,
            self.to_status,
            self.actor_kind,
            self.actor_label,
            self.reason,
            self.data,
            self.idempotency_key,
            self.created_at.timestamp().hex(),
        ]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, cls=DjangoJSONEncoder)
        return hashlib.sha256(text.encode()).hexdigest()
