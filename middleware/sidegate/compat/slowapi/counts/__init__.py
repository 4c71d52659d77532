"""Counts: where rates are counted, in this process or by the sidecar, and under which keys."""
