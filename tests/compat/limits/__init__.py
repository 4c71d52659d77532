"""The suites of limits and Flask-Limiter, with our storage in the place of theirs in memory."""
