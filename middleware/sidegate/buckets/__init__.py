"""Limits, and the buckets that hold what is spent of them, within bounded memory. Pure."""
