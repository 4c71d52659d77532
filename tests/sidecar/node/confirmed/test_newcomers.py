"""An owner that is alone has a newcomer hear of each charge: it is about to own the key."""

import pytest

from sidegate.buckets.limits import SYNC
from sidegate.protocol.messages import Part, Pull
from sidegate_ring.hashring import Ring
from tests.sidecar.node.confirmed.recorded_owner import RecordedOwner

KEY = next(key for key in map(str, range(99)) if Ring(["a", "b"]).owner(key) == "b")


def pulled() -> RecordedOwner:
    """Return an owner of whom a newcomer has got all that it will own."""
    owner = RecordedOwner()
    owner.ask((KEY, "1000/hour", 1))
    owner.cluster.step("b", Pull(1, Part.ALL), owner.now)
    for _ in range(3):
        owner.tick(100)
        owner.merged()
    assert owner.sent()
    del owner.said[:]
    return owner


@pytest.mark.parametrize(("cost", "order"), [(1, "?b"), (500, "b?")])
def test_it_is_sent_what_is_charged_after_its_copy(cost: int, order: str) -> None:
    owner = pulled()
    owner.ask((KEY, "1000/hour", cost))
    owner.tick(100)
    assert owner.order == order


def test_it_is_no_backup_yet_so_nobody_waits_for_it() -> None:
    owner = pulled()
    owner.ask((KEY, f"{SYNC}1000/hour", 1))
    assert [(it.source, it.answers[0][0]) for it in owner.answers] == [("owner", 1)]
