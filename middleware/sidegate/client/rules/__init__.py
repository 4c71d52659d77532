"""Rules that the sidecar pushes: watched in loops and in threads, kept here and in a file."""
