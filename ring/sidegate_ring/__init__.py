"""Who owns a key, and which nodes there are. Pure: no I/O, no clock, no randomness."""

from sidegate_ring.hashring import Ring

__all__ = ["Ring"]
