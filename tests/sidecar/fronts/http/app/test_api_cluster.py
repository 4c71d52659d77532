"""The HTTP API about the cluster: keys, their owners, the nodes, and probes."""

import asyncio
from typing import Any

import httpx2
import pytest

from sidegate.link.health import LinkState
from sidegate.protocol.messages import Holdings, Inspect
from sidegate.version import __version__
from sidegate_sidecar.config import Role
from sidegate_sidecar.fronts.http.app.models import Syncing
from sidegate_sidecar.process import Process
from tests.support.in_process.beside import ring_with_puppet
from tests.support.in_process.cluster import are_one_ring, cluster, config, eventually, key_of
from tests.support.in_process.http_client import charged, check, http, path_of, problem, silent_seed
from tests.support.in_process.puppet_members import news

pytestmark = pytest.mark.asyncio(loop_scope="module")


# --- keys

STRANGE = [
    "customer-7",
    "",
    "a/b",
    "/a//b/",
    "100%",
    "100%25",
    "?q=1&r=2",
    "a#b",
    "a b+c",
    "ключ-😀",
    ".",
    "..",
    "a/../b",
    "line\nbreak",
    "ends\n",
    "\x00",
    ";:@=,'\"\\",
    "k" * 512,
]


@pytest.mark.parametrize("key", STRANGE, ids=ascii)
async def test_any_key_can_be_looked_at_and_reset(key: str, client: httpx2.AsyncClient) -> None:
    """Whatever is in a key, its buckets are found, and it alone is reset."""
    await check(client, key, "5/hour", cost=2)
    await check(client, "another", "5/hour", cost=2)
    seen = (await client.get(path_of(key))).json()
    reset = (await client.delete(path_of(key))).json()
    after = (await client.get(path_of(key))).json()
    left = (await client.get(path_of("another"))).json()
    for answer, buckets, expected in (
        (seen, "buckets", [3]),
        (reset, "forgotten", [3]),
        (after, "buckets", []),
    ):
        assert (answer["key"], answer["owner"]) == (key, "n1")
        assert [bucket["remaining"] for bucket in answer[buckets]] == expected
    assert len(left["buckets"]) == 1


async def test_slashes_in_a_key_need_no_escape(client: httpx2.AsyncClient) -> None:
    """A key may stand in the path as it is, if it is made of path segments."""
    assert (await client.get("/v1/keys/a/b/c")).json()["key"] == "a/b/c"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_keys_that_no_node_holds_are_refused(method: str, client: httpx2.AsyncClient) -> None:
    """A key that is too long, or not UTF-8, is named as bad input."""
    for path, words in (
        (path_of("ä" * 257), "514 bytes: expected at most 512"),
        ("/v1/keys/%ff", "expected UTF-8"),
    ):
        answer = problem(await client.request(method, path), 422)
        assert [error["field"] for error in answer["errors"]] == ["key"]
        assert words in answer["detail"]


async def test_buckets_are_those_on_the_owner() -> None:
    """Whichever node is asked, all buckets of the key are shown, and forgotten on its owner."""
    async with cluster("n1", "n2") as (one, two), http(one) as client:
        key = key_of("n2", one.cluster.ring)
        charged(two, key, "10/hour; 1000/day burst 20", 5)
        seen = (await client.get(path_of(key))).json()
        await client.delete(path_of(key))
        assert two.node.buckets.held(key, two.node.clock()) == []
    assert seen["owner"] == "n2"
    first, second = sorted(seen["buckets"], key=lambda bucket: str(bucket["limit"]))
    assert 431 < second.pop("reset_after") <= 432
    assert 1799 < first.pop("reset_after") <= 1800
    assert first == {"limit": "10/hour", "burst": 10, "remaining": 5}
    assert second == {"limit": "1000/day burst 20", "burst": 20, "remaining": 15}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_keys_of_an_owner_out_of_reach_are_a_503(method: str) -> None:
    """When nobody can be asked there is no answer to give, and the owner is named."""
    async with ring_with_puppet(budget=0.05, role=Role.LEAF) as (_, _, client, key):
        answer = problem(await client.request(method, path_of(key)), 503)
    assert answer["detail"] == "puppet owns this key and can't be asked now"


async def test_a_silent_owner_is_stood_in_for_by_its_backup() -> None:
    """The copy of the bucket at the backup is shown, and forgotten."""
    async with ring_with_puppet(budget=0.05) as (_, _, client, key):
        await client.get("/v1/nodes")  # to load the app takes longer than that
        await check(client, key, "10/hour", cost=4)  # nobody answers but this node
        seen = (await client.get(path_of(key))).json()
        reset = (await client.delete(path_of(key))).json()
        after = (await client.get(path_of(key))).json()
    assert [answer["owner"] for answer in (seen, reset, after)] == ["puppet"] * 3
    assert [it["remaining"] for it in seen["buckets"] + reset["forgotten"]] == [6, 6]
    assert after["buckets"] == []


async def test_an_owner_that_could_not_ask_either_is_a_503() -> None:
    """A node that is asked for a key of a third one, and can't reach it, doesn't make it empty."""
    async with ring_with_puppet() as (_, other, client, key):
        asking = asyncio.create_task(client.get(path_of(key)))
        asked = await other.hear(Inspect)
        await other.say(Holdings(asked.id, "open", "", []))
        problem(await asking, 503)


# --- the cluster


async def test_nodes_are_shown() -> None:
    """All nodes of the ring, with what this one knows of them."""
    async with cluster("n2", "n1") as (two, one), http(one) as client:
        charged(one, key_of("n1", one.cluster.ring), "5/hour", 1)
        answer = (await client.get("/v1/nodes")).json()
        digest, ring = one.cluster.ring.digest, one.cluster.ring
    assert answer.pop("nodes") == [
        {
            "name": node.config.name,
            "address": str(node.link),
            "state": "up",
            "life": "alive",
            "incarnation": node.cluster.membership.me.incarnation,
            "owner": True,
            "zone": "",
            "share": ring.share(node.config.name),
            "ring": digest,
            "rules": "",
            "refusal": "",
        }
        for node in (one, two)
    ]
    assert answer.pop("strangers") == []
    assert answer.pop("sync").keys() == Syncing.model_fields.keys()
    assert answer == {
        "name": "n1",
        "version": __version__,
        "link": str(one.link),
        "http": str(one.http),
        "ring": digest,
        "agrees": True,
        "rules": "",
        "rules_versions": 1,
        "keys": 1,
        "keys_owned": 1,
        "keys_backed_up": 0,
        "stage": "member",
        "ready": True,
        "split": {"on_split": "optimistic", "share": 1.0, "counted": 0, "lost": []},
    }


async def test_buckets_are_shown_with_those_they_are_copies_of() -> None:
    """Each bucket counts where it is owned and where it is backed up, and its way there too."""
    async with cluster("n1", "n2") as (one, two), http(one) as client, http(two) as other:
        for at in range(20):
            await check(client, f"k{at}", "5/hour")
        await eventually(lambda: len(one.node.buckets) == len(two.node.buckets) == 20)
        await eventually(lambda: one.cluster.sync.idle and two.cluster.sync.idle)
        answers = [(await it.get("/v1/nodes")).json() for it in (client, other)]
    mine, theirs = answers
    owned = [one.cluster.ring.owner(f"k{at}") for at in range(20)]
    assert (mine["keys_owned"], mine["keys_backed_up"]) == (owned.count("n1"), owned.count("n2"))
    assert (theirs["keys_owned"], theirs["keys_backed_up"]) == (
        mine["keys_backed_up"],
        mine["keys_owned"],
    )
    assert (mine["sync"]["sent"], mine["sync"]["merged"]) == (owned.count("n1"), owned.count("n2"))
    assert (mine["sync"]["lag"], mine["sync"]["resent"], mine["sync"]["over_admitted"]) == (0, 0, 0)
    assert [it["sync"]["joins"]["count"] for it in answers] == [1, 1]


async def test_a_leaf_is_shown_as_one() -> None:
    """It is ready and has no share, and others see that it is not on the ring."""
    async with (
        cluster("n1") as (one,),
        Process(config("n2", seeds=(one.link,), role=Role.LEAF)) as leaf,
        http(one) as client,
        http(leaf) as asked,
    ):
        await eventually(lambda: leaf.ready)
        answer = (await asked.get("/v1/nodes")).json()
        seen = (await nodes(client))["n2"]
    assert (answer["stage"], answer["ready"], answer["agrees"]) == ("leaf", True, True)
    assert [(it["name"], it["owner"], it["share"]) for it in answer["nodes"]] == [
        ("n1", True, 1),
        ("n2", False, 0),
    ]
    assert (seen["owner"], seen["life"]) == (False, "alive")


async def test_a_node_out_of_reach_is_shown_with_the_reason() -> None:
    """A node that went away is a suspect, down, with why; after a while it is none any more."""
    async with cluster("n1") as (one,), http(one) as client:
        async with Process(config("n2", seeds=(one.link,))) as two:
            await eventually(lambda: are_one_ring([one, two]))
            assert (await nodes(client))["n2"]["life"] == "alive"
        await eventually(lambda: one.peers.by_name["n2"].link.refusal)
        gone = (await nodes(client))["n2"]
        await eventually(lambda: "n2" not in one.cluster.ring)
        assert (await nodes(client)).keys() == {"n1"}
    assert (gone["state"], gone["life"], gone["owner"]) == ("down", "suspect", True)
    assert gone["refusal"]


async def test_a_node_that_hangs_is_suspect() -> None:
    """A node whose link is up, but which let a check wait, is suspect."""
    async with ring_with_puppet(budget=0.02) as (_, silent, client, key):
        assert (await nodes(client))["puppet"]["state"] == "up"
        silent.gossips = False
        await check(client, key)
        assert (await nodes(client))["puppet"]["state"] == "suspect"


async def test_a_seed_that_refuses_is_shown_with_the_reason() -> None:
    """A seed that never became a node is a stranger: a wrong secret doesn't go unseen."""
    async with (
        cluster("n1", secret=b"one") as (one,),
        Process(config("n2", secret=b"two", seeds=(one.link,))) as two,
        http(two) as client,
    ):
        await eventually(lambda: two.discovery.refusal)
        answer = (await client.get("/v1/nodes")).json()
    assert [node["name"] for node in answer["nodes"]] == ["n2"]
    (stranger,) = answer["strangers"]
    assert (stranger["address"], stranger["state"]) == (str(one.link), "down")
    assert "secret" in stranger["refusal"]


async def test_two_rings_are_seen_to_differ() -> None:
    """A node that tells another digest is shown with it, and the ring isn't agreed on."""
    async with ring_with_puppet() as (one, other, client, _):
        other.gossips = False
        await other.say(news(digest="something else"))
        await eventually(lambda: not one.cluster.agrees)
        answer = (await client.get("/v1/nodes")).json()
    assert answer["agrees"] is False
    assert answer["nodes"][1]["ring"] == "something else"


async def test_the_owner_of_a_key_is_named_with_those_that_come_next() -> None:
    """Owner and backups are those of the ring; as many backups as asked for, if there are."""
    async with cluster("n1", "n2", "n3") as nodes_, http(nodes_[0]) as client:
        ring = nodes_[0].cluster.ring
        for key in ("", "a", "b", "ключ", "a/b?c#d%"):
            answer = (await client.get("/v1/owner", params={"key": key})).json()
            owner, *backups = ring.owners(key, 3)
            assert answer == {"key": key, "owner": owner, "backups": backups, "state": "up"}
        params: dict[str, Any] = {"key": "a", "backups": 1}
        answer = (await client.get("/v1/owner", params=params)).json()
        assert answer["backups"] == list(ring.owners("a", 2)[1:])


@pytest.mark.parametrize(
    ("query", "field"), [("", "key"), ("?key=" + "k" * 513, "key"), ("?key=a&backups=x", "backups")]
)
async def test_a_question_for_an_owner_may_be_wrong(
    query: str, field: str, client: httpx2.AsyncClient
) -> None:
    """The parameter that is missing or wrong is named."""
    answer = problem(await client.get(f"/v1/owner{query}"), 422)
    assert [error["field"] for error in answer["errors"]] == [field]


async def test_the_state_of_an_owner_is_shown() -> None:
    """The owner's state is that of our link to it."""
    async with ring_with_puppet() as (node, other, client, key):
        await other.stop()
        await eventually(lambda: node.peers.by_name["puppet"].state is LinkState.DOWN)
        answer = (await client.get("/v1/owner", params={"key": key})).json()
        await other.start(other.address.port)
    assert (answer["owner"], answer["state"]) == ("puppet", "down")


# --- probes


async def test_a_node_is_ready_once_it_has_looked_for_others() -> None:
    """While a seed hasn't answered, the process is alive but hasn't joined, and says why."""
    speak = asyncio.Event()
    async with (
        silent_seed(speak) as seed,
        Process(config("n1", seeds=(seed,))) as node,
        http(node) as client,
    ):
        await eventually(lambda: node.peers.strangers)
        early = await client.get("/readyz")
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert not (await client.get("/v1/nodes")).json()["ready"]
        speak.set()
        await eventually(lambda: node.ready)
        late = await client.get("/readyz")
    assert "not all seeds have answered" in problem(early, 503)["detail"]
    assert (late.status_code, late.json()) == (200, {"status": "ready"})


async def nodes(client: httpx2.AsyncClient) -> dict[str, dict[str, Any]]:
    answer = (await client.get("/v1/nodes")).json()
    return {node["name"]: node for node in answer["nodes"]}
