"""The one form of all documents that mean the same, or what is wrong with one. Pure."""
