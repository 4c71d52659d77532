"""Scenarios of some kinds of limits."""
