"""A backup that has ever more on its way to it, or does not hear: what it is told, what waits."""

from sidegate.protocol.messages import Confirm, Confirmed, Merged, Part, Pull, Pulled
from tests.sidecar.node.confirmed.recorded_owner import RecordedOwner


class BusyOwner(RecordedOwner):
    """Its backup has two messages of what is at risk unanswered all the time."""

    def __init__(self) -> None:
        super().__init__("b")
        self.left = self.keys(90)
        self.under_way: list[int] = []
        for _ in range(50):
            self.go_on()

    def go_on(self) -> None:
        """Send one more, and have the oldest one be merged."""
        self.ask((self.left.pop(), "5/minute", 1))
        self.under_way += [it.id for it in self.sent()]
        del self.said[:]
        self.tick(10)
        self.under_way += [it.id for it in self.sent()]
        del self.said[:]
        while len(self.under_way) > 2:
            self.cluster.step("b", Merged(self.under_way.pop(0)), self.now)


def test_a_newcomer_is_told_that_it_has_all_and_so_is_a_backup() -> None:
    owner = BusyOwner()
    digest = owner.cluster.ring.digest
    owner.cluster.step("b", Pull(7, Part.REST), owner.now)
    owner.cluster.step("b", Confirm(digest), owner.now)
    assert owner.words == []
    for _ in range(30):
        owner.go_on()
    assert owner.words == [Pulled(7), Confirmed(digest, 1)]


def test_while_a_node_does_not_hear_of_a_reset_what_waits_for_it_is_no_work() -> None:
    """It may not be sent now, so who looked for it all the time would find nothing else to do."""
    owner = RecordedOwner("b")
    owner.cluster.sync.resets.on_connected("b")
    owner.cluster.reset("key", 7, owner.now)
    for ms in (0, 100, 100, 100):
        owner.ask((owner.key(), "1000/hour", 1))
        owner.tick(ms)
    assert not owner.sent()
    assert owner.cluster.sync._outboxes.waiting
    assert not owner.cluster.sync.working
