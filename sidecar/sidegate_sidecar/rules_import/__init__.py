"""A rules file made of an envoyproxy/ratelimit configuration. Pure."""
