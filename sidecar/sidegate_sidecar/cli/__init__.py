"""The command `sidegate`."""
