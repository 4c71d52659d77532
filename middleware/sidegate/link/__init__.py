"""One connection to a sidecar: dialled, watched, given up, and drained."""
