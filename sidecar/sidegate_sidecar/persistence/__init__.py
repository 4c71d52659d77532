"""Buckets in a file, for a node that is alone."""
