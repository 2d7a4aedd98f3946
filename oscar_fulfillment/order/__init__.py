"""Oscar's ``order`` app, forked in Python only: no field of Oscar's tables changes."""
