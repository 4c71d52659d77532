"""What merging buckets can't tell: checks charged twice, and resets. Pure."""
