"""Holds: what is asked about slots and reservations on connections."""
