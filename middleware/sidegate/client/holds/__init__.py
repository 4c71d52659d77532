"""Holds: what is held for a while by who asks, slots and reservations."""
