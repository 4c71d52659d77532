"""Scenarios of splits where a side doesn't simply go on."""
