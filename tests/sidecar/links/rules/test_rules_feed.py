"""Rules for apps: pushed to who asks, and at each change, as fast as each reads."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from socket import SO_RCVBUF, SO_SNDBUF, SOL_SOCKET

import pytest

import sidegate_sidecar.in_force
import sidegate_sidecar.links.rules_feed
from sidegate.link.connection import Connection
from sidegate.protocol.codec import encode
from sidegate.protocol.standing_messages import RulesPush, WatchRules
from sidegate_sidecar.links.rules_feed import IS_READ
from sidegate_sidecar.links.sessions import Timeouts
from sidegate_sidecar.process import Process
from tests.sidecar.links.accepting import HASTY, PATIENT, sidecar, turned_away
from tests.support.in_process.cluster import eventually, witness
from tests.support.in_process.puppets import APP, Bare, bare, node_named
from tests.support.in_process.rules import many_rules, push_of, rules_of, write_rules

FIVE, TEN = rules_of("5/minute"), rules_of("10/minute")
NONE = RulesPush("")


async def test_an_app_that_asks_is_told_the_rules_in_force_and_each_change() -> None:
    async with sidecar() as node, bare(node, APP) as app, bare(node, APP) as other:
        node.sessions.rules.put(FIVE)
        await app.send(WatchRules(""))
        assert await app.next() == push_of(FIVE)
        node.sessions.rules.put(TEN)
        assert await app.next() == push_of(TEN)
        await other.ping()  # it hasn't asked, and isn't told


async def test_who_has_them_already_is_told_no_more_than_that() -> None:
    async with sidecar() as node, bare(node, APP) as app:
        node.sessions.rules.put(FIVE)
        await app.send(WatchRules(FIVE.digest))
        assert await app.next() == RulesPush(FIVE.digest)
        node.sessions.rules.put(TEN)
        assert await app.next() == push_of(TEN)


@pytest.mark.parametrize("digest", ["", FIVE.digest])
async def test_a_sidecar_without_a_rules_file_says_so(digest: str) -> None:
    async with sidecar() as node, bare(node, APP) as app:
        await app.send(WatchRules(digest))
        assert await app.next() == NONE


async def test_the_file_of_a_sidecar_is_told_and_its_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidegate_sidecar.in_force, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(sidegate_sidecar.in_force, "SETTLED_AFTER", 0.01)
    write_rules(file := tmp_path / "rules.yaml", "5/minute")
    async with sidecar(rules=str(file)) as node, bare(node, APP) as app:
        await app.send(WatchRules(""))
        assert await app.next() == push_of(FIVE)
        write_rules(file, "10/minute")
        assert await app.next() == push_of(TEN)


async def test_of_several_changes_before_the_next_word_only_the_last_is_told() -> None:
    async with sidecar() as node, bare(node, APP) as app:
        await app.send(WatchRules(""))
        assert await app.next() == NONE
        for rules in (FIVE, rules_of("7/minute"), TEN):
            node.sessions.rules.put(rules)
        assert await app.next() == push_of(TEN)
        await app.ping()


async def test_a_node_that_asks_is_wrong() -> None:
    async with sidecar() as node, bare(node, node_named("n2")) as other:
        await other.send(WatchRules(""))
        error = await other.error()
        assert error.code == "bad-message"


async def test_without_the_secret_nobody_is_told_the_rules() -> None:
    async with sidecar(secret=b"correct horse battery staple") as node, bare(node) as stranger:
        node.sessions.rules.put(FIVE)
        await stranger.send(encode(APP.hello(b"n" * 32)), WatchRules(""))
        assert not [it for it in await stranger.rest() if isinstance(it, RulesPush)]


async def test_who_asks_all_the_time_is_told_once_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it costs to ask is nothing beside what it costs to tell."""
    monkeypatch.setattr(sidegate_sidecar.links.rules_feed, "ASK_AGAIN", 3_600.0)
    async with sidecar() as node, bare(node, APP) as app:
        node.sessions.rules.put(FIVE)
        await app.send(*[WatchRules("")] * 100)
        assert await app.next() == push_of(FIVE)
        await app.send(*[WatchRules("")] * 100)
        await app.ping()
        assert min(node.sessions.rules._due.values()) > asyncio.get_running_loop().time() + 3_000


async def test_a_digest_that_is_none_is_wrong() -> None:
    async with sidecar() as node, bare(node, APP) as app:
        await app.send(WatchRules("d" * 65))
        assert (await app.error()).code == "bad-message"


# Who doesn't read


async def deafened(node: Process, app: Bare) -> Connection:
    """Have an app read nothing more, and its socket hold little; return the sidecar's side."""
    app.transport.pause_reading()
    port = app.transport.get_extra_info("sockname")[1]
    session = next(
        it for it in node.sessions.open if it.transport.get_extra_info("peername")[1] == port
    )
    for transport, buffer in ((app.transport, SO_RCVBUF), (session.transport, SO_SNDBUF)):
        transport.get_extra_info("socket").setsockopt(SOL_SOCKET, buffer, 1 << 16)
    return session


def unsent(connection: Connection) -> int:
    return connection.transport.get_write_buffer_size()


async def test_who_does_not_read_is_told_once_and_then_what_is_in_force_by_then() -> None:
    """However many changes there are: what waits for it is one push, and nobody else waits."""
    async with sidecar() as node, bare(node, APP) as deaf, bare(node, APP) as app:
        node.sessions.rules.put(FIVE)
        for asking in (deaf, app):
            await asking.send(WatchRules(""))
            assert await asking.next() == push_of(FIVE)
        session = await deafened(node, deaf)
        pushed = [push_of(many_rules(f"{at}/minute")) for at in range(1, 6)]
        async with witness(node):
            for push in pushed:
                node.sessions.rules.put(many_rules(f"{pushed.index(push) + 1}/minute"))
                assert await app.next() == push
                assert unsent(session) <= len(encode(push)) + IS_READ
            assert unsent(session) > IS_READ
            deaf.transport.resume_reading()
            assert [await deaf.next(), await deaf.next()] == [pushed[0], pushed[-1]]


async def test_who_leaves_rules_unread_is_cut_off() -> None:
    async with sidecar(replace(HASTY, unread=0.2)) as node, bare(node, APP) as deaf:
        session = await deafened(node, deaf)
        node.sessions.rules.put(many_rules())
        deaf.writer.write(encode(WatchRules("")))
        await eventually(session.transport.is_closing)
        session.abort()
        await eventually(lambda: turned_away(node) == {"timeout": 1})


async def test_who_has_read_is_not_cut_off_later() -> None:
    """Its time to read ends with its reading, and nothing else needs to be told to see that."""
    patience = Timeouts(unread=0.3, look_every=0.01)
    async with sidecar(patience) as node, bare(node, APP) as app, witness(node) as decisions:
        session = await deafened(node, app)
        node.sessions.rules.put(many_rules())
        app.writer.write(encode(WatchRules("")))
        await eventually(lambda: unsent(session) > IS_READ)
        app.transport.resume_reading()
        assert await app.next() == push_of(many_rules())
        clock = asyncio.get_running_loop().time
        began = clock()
        await eventually(lambda: decisions and clock() - began > 2 * patience.unread)
        await app.ping()
        assert not turned_away(node)


async def test_what_all_leave_unread_is_bounded_and_others_get_theirs_after_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = many_rules()
    bound = 2 * len(rules.encoded) + 200_000
    monkeypatch.setattr(sidegate_sidecar.links.rules_feed, "MAX_UNREAD", bound)
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(sidecar(PATIENT))
        deaf = [await stack.enter_async_context(bare(node, APP)) for _ in range(6)]
        sessions = [await deafened(node, it) for it in deaf]
        node.sessions.rules.put(rules)
        for one in deaf:
            one.writer.write(encode(WatchRules("")))
        await eventually(lambda: sum(map(unsent, sessions)) > len(rules.encoded))
        async with witness(node) as decisions:
            await eventually(lambda: len(decisions) > 200)
            assert sum(map(unsent, sessions)) <= bound
        for one in deaf:
            one.transport.resume_reading()
        assert await asyncio.gather(*(one.next() for one in deaf)) == [push_of(rules)] * 6


async def test_who_is_gone_is_forgotten() -> None:
    async with sidecar() as node:
        feed = node.sessions.rules
        async with bare(node, APP) as app:
            await app.send(WatchRules(""))
            assert await app.next() == NONE
        await eventually(lambda: not node.sessions.open)
        assert not any([feed._watching, feed._due, feed._told_at, feed._unread])


async def test_at_the_end_nobody_is_told_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sidegate_sidecar.links.rules_feed, "PAUSE", 3_600.0)
    async with sidecar() as node, bare(node, APP) as app:
        await app.send(WatchRules(""))
        await eventually(lambda: node.sessions.rules._due)
        node.sessions.rules.close()
        assert node.sessions.rules._timer is None
        assert not node.sessions.rules._due
