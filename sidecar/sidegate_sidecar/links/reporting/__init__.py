"""Reports over all nodes: asking them, and answering who asks."""
