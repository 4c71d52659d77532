"""The commands that ask a sidecar: what they print, and with which code they end."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from sidegate.protocol.standing_messages import OnSplit
from sidegate_ring.membership.membership import Life
from sidegate_sidecar.cli import api_client as remote
from sidegate_sidecar.cli.printing import duration
from sidegate_sidecar.config import Role
from sidegate_sidecar.process import Process
from tests.support.in_process.beside import meet, ring_with_puppet
from tests.support.in_process.cluster import cluster, config, eventually, key_of
from tests.support.in_process.commands import Run
from tests.support.in_process.http_client import charged, no_sidecar, silent_seed
from tests.support.in_process.puppets import puppet

# --- check


async def test_check_says_what_was_decided(ask: Any) -> None:
    """Allowed ends with 0, denied with 1; the line has what a person wants to know."""
    async with cluster("n1") as (node,):
        allowed = await ask(node, "check", "k", "2/hour")
        both = await ask(node, "check", "k", "2/hour", "--cost", "1")
        denied = await ask(node, "check", "k", "2/hour")
    assert (allowed.code, both.code, denied.code) == (0, 0, 1)
    assert allowed.out == "allowed: 1 of 2 left, full again in 30 min (2/hour; owner n1)\n"
    assert both.out.startswith("allowed: 0 of 2 left")
    assert denied.out.startswith("denied: 0 of 2 left, retry in 30 min (2/hour; owner n1)")
    assert allowed.err + denied.err == ""


async def test_check_says_that_nobody_knows(ask: Any) -> None:
    """An answer by the policy for unreachable names the owner that didn't answer."""
    for policy, verdict, code in (("open", "allowed", 0), ("closed", "denied", 1)):
        options = {"on_unreachable": policy, "budget": 0.02, "role": Role.LEAF}
        async with ring_with_puppet(**options) as (node, _, _, key):
            ending = await ask(node, "check", key, "2/hour")
        words = f"(2/hour; owner puppet did not answer: {policy})\n"
        assert ending.code == code
        assert ending.out == f"{verdict}: nobody knows what is left {words}"


async def test_check_says_that_a_backup_decided(ask: Any) -> None:
    """What is left is known then too, and by whom is said."""
    async with ring_with_puppet(budget=0.02) as (node, _, _, key):
        ending = await ask(node, "check", key, "2/hour")
    words = "(2/hour; owner puppet did not answer: backup)\n"
    assert ending.code == 0
    assert ending.out == f"allowed: 1 of 2 left, full again in 30 min {words}"


async def test_bad_input_is_complained_of(ask: Any) -> None:
    """What the sidecar refuses as bad input ends with 2, and its words."""
    async with cluster("n1") as (node,):
        wrong = await ask(node, "check", "k", "2/minte")
        dear = await ask(node, "check", "k", "2/hour", "--cost", "3")
        long = await ask(node, "peek", "k" * 600)
    assert [ending.code for ending in (wrong, dear, long)] == [2, 2, 2]
    assert 'unknown unit "minte"' in wrong.complaint
    assert "cost 3: expected 0 to 2" in dear.complaint
    assert "600 bytes" in long.complaint


# --- the others


async def test_nodes_shows_the_cluster(ask: Any) -> None:
    """A line about this node and one for each node, in columns."""
    async with cluster("n1", "n2") as (one, two):
        charged(one, key_of("n2", one.cluster.ring), "5/hour", 1)
        ending = await ask(one, "nodes")
    first, heads, *rows = ending.out.splitlines()
    assert first.startswith("n1 (sidegate ")
    assert first.partition(" sees ")[2] == (
        "2 nodes; all that answer hold the same ring; 1 bucket held here: 0 as owner, 1 as backup"
    )
    assert heads.split() == ["NODE", "ADDRESS", "STATE", "SHARE", "RING"]
    assert [row.split()[:3] for row in rows] == [
        ["n1", str(one.link), "up"],
        ["n2", str(two.link), "up"],
    ]


async def test_nodes_shows_the_rules_of_each_and_marks_those_that_are_others(
    ask: Any, tmp_path: Path
) -> None:
    """In a column, where any node has a rules file; and how many differ is in the first line."""
    file = tmp_path / "rules.yaml"
    file.write_text("version: 1\nrules: [{name: api, limits: 5/minute}]\n")
    async with (
        cluster("n1", rules=str(file)) as (one,),
        Process(config("n2", seeds=(one.link,))) as two,
    ):
        await eventually(lambda: two.ready and one.cluster.rules.versions() == 2)
        ending = await ask(one, "nodes")
        digest = one.cluster.rules.mine
    first, heads, *rows = ending.out.splitlines()
    assert "; they have 2 different rules in force; " in first
    assert heads.split() == ["NODE", "ADDRESS", "STATE", "SHARE", "RING", "RULES"]
    assert [row[heads.index("RULES") :].strip() for row in rows] == [digest, "no file !"]


async def test_nodes_shows_who_is_there_but_not_as_usual(ask: Any) -> None:
    """A node that is suspect, or not on the ring, has that in a column; this one in the line."""
    async with cluster("n1") as (one,), puppet("n3") as other:
        await meet(one, other)
        async with Process(config("n2", seeds=(one.link,), role=Role.LEAF)) as leaf:
            await eventually(lambda: leaf.ready and len(leaf.cluster.ring) == 2)
            await eventually(lambda: len(one.cluster.membership.living()) == 2)
            one.cluster.membership.members["n3"].state = Life.SUSPECT
            seen, said = await ask(one, "nodes"), await ask(leaf, "nodes")
    _, heads, *rows = seen.out.splitlines()
    assert heads.split() == ["NODE", "ADDRESS", "STATE", "BUT", "SHARE", "RING"]
    buts = [row[heads.index("BUT") : heads.index("SHARE")].strip() for row in rows]
    assert buts == ["", "not on the ring", "suspect"]
    assert said.out.splitlines()[0].endswith(" 0 as owner, 0 as backup; leaf")


async def test_nodes_shows_why_a_seed_is_no_node(ask: Any) -> None:
    """A seed that refuses has a row too, uncut, with the reason."""
    async with (
        cluster("n1", secret=b"one") as (one,),
        Process(config("n2", secret=b"two", seeds=(one.link,))) as two,
    ):
        await eventually(lambda: two.discovery.refusal)
        ending = await ask(two, "nodes")
    row = ending.out.splitlines()[-1]
    assert row.split()[:3] == ["?", str(one.link), "down"]
    assert row.rstrip().endswith("the two sides don't have the same secret (secret)")


async def test_owner_names_the_nodes(ask: Any) -> None:
    """The owner, its state, and who comes next."""
    async with cluster("n1", "n2") as (one, _):
        ending = await ask(one, "owner", key_of("n2", one.cluster.ring))
    async with cluster("n1") as (alone,):
        single = await ask(alone, "owner", "k")
    assert (ending.code, ending.out) == (0, "n2 (up); backups: n1\n")
    assert single.out == "n1 (up); backups: none\n"


@pytest.mark.parametrize("key", ["k", "", "..", "a/b?c#d%", "ключ", "-x", "two\nlines\x1b[31m"])
async def test_peek_and_reset_find_any_key(key: str, ask: Any) -> None:
    """What is left of a key is shown, and full after a reset; nothing in it reaches a terminal."""
    async with cluster("n1", "n2") as (one, two):
        owner = {"n1": one, "n2": two}[one.cluster.ring.owner(key)]
        charged(owner, key, "10/hour", 3)
        seen = await ask(one, "peek", "--json", "--", key)
        shown = await ask(one, "peek", "--", key)
        reset = await ask(two, "reset", "--", key)
        after = await ask(one, "peek", "--", key)
        assert owner.node.buckets.held(key, owner.node.clock()) == []
    assert json.loads(seen.out)["key"] == key
    assert json.loads(seen.out)["buckets"][0]["remaining"] == 7
    first, _, row = shown.out.splitlines()
    assert first.endswith(f" 1 bucket on {owner.config.name} in debt")
    assert row.split() == ["10/hour", "7", "of", "10", "18", "min"]
    first, heads, row = reset.out.splitlines()
    assert first.endswith(f" 1 bucket on {owner.config.name} forgotten, and full now")
    assert (heads.split(), row.split()) == (
        ["LIMIT", "LEFT", "BEFORE"],
        ["10/hour", "7", "of", "10"],
    )
    assert "no bucket in debt" in after.out
    assert "\x1b" not in shown.out + reset.out + after.out


async def test_answers_come_as_json_too(ask: Any) -> None:
    """With --json each command prints what the sidecar answered."""
    async with cluster("n1") as (node,):
        for arguments, field in (
            (("check", "k", "5/hour"), "allowed"),
            (("nodes",), "nodes"),
            (("owner", "k"), "backups"),
            (("peek", "k"), "buckets"),
            (("reset", "k"), "forgotten"),
        ):
            ending = await ask(node, *arguments, "--json")
            assert ending.code == 0
            assert field in json.loads(ending.out)
        denied = await ask(node, "check", "full", "1/hour", "--json")
        denied = await ask(node, "check", "full", "1/hour", "--json")
    assert denied.code == 1
    assert json.loads(denied.out)["allowed"] is False


async def test_a_terminal_gets_colours(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours and lines are for terminals, and for those who force them."""
    async with cluster("n1") as (node,):
        plain = await ask(node, "nodes")
        monkeypatch.setenv("FORCE_COLOR", "1")
        fancy = await ask(node, "nodes")
    assert "\x1b[" not in plain.out
    assert "\x1b[" in fancy.out
    assert "─" in fancy.out


# --- who asks, and whom


async def test_the_secret_goes_with_changes(
    ask: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A sidecar with a secret refuses without it: 3, and the line says what to give."""
    file = tmp_path / "secret"
    file.write_bytes("schlüssel\n".encode())
    async with cluster("n1", secret="schlüssel".encode()) as (node,):
        for arguments in (("check", "k", "5/hour"), ("reset", "k")):
            refused = await ask(node, *arguments)
            assert refused.code == 3
            assert "Give --secret-file or SIDEGATE_SECRET" in refused.complaint
            assert (await ask(node, *arguments, "--secret-file", str(file))).code == 0
            monkeypatch.setenv("SIDEGATE_SECRET", "wrong")
            assert "a wrong secret was sent" in (await ask(node, *arguments)).complaint
            monkeypatch.setenv("SIDEGATE_SECRET", "schlüssel")
            assert (await ask(node, *arguments)).code == 0
            monkeypatch.delenv("SIDEGATE_SECRET")
        assert (await ask(node, "nodes")).code == 0


async def test_of_several_secrets_the_first_is_sent(ask: Any, tmp_path: Path) -> None:
    """A command sends the secret that a sidecar would dial with, which may be one of several."""
    file = tmp_path / "secret"
    async with cluster("n1", secret=b"old\nnew") as (node,):
        for text, code in (("new\nodd", 0), ("old\nodd", 0), ("odd\nnew", 3)):
            file.write_text(text)
            assert (await ask(node, "reset", "k", "--secret-file", str(file))).code == code


async def test_a_token_goes_before_the_secret(
    ask: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where HTTP has a token, that is sent: from its file, or else from its variable."""
    file = tmp_path / "token"
    file.write_text("token")
    monkeypatch.setenv("SIDEGATE_SECRET", "apps")
    async with cluster("n1", secret=b"apps", http_token=b"token") as (node,):
        refused = await ask(node, "reset", "k")
        assert refused.code == 3
        assert "--http-token-file or SIDEGATE_HTTP_TOKEN" in refused.complaint
        calls = ("check", "k", "5/hour"), ("reset", "k"), ("leave", "--drain", "9")
        given = [await ask(node, *call, "--http-token-file", str(file)) for call in calls]
        assert [it.code for it in given] == [0, 0, 1], "the only node stays"
        monkeypatch.setenv("SIDEGATE_HTTP_TOKEN", "token")
        assert (await ask(node, "leave", "--drain", "9")).code == 1


async def test_a_secret_that_no_header_can_carry(ask: Any, tmp_path: Path) -> None:
    """A secret of raw bytes may work between nodes, but not over HTTP: 2, and it isn't shown."""
    file = tmp_path / "secret"
    file.write_bytes(b"ses\x00ame")
    async with cluster("n1") as (node,):
        ending = await ask(node, "reset", "k", "--secret-file", str(file))
    assert ending.code == 2
    assert ending.complaint == "sidegate: the secret has bytes that HTTP can't carry\n"


async def test_a_node_that_is_missed_can_be_forgotten(ask: Any) -> None:
    """2 for one that isn't missed; the others count on by those that are left."""
    async with cluster("n1", "n2", "n3", on_split=OnSplit.QUORUM) as (one, two, three):
        sides = [node.cluster.side for node in (one, two, three)]
        await eventually(lambda: all(len(side.sets.agreed.names) == 3 for side in sides))
        wrong = await ask(one, "forget", "n9")
        assert wrong.code == 2
        assert "node 'n9': expected one that is missed here: nobody" in wrong.complaint
        await asyncio.gather(two.stop(), three.stop())  # which says no farewell
        await eventually(lambda: sides[0].lost == ("n2", "n3"))
        assert (await ask(one, "nodes")).out.count("misses n2, n3") == 1
        done = await ask(one, "forget", "n2")
        assert (done.code, done.out) == (
            0,
            "on a split: quorum; serves 100% of each limit, misses n3\n",
        )


async def test_an_owner_out_of_reach_is_no_empty_key(ask: Any) -> None:
    """What nobody can tell ends with 3, and names the owner."""
    async with ring_with_puppet(budget=0.02, role=Role.LEAF) as (node, _, _, key):
        ending = await ask(node, "peek", key)
    assert ending.code == 3
    assert "puppet owns this key and can't be asked now" in ending.complaint


async def test_the_address_of_a_sidecar_may_be_where_it_listens(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a pod SIDEGATE_HTTP may be 0.0.0.0: asked from inside, that is this machine."""
    async with cluster("n1") as (node,):
        monkeypatch.setenv("SIDEGATE_HTTP", f"0.0.0.0:{node.http.port}")
        assert (await asyncio.to_thread(run, "owner", "k")).code == 0


async def test_proxies_of_the_environment_are_not_asked(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call to this machine stays on it, whatever the environment says of proxies."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with cluster("n1") as (node,):
        assert (await ask(node, "owner", "k")).code == 0


# --- no sidecar there


async def test_what_is_no_sidecar_is_told_apart(run: Run) -> None:
    """Another web server, the link by mistake, and nobody: 3, which it is, and what to do."""
    async with no_sidecar() as address, cluster("n1") as (node,):
        other = await asyncio.to_thread(run, "nodes", "--http", str(address))
        link = await asyncio.to_thread(run, "nodes", "--http", str(node.link))
    nobody = await asyncio.to_thread(run, "nodes", "--http", str(address))
    assert (other.code, link.code, nobody.code) == (3, 3, 3)
    assert "is no sidegate sidecar (status 404)" in other.complaint
    assert "doesn't speak HTTP: is that its --link?" in link.complaint
    refused = f"no sidecar answers at http://{address}: connection refused."
    assert refused in nobody.complaint
    assert "sidegate serve" in nobody.complaint


async def test_silence_ends(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that never answers doesn't hold the command for ever."""
    monkeypatch.setattr(remote, "TIMEOUT", 0.05)
    async with silent_seed(speak := asyncio.Event()) as address:
        ending = await asyncio.to_thread(run, "nodes", "--http", str(address))
        speak.set()
    assert ending.code == 3
    assert "no answer from" in ending.complaint


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.25, "250 ms"),
        (1, "1 s"),
        (28.912, "28.9 s"),
        (119, "119 s"),
        (120, "2 min"),
        (5_400, "90 min"),
        (7_200, "2 h"),
        (172_800, "2 d"),
        (315_360_000, "3,650 d"),
    ],
)
def test_times_are_for_people(seconds: float, text: str) -> None:
    """Two to four digits and a unit that fits."""
    assert duration(seconds) == text
