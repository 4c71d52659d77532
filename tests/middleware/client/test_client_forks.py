"""A Client in a process that was forked from one whose loop was running."""

from pathlib import Path

from tests.middleware.client.scripts.run import run
from tests.support.in_process.sidecar_double import SidecarDouble


def test_fork_within_a_turn(tmp_path: Path) -> None:
    """A child doesn't join the turn that its parent had open, nor wait for the parent's locks.

    Both go on, each on a connection of its own.
    """
    with SidecarDouble(f"unix:{tmp_path}/s") as sidecar:
        said = run("in_loop_fork.py", sidecar.address)
    assert said == ["parent OOOOO", "child OOOOO", "parent O", "parent OOOOO"]
    assert sum(len(frame.checks) for frame in sidecar.frames) == 16
    assert sidecar.accepted == 2
    assert not sidecar.errors
