"""What a client decides, counts and logs when its sidecar can't be asked."""
