"""slowapi and what stands in for it: the same apps on both, and slowapi's own tests."""
