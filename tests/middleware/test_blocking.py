"""The blocking client, against a real sidecar that hangs, dies and comes back on command."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headgate.blocking import BlockingClient
from headgate.breaker import Entry
from headgate.buckets import Buckets
from headgate.decision import Source
from headgate.errors import CheckError, CostError, KeyTooLong, LimitError
from headgate.fallback import Fallback
from headgate.options import Tls
from headgate.pool import MOST_LINES
from headgate.wire import Error, Ping, Pong, Roster
from tests.middleware.certificates import Authority
from tests.middleware.sidecar_double import PATIENCE, SidecarDouble

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from headgate.decision import Decision
    from headgate.limits import Limits

AMPLE = 10.0  # seconds of budget: for checks that are answered
SCANT = 0.02  # for those that aren't
SLOW = "{}/365 days"  # a limit that refills nothing during a test


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[SidecarDouble]:
    with SidecarDouble(f"unix:{tmp_path}/s") as double:
        yield double


def until(happens: Callable[[], bool]) -> None:
    """Ask again and again; each time something is asked of the client, which takes its time."""
    deadline = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < deadline, "it didn't happen"


def in_threads(count: int, work: Callable[[int], Decision]) -> list[Decision]:
    """Do the work in that many threads at the same time."""
    start = threading.Barrier(count)

    def together(number: int) -> Decision:
        start.wait(PATIENCE)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(together, range(count)))


class TestChecks:
    def test_decision(self, sidecar: SidecarDouble) -> None:
        """A check is charged to the bucket; the decision shows what is left."""
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            first = client.check("k", "5/minute", 2)
            peeked = client.check("k", "5 per 60 seconds", 0)
        assert (first.allowed, first.remaining, first.cost) == (True, 3, 2)
        assert (first.source, first.node) == (Source.OWNER, "double")
        assert peeked.remaining == 3

    def test_threads(self, sidecar: SidecarDouble) -> None:
        """16 threads admit exactly the limit, over no more lines than threads."""
        limits = SLOW.format(500)
        with BlockingClient(sidecar.address, budget=AMPLE, remember_denials=False) as client:

            def spend(_number: int) -> list[Decision]:
                return [client.check("k", limits) for _ in range(50)]

            with ThreadPoolExecutor(16) as pool:
                decided = [each for many in pool.map(spend, range(16)) for each in many]
        assert sum(each.allowed for each in decided) == 500
        assert {each.source for each in decided} == {Source.OWNER}
        assert len(sidecar.frames) == 800
        assert sidecar.accepted <= 16

    def test_lines_are_used_again(self, sidecar: SidecarDouble) -> None:
        """One thread needs one line, whatever it asks."""
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            for number in range(20):
                client.check(f"k{number}", "5/minute")
        assert sidecar.accepted == 1

    def test_more_threads_than_lines(self, sidecar: SidecarDouble) -> None:
        """Threads beyond the most lines that a process has take turns."""
        sidecar.hold(MOST_LINES)
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            decided = in_threads(MOST_LINES + 8, lambda n: client.check(f"k{n}", "5/minute"))
        assert {each.source for each in decided} == {Source.OWNER}
        assert sidecar.accepted == MOST_LINES

    def test_what_cannot_be_asked(self, sidecar: SidecarDouble) -> None:
        """A question that makes no sense raises at once; nothing is sent."""
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

    def test_what_the_sidecar_cannot_decide(self, sidecar: SidecarDouble) -> None:
        """A reason instead of an answer is raised, and the sidecar counts as there."""
        with BlockingClient(sidecar.address, budget=AMPLE, on_unreachable="closed") as client:
            client.check("k", "5/minute")
            sidecar.reason = "not today"
            with pytest.raises(CheckError, match="not today"):
                client.check("k", "5/minute")
            sidecar.reason = ""
            assert client.check("k", "5/minute").source is Source.OWNER
        assert sidecar.accepted == 1

    def test_reason_for_a_probe(self, sidecar: SidecarDouble) -> None:
        """So it does when that was the first check after a pause: all may ask again."""
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

    def test_ring_size(self, sidecar: SidecarDouble) -> None:
        """The client knows how many nodes there are, also when that changes while it is idle."""
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
    def test_remembered(self, sidecar: SidecarDouble) -> None:
        """A denial is repeated without a hop; another cost or key is asked about."""
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

    def test_not_remembered(self, sidecar: SidecarDouble) -> None:
        """They are asked about each time if that is wanted."""
        with BlockingClient(sidecar.address, budget=AMPLE, remember_denials=False) as client:
            sources = [client.check("k", "1/hour").source for _ in range(3)]
        assert sources == [Source.OWNER] * 3

    def test_threads(self, sidecar: SidecarDouble) -> None:
        """Threads share them."""
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
    def test_nobody_there(self, tmp_path: Path, address: str, policy: str, allowed: bool) -> None:
        """Without a sidecar the policy answers, and nothing is raised."""
        with BlockingClient(address.format(tmp_path), on_unreachable=policy) as client:
            decided = [client.check("k", "1/hour") for _ in range(3)]
        assert [(each.allowed, each.source) for each in decided] == [(allowed, policy)] * 3

    @pytest.mark.parametrize("host", ["a..b", "h" * 300, "a\0b"])
    def test_hosts_that_cannot_be(self, host: str) -> None:
        """Nor is anything raised for a host name that no resolver takes."""
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
            client.fallback = Fallback("local", LockedBuckets(client._process.lock))
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
        assert 1 <= len(sidecar.frames) - 1 < 50

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

    def test_recovery(self, sidecar: SidecarDouble) -> None:
        """A sidecar that goes on is asked again."""
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


class TestRestart:
    def test_idle_lines_break(self, sidecar: SidecarDouble) -> None:
        """Lines that broke while they were idle are replaced within the check: no fallback."""
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            in_threads(4, lambda number: client.check(f"k{number}", "5/minute"))
            sidecar.cut()
            decided = [client.check(f"k{number}", "5/minute") for number in range(4)]
        assert {each.source for each in decided} == {Source.OWNER}

    def test_same_path(self, sidecar: SidecarDouble) -> None:
        """A sidecar that is restarted on the same socket path is used at once."""
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            assert client.check("k", "1/hour").allowed
            sidecar.stop()
            sidecar.start()
            decided = client.check("k", "1/hour")
        assert (decided.source, decided.allowed) == (Source.OWNER, True)  # its memory is gone

    def test_while_asking(self, sidecar: SidecarDouble) -> None:
        """A check whose connection breaks before the answer is asked once more, not twice."""
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            client.check("k", "5/minute")
            sidecar.forget()
            sidecar.dropped = 1
            assert client.check("k", "5/minute").source is Source.OWNER
            assert len(sidecar.frames) == 2
            sidecar.forget()
            sidecar.dropped = 5
            assert client.check("k", "5/minute").source is Source.OPEN
            assert len(sidecar.frames) == 2

    def test_while_asking_on_a_new_line(self, sidecar: SidecarDouble) -> None:
        """If it was new, the sidecar can't have been restarted since: nothing is asked again."""
        sidecar.dropped = 5
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            assert client.check("k", "5/minute").source is Source.OPEN
        assert len(sidecar.frames) == 1

    def test_no_retry_after_a_timeout(self, sidecar: SidecarDouble) -> None:
        """After a timeout nothing is asked again: it may have been charged."""
        with BlockingClient(sidecar.address, budget=SCANT) as client:
            until(lambda: client.check("k", "5/second").source is Source.OWNER)
            sidecar.forget()
            sidecar.hold(9)
            assert client.check("k", "5/minute").source is Source.OPEN
        sidecar.wait_for(lambda: not sidecar.connections)
        assert len(sidecar.frames) == 1

    def test_other_lines_outlive_a_timeout(self, sidecar: SidecarDouble) -> None:
        """Only the line that timed out is given up: the next check takes another one there is."""
        with BlockingClient(sidecar.address, budget=1) as client:

            def two_lines() -> bool:
                sidecar.hold(2)
                asked = in_threads(2, lambda number: client.check(f"k{number}", "5/second"))
                return {each.source for each in asked} == {Source.OWNER}

            until(two_lines)
            accepted = sidecar.accepted
            sidecar.hold(9)
            assert client.check("k", "5/minute").source is Source.OPEN
            sidecar.hold(0)
            until(lambda: client.check("k", "5/minute").source is Source.OWNER)
        assert sidecar.accepted == accepted

    def test_refused_while_idle(self, sidecar: SidecarDouble) -> None:
        """A sidecar that took its leave of an idle line is dialled again."""
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            client.check("k", "5/minute")
            sidecar.say(Error("timeout", "you were silent for too long"))
            assert client.check("k", "5/minute").source is Source.OWNER
        assert sidecar.accepted == 2

    def test_close(self, sidecar: SidecarDouble) -> None:
        """Closing closes all connections; a check after it opens one again."""
        client = BlockingClient(sidecar.address, budget=AMPLE)
        in_threads(4, lambda number: client.check(f"k{number}", "5/minute"))
        client.close()
        sidecar.wait_for(lambda: not sidecar.connections)
        assert client.check("k", "5/minute").source is Source.OWNER
        client.close()

    def test_close_while_asking(self, sidecar: SidecarDouble) -> None:
        """A line that is in use is closed when its answer is there."""
        client = BlockingClient(sidecar.address, budget=AMPLE)
        sidecar.hold(2)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(client.check, "k", "5/minute")
            sidecar.wait_for(lambda: len(sidecar.frames) == 1)
            client.close()
            sidecar.hold(0)
            assert asked.result(PATIENCE).source is Source.OWNER
        sidecar.wait_for(lambda: not sidecar.connections)


class TestTrust:
    def test_tcp_with_a_secret(self) -> None:
        """Over TCP the same secret on both sides lets the client in."""
        with (
            SidecarDouble("127.0.0.1:0", secret=b"s3cret") as sidecar,
            BlockingClient(sidecar.address, budget=AMPLE, secret="s3cret") as client,
        ):
            assert client.check("k", "5/minute").source is Source.OWNER

    @pytest.mark.parametrize(
        ("theirs", "mine", "says"),
        [
            (b"s3cret", "wrong", "sidecar"),
            (b"s3cret", "", "sidecar"),
            (b"", "s3cret", "client"),
        ],
    )
    def test_wrong_secret(
        self, theirs: bytes, mine: str, says: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Without it the policy answers, and the log says why, once; the sidecar learns it too."""
        with (
            caplog.at_level(logging.WARNING, "headgate"),
            SidecarDouble("127.0.0.1:0", secret=theirs) as sidecar,
            BlockingClient(sidecar.address, budget=AMPLE, secret=mine) as client,
        ):
            accepted = sidecar.accepted
            until(lambda: bool(client.check("k", "5/minute")) and sidecar.accepted > accepted + 2)
            assert client.check("k", "5/minute").source is Source.OPEN
            sidecar.wait_for(lambda: len(sidecar.errors) > 0)
        (told,) = caplog.messages
        assert (
            told == f"sidecar {sidecar.address}: the two sides don't have the same secret (secret)"
        )
        assert {type(error).__name__ for error in sidecar.errors} == {
            "WireError" if says == "sidecar" else "Refused"
        }

    def test_tls(self, tmp_path: Path) -> None:
        """Over TLS both sides show certificates of the same authority."""
        authority = Authority()
        theirs = authority.issue(tmp_path / "sidecar", "sidecar")
        mine = authority.issue(tmp_path / "app", "app")
        with (
            SidecarDouble("127.0.0.1:0", tls=theirs) as sidecar,
            BlockingClient(sidecar.address, budget=AMPLE, tls=mine) as client,
        ):
            decided = in_threads(4, lambda _number: client.check("k", "5/minute"))
            assert sum(each.source is Source.OWNER for each in decided) == 4
            sidecar.freeze()
            with BlockingClient(sidecar.address, budget=SCANT, tls=mine) as hasty:
                assert hasty.check("k", "5/minute").source is Source.OPEN
            sidecar.thaw()
            assert client.check("k", "5/minute").source is Source.OWNER

    def test_other_authority(self, tmp_path: Path) -> None:
        """A certificate of another authority lets nobody in, on either side."""
        theirs = Authority("ours").issue(tmp_path / "sidecar", "sidecar")
        mine = Authority("another").issue(tmp_path / "app", "app")
        half = Tls(mine.cert, mine.key, theirs.ca)
        with SidecarDouble("127.0.0.1:0", tls=theirs) as sidecar:
            for tls in (mine, half, None):
                with BlockingClient(sidecar.address, budget=1, tls=tls) as client:
                    assert client.check("k", "5/minute").source is Source.OPEN

    def test_renewed_certificates(self, tmp_path: Path) -> None:
        """Certificates that were replaced are used by the next connection."""
        theirs = Authority("new").issue(tmp_path / "sidecar", "sidecar")
        mine = Authority("old").issue(tmp_path / "app", "app")
        with (
            SidecarDouble("127.0.0.1:0", tls=theirs) as sidecar,
            BlockingClient(sidecar.address, budget=1, tls=mine) as client,
        ):
            assert client.check("k", "5/minute").source is Source.OPEN
            for file in ("cert", "key", "ca"):
                Path(getattr(mine, file)).write_bytes(Path(getattr(theirs, file)).read_bytes())
            until(lambda: client.check("k", "5/minute", 0).source is Source.OWNER)


class TestProcesses:
    def test_fork(self, sidecar: SidecarDouble) -> None:
        """Parent and child both go on after a fork: each on its own line, whatever was locked."""
        said = run("in_fork.py", sidecar.address)
        assert said == ["parent OOOOO", "child OOOOO", "no file more", "parent OOOOO"]
        assert sum(len(frame.checks) for frame in sidecar.frames) == 15
        assert sidecar.accepted == 2
        assert not sidecar.errors

    def test_gevent(self, sidecar: SidecarDouble) -> None:
        """Under gevent 50 checks are under way in one thread at once, and none blocks the hub."""
        sidecar.hold(50)
        assert run("in_gevent.py", sidecar.address) == ["owner 50", "threads 1"]

    def test_gevent_with_tls(self, tmp_path: Path) -> None:
        """So it is over TLS."""
        tls = Authority().issue(tmp_path, "both")
        with SidecarDouble("127.0.0.1:0", tls=tls) as sidecar:
            sidecar.hold(50)
            said = run("in_gevent.py", sidecar.address, tls.cert, tls.key, tls.ca)
        assert said == ["owner 50", "threads 1"]


def run(script: str, *arguments: str) -> list[str]:
    """Run a script of this folder; return the lines that it prints."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name(script), *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def asks_freely(client: BlockingClient) -> bool:
    """Is the breaker closed? At the time 0 every pause is still going on."""
    return client._process.breaker.enter(0) is Entry.FREE


class LockedBuckets(Buckets):
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


class Interrupted(Exception):  # noqa: N818  # named for what happened
    """What a signal does to whatever is going on."""


@contextmanager
def interruptible() -> Generator[None]:
    """Let SIGUSR1 interrupt the main thread."""

    def handle(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, handle)
    yield
    signal.signal(signal.SIGUSR1, before)
