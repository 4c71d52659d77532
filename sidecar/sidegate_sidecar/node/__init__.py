"""Deciding a check: here, at its owner, at the backup, or by a share."""
