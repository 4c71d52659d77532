"""Quotas: by which windows they are counted."""
