"""Waiting until a check passes: who waits, in which order, and until when."""
