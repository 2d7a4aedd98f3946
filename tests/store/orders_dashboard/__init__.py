"""The store's orders dashboard."""
