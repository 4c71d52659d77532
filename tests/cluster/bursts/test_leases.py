"""One key of three sidecars, asked by an app beside each far more often than its limit allows."""

import json
import subprocess
import sys
from contextlib import ExitStack
from typing import IO, Any, Final, cast

from tests.support.processes.services import PATIENCE, ROOT, Sidecar, running, until

APP: Final = "tests.cluster.bursts.busy_app"
RATE: Final = 2_000
SECONDS: Final = 2.0


def test_no_more_is_let_through_than_the_burst_and_the_rate_and_most_of_it_by_leases(
    key: str,
) -> None:
    with ExitStack() as stack:
        first = Sidecar("a")
        sidecars = [first, Sidecar("b", first), Sidecar("c", first)]
        stack.enter_context(running(*sidecars))
        until(lambda: all(it.metric("sidegate_ring_nodes") == 3 for it in sidecars))
        apps = [stack.enter_context(_app(it, key)) for it in sidecars]
        for app in apps:
            assert cast("IO[str]", app.stdout).readline() == "ready\n"
        for app in apps:
            cast("IO[str]", app.stdin).close()
        told: list[dict[str, Any]] = []
        for app in apps:
            told.append(json.loads(cast("IO[str]", app.stdout).read()))
            assert app.wait(PATIENCE) == 0
    took = max(it["ended"] for it in told) - min(it["began"] for it in told)
    admitted = sum(sum(it["allowed"].values()) for it in told)
    leased = sum(it["allowed"].get("lease", 0) for it in told)
    assert admitted <= RATE + RATE * took
    assert {source for it in told for source, some in it["allowed"].items() if some} <= {
        "lease",
        "owner",
    }
    assert admitted >= RATE  # and nobody waits for what isn't there
    # The burst is mostly the owner's, and more of it where apps wait for the CPU.
    assert leased > RATE / 4


def _app(sidecar: Sidecar, key: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", APP, str(sidecar.link), key, f"{RATE}/second", str(SECONDS)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
