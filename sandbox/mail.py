"""The mail catcher: an e-mail backend that keeps every message as a file, and reads them back for the mail page.

No message ever leaves the machine. Files survive a restart and are shared by web and worker without a table.
"""

from __future__ import annotations

import email
import email.parser
import email.policy
import re
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend

NAME = re.compile(r"^\d{20}-[0-9a-f]{8}$")


class EmailBackend(BaseEmailBackend):
    def send_messages(self, email_messages) -> int:
        folder = Path(settings.SANDBOX_MAILS)
        folder.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
            # Written under another name first: the mail page never sees half a message.
            partial = folder / f"{name}.part"
            partial.write_bytes(message.message().as_bytes())
            partial.rename(folder / f"{name}.eml")
        return len(email_messages)


@dataclass(frozen=True)
class Mail:
    name: str
    sent_at: datetime
    subject: str
    sender: str
    to: str
    text: str
    html: str
    attachments: tuple[str, ...]


def read(name: str) -> Mail | None:
    """Return the caught message called ``name``, None when there is none."""
    if not NAME.match(name):
        return None
    path = Path(settings.SANDBOX_MAILS) / f"{name}.eml"
    try:
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    except FileNotFoundError:
        return None
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    return Mail(
        name=name,
        sent_at=datetime.fromtimestamp(int(name[:20]) / 1e9, tz=UTC),
        subject=str(message["subject"] or ""),
        sender=str(message["from"] or ""),
        to=str(message["to"] or ""),
        text=text.get_content() if text else "",
        html=html.get_content() if html else "",
        attachments=tuple(part.get_filename() or "?" for part in message.iter_attachments()),
    )


def speaks_of(name: str, words: str) -> bool:
    """Whether the message has these words in its subject or is to them; cheaper than reading all of it."""
    try:
        with (Path(settings.SANDBOX_MAILS) / f"{name}.eml").open("rb") as file:
            message = email.parser.BytesHeaderParser(policy=email.policy.default).parse(file)
    except FileNotFoundError:
        return False
    return words.casefold() in f"{message['subject']} {message['to']}".casefold()


def names() -> list[str]:
    """The names of all caught messages, newest first."""
    return sorted(
        (path.stem for path in Path(settings.SANDBOX_MAILS).glob("*.eml") if NAME.match(path.stem)), reverse=True
    )


def forget_all() -> None:
    for path in Path(settings.SANDBOX_MAILS).glob("*.eml"):
        path.unlink(missing_ok=True)
