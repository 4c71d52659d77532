"""Counts: how rates are counted, and where: in this process, or by the sidecar."""
