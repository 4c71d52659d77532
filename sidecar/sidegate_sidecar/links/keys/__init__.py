"""Questions about many keys: of all nodes, and each node's answer."""
