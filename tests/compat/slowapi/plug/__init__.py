"""A plug-in of pytest, for a process of its own, by which slowapi's tests run with ours."""
