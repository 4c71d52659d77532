"""Reservations: what was charged ahead, and what becomes of it. Pure."""
