"""`sidegate leave` and POST /v1/leave: the buckets go on, and so does the node, as a forwarder."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from sidegate.protocol.messages import Merged, Message, NodeMessage, Pulled
from sidegate_ring.membership.membership import Member
from sidegate_sidecar.cli import api_client as remote
from sidegate_sidecar.cluster.cluster import Stage
from sidegate_sidecar.cluster.place.handover import ALONE, NO_HEIR, OVERDUE
from sidegate_sidecar.process import Process, _leave
from tests.support.in_process.cluster import are_one_ring, client, cluster, config, eventually
from tests.support.in_process.commands import Run
from tests.support.in_process.http_client import charged, check, http, problem

LEFT = {
    "name": "n1",
    "left": True,
    "handed_over": 1_234,
    "not_taken": 0,
    "seconds": 0.2104,
    "why": "",
}
NOT_LEFT = {
    "name": "n1\x1b[31m",
    "left": False,
    "handed_over": 1,
    "not_taken": 2_345,
    "seconds": 10.0,
    "why": OVERDUE,
}


# --- what the command says, of a sidecar that answers what the test wants


@asynccontextmanager
async def answering(content: object, *, slowly: bool = False) -> "AsyncGenerator[Answering]":
    """Answer every request with this; slowly: only when it is told to."""
    server = Answering(content)
    if not slowly:
        server.go_on.set()
    async with await asyncio.start_server(server.answer, "127.0.0.1", 0) as listening:
        server.address = "127.0.0.1:{1}".format(*listening.sockets[0].getsockname())
        yield server


class Answering:
    """A server that notes what it is asked."""

    def __init__(self, content: object) -> None:
        self.address = ""
        self.asked = b""
        self.go_on = asyncio.Event()
        self._body = json.dumps(content).encode()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        self.asked = await reader.readuntil(b"\r\n\r\n")
        await self.go_on.wait()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(self._body) + self._body)
        await writer.drain()
        writer.close()


async def test_leaving_is_told_in_a_sentence(run: Run) -> None:
    """A node that left: 0, and what it handed over."""
    async with answering(LEFT) as server:
        ending = await asyncio.to_thread(run, "leave", "--http", server.address)
    assert server.asked.startswith(b"POST /v1/leave HTTP/1.1\r\n")
    assert (ending.code, ending.err) == (0, "")
    assert ending.out == (
        "n1 left the ring, and goes on forwarding checks: 1,234 buckets handed over in 210 ms\n"
    )


async def test_not_having_left_is_no_success(run: Run) -> None:
    """A node that didn't get done: 1, whether people or scripts read the answer."""
    async with answering(NOT_LEFT) as server:
        ending = await asyncio.to_thread(run, "leave", "--http", server.address)
        as_json = await asyncio.to_thread(run, "leave", "--http", server.address, "--json")
    assert (ending.code, as_json.code) == (1, 1)
    assert ending.out == (
        f"n1\\x1b[31m did not leave: {OVERDUE}; 1 bucket handed over, 2,345 not, in 10 s\n"
    )
    assert json.loads(as_json.out) == NOT_LEFT


async def test_leaving_may_take_as_long_as_the_drain(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command waits for the drain beyond what it waits for other answers."""
    monkeypatch.setattr(remote, "TIMEOUT", 0.01)
    async with answering(LEFT, slowly=True) as server:
        hasty = await asyncio.to_thread(run, "leave", "--http", server.address, "--drain", "0.02")
        assert hasty.code == 3
        assert f"no answer from http://{server.address} within 0.03 s" in hasty.complaint
        monkeypatch.setenv("SIDEGATE_DRAIN", "20")
        server.asked = b""
        leaving = asyncio.create_task(asyncio.to_thread(run, "leave", "--http", server.address))
        await eventually(lambda: server.asked)
        server.go_on.set()
        assert (await leaving).code == 0


# --- real sidecars


async def owner_of(asking: httpx2.AsyncClient, key: str) -> str:
    """Return the name of the node that owns a key, as the one asked sees it."""
    return str((await asking.get("/v1/owner", params={"key": key})).json()["owner"])


async def test_a_node_leaves_and_goes_on_forwarding() -> None:
    """What it owned is with the others, who decide from there on; it still answers apps."""
    async with cluster("n1", "n2") as (one, two), http(one) as asking:
        keys = [f"k{at}" for at in range(20)]
        for key in keys:
            await check(asking, key, "10/hour", cost=4)
        owned = [await owner_of(asking, key) for key in keys].count("n1")
        assert 0 < owned < len(keys)
        answer = await asking.post("/v1/leave")
        assert answer.status_code == 200
        body = answer.json()
        assert body.pop("seconds") >= 0
        expected = {"left": True, "handed_over": owned, "not_taken": 0, "why": ""}
        assert body == {"name": "n1", **expected}
        async with client(one) as app:
            decisions = [await app.check(key, "10/hour") for key in keys]
        assert {decision.remaining for decision in decisions} == {5}
        assert {str(decision.source) for decision in decisions} == {"owner"}
        assert {await owner_of(asking, key) for key in keys} == {two.config.name}


async def test_a_node_that_never_had_another_stays_at_once(run: Run) -> None:
    """It says that it has not left, and why; and goes on deciding what it is asked."""
    async with cluster("n1") as (node,):
        charged(node, "k", "10/hour", 4)
        ending = await asyncio.to_thread(run, "leave", "--http", str(node.http), "--json")
        async with client(node) as app:
            decision = await app.check("k", "10/hour")
    assert ending.code == 1
    answer = json.loads(ending.out)
    assert answer.pop("seconds") >= 0
    unmoved = {"left": False, "handed_over": 0, "not_taken": 1, "why": ALONE}
    assert answer == {"name": "n1", **unmoved}
    assert (str(decision.source), decision.remaining) == ("owner", 5)
    assert node.ready


async def test_the_last_node_decides_while_it_waits_and_stays_when_nobody_comes() -> None:
    """It had others once; none comes in time, and it is a member as before."""
    async with cluster("n1", "n2", drain=1.0) as (one, two), http(one) as asking:
        keys = [f"k{at}" for at in range(20)]
        for key in keys:
            await check(asking, key, "10/hour", cost=4)
        assert (await two.leave()).left
        await two.depart()
        leaving = asyncio.create_task(asking.post("/v1/leave"))
        await eventually(lambda: one.cluster.stage is Stage.WAITING)
        async with client(one) as app:
            decisions = [await app.check(key, "10/hour") for key in keys]
        assert {(str(it.source), it.remaining) for it in decisions} == {("owner", 5)}
        body = (await leaving).json()
        assert body["left"] is False
        assert (body["handed_over"], body["not_taken"], body["why"]) == (0, len(keys), NO_HEIR)
        assert one.cluster.stage is Stage.MEMBER


async def test_nodes_that_go_together_lose_nothing_if_one_comes_meanwhile() -> None:
    """Three are told to go in the same moment; a newcomer has what all of them knew."""
    async with cluster("n1", "n2", "n3") as nodes, http(nodes[0]) as asking:
        keys = [f"k{at}" for at in range(40)]
        for key in keys:
            await check(asking, key, "10/hour", cost=4)
        going = [asyncio.create_task(node.leave()) for node in nodes]
        await eventually(lambda: any(it.cluster.stage is Stage.WAITING for it in nodes))
        [last] = [it for it in nodes if it.cluster.stage is Stage.WAITING]
        async with Process(config("new", seeds=(last.link,))) as new, client(new) as app:
            departures = await asyncio.gather(*going)
            await eventually(lambda: new.cluster.ring.nodes == ("new",))
            decisions = [await app.check(key, "10/hour") for key in keys]
    assert all(it.left and not it.not_taken for it in departures)
    assert sum(it.handed_over for it in departures) >= len(keys)
    assert {(str(it.source), it.remaining) for it in decisions} == {("owner", 5)}


async def test_the_last_one_is_there_for_those_who_know_only_its_address() -> None:
    """One that starts a moment later finds the first newcomer by way of it."""
    async with cluster("n1", "n2") as (one, two):
        assert (await two.leave()).left
        await two.depart()
        ending = asyncio.create_task(_leave(one))
        await eventually(lambda: one.cluster.stage is Stage.WAITING)
        async with Process(config("n3", seeds=(one.link,))) as first:
            await eventually(lambda: one.cluster.stage is Stage.LEAF)
            assert not ending.done()
            async with Process(config("n4", seeds=(one.link,))) as second:
                await eventually(lambda: second.cluster.ring.nodes == ("n3", "n4"))
                assert await ending == 0
                await eventually(lambda: are_one_ring([first, second]))


async def test_what_others_have_not_merged_is_not_counted_as_handed_over() -> None:
    """A node that hears no Merged says how many buckets it still owes."""
    async with cluster("n1", "n2", drain=1.0) as (one, two):
        keys = [f"k{at}" for at in range(40)]
        mine = [key for key in keys if one.cluster.ring.owner(key) == "n1"]
        two.cluster.transport = Deaf(two)
        for key in keys:
            charged(one, key, "10/hour", 4)
        one.cluster.sync.changed.update((key, "10/hour", 4) for key in mine)
        departure = await one.leave()
    assert not departure.left
    assert (departure.handed_over, departure.not_taken) == (0, len(mine))
    assert departure.why == OVERDUE


async def test_what_is_sent_to_others_after_it_was_handed_over_is_not_counted_as_missing() -> None:
    """Newcomers ask a node that has just left for its buckets too."""
    async with cluster("n1", "n2") as (one, _):
        keys = [f"k{at}" for at in range(40)]
        mine = [key for key in keys if one.cluster.ring.owner(key) == "n1"]
        for key in keys:
            charged(one, key, "10/hour", 4)
        staged = one.cluster.place.on_stage

        def send_again(stage: Stage) -> None:
            if stage is Stage.LEAF:
                one.cluster.sync.changed.update((key, "10/hour", 4) for key in mine)
            staged(stage)

        one.cluster.place.on_stage = send_again
        departure = await one.leave()
    assert departure.left
    assert (departure.handed_over, departure.not_taken, departure.why) == (len(mine), 0, "")


class Deaf:
    """The transport of a node that says everything but that it has merged what it was sent."""

    def __init__(self, node: Process) -> None:
        self._node = node

    def post(self, name: str, message: NodeMessage, /) -> None:
        """Send anything else."""
        if not isinstance(message, Merged | Pulled):
            self._node.peers.post(name, message)

    def is_up(self, name: str, /) -> bool:
        """Ask the real one."""
        return self._node.peers.is_up(name)

    def lacks(self, name: str, kind: type[Message], /) -> str:
        """Ask the real one."""
        return self._node.peers.lacks(name, kind)

    def members_changed(self, changed: list[Member], /) -> None:
        """Tell the real one."""
        self._node.peers.members_changed(changed)


async def test_to_leave_twice_does_no_harm() -> None:
    """A node that is off the ring says so again."""
    async with cluster("n1", "n2") as (one, _), http(one) as asking:
        answers: list[Any] = [(await asking.post("/v1/leave")).json() for _ in range(2)]
    assert [answer["left"] for answer in answers] == [True, True]
    assert answers[1]["handed_over"] == 0


async def test_leaving_needs_the_secret() -> None:
    """Nobody without it takes a node off the ring."""
    async with cluster("n1", "n2", secret=b"sesame") as (one, _), http(one) as asking:
        problem(await asking.post("/v1/leave"), 401)
        answer = await asking.post("/v1/leave", headers={"Authorization": "Bearer sesame"})
    assert answer.json()["left"] is True
