"""Limiter: the front for code, above the middleware. Its parts are private."""
