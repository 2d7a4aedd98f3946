from django.apps import AppConfig


class ShopConfig(AppConfig):
    """What makes the demo shop a shop: its stores, its start page and its mail page."""

    name = "sandbox.shop"
    label = "sandbox_shop"
