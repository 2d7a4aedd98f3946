"""The workers' side of a note: signed and stored, then sent; asked for before it could be sent twice.

    draft -> signed (stored) -> sent (noted before the call) -> authorised | rejected | denied | processing

A worker that dies leaves the note as it was noted last: one that is *sent* is asked for by its key first, and goes out
again only where the tax office says that it does not know it. It does so byte for byte, so that whatever arrives twice
has one key.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable, ConfigurationError
from oscar_fulfillment.fiscal.emission import codes
from oscar_fulfillment.fiscal.emission.answers import Answer, Protocol
from oscar_fulfillment.fiscal.emission.build import build_note
from oscar_fulfillment.fiscal.emission.client import SefazClient
from oscar_fulfillment.fiscal.emission.endpoints import contingency_type
from oscar_fulfillment.fiscal.emission.facts import NORMAL
from oscar_fulfillment.fiscal.emission.schema import schema_problems
from oscar_fulfillment.models import NfeEmission
from oscar_fulfillment.selectors.issuers import Issuing, find_issuing
from oscar_fulfillment.selectors.note_content import facts_of

from . import emission_settle, emissions

logger = logging.getLogger("oscar_fulfillment.nfe")

#: Seconds to the next question about a note that the tax office works on; the last repeats.
CHECKS = (3, 5, 15, 60, 300, 900)
#: Seconds after which a note whose message was given up is tried again.
LATER = 900
#: So many times in a row that nobody was reached, and the contingency is tried where it is switched on.
UNREACHED = 3


def run_emission(pk: int) -> NfeEmission | None:
    """Take a note one step on. Raises :class:`AdapterUnavailable` to be tried again."""
    emission = emissions.claim(
        NfeEmission._default_manager.select_related("fulfillment__order"), pk, Q(status__in=NfeEmission.OPEN)
    )
    if emission is None:
        raise AdapterRejected("the note is gone")
    if not emission.is_open:
        return emission
    try:
        return _Run(emission, find_issuing(emission.alias)).go()
    except (AdapterUnavailable, ConfigurationError) as error:
        words = str(error)[:500]
        emissions.release(emission, problem=words, next_check_at=timezone.now() + timedelta(seconds=LATER))
        if isinstance(error, ConfigurationError):
            # Somebody has to mend the settings; until then the note waits like one that cannot be reached.
            raise AdapterUnavailable(words) from error
        raise
    except Exception as error:
        emissions.release(emission, problem=type(error).__name__)
        raise


class _Run:
    """One worker's turn with one note."""

    def __init__(self, emission: NfeEmission, issuing: Issuing):
        self.emission, self.issuing = emission, issuing
        #: Somebody may have it: it must not be signed under another key.
        self.was_sent = emission.status in (NfeEmission.SENT, NfeEmission.PROCESSING)
        self._client: SefazClient | None = None

    @property
    def client(self) -> SefazClient:
        if self._client is None:
            self._client = self.issuing.client()
        return self._client

    def go(self) -> NfeEmission:
        emission = self.emission
        if emission.status == NfeEmission.DRAFT:
            if not self._sign(emission.emission_type):
                return emission
        elif emission.status == NfeEmission.PROCESSING:
            return self._look()
        elif emission.status == NfeEmission.SENT:
            known = self._ask()
            if known is not None:
                return known
        return self._send()

    # Signing

    def _sign(self, emission_type: int) -> bool:
        """Build and sign the note for this way of emission and store it. False where it was rejected by ourselves."""
        emission, issuing = self.emission, self.issuing
        certificate = issuing.certificate()
        now = timezone.localtime(timezone=issuing.zone).replace(microsecond=0)
        facts = facts_of(
            emission.content, issuing, series=emission.series, number=emission.number, code=emission.code,
            issued_at=now, emission_type=emission_type,
            contingency_at=_local(emission.contingency_at, issuing) if emission_type != NORMAL else None,
            contingency_reason=emission.contingency_reason,
        )  # fmt: skip
        note = build_note(facts)
        if problems := [str(problem) for problem in schema_problems(note.xml)]:
            emission_settle.reject(emission, "", " ".join(problems))
            return False
        signed = certificate.sign(note.xml)
        earlier = list(emission.earlier_keys)
        if emission.access_key and emission.access_key != note.key.text:
            earlier.append(emission.access_key)
        self._store(
            access_key=note.key.text, earlier_keys=earlier, issued_at=now, xml=signed, emission_type=emission_type,
            receipt="", status=NfeEmission.SIGNED if emission_type == NORMAL else NfeEmission.CONTINGENCY,
        )  # fmt: skip
        return True

    def _store(self, **values: Any) -> None:
        """Write, if the claim is still ours; else somebody else has gone on with it, and we stop."""
        emission = self.emission
        mine = NfeEmission._default_manager.filter(pk=emission.pk, claimed_until=emission.claimed_until)
        if not mine.update(**values):
            raise AdapterUnavailable("somebody else goes on with this note")
        for name, value in values.items():
            setattr(emission, name, value)

    # Asking

    def _ask(self) -> NfeEmission | None:
        """What became of a note that was sent; None where the tax office does not know it, so that it may go out.

        Anything else it says is about our question, and says nothing against the note.
        """
        answer = self.client.query(self.emission.access_key, emission_type=self.emission.emission_type)
        if answer.status == codes.UNKNOWN_KEY:
            return None
        if answer.protocol is None:
            raise AdapterUnavailable(f"{answer.status} {answer.text}")
        return self._decided(answer)

    def _look(self) -> NfeEmission:
        """What became of the lot that was taken; where the tax office has lost it, the note is asked for next."""
        answer = self.client.receipt(self.emission.receipt, emission_type=self.emission.emission_type)
        if answer.status in codes.PROCESSING:
            return self._wait(answer)
        if answer.protocol is None:
            if answer.status not in codes.DOWN | codes.LATER:
                self._store(status=NfeEmission.SENT)
            raise AdapterUnavailable(f"{answer.status} {answer.text}")
        return self._decided(answer)

    def _send(self, *, switched: bool = False) -> NfeEmission:
        emission = self.emission
        before = emission.status
        # Noted before the call: a worker that dies now leaves a note that is asked for.
        self._store(status=NfeEmission.SENT, sent_at=timezone.now())
        try:
            answer = self.client.authorise(bytes(emission.xml), self._lot(), emission_type=emission.emission_type)
        except AdapterUnanswered:
            raise
        except AdapterUnavailable as error:
            # Nobody has it.
            self._store(status=before if before != NfeEmission.SENT else self._unsent())
            if emission.attempts >= UNREACHED and not switched and self._may_switch():
                return self._switch(str(error))
            raise
        return self._after(answer, switched=switched)

    def _lot(self) -> int:
        return self.emission.pk * 100 + min(self.emission.attempts, 99)

    def _unsent(self) -> str:
        return NfeEmission.SIGNED if self.emission.emission_type == NORMAL else NfeEmission.CONTINGENCY

    # Answers

    def _after(self, answer: Answer, *, switched: bool = False) -> NfeEmission:
        if answer.status in codes.PROCESSING:
            return self._wait(answer)
        if answer.status in codes.DOWN | codes.CONTINGENCY_OFF | codes.LATER:
            self._store(status=self._unsent())
            is_off = answer.status in codes.CONTINGENCY_OFF
            if not switched and answer.status not in codes.LATER and self._may_switch(back=is_off):
                return self._switch(f"{answer.status} {answer.text}", back=is_off)
            raise AdapterUnavailable(f"{answer.status} {answer.text}")
        return self._decided(answer)

    def _wait(self, answer: Answer) -> NfeEmission:
        emission = self.emission
        place = min(emission.attempts, len(CHECKS)) - 1
        pause = max(CHECKS[max(place, 0)], min(answer.wait, 60))
        receipt = answer.receipt or emission.receipt
        emissions.release(
            emission, status=NfeEmission.PROCESSING if receipt else NfeEmission.SENT, receipt=receipt,
            answer_code=answer.status, answer_text=answer.text, problem="",
            next_check_at=timezone.now() + timedelta(seconds=max(4 * pause, 60)),
        )  # fmt: skip
        emissions.wake(emission, self.issuing.state, delay=pause)
        emission.refresh_from_db()
        return emission

    def _decided(self, answer: Answer) -> NfeEmission:
        """The tax office has said yes or no to the note, or to the lot as a whole."""
        emission, protocol = self.emission, answer.protocol
        if protocol is None:
            status, text = answer.status, answer.text
        else:
            if protocol.key != emission.access_key:
                raise AdapterUnanswered("the tax office has answered about another note")
            # A query tells in its own status what became of the note since: cancelled, for one.
            told = answer.status if answer.status in codes.CANCELLED | codes.DENIED else protocol.status
            status, text = told, protocol.text if told == protocol.status else answer.text
        if status in codes.AUTHORISED | codes.CANCELLED and protocol is not None:
            self._same_note(protocol)
            return emission_settle.authorise(emission, protocol, is_cancelled=status in codes.CANCELLED)
        if status in codes.DENIED:
            return emission_settle.deny(emission, status, text, protocol)
        if status == codes.DUPLICATE:
            # It is there already, from a try whose answer was lost.
            known = self._ask()
            if known is not None:
                return known
            raise AdapterUnavailable(f"{status} {text}")
        return emission_settle.reject(emission, status, text)

    def _same_note(self, protocol: Protocol) -> None:
        digest = emission_settle.digest_of(bytes(self.emission.xml))
        if protocol.digest and digest and protocol.digest != digest:
            raise AdapterUnanswered(_("What the tax office has authorised under this key is not what we have signed."))

    # Contingency

    def _may_switch(self, *, back: bool = False) -> bool:
        if self.was_sent:
            return False
        is_normal = self.emission.emission_type == NORMAL
        return not is_normal if back else is_normal and self.issuing.contingency

    def _switch(self, reason: str, *, back: bool = False) -> NfeEmission:
        """Sign for the service that stands in (or for the state's own again) and send it there.

        Only a note that nobody has may be signed under another key: its number must not be authorised twice.
        """
        emission = self.emission
        if back:
            self._store(contingency_at=None, contingency_reason="")
            kind = NORMAL
        else:
            words = (reason if len(reason) >= 15 else f"SEFAZ fora do ar: {reason}")[:256]
            self._store(contingency_at=timezone.now(), contingency_reason=words)
            kind = contingency_type(self.issuing.state)
        logger.warning("note %s goes by emission type %d: %s", emission, kind, reason)
        return self._send(switched=True) if self._sign(kind) else emission


def _local(moment: Any, issuing: Issuing) -> Any:
    return timezone.localtime(moment, issuing.zone).replace(microsecond=0) if moment else None
