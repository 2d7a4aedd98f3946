"""docs/webhooks.md, made from the table of events, the signals and the settings, so that it cannot disagree."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

EXAMPLE = """\
{
  "type": "shipment.dispatched",
  "timestamp": "2026-03-02T14:05:09.120Z",
  "api_version": "1",
  "data": {
    "shipments": [12],
    "change": {
      "sequence": 5, "machine": "shipping", "action": "dispatch", "from": "invoiced", "to": "dispatched",
      "at": "2026-03-02T14:05:09.120Z", "by": "user"
    },
    "order": {
      "id": 31, "number": "100031", "version": 5, "placed_at": "2026-03-01T09:30:00.000Z", "flow": "BRAZIL",
      "status": "Sent", "payment_status": "paid", "shipping_status": "dispatched",
      "is_on_hold": false, "has_backorder": false, "problem": null,
      "payment_method": "pix", "shipping_method": "sedex",
      "currency": "BRL", "total_incl_tax": "120.00", "total_excl_tax": "120.00",
      "shipping_incl_tax": "20.00", "shipping_excl_tax": "20.00",
      "lines": [
        {"id": 44, "sku": "MUG-1", "upc": "7891234567895", "title": "Mug", "quantity": 2,
         "price_incl_tax": "100.00", "price_excl_tax": "100.00"}
      ],
      "lines_left_out": 0,
      "shipments": [
        {"id": 12, "number": 1, "status": "dispatched", "dispatched_at": "2026-03-02T14:05:09.120Z",
         "delivered_at": null, "invoice": 9, "lines": [{"line": 44, "quantity": 2}],
         "parcels": [
           {"id": 15, "number": 1, "status": "dispatched", "carrier": "correios", "tracking_code": "AA123456785BR",
            "tracking_url": "https://rastreamento.correios.com.br/app/index.php?objeto=AA123456785BR",
            "tracking_state": null}
         ]}
      ],
      "shipments_left_out": 0,
      "invoices": [
        {"id": 9, "kind": "nfe", "number": "1041", "series": "1",
         "access_key": "35260311222333000181550010000010411202940729", "is_cancelled": false}
      ]
    }
  }
}"""

VERIFY = """\
import base64
import hashlib
import hmac
import time

TOLERANCE = 300  # seconds


def is_from_the_shop(keys, headers, body):
    \"\"\"``keys``: the "whsec_..." of the webhook (during a rotation the old and the new one); ``body``: the raw bytes.\"\"\"
    moment = headers.get("webhook-timestamp", "")
    if not moment.isdigit() or abs(time.time() - int(moment)) > TOLERANCE:
        return False
    content = f"{headers.get('webhook-id', '')}.{moment}.".encode() + body
    given = headers.get("webhook-signature", "").split()
    for key in keys:
        secret = base64.b64decode(key.removeprefix("whsec_"))
        expected = "v1," + base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()
        if any(hmac.compare_digest(expected.encode(), each.encode()) for each in given):
            return True
    return False
"""

_PAGE = """\
# Webhooks

Made from the table of events, the signals and the settings; do not edit.

Other systems (an ERP, a warehouse, a chat) are told what happens to orders, as [Standard Webhooks
1.0](https://www.standardwebhooks.com) has it. Managers set them up in the dashboard under *Webhooks* (permission
`manage_webhooks`): the address, the events, and whether the buyer's data goes with them.

* A message is written in the transaction of the step that causes it. What is rolled back is never told; what is
  committed is told at least once, whatever is killed.
* Each webhook has its own lane: one that is dead or slow delays no other, and no mail.
* The key (`whsec_...`) is shown once. Nothing secret is stored: it is derived from `SECRET_KEY` and a random salt. When
  you change `SECRET_KEY`, keep the old one in `SECRET_KEY_FALLBACKS`, or make new keys.
* *New key*: for {overlap} hours every message is signed by the old and the new key, so that nothing is lost meanwhile.
* A webhook that was made or changed in one process is known to all others within {fresh:g} seconds.

## Events

| event | signal | when | data beside `change` and `order` |
|---|---|---|---|
{events}
| `ping` | | The test button | nothing |

## What is said

```json
{example}
```

`change` is the row of the order's history. `order` is the order as it is when the message is *first* sent; every further
try says exactly the same. Messages may arrive twice and in any order: drop a `webhook-id` that you have had, and an
`order.version` below the one you know. Sums are text, times are in UTC. A body stays below {largest} bytes: lines and
shipments that do not fit are left out, and `lines_left_out` and `shipments_left_out` say how many.

Neither the buyer nor your staff are named. A webhook *with the buyer's data* also gets `customer` (name, mail, tax number,
addresses), the `reason` of a change, the carrier's own words and the customer's note of a return. Fields may be added
at any time; `api_version` changes when one is taken away or means something else.

## How to answer

Any 2xx within {timeout} seconds; the body is not looked at (its first {excerpt} bytes are kept for the log). Anything else,
redirects included, is tried again:

| try | after the one before it |
|---|---|
{schedule}

Then the message is given up, and {disable_after} given up in a row switch the webhook off; so does `410 Gone`, at once. A
follow-up tells your colleagues. With `429`, `502`, `503` and `504` a `Retry-After` is respected, up to a day. Whatever
was given up (or delivered) can be sent again from the log, with the same id and body. The log is kept for {keep_days} days.

## How to verify

Three headers: `webhook-id`, `webhook-timestamp` (of this try) and `webhook-signature`. The libraries of Standard Webhooks
do it, or these lines of Python:

```python
{verify}```

## Which addresses are called

Public ones, by https on port {ports}, without user name or fragment. The name is resolved once per try, every address that
is not public is left out, and the connection goes to the very address that was judged, so that a name that changes its
mind (DNS rebinding) changes nothing. No proxy and no redirect. For a system inside your own network name its host:

```python
OSCAR_FULFILLMENT = {{
    "WEBHOOKS_OUT": {{"allow_hosts": ["erp.internal:8443"]}},
}}
```

The other keys of [`WEBHOOKS_OUT`](settings.md) change the numbers on this page.
"""


def page(signals: Mapping[str, str]) -> str:
    """The page; ``signals``: the text under each signal."""
    from django.utils import translation

    from oscar_fulfillment.conf import DEFAULTS
    from oscar_fulfillment.core.public_http import EXCERPT
    from oscar_fulfillment.services.webhook_bodies import LARGEST
    from oscar_fulfillment.services.webhook_events import EVENTS, FRESH

    options: dict[str, Any] = DEFAULTS["WEBHOOKS_OUT"]
    with translation.override("en"):
        rows = "\n".join(
            f"| `{event.name}` | [`{event.signal}`](signals.md) | {event.label} | {event.extra or ''} |"
            for event in EVENTS.values()
        )
    missing = [event.signal for event in EVENTS.values() if event.signal not in signals]
    assert not missing, missing
    tries = ["| 1 | at once |"]
    tries += [f"| {number} | {_pause(wait)} |" for number, wait in enumerate(options["schedule"], 2)]
    return _PAGE.format(
        events=rows, example=EXAMPLE, verify=VERIFY, schedule="\n".join(tries), overlap=options["key_hours"],
        fresh=FRESH, largest=f"{LARGEST:,}", timeout=options["timeout"], excerpt=f"{EXCERPT:,}",
        disable_after=options["disable_after"], keep_days=options["keep_days"],
        ports=", ".join(str(port) for port in options["ports"]),
    )  # fmt: skip


def _pause(seconds: float) -> str:
    wait = timedelta(seconds=seconds)
    for unit, size in (("hour", 3600), ("minute", 60), ("second", 1)):
        if wait.total_seconds() >= size:
            count = int(wait.total_seconds() // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "at once"
