"""The order back-office for django-oscar."""

__version__ = "0.1.0"
