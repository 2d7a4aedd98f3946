from oscar.apps.order.abstract_models import AbstractOrder

from .mixins import FulfillmentOrderMixin


class Order(FulfillmentOrderMixin, AbstractOrder):
    """Oscar's order: no field of its own, see :mod:`oscar_fulfillment.order`."""


from oscar.apps.order.models import *  # type: ignore[assignment]  # noqa: E402, F403
