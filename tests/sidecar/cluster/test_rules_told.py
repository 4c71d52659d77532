"""Each node's rules are known to all of them: from when they meet, and at once when they change."""

from pathlib import Path

import pytest

import sidegate_sidecar.in_force
from sidegate.protocol.messages import Gossip
from sidegate_ring.membership.membership import SwimKind
from sidegate_sidecar.process import Process
from tests.support.in_memory.clusters import Room
from tests.support.in_process.beside import ring_with_puppet
from tests.support.in_process.cluster import cluster, config, eventually
from tests.support.in_process.http_client import http
from tests.support.in_process.older import older_puppet


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two files that mean the same, which are looked at all the time."""
    monkeypatch.setattr(sidegate_sidecar.in_force, "SETTLED_AFTER", 0.001)
    monkeypatch.setattr(sidegate_sidecar.in_force, "LOOK_EVERY", 0.01)
    files = [tmp_path / name for name in ("one.yaml", "two.yaml")]
    for file in files:
        put(file, "5/minute")
    return files


def put(file: Path, limits: str) -> None:
    new = file.with_suffix(".new")
    new.write_text(f"version: 1\nrules: [{{name: api, limits: {limits}}}]\n")
    new.rename(file)


def held(node: Process, *names: str) -> list[str | None]:
    return [node.cluster.rules.of(name) for name in names]


async def test_all_nodes_show_which_rules_each_has(files: list[Path]) -> None:
    first, second = files
    async with (
        cluster("n1", rules=str(first)) as (one,),
        Process(config("n2", seeds=(one.link,), rules=str(second))) as two,
        Process(config("n3", seeds=(one.link,))) as three,
    ):
        nodes = (one, two, three)
        digest = one.cluster.rules.mine
        same = [digest, digest, ""]
        await eventually(lambda: all(held(it, "n1", "n2", "n3") == same for it in nodes))
        put(second, "50/minute")
        await eventually(lambda: one.cluster.rules.versions() == 3)
        async with http(three) as client:
            answer = (await client.get("/v1/nodes")).json()
        shown = {it["name"]: it["rules"] for it in answer["nodes"]}
        assert shown == {"n1": digest, "n2": two.cluster.rules.mine, "n3": ""}
        assert answer["rules_versions"] == 3
        put(first, "50/minute")
        await eventually(lambda: all(node.cluster.rules.versions() == 2 for node in nodes))


def test_a_change_is_told_to_all_at_once_without_a_tick() -> None:
    room = Room("abc")
    room.run(0.5)
    room["a"].hold_rules("new")
    room.deliver()
    assert [room[name].rules.of("a") for name in "abc"] == ["new"] * 3


def test_who_was_out_of_reach_is_told_when_it_is_met_again() -> None:
    room = Room("ab")
    room.run(0.5)
    room.disconnect("a", "b")
    room["a"].hold_rules("new")
    assert room["b"].rules.of("a") == ""
    room.connect("a", "b")
    room.deliver()
    assert room["b"].rules.of("a") == "new"


def test_what_a_dead_node_had_counts_no_more_and_late_words_of_it_neither() -> None:
    room = Room("abc")
    room["b"].hold_rules("other")
    room.run(0.5)
    assert room["a"].rules.versions() == 2
    room.crash("b")
    room.run_until(lambda: room["a"].ring.nodes == ("a", "c"))
    late = Gossip(int(SwimKind.RUMORS), 0, "", "", [], "other")
    room["a"].step("b", late, room.now)
    assert room["a"].rules.versions() == 1


async def test_of_a_node_that_does_not_say_they_are_unknown() -> None:
    async with (
        older_puppet() as other,
        Process(config("n1", seeds=(other.address,))) as node,
        http(node) as client,
    ):
        await eventually(lambda: "n2" in node.cluster.ring)
        answer = (await client.get("/v1/nodes")).json()
    assert [it["rules"] for it in answer["nodes"]] == ["", None]
    assert answer["rules_versions"] == 1


async def test_a_digest_that_is_none_ends_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with ring_with_puppet() as (one, other, _, _):
        await other.say(Gossip(int(SwimKind.RUMORS), 0, "", "", [], "x" * 65))
        await eventually(lambda: "Expected `str` of length <= 64" in caplog.text)
        assert one.cluster.rules.of("puppet") is None
