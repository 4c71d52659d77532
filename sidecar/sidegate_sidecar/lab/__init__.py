"""Sidecars and apps as child processes on loopback."""
