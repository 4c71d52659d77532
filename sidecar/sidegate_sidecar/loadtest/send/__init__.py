"""Sending requests at their moments, and recording what became of them."""
