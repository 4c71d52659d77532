"""What the suites run on: a sidecar."""

from tests.support.processes.fixtures import sidecar

__all__ = ["sidecar"]
