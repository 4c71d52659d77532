"""Events of the app: recorded in loops and in threads, and told to the sidecar in lots."""
