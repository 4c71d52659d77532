"""Processes, sidecars and load for measuring."""
