"""What goes on between two full ticks, which are 10 ms apart: whatever a node works on."""

from types import SimpleNamespace

from sidegate.buckets.decision import Source
from sidegate.buckets.limits import parse_limits
from sidegate.protocol.holds.reservation_messages import Reserve
from tests.sidecar.node.confirmed.recorded_owner import RecordedOwner

MANY = 10_000  # buckets: some slices of a walk


def worked(owner: RecordedOwner) -> None:
    """Work until nothing is left to do, and fail if there always is."""
    for _ in range(MANY):
        if not owner.cluster.sync.working:
            return
        owner.cluster.work(owner.now)
    raise AssertionError("it works for ever")


def test_a_reset_of_many_keys_does() -> None:
    owner = RecordedOwner()
    for at in range(MANY):
        owner.node.buckets.take(f"p{at}", parse_limits("5/day"), 1, owner.now)
    owner.cluster.reset_all("p", 7, owner.now)
    worked(owner)
    assert owner.cluster.sync.forgotten(7) == MANY


def test_a_reservation_is_on_its_way() -> None:
    owner = RecordedOwner("b")
    worked(owner)
    asked = Reserve(1, 0, owner.key(), "20000/day", 5_000, 1_000, serial=7)
    owner.node.reservations._reserve_here(asked, Source.OWNER, owner.now)
    worked(owner)
    assert owner.cluster.sync.rows.lacks_some("b")


def test_who_rests_is_told_of_each_check_behind_which_it_may_go_on() -> None:
    owner, told = RecordedOwner("b"), list[int]()
    owner.node.pace = pace = SimpleNamespace(rests=True, checked=told.append)
    owner.ask((owner.key(), "5/day", 1))
    pace.rests = False
    owner.ask((owner.key(), "5/day", 1))
    assert told == [owner.now]
