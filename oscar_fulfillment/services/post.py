"""The last yard of a mail: stamped, handed to Django's mail backend, its errors told apart."""

from __future__ import annotations

from collections.abc import Sequence
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPResponseException
from typing import Any

from django.core.exceptions import ValidationError
from django.core.mail import get_connection
from django.core.validators import validate_email

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable

#: Seconds to wait for a mail server that says nothing, where EMAIL_TIMEOUT is not set.
PATIENCE = 20


def is_address(text: str) -> bool:
    """Whether a mail could be sent there."""
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


class Post:
    """A mail connection for Oscar's dispatcher, which can set neither headers nor several recipients, nor attach files.

    ``attachments`` are (file name, content, MIME type). Errors carry codes and type names only: what servers answer
    repeats addresses, and errors end up in logs.
    """

    def __init__(
        self,
        message_id: str,
        to: Sequence[str],
        reply_to: Sequence[str] = (),
        attachments: Sequence[tuple[str, bytes, str]] = (),
    ):
        self.message_id, self.to, self.reply_to = message_id, list(to), list(reply_to)
        self.attachments = list(attachments)

    def send_messages(self, mails: Sequence[Any]) -> int:
        for mail in mails:
            mail.to, mail.reply_to = self.to, self.reply_to or mail.reply_to
            # Auto-Submitted keeps holiday notices from answering (RFC 3834).
            mail.extra_headers |= {"Message-ID": self.message_id, "Auto-Submitted": "auto-generated"}
            for attachment in self.attachments:
                mail.attach(*attachment)
        try:
            connection: Any = get_connection()
            if getattr(connection, "timeout", PATIENCE) is None:
                connection.timeout = PATIENCE
            sent = connection.send_messages(mails)
        except SMTPRecipientsRefused as error:
            codes = sorted({code for code, _answer in error.recipients.values()})
            kind = AdapterRejected if all(500 <= code < 600 for code in codes) else AdapterUnavailable
            raise kind(f"the address was refused ({', '.join(map(str, codes))})") from None
        except SMTPResponseException as error:
            # Refused content is about this mail; a refused sender or log-in is about the shop and gets mended.
            final = isinstance(error, SMTPDataError) and 500 <= error.smtp_code < 600
            kind = AdapterRejected if final else AdapterUnavailable
            raise kind(f"the mail server said {error.smtp_code} ({type(error).__name__})") from None
        except (SMTPException, OSError) as error:
            raise AdapterUnavailable(f"no mail server ({type(error).__name__})") from None
        except ValueError as error:
            # Django and the standard library refuse headers with line breaks and impossible addresses this way.
            raise AdapterRejected(f"the mail cannot be written ({type(error).__name__})") from None
        except Exception as error:
            # Other backends (of mail providers) have errors of their own.
            raise AdapterUnavailable(f"the mail backend failed ({type(error).__name__})") from None
        if sent == 0:
            raise AdapterUnavailable("the mail backend sent nothing")
        return len(mails)
