"""Holds: how reservations get to the nodes that should have them. Pure."""
