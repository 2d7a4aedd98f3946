from oscar.apps.checkout import forms

from oscar_fulfillment.checkout.forms import AddressRulesMixin


class ShippingAddressForm(AddressRulesMixin, forms.ShippingAddressForm):
    pass
