"""Clients for asyncio and for threads: what callers ask, and how it becomes a check."""
