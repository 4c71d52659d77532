"""What fronts of a sidecar cost, each beside what one would use instead."""
