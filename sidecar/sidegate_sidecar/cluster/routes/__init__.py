"""Where messages and checks go: rings, detours, thirds. Pure."""
