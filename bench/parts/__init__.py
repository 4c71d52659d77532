"""What is measured of one sidecar or one library."""
