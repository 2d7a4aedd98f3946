"""The store's checkout."""
