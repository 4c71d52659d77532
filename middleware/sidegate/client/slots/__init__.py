"""Slots: asked for and held by links, or given by this process where nobody can be asked."""
