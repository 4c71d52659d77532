"""Slots: who holds one of at most N of a key, and who waits for one. Pure."""
