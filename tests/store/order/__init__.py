"""The store's order app: a column of its own on the order."""
