"""The only writers. Keyword-only functions named ``verb_noun``; each step of an order goes through ``door``."""
