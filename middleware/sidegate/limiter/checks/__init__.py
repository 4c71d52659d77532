"""Checks: what becomes of one request, by all of its limits."""
