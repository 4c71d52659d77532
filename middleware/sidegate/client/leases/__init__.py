"""Leases: tokens of busy keys that an app has borrowed, and spends without asking."""
