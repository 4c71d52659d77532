"""Holds: what is held for a while by who asked, slots and reservations."""
