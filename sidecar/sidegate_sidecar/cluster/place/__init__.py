"""The place of this node on the ring: joining, coming back, leaving. Pure."""
