"""A store that had forked Oscar's order, checkout and orders dashboard before it took our app: ``FORKS=own``.

Each class of its own mixes ours in, and has something of its own to lose.
"""
