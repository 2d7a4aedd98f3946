"""What the app listens to. Imported when Django starts."""

import logging
from typing import Any

from . import signals
from .carriers import carriers
from .connectors import oauth
from .core import outbox
from .services import (
    api_systems,
    carrier_setup,
    connector_exports,
    connector_tokens,
    emission_watch,
    mails,
    messages,
    operation_runs,
    oscar_events,
    parcel_states,
    returns,
    supply_mails,
    webhook_delivery,
    webhook_events,
)
from .webhooks.carriers import register_carriers
from .webhooks.connectors import register_connectors
from .webhooks.payments import register_gateways

logger = logging.getLogger("oscar_fulfillment")

oscar_events.connect()
outbox.register_destination(messages.MAIL, mails.send_mail)
mails.SENDERS[messages.SUPPLIER_ORDER] = supply_mails.send_supplier_order
outbox.on_dead(mails.mail_died)
outbox.on_dead(operation_runs.message_died)
parcel_states.on_returned.append(returns.open_undelivered)
outbox.on_dead(webhook_delivery.note_death)
outbox.on_dead(webhook_events.tell_death)
outbox.PUMP.families.append(webhook_delivery.lanes)
register_gateways()
carriers.source = carrier_setup.source
register_carriers()
register_connectors()
oauth.provide(connector_tokens.DatabaseTokens)
api_systems.register()
outbox.on_dead(connector_exports.message_died)
emission_watch.register_issuers()
outbox.on_dead(emission_watch.message_died)
signals.validate_transition.connect(emission_watch.refuse_beside_note, dispatch_uid="oscar_fulfillment.nfe")


@outbox.on_dead
def announce_death(message: Any) -> None:
    """Tell other people's code about a message that was given up."""
    for receiver, result in signals.message_died.send_robust(sender=type(message), message=message):
        if isinstance(result, Exception):
            logger.error("message_died: receiver %r failed", receiver, exc_info=result)
