"""Files of banks and providers, read into plain values: CAMT.053, CSV, 1C client-bank, payout files. Pure, no models.

Nothing is guessed silently: a file that cannot be read in whole is refused with :class:`~.base.StatementError`.
"""
