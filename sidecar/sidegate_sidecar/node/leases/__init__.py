"""Leases of one node: it lends of its own keys, and passes on what is about others'. Pure."""
