"""Compat: what other libraries' users come over with, each importing only what it replaces."""
