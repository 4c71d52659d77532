"""What goes on between two full ticks, which are 10 ms apart: whatever a node works on."""

from sidegate.buckets.decision import Source
from sidegate.buckets.limits import parse_limits
from sidegate.protocol.holds.reservation_messages import Reserve
from tests.sidecar.node.confirmed.recorded_owner import RecordedOwner

MANY = 10_000  # buckets: some slices of a walk


class Resting:
    """Stands where a ticker does: notes when checks came."""

    def __init__(self) -> None:
        self.rests = True
        self.told: list[int] = []

    def checked(self, now: int) -> None:
        """Called with each frame while it rests."""
        self.told.append(now)


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
    owner, resting = RecordedOwner("b"), Resting()
    owner.node.pace = resting
    owner.ask((owner.key(), "5/day", 1))
    resting.rests = False
    owner.ask((owner.key(), "5/day", 1))
    assert resting.told == [owner.now]
