"""Limits of an app, as its code declares them."""
