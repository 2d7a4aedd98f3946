"""The buyer's page of an order that is paid at a provider: begin, come back, see how it stands."""
