"""What a caller has of a reservation: in loops and threads, with a sidecar and without one."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidegate import BlockingClient, Client, ReservationError, RuleNotInForce, Unreachable
from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import parse_limits
from sidegate.client.holds import loop_reserving
from sidegate.client.holds.loop_reserving import LoopReservation
from sidegate.client.holds.reservation import HeldPart
from sidegate.client.holds.thread_reserving import ThreadReservation
from sidegate.client.holds.wanted_hold import WantedHold, hold_options, wanted_hold
from sidegate.client.memory import PROCESS
from sidegate.link.connection import Connection
from sidegate.protocol.holds.reservation_messages import Commit, Reserve
from sidegate.testing import isolated
from sidegate_sidecar.links.holds.reservation_answers import ReservationAnswers
from tests.support.in_process.cluster import client, cluster, eventually, eventually_answered
from tests.support.in_process.http_client import http
from tests.support.in_process.sidecar_double import SidecarDouble

DAY = "20000/day"
NOWHERE = "127.0.0.1:1"


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    """Begin with full buckets in this process."""
    PROCESS.reset()
    yield
    PROCESS.reset()


class Deaf(ReservationAnswers):
    """Hears questions, and answers none."""

    def __init__(self) -> None:
        self.asked: list[Reserve | Commit] = []

    def ask(self, connection: Connection, message: Reserve | Commit) -> None:
        """Hear one."""
        assert not connection.transport.is_closing()
        self.asked.append(message)


# --- without a sidecar


async def test_in_memory_it_is_as_with_a_sidecar() -> None:
    async with Client("memory") as asking:
        async with asking.reserve("k", DAY, 5_000) as held:
            assert held is not None
            assert held.decision.source is Source.MEMORY
            assert await held.add(1_000)
            assert held.held == 6_000
            held.actual = 700
        assert await asking.peek("k") == {DAY: 700}
        assert await asking.commit(held.id, 3) == (700, 5_300, 0)
        async with asking.reserve("k", DAY, 19_900) as denied:
            assert denied is None


def test_what_is_full_again_is_forgotten_also_where_nothing_is_checked() -> None:
    with isolated() as memory:
        asking = BlockingClient()
        for at in range(2_000):
            with asking.reserve(f"k{at}", "10/second", 5):
                pass
            memory.advance(1)
        assert len(memory._buckets) < 100


def test_threads_have_it_as_well() -> None:
    asking = BlockingClient("memory")
    reserving = asking.reserve("k", DAY, 5_000)
    with reserving as held:
        assert held is not None
        assert held.add(1_000)
        held.actual = 700
    assert asking.peek("k") == {DAY: 700}
    assert asking.commit(held.id, 3) == (700, 5_300, 0)
    with pytest.raises(ZeroDivisionError), asking.reserve_all([("a", DAY), ("b", DAY)], 50):
        raise ZeroDivisionError
    assert (asking.peek("a"), asking.peek("b")) == ({}, {})
    reserving = asking.reserve_all([("a", DAY), ("k", "20000/day burst 1000")], 1_001)
    with reserving as held:
        assert held is not None
        assert held.held == 1_000


def test_tests_move_its_time() -> None:
    with isolated() as memory:
        asking = BlockingClient()
        with asking.reserve("k", "100/year", 50, ttl=60) as held:
            assert held is not None
            memory.advance(60)
            assert memory.spent("k") in ({}, {"100/year": 50})
            assert not held.add(1)
            assert memory.spent("k") == {}
            held.actual = 30
        assert memory.spent("k") == {"100/year": 30}
        memory.advance(661)
        with pytest.raises(ReservationError, match="10 minutes ago") as caught:
            asking.commit(held.id, 5)
        assert caught.value.is_over


async def test_switched_off_all_is_let_through_and_nothing_held() -> None:
    async with Client("off") as asking, asking.reserve("k", DAY, 10**6) as held:
        assert held is not None
        assert (held.id, held.ids, held.held) == ("", [], 20_000)
        assert await held.add(10**6)
        assert await asking.commit(held.id, 5) == (5, 0, 0)


@pytest.mark.parametrize(("policy", "let_through"), [("open", True), ("closed", False)])
async def test_where_nobody_can_be_asked_it_goes_as_a_check_does(
    policy: str, *, let_through: bool
) -> None:
    async with Client(NOWHERE, on_unreachable=policy, budget=0.5, secret="") as asking:
        reserving = asking.reserve("k", DAY, 5_000)
        async with reserving as held:
            assert (held is not None) == let_through
        assert reserving.decision is not None
        assert reserving.decision.source == policy
        with pytest.raises(Unreachable):
            await asking.commit("r1.AAAA", 5)


def test_threads_that_cant_ask_lose_one_budget_and_go_on() -> None:
    asking = BlockingClient(NOWHERE, budget=0.5, secret="")
    with asking.reserve("k", DAY, 5_000) as held:
        assert held is not None
        assert held.id == ""
        assert held.add(5)


# --- with one


async def test_threads_and_loops_share_what_is_held() -> None:
    async with cluster("n1") as (node,), client(node) as asking:
        blocking = BlockingClient(str(node.link), budget=20.0, secret="")

        def in_a_thread() -> str:
            with blocking.reserve("k", DAY, 5_000, id="x") as held:
                assert held is not None
                held.actual = 1_200
                return held.id

        number = await asyncio.to_thread(in_a_thread)
        assert await asking.peek("k") == {DAY: 1_200}
        assert await asking.commit(number, 7) == (1_200, 3_800, 0)
        async with asking.reserve("k", DAY, 5_000, id="x") as held:
            assert held is not None
            assert held.id == number


async def test_who_is_cancelled_gives_all_back() -> None:
    """While the block runs, and while it is only asked for."""
    async with cluster("n1") as (node,), client(node) as asking:
        for steps in range(6):

            async def work() -> None:
                async with asking.reserve("k", DAY, 5_000):
                    await asyncio.Event().wait()

            task = asyncio.create_task(work())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

            async def spent() -> dict[str, int]:
                return await asking.peek("k")

            await eventually_answered(spent, lambda it: it == {})
        async with asking.reserve("k", DAY, 5_000) as held:
            assert held is not None


async def test_a_commit_that_gets_no_answer_is_said_again() -> None:
    """The sidecar is gone when the block ends, and another one has come in its place."""
    async with cluster("n1") as (first,), client(first, budget=0.3) as asking:
        async with asking.reserve("k", DAY, 5_000) as held:
            assert held is not None
            held.actual = 100
            first.sessions.reservations = deaf = Deaf()
        assert deaf.asked
        first.sessions.reservations = ReservationAnswers(first.node.reservations)
        await eventually(lambda: first.node.reservations.table.counts.committed == 1)
        assert await asking.peek("k") == {DAY: 100}


async def test_of_too_many_commits_without_an_answer_some_are_said_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As many as there is room for, also where all find out in the same turn of the loop."""
    monkeypatch.setattr(loop_reserving, "MAX_RETRYING", 2)
    async with cluster("n1") as (node,), client(node, budget=0.3) as asking:
        blocks = [asking.reserve(f"k{at}", DAY, 5_000) for at in range(6)]
        for block in blocks:
            assert await block.__aenter__() is not None
        node.sessions.reservations = deaf = Deaf()
        await asyncio.gather(*(block.__aexit__(None, None, None) for block in blocks))
        assert len(deaf.asked) >= 6
        node.sessions.reservations = ReservationAnswers(node.node.reservations)
        await eventually(lambda: node.node.reservations.table.counts.committed == 2)


async def test_a_reservation_of_one_loop_is_committed_in_another() -> None:
    async with cluster("n1") as (node,):
        asking = client(node)
        async with asking.reserve("k", DAY, 5_000) as held:
            assert held is not None
            await asyncio.to_thread(asyncio.run, _commit(asking, held.id))
        assert await asking.peek("k") == {DAY: 1_200}
        await asking.close()


async def _commit(asking: Client, number: str) -> None:
    assert await asking.commit(number, 1_200) == (1_200, 3_800, 0)


# --- more than once, and begun while nobody could be asked


async def test_what_was_denied_may_be_tried_again() -> None:
    async with Client("memory") as asking:
        reserving = asking.reserve("k", DAY, 5_000)
        async with asking.reserve("k", DAY, 20_000) as all_of_it, reserving as denied:
            assert all_of_it is not None
            assert denied is None
            all_of_it.actual = 0
        for _ in range(2):
            async with reserving as held:
                assert held is not None
                held.actual = 100
        assert await asking.peek("k") == {DAY: 200}


def let_through() -> WantedHold:
    """Return what is wanted of a rule in shadow, under an id of the caller's."""
    return wanted_hold("k", DAY, 500, hold_options(60, "mine", 1)).in_shadow()


async def test_more_of_what_was_let_through_is_held_and_committed() -> None:
    """In a loop; what was decided before isn't charged for that, nor given back."""
    async with Client("memory") as asking:
        session = asking._here()
        for actual, charged in ((None, 300), (650, 150), (400, 0)):
            PROCESS.reset()
            part = HeldPart(let_through(), decided(), "", 500)
            held = LoopReservation(session, [part])
            assert await held.add(100)
            assert await held.add(200)
            assert (held.held, await asking.peek("k")) == (800, {DAY: 300})
            held.actual = actual
            for number, used in held.commits(failed=False):
                await asking.commit(number, used)
            assert (await asking.peek("k")).get(DAY, 0) == charged


def test_so_it_is_in_a_thread() -> None:
    asking = BlockingClient("memory")
    part = HeldPart(let_through(), decided(), "", 500)
    held = ThreadReservation(asking._here(), [part])
    assert held.add(100)
    assert held.add(200)
    [(number, used)] = held.commits(failed=False)
    assert asking.commit(number, used) == (300, 0, 0)


def decided() -> Decision:
    """Return a decision that nobody who knows has made."""
    return Decision(True, parse_limits(DAY), 500, [], Source.OPEN)


def test_an_older_sidecar_still_decides_the_checks_of_threads() -> None:
    """It doesn't know reservations; that is no outage, which would let all checks through."""
    with SidecarDouble("127.0.0.1:0", level=2) as double:
        asking = BlockingClient(double.address, secret="", budget=5.0)
        for _ in range(3):
            with asking.reserve("k", DAY, 5_000) as held:
                assert held is not None
                assert held.id == ""
            assert asking.check("k", DAY).source is Source.OWNER
        asking.close()


# --- what can't be asked

WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"amount": -1}, ValueError, "amount=-1: expected 0 to"),
    ({"amount": 1.5}, TypeError, r"amount=1.5: expected a whole number"),
    ({"amount": True}, TypeError, "amount=True"),
    ({"amount": 2**60}, ValueError, "amount="),
    ({"ttl": 0}, ValueError, "ttl=0: expected 0.001 to 3,600 seconds"),
    ({"ttl": 3_601}, ValueError, "ttl=3601"),
    ({"ttl": float("nan")}, ValueError, "ttl=nan"),
    ({"ttl": "60"}, TypeError, "ttl='60': expected a number"),
    ({"id": ""}, ValueError, "id='': expected 1 to 128 characters"),
    ({"id": "x" * 129}, ValueError, "id='xxx"),
    ({"id": "a\nb"}, ValueError, "id='a"),
    ({"id": 7}, TypeError, "id=7: expected a text"),
    ({"max_fraction": 0}, ValueError, "max_fraction=0: expected above 0"),
    ({"max_fraction": 1.1}, ValueError, "max_fraction=1.1"),
    ({"key": "k" * 513}, ValueError, "expected at most 512 bytes"),
    ({"limits": "5/eon"}, ValueError, "unknown unit"),
]


@pytest.mark.parametrize(("given", "kind", "text"), WRONG)
async def test_what_cant_be_asked_raises_at_once(
    given: dict[str, Any], kind: type[Exception], text: str
) -> None:
    options: dict[str, Any] = {"key": "k", "limits": DAY, "amount": 5, **given}
    for asking in (Client("memory"), BlockingClient("memory")):
        with pytest.raises(kind, match=text):
            asking.reserve(**options)


async def test_so_do_too_many_keys_and_what_is_no_id() -> None:
    asking = Client("memory")
    for keys in ([], [("k", DAY)] * 9):
        with pytest.raises(ValueError, match="expected 1 to 8"):
            asking.reserve_all(keys, 5)
    for number in ("x" * 5_000, "\N{SNOWMAN}", "r1.AAAA"):
        with pytest.raises(ReservationError):
            await asking.commit(number, 5)
    with pytest.raises(TypeError, match="reservation_id=5"):
        await asking.commit(5, 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    async with asking.reserve("k", DAY, 5) as held:
        assert held is not None
        with pytest.raises(ValueError, match="actual=-1"):
            held.actual = -1


# --- by the name of a rule


async def test_a_rule_says_how_much_may_be_held(tmp_path: Path) -> None:
    """In loops, in threads, and over HTTP; a smaller part of the call's own counts."""
    file = tmp_path / "rules.yaml"
    file.write_text(
        "version: 1\nrules:\n  - {name: llm, limits: 20000/day, key: global, max_fraction: 50 %}\n"
    )
    async with cluster("n1", rules=str(file)) as (node,), client(node) as asking:
        async with asking.reserve("42", "@llm", 15_000) as held:
            assert held is not None
            assert held.held == 10_000
            held.actual = 0
        async with asking.reserve("42", "@llm", 15_000, max_fraction=0.1) as held:
            assert held is not None
            assert held.held == 2_000
            assert await asking.peek("llm:42") == {DAY: 2_000}
            held.actual = 0

        def in_a_thread() -> int:
            with (
                BlockingClient(str(node.link), budget=20.0, secret="") as blocking,
                blocking.reserve("42", "@llm", 15_000) as held,
            ):
                assert held is not None
                held.actual = 0
                return held.held

        assert await asyncio.to_thread(in_a_thread) == 10_000
        async with http(node) as over_http:
            body = {"key": "42", "limits": "@llm", "amount": 15_000}
            assert (await over_http.post("/v1/reserve", json=body)).json()["held"] == 10_000
        with pytest.raises(RuleNotInForce):
            async with asking.reserve("42", "@other", 5):
                pass
