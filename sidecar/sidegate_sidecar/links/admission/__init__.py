"""Connections that have proved nothing yet: how many, for how long, in whose turn."""
