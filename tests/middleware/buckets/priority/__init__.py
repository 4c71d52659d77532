"""Limits of which who asks keeps something for others."""
