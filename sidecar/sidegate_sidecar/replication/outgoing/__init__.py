"""What is to be sent to other nodes: outboxes, and in which order they empty. Pure."""
