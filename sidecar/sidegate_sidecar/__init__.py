"""The sidegate sidecar: one process beside each app, all of them one limiter."""
