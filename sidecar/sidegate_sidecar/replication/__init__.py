"""Every bucket gets to the nodes that should hold it. Pure."""
