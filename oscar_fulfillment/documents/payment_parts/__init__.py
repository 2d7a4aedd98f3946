"""The countries' own ways to print a demand for payment: checked data, and codes that scan back. Pure, no models."""
