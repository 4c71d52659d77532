"""The simulated network: the same seed is the same run, and its faults are those of real ones."""

from functools import partial

import pytest

from tests.simulation.network import DIAL_WITHIN, Faults, Network

EXACT = Faults(delay=1.0, jitter=0.0)


class Ear:
    """A host that writes down what happens to it."""

    def __init__(self, network: Network, name: str) -> None:
        self.network = network
        self.name = name
        self.heard: list[str] = []
        self.when: list[float] = []

    def note(self, what: str) -> None:
        self.heard.append(what)
        self.when.append(self.network.now)

    def receive(self, sender: str, message: str) -> None:
        self.note(f"{sender}: {message}")

    def on_connected(self, name: str) -> None:
        self.note(f"met {name}")

    def on_disconnected(self, name: str) -> None:
        self.note(f"lost {name}")


def pair(
    faults: Faults = EXACT, names: str = "ab", *, linked: bool = True
) -> tuple[Network, list[Ear]]:
    """Return a network whose hosts are all connected, or none, and the hosts."""
    network = Network(1, faults)
    ears = [Ear(network, name) for name in names]
    for at, ear in enumerate(ears):
        network.start(ear.name, ear)
        for other in names[:at] if linked else "":
            network.link(ear.name, other)
    return network, ears


def test_a_message_arrives_after_its_delay() -> None:
    network, (a, b) = pair()
    network.send("a", "b", "hello")
    network.run(0.9)
    assert not b.heard
    network.run(2.0)
    assert (b.heard, b.when, a.heard) == (["a: hello"], [1.0], [])
    assert network.now == 2.0
    assert network.sent == {"a": 1}


def test_jitter_reorders_unless_order_is_kept() -> None:
    for ordered in (False, True):
        network, (_, b) = pair(Faults(jitter=1.0, ordered=ordered))
        for number in range(50):
            network.send("a", "b", f"{number:02}")
        network.run(2.0)
        assert len(b.heard) == 50
        assert (b.heard == sorted(b.heard)) == ordered


@pytest.mark.parametrize(
    ("faults", "least", "most"),
    [
        (Faults(loss=0.1), 870, 930),
        (Faults(duplication=0.1), 1_070, 1_130),
        (Faults(loss=1.0), 0, 0),
        (Faults(), 1_000, 1_000),
    ],
)
def test_messages_get_lost_and_double(faults: Faults, least: int, most: int) -> None:
    network, (_, b) = pair(faults)
    for _ in range(1_000):
        network.send("a", "b", "x")
    network.run(1.0)
    assert least <= len(b.heard) <= most


def test_one_direction_may_be_worse_than_the_others() -> None:
    network, (a, b) = pair()
    network.between("a", "b", Faults(delay=5.0, jitter=0.0))
    network.send("a", "b", "x")
    network.send("b", "a", "x")
    network.run(10.0)
    assert (a.when, b.when) == ([1.0], [5.0])


def test_a_cut_is_one_way_and_breaks_no_connection() -> None:
    network, (a, b) = pair()
    network.cut("a", "b")
    network.send("a", "b", "x")
    network.send("b", "a", "y")
    network.run(2.0)
    assert (a.heard, b.heard, network.dropped) == (["b: y"], [], 1)
    network.heal()
    network.send("a", "b", "x")
    network.run(4.0)
    assert b.heard == ["a: x"]


def test_a_split_has_sides_and_who_is_on_none_is_alone() -> None:
    network, ears = pair(names="abcde")
    network.split("ab", "c")
    for sender in "abcde":
        for receiver in "abcde".replace(sender, ""):
            network.send(sender, receiver, "x")
    network.run(2.0)
    assert [it.heard for it in ears] == [["b: x"], ["a: x"], [], [], []]


def test_what_happens_to_a_paused_host_waits_in_its_order() -> None:
    network, (_, b) = pair()
    network.pause("b")
    network.send("a", "b", "first")
    network.at(1.5, "b", partial(b.note, "timer"))
    network.plan(1.0, partial(network.send, "a", "b", "second"))
    network.run(5.0)
    assert not b.heard
    network.resume("b")
    network.send("a", "b", "third")
    network.run(10.0)
    assert b.heard == ["a: first", "timer", "a: second", "a: third"]
    assert b.when == [5.0, 5.0, 5.0, 6.0]


def test_a_host_that_pauses_again_before_it_has_seen_all_sees_the_rest_later() -> None:
    network, (_, b) = pair()
    network.pause("b")
    network.at(1.0, "b", partial(network.pause, "b"))
    network.at(2.0, "b", partial(b.note, "timer"))
    network.run(3.0)
    network.resume("b")
    network.run(4.0)
    assert not b.heard
    network.resume("b")
    network.run(5.0)
    assert b.when == [4.0]


def test_a_crash_breaks_connections_and_loses_what_waits() -> None:
    network, (a, b) = pair()
    network.pause("b")
    network.send("a", "b", "x")
    network.at(1.0, "b", partial(b.note, "timer"))
    network.run(2.0)
    network.crash("b")
    network.run(4.0)
    network.start("b", b)
    network.run(9.0)
    assert (a.heard, a.when, b.heard) == (["lost b"], [3.0], [])
    assert not network.connected("a", "b")


def test_no_word_of_a_crash_comes_through_a_cut_until_one_asks() -> None:
    """What is sent to a process that is no more is answered by its machine."""
    network, (a, b) = pair()
    network.cut("b", "a")
    network.crash("b")
    network.run(5.0)
    assert network.connected("a", "b")
    assert not a.heard
    network.heal()
    network.start("b", b)
    network.send("a", "b", "x")
    network.run(8.0)
    assert (a.heard, b.heard) == (["lost b"], [])


def test_a_dial_is_met_by_both_and_only_once() -> None:
    network = Network(1, EXACT)
    a, b = Ear(network, "a"), Ear(network, "b")
    network.start("a", a)
    network.dial("a", "b")  # never heard of
    network.start("b", b)
    network.send("a", "b", "into the void")
    network.dial("a", "b")
    network.dial("b", "a")
    network.run(5.0)
    network.dial("a", "b")
    network.run(10.0)
    assert (a.heard, b.heard) == (["met b"], ["met a"])
    network.send("a", "b", "x")
    network.run(15.0)
    assert b.heard == ["met a", "a: x"]


def test_a_message_that_overtakes_the_answer_to_a_dial_is_not_lost() -> None:
    network, (a, _) = pair(linked=False)
    network.dial("a", "b")
    network.run(1.0)
    network.between("b", "a", Faults(delay=0.5, jitter=0.0))
    network.send("b", "a", "x")
    network.run(5.0)
    assert a.heard == ["met b", "b: x"]


@pytest.mark.parametrize("direction", [("a", "b"), ("b", "a")])
def test_a_dial_needs_both_directions_and_may_be_tried_again(direction: tuple[str, str]) -> None:
    network, (a, b) = pair(Faults(delay=0.1, jitter=0.0), linked=False)
    network.cut(*direction)
    network.dial("a", "b")
    network.run(0.5)
    network.heal()
    network.dial("a", "b")  # the first one still waits
    network.run(DIAL_WITHIN)
    assert not a.heard
    assert not b.heard
    network.dial("a", "b")
    network.run(2.0)
    assert (a.heard, b.heard) == (["met b"], ["met a"])


def test_who_starts_again_and_dials_is_met_anew_by_one_who_did_not_notice() -> None:
    network, (a, b) = pair()
    network.cut("a", "b")
    network.crash("a")
    network.run(3.0)
    network.heal()
    network.start("a", a)
    network.dial("a", "b")
    network.run(9.0)
    assert b.heard == ["lost a", "met a"]
    assert a.heard == ["met b"]


def test_a_connection_may_be_closed_by_one_side() -> None:
    network, (a, b) = pair()
    network.close("a", "b")
    network.send("a", "b", "x")
    network.send("b", "a", "y")
    network.run(5.0)
    assert (a.heard, b.heard) == ([], ["lost a"])
    network.close("a", "b")  # once more: nothing is left to close
    network.run(9.0)
    assert b.heard == ["lost a"]


def test_a_host_that_is_up_cannot_be_started() -> None:
    network, (a, _) = pair()
    with pytest.raises(ValueError, match="'a' is up"):
        network.start("a", a)
    assert network.is_up("a")
    assert not network.is_up("z")


def test_running_until_something_is_so_tells_how_long_it_took() -> None:
    network, (_, b) = pair()
    network.run(3.0)
    network.send("a", "b", "x")
    assert network.run_until(lambda: bool(b.heard), within=5.0) == pytest.approx(1.0, abs=0.06)
    assert network.run_until(lambda: False, within=2.0) is None


class Chatterbox(Ear):
    """A host that does twenty things a second: a timer, and a message to someone."""

    def start(self, names: list[str]) -> None:
        self.names = names
        self.network.at(self.network.random.random(), self.name, self.turn)

    def turn(self) -> None:
        self.network.send(self.name, self.network.random.choice(self.names), len(self.heard))
        self.network.at(self.network.now + 0.1, self.name, self.turn)

    def receive(self, sender: str, message: object) -> None:
        self.heard.append(f"{sender}: {message}")

    def on_disconnected(self, name: str) -> None:
        self.network.dial(self.name, name)


def chatter(seed: int, n: int, seconds: float, *, traced: bool) -> tuple[str, int]:
    """Return the trace and the number of messages of hosts that talk, pause, crash and split."""
    network = Network(seed, Faults(loss=0.05, duplication=0.05), traced=traced)
    names = [f"n{i}" for i in range(n)]
    boxes = {name: Chatterbox(network, name) for name in names}
    for at, (name, box) in enumerate(boxes.items()):
        network.start(name, box)
        for other in names[:at]:
            network.link(name, other)
        box.start(names)
    network.plan(1.0, partial(network.pause, names[0]))
    network.plan(2.0, partial(network.resume, names[0]))
    network.plan(2.0, partial(network.crash, names[1]))
    network.plan(3.0, partial(network.start, names[1], boxes[names[1]]))
    network.plan(3.0, partial(network.split, names[: n // 2], names[n // 2 :]))
    network.plan(4.0, network.heal)
    network.run(seconds)
    return network.trace, network.sent.total()


def test_the_same_seed_is_the_same_run() -> None:
    trace = chatter(7, 10, 10.0, traced=True)
    assert chatter(7, 10, 10.0, traced=True) == trace
    assert chatter(8, 10, 10.0, traced=True) != trace
    assert len(trace[0]) == 16
    assert chatter(7, 10, 10.0, traced=False) == ("", trace[1])
