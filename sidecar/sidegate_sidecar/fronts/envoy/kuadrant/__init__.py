"""Kuadrant's rate limit service, as much of it as Envoy's hasn't: Reserve and Commit."""
