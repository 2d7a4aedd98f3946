"""A project for real worker processes: the suite's settings, a database of its own, a vendor with books."""
