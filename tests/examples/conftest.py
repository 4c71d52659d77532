"""What the examples run on: a sidecar, and clients of new addresses."""

from tests.support.processes.fixtures import address, addresses, sidecar

__all__ = ["address", "addresses", "sidecar"]
