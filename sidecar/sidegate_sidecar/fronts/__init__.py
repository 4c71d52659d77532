"""What speaks to the outside beside the link: each front is a folder, and calls the node."""
