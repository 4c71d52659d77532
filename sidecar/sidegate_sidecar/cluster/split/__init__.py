"""What a side of a split network does. Pure."""
