"""Exchanges with 1C: who is in one, what it was handed, and the files it brings, piece by piece.

In the database, so that every web process sees the same. Names of files only name rows: none becomes a path.
"""

from __future__ import annotations

from django.db import models


class ExchangeSession(models.Model):
    """One exchange, from its login to its end. ``handed``: [export, its sequence, its version, its status] of each
    order of the last question, until it is acknowledged."""

    id = models.CharField(max_length=32, primary_key=True)
    connector = models.CharField(max_length=32)
    version = models.CharField(max_length=8, blank=True, default="")
    handed = models.JSONField(default=list)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        app_label = "oscar_fulfillment"
        default_permissions = ()
        indexes = [models.Index(fields=["expires_at"], name="ff_exchange_end")]

    def __str__(self) -> str:
        return f"{self.connector}/{self.created_at:%Y-%m-%d %H:%M}"


class ExchangeFile(models.Model):
    """A file of an exchange. ``receiving`` is not whole yet, ``ready`` is being entered, ``done`` was, ``failed`` could
    not be read. ``taken``: so many of its documents were entered."""

    RECEIVING, READY, DONE, FAILED = "receiving", "ready", "done", "failed"

    session = models.ForeignKey(ExchangeSession, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=150)
    status = models.CharField(max_length=12, default=RECEIVING)
    size = models.PositiveBigIntegerField(default=0)
    pieces = models.PositiveIntegerField(default=0)
    # Finger prints of the first and the last piece: what is told again is not appended again.
    first = models.CharField(max_length=64, blank=True, default="")
    last = models.CharField(max_length=64, blank=True, default="")
    taken = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=500, blank=True, default="")
    claimed_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["session", "name"], name="ff_exchange_file_once")]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(status="ready"), name="ff_exchange_ready"),
        ]

    def __str__(self) -> str:
        return self.name


class ExchangeChunk(models.Model):
    """A piece of a file, in the order in which they came; gone once the file was entered."""

    file = models.ForeignKey(ExchangeFile, on_delete=models.CASCADE, related_name="chunks")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        app_label = "oscar_fulfillment"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["file", "number"], name="ff_exchange_chunk_once")]

    def __str__(self) -> str:
        return f"{self.file_id}/{self.number}"
