"""Integrations: what fits sidegate into one library each, imported by name."""
