"""Values over all nodes: how they travel, and who is told of a change."""
