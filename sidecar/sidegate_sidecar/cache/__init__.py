"""The cache of a node: values that it owns, and those that other nodes own."""
