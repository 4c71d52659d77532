"""Connections of apps and of other nodes: listening, accepting, dialling, finding."""
