"""Answers that wait until another node has what they charged."""
