"""What the apps are counted by: a sidecar."""

from tests.support.processes.fixtures import sidecar

__all__ = ["sidecar"]
