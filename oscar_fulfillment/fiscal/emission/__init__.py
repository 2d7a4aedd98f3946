"""NF-e of our own: built from what was sold, checked against the official schema, signed, and spoken about with the
tax office (SEFAZ). Pure: dataclasses in, dataclasses out; no model, and no network but in ``client``.

    note = build_note(facts)                 # layout 4.00 as XML bytes, unsigned
    problems = schema_problems(note.xml)     # in the merchant's words
    signed = certificate.sign(note.xml)      # bytes that are never written anew
    answer = client.authorise(signed)        # one call, its answer as a dataclass
    file = join_proc(signed, answer.protocol_xml)

Needs the extra ``[nfe-emit]``; importing this package does not. Ask :func:`missing_packages` first.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

#: What to install where something is missing.
EXTRA = "django-oscar-fulfillment[nfe-emit]"


@cache
def missing_packages() -> tuple[str, ...]:
    """What must be installed before a note can be issued; empty when all is there."""
    return tuple(name for name in ("lxml", "cryptography", "nfelib") if find_spec(name) is None)
