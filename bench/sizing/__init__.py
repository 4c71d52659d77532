"""How large a sidecar is, by what it holds and does."""
