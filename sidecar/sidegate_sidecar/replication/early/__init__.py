"""What a backup is told at once: charges at risk, and those that are answered when it has them."""
