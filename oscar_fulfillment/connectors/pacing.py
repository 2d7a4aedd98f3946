"""So many calls a second and a day, for all of a process: a vendor who counts them is not asked more often."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from oscar_fulfillment.core.exceptions import AdapterUnavailable

#: The longest that a call waits for its turn, in seconds; beyond it the work goes back to its queue.
PATIENCE = 20.0
#: A second of theirs, in seconds: calls do not arrive at the distance at which they left.
SECOND = 1.1
_DAY = 86_400.0


class Pace:
    """Turns of one account: at most ``per_second`` in any second and ``per_day`` in any day of this process.

    Thread-safe. Another process has turns of its own, so a refusal of the vendor is honoured beside it (:meth:`hold`).
    """

    def __init__(
        self,
        per_second: int,
        per_day: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._per_day, self._clock, self._sleep = per_day, clock, sleep
        self._lock = threading.Lock()
        self._last: deque[float] = deque(maxlen=per_second)
        self._held_until = 0.0
        self._day_began, self._today = clock(), 0

    def wait(self) -> None:
        """Take the next turn and wait for it. AdapterUnavailable, and no turn taken, when that takes too long."""
        with self._lock:
            now = self._clock()
            if now - self._day_began >= _DAY:
                self._day_began, self._today = now, 0
            at = max(now, self._held_until)
            if len(self._last) == self._last.maxlen:
                # A whole second after the one that was so many turns before: no second has more, wherever it begins.
                at = max(at, self._last[0] + SECOND)
            if self._today >= self._per_day:
                at = max(at, self._day_began + _DAY)
            if at - now > PATIENCE:
                raise AdapterUnavailable("no call is free now", retry_after=at - now)
            self._last.append(at)
            self._today += 1
        if at > now:
            self._sleep(at - now)

    def hold(self, seconds: float) -> None:
        """The vendor refused for too many calls: nobody of this process asks for so long."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + seconds)


_paces: dict[str, Pace] = {}
_lock = threading.Lock()


def pace_of(account: str, per_second: int, per_day: int) -> Pace:
    """The pace that all of this process share for an account."""
    with _lock:
        key = f"{account} {per_second} {per_day}"
        if key not in _paces:
            _paces[key] = Pace(per_second, per_day)
        return _paces[key]
