"""A request as rules and keys see it: path, client address, credentials. Pure."""
