"""Events in processes that fork, and where threads are greenlets."""

from collections import Counter

from sidegate.protocol.report_messages import Events
from tests.middleware.client.scripts.run import run
from tests.support.in_process.sidecar_double import SidecarDouble


def heard(sidecar: SidecarDouble) -> Counter[tuple[str, str | None]]:
    """Return how often a sidecar was told of each event and key."""
    counts = Counter[tuple[str, str | None]]()
    for message in sidecar.heard:
        if isinstance(message, Events):
            for name, key, count, _ in message.rows:
                counts[name, key] += count
    return counts


def test_after_a_fork_each_tells_its_own(sidecar: SidecarDouble) -> None:
    assert run("in_event_fork.py", sidecar.address) == []
    assert heard(sidecar) == {("parent", ""): 2, ("child", ""): 1}
    assert not sidecar.errors


def test_under_gevent_nothing_is_lost(sidecar: SidecarDouble) -> None:
    assert run("in_event_gevent.py", sidecar.address) == []
    assert heard(sidecar) == {("signup", f"{at}"): 10 for at in range(5)}
