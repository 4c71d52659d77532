"""The blocking client, against a real sidecar that hangs, dies and comes back on command."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import Limits
from sidegate.client.blocking import BlockingClient
from sidegate.client.unreachable.breaker import Entry
from sidegate.client.unreachable.fallback import Fallback
from sidegate.errors import CheckError, CostError, KeyTooLong, LimitError
from sidegate.protocol.messages import Forget, Ping, Pong, Roster
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.signals import Interrupted, interruptible
from tests.support.waiting import AMPLE, SCANT, in_threads, until

SLOW = "{}/365 days"  # a limit that refills nothing during a test


class TestChecks:
    def test_a_decision_shows_what_is_left(self, sidecar: SidecarDouble) -> None:
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            first = client.check("k", "5/minute", 2)
            peeked = client.check("k", "5 per 60 seconds", 0)
        assert (first.allowed, first.remaining, first.cost) == (True, 3, 2)
        assert (first.source, first.node) == (Source.OWNER, "double")
        assert peeked.remaining == 3

    def test_threads(self, sidecar: SidecarDouble) -> None:
        """16 threads admit exactly the limit, over one connection, and several ask in one frame."""
        limits = SLOW.format(500)
        with BlockingClient(sidecar.address, budget=AMPLE, remember_denials=False) as client:

            def spend(_number: int) -> list[Decision]:
                return [client.check("k", limits) for _ in range(50)]

            with ThreadPoolExecutor(16) as pool:
                decided = [each for many in pool.map(spend, range(16)) for each in many]
        assert sum(each.allowed for each in decided) == 500
        assert {each.source for each in decided} == {Source.OWNER}
        assert sidecar.asked == 800
        assert len(sidecar.frames) < 800
        assert sidecar.accepted == 1

    def test_a_thread_needs_one_connection_whatever_it_asks(self, sidecar: SidecarDouble) -> None:
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            for number in range(20):
                client.check(f"k{number}", "5/minute")
        assert sidecar.accepted == 1

    def test_what_cannot_be_asked_raises_at_once(self, sidecar: SidecarDouble) -> None:
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            for error, key, limits, cost in [
                (LimitError, "k", "5/eon", 1),
                (CostError, "k", "5/minute", 6),
                (CostError, "k", "5/minute", -1),
                (KeyTooLong, "k" * 10_000, "5/minute", 1),
                (UnicodeEncodeError, "\udc80", "5/minute", 1),
            ]:
                with pytest.raises(error):
                    client.check(key, limits, cost)
        assert sidecar.accepted == 0

    def test_a_reason_is_raised_and_no_outage(self, sidecar: SidecarDouble) -> None:
        with BlockingClient(sidecar.address, budget=AMPLE, on_unreachable="closed") as client:
            client.check("k", "5/minute")
            sidecar.reason = "not today"
            with pytest.raises(CheckError, match="not today"):
                client.check("k", "5/minute")
            sidecar.reason = ""
            assert client.check("k", "5/minute").source is Source.OWNER
        assert sidecar.accepted == 1

    def test_a_reason_for_a_probe_lets_all_ask_again(self, sidecar: SidecarDouble) -> None:
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            client.check("k", "5/minute")
            sidecar.stop()
            client.check("k", "5/minute")
            assert not asks_freely(client)
            sidecar.start()
            sidecar.reason = "not today"
            with pytest.raises(CheckError):
                until(lambda: client.check("k", "5/minute").source is Source.OWNER)
            assert asks_freely(client)

    def test_it_knows_the_ring_also_after_it_was_idle(self, sidecar: SidecarDouble) -> None:
        sidecar.members = [("a", "h:1"), ("b", "h:2"), ("c", "h:3")]
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            assert client.nodes == 1
            client.check("k", "5/minute")
            assert client.nodes == 3
            sidecar.say(Roster("d", [("a", "h:1")] * 4), Ping(5), Roster("e", [("a", "h:1")] * 5))
            client.check("k", "5/minute")
            assert client.nodes == 5
            sidecar.wait_for(lambda: Pong(5) in sidecar.heard)


class TestDenials:
    def test_a_denial_is_repeated_without_a_hop(self, sidecar: SidecarDouble) -> None:
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            client.check("k", "2/hour")
            client.check("k", "2/hour")
            denied = client.check("k", "2/hour")
            sidecar.forget()
            again = client.check("k", "2/hour")
            assert sidecar.frames == []
            client.check("k", "2/hour", 0)
            client.check("l", "2/hour")
        assert (denied.source, again.source) == (Source.OWNER, Source.REMEMBERED)
        assert 0 < again.retry_after <= denied.retry_after
        assert len(sidecar.frames) == 2

    def test_those_of_a_key_that_was_reset_are_gone(self, sidecar: SidecarDouble) -> None:
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            for key in ("k", "l"):
                client.check(key, "1/hour")
                assert not client.check(key, "1/hour").allowed
            sidecar.say(Forget("k"))
            client.check("another", "1/hour")
            sidecar.forget()
            sources = [client.check(key, "1/hour").source for key in ("k", "l")]
        assert sources == [Source.OWNER, Source.REMEMBERED]

    def test_a_reset_is_nothing_to_who_remembers_none(self, sidecar: SidecarDouble) -> None:
        with BlockingClient(sidecar.address, budget=AMPLE, remember_denials=False) as client:
            client.check("k", "2/hour")
            sidecar.say(Forget("k"))
            assert client.check("k", "2/hour").source is Source.OWNER
            assert sidecar.accepted == 1

    def test_they_are_asked_about_each_time_if_that_is_wanted(self, sidecar: SidecarDouble) -> None:
        with BlockingClient(sidecar.address, budget=AMPLE, remember_denials=False) as client:
            sources = [client.check("k", "1/hour").source for _ in range(3)]
        assert sources == [Source.OWNER] * 3

    def test_threads_share_them(self, sidecar: SidecarDouble) -> None:
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            client.check("k", "1/hour")
            client.check("k", "1/hour")
            sidecar.forget()
            decided = in_threads(8, lambda _number: client.check("k", "1/hour"))
        assert {each.source for each in decided} == {Source.REMEMBERED}
        assert sidecar.frames == []


class TestUnreachable:
    @pytest.mark.parametrize("address", ["unix:{}/none", "127.0.0.1:1", "no.such.host.invalid:1"])
    @pytest.mark.parametrize(("policy", "allowed"), [("open", True), ("closed", False)])
    def test_a_policy_decides(
        self, tmp_path: Path, address: str, policy: str, allowed: bool
    ) -> None:
        with BlockingClient(address.format(tmp_path), on_unreachable=policy) as client:
            decided = [client.check("k", "1/hour") for _ in range(3)]
        assert [(each.allowed, each.source) for each in decided] == [(allowed, policy)] * 3

    @pytest.mark.parametrize("host", ["a..b", "h" * 300, "a\0b"])
    def test_nothing_is_raised_for_a_host_that_no_resolver_takes(self, host: str) -> None:
        with BlockingClient(f"{host}:1") as client:
            assert client.check("k", "1/hour").source is Source.OPEN

    def test_share(self, sidecar: SidecarDouble) -> None:
        """Alone, a process lets its node's share through, with the ring as it last knew it."""
        sidecar.members = [("a", "h:1"), ("b", "h:2")]
        with BlockingClient(sidecar.address, budget=AMPLE, on_unreachable="local") as client:
            client.check("other", "1/hour")
            sidecar.stop()
            decided = in_threads(16, lambda _number: client.check("k", SLOW.format(20)))
        assert sum(each.allowed for each in decided) == 10
        assert {each.source for each in decided} == {Source.LOCAL}

    def test_one_share_for_all_threads(self, tmp_path: Path) -> None:
        """The buckets of the share are no thread's own: they are locked whenever they are used."""
        with BlockingClient(f"unix:{tmp_path}/none", on_unreachable="local") as client:
            alone = client._shared.alone
            alone.fallback = Fallback("local", LockedBuckets(alone._lock))
            assert client.check("k", "5/minute").source is Source.LOCAL

    def test_hanging(self, sidecar: SidecarDouble) -> None:
        """A sidecar that hangs costs one caller its budget; the next are answered at once.

        With a budget each, 2,000 checks would take 40 seconds and send 2,000 frames.
        """
        with BlockingClient(sidecar.address, budget=SCANT) as client:
            until(lambda: client.check("k", "5/second").source is Source.OWNER)
            sidecar.forget()
            sidecar.freeze()
            decided = [client.check(f"k{number}", "5/minute") for number in range(2_000)]
        assert {each.source for each in decided} == {Source.OPEN}
        thaw_and_settle(sidecar)
        assert 1 <= sidecar.asked - 1 < 50

    def test_hanging_under_many_threads(self, sidecar: SidecarDouble) -> None:
        """However many threads ask: those under way wait once, and then one at a time."""
        with BlockingClient(sidecar.address, budget=SCANT) as client:
            until(lambda: client.check("k", "5/second").source is Source.OWNER)
            sidecar.freeze()

            def ask(number: int) -> Decision:
                return [client.check(f"k{number}", "5/minute") for _ in range(200)][-1]

            decided = in_threads(8, ask)
        assert {each.source for each in decided} == {Source.OPEN}
        thaw_and_settle(sidecar)
        assert sidecar.accepted < 60

    def test_a_sidecar_that_goes_on_is_asked_again(self, sidecar: SidecarDouble) -> None:
        with BlockingClient(sidecar.address, budget=SCANT) as client:
            until(lambda: client.check("k", SLOW.format(10**6)).source is Source.OWNER)
            sidecar.freeze()
            until(lambda: client.check("k", SLOW.format(10**6)).source is Source.OPEN)
            assert not asks_freely(client)
            sidecar.thaw()
            until(lambda: client.check("k", SLOW.format(10**6)).source is Source.OWNER)
            assert asks_freely(client)

    def test_late_answer(self, sidecar: SidecarDouble) -> None:
        """An answer that comes too late is never taken for the answer to another question."""
        with BlockingClient(sidecar.address, budget=SCANT, remember_denials=False) as client:
            until(lambda: client.check("spent", "1/hour").source is Source.OWNER)
            until(lambda: not client.check("spent", "1/hour").allowed)
            sidecar.freeze()
            assert client.check("spent", "1/hour").source is Source.OPEN
            accepted = sidecar.accepted
            sidecar.thaw()
            decided = client.check("fresh", "9/hour")
            until(lambda: client.check("fresh", "9/hour", 0).source is Source.OWNER)
            assert decided.allowed
            assert sidecar.accepted > accepted

    def test_interrupted(self, sidecar: SidecarDouble) -> None:
        """A probe that is interrupted (by a signal, say) leaves the next one to the next caller."""
        with BlockingClient(sidecar.address, budget=AMPLE) as client, interruptible():
            client.check("k", "5/minute")
            sidecar.stop()
            assert client.check("k", "5/minute").source is Source.OPEN
            sidecar.start()
            sidecar.hold(2)
            seen = len(sidecar.frames)

            def interrupt() -> None:
                sidecar.wait_for(lambda: len(sidecar.frames) > seen)
                os.kill(os.getpid(), signal.SIGUSR1)

            interrupter = threading.Thread(target=interrupt)
            interrupter.start()
            with pytest.raises(Interrupted):
                until(lambda: client.check("k", "5/minute").source is Source.OWNER)
            interrupter.join()
            sidecar.hold(0)
            assert client.check("k", "5/minute").source is Source.OWNER


def asks_freely(client: BlockingClient) -> bool:
    """Is the breaker closed? At the time 0 every pause is still going on."""
    return client._shared.breaker.enter(0) is Entry.FREE


class LockedBuckets(BucketTable):
    """Buckets that may only be used under a lock."""

    __slots__ = ("_lock",)

    def __init__(self, lock: threading.Lock) -> None:
        super().__init__()
        self._lock = lock

    def take(self, key: str, limits: Limits, cost: int, now: int) -> tuple[bool, list[int]]:
        assert self._lock.locked()
        return super().take(key, limits, cost, now)


def thaw_and_settle(sidecar: SidecarDouble) -> None:
    """Wait until a sidecar that was frozen has read everything that was sent to it meanwhile.

    Connections are accepted in the order in which they were made: after a check on a new one, all
    those before it are known, and each is gone once it was read to its end.
    """
    sidecar.thaw()
    with BlockingClient(sidecar.address, budget=AMPLE) as client:
        assert client.check("last", "1/hour").source is Source.OWNER
    sidecar.wait_for(lambda: not sidecar.connections)
