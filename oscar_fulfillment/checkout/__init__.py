"""Oscar's ``checkout`` app, forked: the payment method and the buyer's tax identity."""
