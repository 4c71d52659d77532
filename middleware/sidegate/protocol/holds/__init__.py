"""Holds: messages about what is held for a while, slots and reservations. Pure."""
