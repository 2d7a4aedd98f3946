"""Any carrier of the karrio library, for tracking alone: an extra, ``django-oscar-fulfillment[karrio]``.

karrio (LGPL) has a package per carrier (``karrio-dhl-universal``); the shop installs those that it uses. The library is
imported when it is first asked, never with this module. What is good to know before it is let in:

* Its import turns the verification of TLS certificates off for the whole process, and lets Pillow open broken images:
  both are set right again here. It takes away the handlers of loguru, and its own log would show addresses with keys:
  it is silenced.
* It waits for ever: so the question is asked in a thread of its own and given up after ``read_timeout``. Answers of any
  size are read.
* It writes every time as if it were UTC, whatever the carrier said: ``time_zone`` says where the clocks stand.
"""

from __future__ import annotations

import importlib
import re
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from importlib.util import find_spec
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext

from oscar_fulfillment.core.exceptions import AdapterUnavailable, ConfigurationError

from .base import Capability
from .events import Tracked, clean
from .karrio_mapping import problem_from, tracked_from
from .manual import Manual

_CARRIER = re.compile(r"[a-z][a-z0-9_]{1,60}", re.ASCII)
_importing = threading.Lock()


class Karrio(Manual):
    """One account at a carrier of karrio's.

    ``OPTIONS``: ``carrier`` (karrio's name of it, "dhl_universal"), ``settings`` (what karrio's documentation asks for:
    keys, account numbers), ``time_zone``, and those of :class:`Manual` (name, link, pattern, shipping methods).
    """

    extra_capabilities = frozenset({Capability.TRACK})

    def __init__(
        self,
        *,
        carrier: str,
        settings: Mapping[str, Any],
        time_zone: str = "UTC",
        read_timeout: float = 30.0,
        **options: Any,
    ):
        super().__init__(**options)
        if not isinstance(carrier, str) or not _CARRIER.fullmatch(carrier) or not isinstance(settings, Mapping):
            raise ConfigurationError(f"carrier {self.alias!r}: karrio needs carrier (a name) and settings (a mapping)")
        try:
            self.zone = ZoneInfo(time_zone)
        except (KeyError, ValueError, TypeError, OSError) as error:
            raise ConfigurationError(f"carrier {self.alias!r}: time_zone {time_zone!r} is none") from error
        self.carrier, self.read_timeout = carrier, read_timeout
        self._settings, self._cache = dict(settings), None
        if not _installed("karrio"):
            raise ConfigurationError(
                f"carrier {self.alias!r} needs the extra: pip install django-oscar-fulfillment[karrio]"
            )
        if not _installed(f"karrio.mappers.{carrier}"):
            package = f"karrio-{carrier.replace('_', '-')}"
            raise ConfigurationError(f"carrier {self.alias!r} needs karrio's package of it: pip install {package}")

    def track(self, codes: Sequence[str]) -> list[Tracked]:
        return [self._tracked(code) for code in codes]

    def _tracked(self, code: str) -> Tracked:
        details, messages = self._within(lambda: self._ask(code))
        if details:
            return tracked_from(code, details, self.zone)
        said = "; ".join(f"{getattr(one, 'code', '') or ''} {getattr(one, 'message', '') or ''}" for one in messages)
        return problem_from(code, messages, f"{self.alias}: {self._without_secrets(clean(said, 300))}")

    def _ask(self, code: str) -> tuple[Sequence[Any], Sequence[Any]]:
        sdk = library()
        # A gateway remembers all it has heard; the next one is given nothing but its tokens.
        gateway = sdk.gateway[self.carrier].create(dict(self._settings), cache=self._cache)
        self._cache = getattr(gateway.settings, "cache", None)
        details, messages = sdk.Tracking.fetch({"tracking_numbers": [code]}).from_(gateway).parse()
        return details or (), messages or ()

    def _within(self, ask: Callable[[], Any]) -> Any:
        answer: Future[Any] = Future()

        def run() -> None:
            try:
                answer.set_result(ask())
            except Exception as error:
                answer.set_exception(error)

        threading.Thread(target=run, name=f"karrio {self.alias}", daemon=True).start()
        try:
            return answer.result(self.read_timeout)
        except ConfigurationError:
            raise
        except TimeoutError as error:
            raise AdapterUnavailable(gettext("{carrier} did not answer.").format(carrier=self.name)) from error
        except Exception as error:
            # karrio's carriers fail in many ways, all of them while they read. The words may hold keys: not shown.
            message = gettext("{carrier} could not be asked ({reason}).")
            raise AdapterUnavailable(message.format(carrier=self.name, reason=type(error).__name__)) from None

    def _without_secrets(self, text: str) -> str:
        for value in self._settings.values():
            if isinstance(value, str) and len(value) > 3:
                text = text.replace(value, "***")
        return text


def library() -> Any:
    """karrio's ``sdk`` module, without what its import does to everybody else."""
    with _importing:
        images: Any = importlib.import_module("PIL.ImageFile")
        truncated = getattr(images, "LOAD_TRUNCATED_IMAGES", False)
        verifying = ssl._create_default_https_context
        if _installed("loguru"):
            importlib.import_module("loguru").logger.disable("karrio")
        try:
            sdk = importlib.import_module("karrio.sdk")
        except ImportError as error:
            raise ConfigurationError("karrio is not installed: pip install django-oscar-fulfillment[karrio]") from error
        finally:
            images.LOAD_TRUNCATED_IMAGES = truncated
            # A switch of the interpreter (PEP 476). Where somebody else imported karrio before us, it is off already.
            off = ssl._create_unverified_context
            ssl._create_default_https_context = ssl.create_default_context if verifying is off else verifying
        return sdk


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
