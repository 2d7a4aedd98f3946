"""Mercado Pago, Brazil: cards on its hosted Checkout Pro, boleto and Pix through its Payments API.

``documents`` reads its words and JSON, ``requests`` writes them, ``notifications`` proves and reads its webhooks, and
``client`` asks.
"""

from .client import MercadoPago

__all__ = ["MercadoPago"]
