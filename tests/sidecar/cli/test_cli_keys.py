"""The commands about many keys: what they print, what they ask before, and how they end."""

import json
import sys
from io import StringIO
from typing import Any

import pytest

from sidegate_sidecar.links.keys import all_keys
from tests.support.in_process.beside import ring_with_puppet
from tests.support.in_process.cluster import cluster
from tests.support.in_process.http_client import charged


async def test_keys_are_a_table_with_the_furthest_from_full_first(ask: Any) -> None:
    async with cluster("n1") as (node,):
        charged(node, "login:a", "10/hour", 2)
        charged(node, "login:b", "10/hour; 100/day", 5)
        charged(node, "api:c", "10/hour", 1)
        ending = await ask(node, "keys", "login:")
    heads, *rows = ending.out.splitlines()
    assert heads.split() == ["KEY", "LIMIT", "LEFT", "FULL", "IN", "OWNER"]
    assert [row.split() for row in rows] == [
        ["login:b", "100/day", "95", "of", "100", "72", "min", "n1"],
        ["login:b", "10/hour", "5", "of", "10", "30", "min", "n1"],
        ["login:a", "10/hour", "8", "of", "10", "12", "min", "n1"],
    ]
    assert ending.code == 0


async def test_that_there_are_more_is_said_and_all_is_in_the_json(ask: Any) -> None:
    async with cluster("n1") as (node,):
        for key in ("b", "a"):
            charged(node, key, "10/hour", 2)
        some = await ask(node, "keys", "--max", "1", "--order", "key")
        whole = await ask(node, "keys", "--json")
        none = await ask(node, "keys", "login:")
    assert some.out.splitlines()[1].split()[0] == "a"
    assert some.out.endswith("there are more: raise --max, or give a longer beginning\n")
    assert [it["key"] for it in json.loads(whole.out)["keys"]] == ["a", "b"]
    assert none.out == "no key in debt: all limits are full\n"


async def test_one_client_is_looked_at_over_all_rules(ask: Any) -> None:
    async with cluster("n1") as (node,):
        for key in ("login:192.0.2.1", "shop/api:192.0.2.1", "login:192.0.2.10"):
            charged(node, key, "10/hour", 1)
        ending = await ask(node, "peek", "--identity", "192.0.2.1")
    keys = [row.split()[0] for row in ending.out.splitlines()[1:]]
    assert keys == ["login:192.0.2.1", "shop/api:192.0.2.1"]


async def test_a_reset_of_many_says_how_many_on_which_node(ask: Any) -> None:
    async with cluster("n1") as (node,):
        for at in range(3):
            charged(node, f"login:{at}", "10/hour", 1)
        charged(node, "other", "10/hour", 1)
        some = await ask(node, "reset", "--prefix", "login:", "--yes")
        rest = await ask(node, "reset", "--prefix", "", "--yes", "--json")
    assert some.out.splitlines()[0] == "login:*: 3 buckets forgotten, and full now"
    assert [row.split() for row in some.out.splitlines()[1:]] == [["NODE", "BUCKETS"], ["n1", "3"]]
    assert json.loads(rest.out)["forgotten"] == 1
    assert (some.code, rest.code) == (0, 0)


async def test_a_node_that_does_not_answer_is_named(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reset that isn't known to be done everywhere ends with 1."""
    monkeypatch.setattr(all_keys, "RESET_WITHIN", 0.2)
    async with ring_with_puppet(budget=0.02) as (node, _, _, _):
        seen = await ask(node, "keys")
        done = await ask(node, "reset", "--prefix", "login:", "--yes")
    assert seen.out.splitlines()[-1] == "1 of 2 nodes answered; missing: puppet"
    assert done.out.splitlines()[-2:] == [
        "1 of 2 nodes answered; missing: puppet",
        "they are told as soon as they can be reached",
    ]
    assert (seen.code, done.code) == (0, 1)


class Terminal:
    """Somebody at a terminal who answers with this line."""

    def __init__(self, line: str) -> None:
        self._line = line

    def isatty(self) -> bool:
        """Tell that it is one."""
        return True

    def readline(self, *_: object) -> str:
        """Return the answer."""
        return f"{self._line}\n"


@pytest.mark.parametrize(("line", "code", "left"), [("n", 1, 1), ("y", 0, 0)])
async def test_who_sits_at_a_terminal_is_asked_before(
    line: str, code: int, left: int, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cluster("n1") as (node,):
        charged(node, "login:a", "10/hour", 1)
        monkeypatch.setattr(sys, "stdin", Terminal(line))
        ending = await ask(node, "reset", "--prefix", "login:")
        assert len(node.node.buckets.held("login:a", node.clock())) == left
    assert ending.code == code
    assert "all keys that begin with 'login:', on all nodes?" in ending.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("keys", "--order", "size"), "--order 'size': expected one of debt, key"),
        (("keys", "--max", "0"), "--max '0': expected a whole number from 1 to 1,000"),
        (("keys", "--max", "many"), "--max 'many': expected a whole number from 1 to 1,000"),
        (("keys", "k" * 600), "600 bytes"),
        (("keys", "k" * 20_000), "expected a request line and fields of at most 16,384 bytes"),
        (("peek",), "expected KEY or --identity"),
        (("peek", "k", "--identity", "a"), "--identity 'a': expected no KEY beside it, not 'k'"),
        (("reset",), "expected KEY or --prefix"),
        (("reset", "k", "--prefix", "a"), "--prefix 'a': expected no KEY beside it, not 'k'"),
        (("reset", "--prefix", "a"), "--prefix 'a': expected --yes, to reset all keys that begin"),
        (("reset", "--prefix", ""), "--prefix '': expected --yes, to reset every key there is"),
    ],
)
async def test_bad_input_is_complained_of(
    arguments: tuple[str, ...], words: str, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO())
    async with cluster("n1") as (node,):
        ending = await ask(node, *arguments)
    assert ending.code == 2
    assert words in ending.complaint
