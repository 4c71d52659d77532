"""What a process decides without its sidecar: by the policy, or by its share; counted and told."""

import logging
import time
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import parse_limits
from sidegate.client.blocking import BlockingClient
from sidegate.client.shared import Shared
from sidegate.client.unreachable.alone import Alone
from sidegate.client.unreachable.breaker import Entry
from sidegate.link.address import parse_address
from sidegate.link.blocking.exchange import Question
from sidegate.link.endpoint import Endpoint
from sidegate.protocol.handshake import Identity
from sidegate.protocol.outcome_messages import Outcomes
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.waiting import AMPLE, until

LIMITS = parse_limits("2/365 days")
ABSENT = "unix:/none/there/is"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING, "sidegate")
    return caplog


@contextmanager
def sharing(
    address: str, policy: str = "open", budget: float = AMPLE, fault: str = ""
) -> Generator[Shared]:
    options = Endpoint(parse_address(address), budget, Identity("app", "a", ""), None, fault)
    shared = Shared(options, Alone(address, policy), None)
    try:
        yield shared
    finally:
        shared.close()


def decide(shared: Shared, age: float = 0.0) -> Decision:
    return shared.decide(Question(("k", LIMITS.text, 1), time.monotonic() - age), LIMITS)


class TestOutages:
    def test_it_is_said_once(self, sidecar: SidecarDouble, log: pytest.LogCaptureFixture) -> None:
        with sharing(sidecar.address) as shared:
            sidecar.stop()
            assert {decide(shared).source for _ in range(5)} == {Source.OPEN}
            assert len(log.messages) == 1
            assert log.messages[0].startswith("sidegate: not limiting: no answer from the sidecar")
            sidecar.start()
            until(lambda: decide(shared).source is Source.OWNER)
            decide(shared)
        assert len(log.messages) == 2
        assert log.messages[1].startswith("sidegate: limiting again: ")

    def test_faults_ask_nobody(self, sidecar: SidecarDouble, log: pytest.LogCaptureFixture) -> None:
        with sharing(sidecar.address, "closed", fault="the secret file is empty") as shared:
            assert [decide(shared).source for _ in range(3)] == [Source.CLOSED] * 3
        assert sidecar.accepted == 0
        (told,) = log.messages
        assert told.startswith("sidegate: refusing what is limited: ")
        assert "(the secret file is empty)" in told


class TestShares:
    @pytest.mark.parametrize("policy", ["open", "closed", "local"])
    def test_own_trouble(
        self, sidecar: SidecarDouble, log: pytest.LogCaptureFixture, policy: str
    ) -> None:
        """A process that is too busy decides by its share, whatever the policy, and says so once.

        The breaker stays closed: the next check is the sidecar's.
        """
        sidecar.members = [("a", "h:1"), ("b", "h:2")]
        with sharing(sidecar.address, policy) as shared:
            until(lambda: decide(shared).source is Source.OWNER)
            sidecar.hold(99)
            decided = [decide(shared, age=1e6) for _ in range(3)]
            sidecar.hold(0)
            assert decide(shared).source is Source.OWNER
        assert {each.source for each in decided} == {Source.LOCAL}
        assert [each.allowed for each in decided] == [True, False, False]  # half of 2
        (told,) = log.messages
        assert told.startswith("sidegate: 1 check was decided by this process's share")
        assert told.endswith("this process is too busy to hear its sidecar in time")

    def test_a_troubled_probe_leaves_it_to_the_next_check(self, sidecar: SidecarDouble) -> None:
        with sharing(sidecar.address) as shared:
            sidecar.stop()
            assert decide(shared).source is Source.OPEN
            sidecar.start()
            sidecar.hold(99)
            until(lambda: decide(shared, age=1e6).source is Source.LOCAL)
            sidecar.hold(0)
            assert decide(shared).source is Source.OWNER


class TestOutcomes:
    def test_reported(self, sidecar: SidecarDouble) -> None:
        """The sidecar hears what was decided without it, once it has answered again."""
        with BlockingClient(sidecar.address, budget=AMPLE, lease=False) as client:
            client.check("k", "5/minute")
            sidecar.stop()
            opened = [client.check("k", "5/minute").source for _ in range(3)].count(Source.OPEN)
            client.count("key-error")
            sidecar.start()

            def answered() -> bool:
                nonlocal opened
                source = client.check("k", "500/minute").source
                opened += source is Source.OPEN
                return source is Source.OWNER

            until(answered)
            assert sidecar.heard == []
            client.check("k", "500/minute")
            told = Outcomes([("open", opened), ("key-error", 1)], [("k", "open", 1, opened, 0)])
            assert sidecar.heard == [told]

    def test_a_sidecar_that_decides_everything_hears_nothing(self, sidecar: SidecarDouble) -> None:
        with BlockingClient(sidecar.address, budget=AMPLE, lease=False) as client:
            for _ in range(5):
                client.check("k", "500/minute")
        assert sidecar.heard == []

    def test_a_sidecar_that_does_not_know_them(self, sidecar: SidecarDouble) -> None:
        """One of an earlier release closes the connection: the check is asked on another one."""
        sidecar.knows_outcomes = False
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            client.check("k", "500/minute")
            client.count("key-error")
            assert client.check("k", "500/minute").source is Source.OWNER
        assert sidecar.accepted == 2

    def test_what_is_no_outcome_is_an_error(self) -> None:
        with BlockingClient(ABSENT) as client, pytest.raises(ValueError, match="'ajar'"):
            client.count("ajar")


def test_a_source_that_nobody_knows_is_the_sidecars_fault(sidecar: SidecarDouble) -> None:
    with sharing(sidecar.address) as shared:
        decide(shared)
        sidecar.source = "oracle"
        assert decide(shared).source is Source.OPEN
        assert shared.breaker.enter(0) is Entry.REFUSED
