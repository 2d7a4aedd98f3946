from django.db import models
from oscar.apps.order.abstract_models import AbstractOrder

from oscar_fulfillment.order.mixins import FulfillmentOrderMixin


class Order(FulfillmentOrderMixin, AbstractOrder):
    gift_message = models.CharField(max_length=200, default="")

    def set_status(self, new_status):
        """The store does something of its own at every change of status."""
        super().set_status(new_status)
        self.told = new_status


from oscar.apps.order.models import *  # noqa: E402, F403
