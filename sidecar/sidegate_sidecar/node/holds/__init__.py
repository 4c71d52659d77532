"""Holds: what is held for a while by those who asked, slots and reservations."""
