"""Wrong secrets, replayed handshakes and our own proofs let nobody in."""

import pytest

from sidegate.protocol.handshake import Dialling, Identity
from sidegate.protocol.messages import (
    Error,
    Hello,
    Ping,
    Pong,
    Proof,
    Welcome,
)
from sidegate.trust.secrets import known
from sidegate_sidecar.process import Process
from tests.cluster.hostile.watched import NONCE, SECRET, Watched, hello, together
from tests.support.in_process.cluster import cluster, witness
from tests.support.in_process.puppets import APP, bare, frame, node_named


async def secret_error(node: Process, me: Identity) -> str:
    async with bare(node) as stranger:
        handshake = Dialling(me, NONCE, "")
        await stranger.send(handshake.opening())
        body = await stranger.body()
        assert body is not None
        await stranger.send(handshake.receive(body))
        error = await stranger.error()
    assert error.code == "secret"
    return error.text


@together
@pytest.mark.parametrize("secret", [b"", b"Hush", b"hush ", b"\0", b"x" * 1_000])
@pytest.mark.parametrize("role", ["app", "node"])
async def test_a_wrong_secret_is_told_so(secretive: Watched, secret: bytes, role: str) -> None:
    """Apps and nodes without the secret hear that it isn't the same, and learn no proof."""
    me = Identity(role, "n9", "", known(secret), "127.0.0.1:9")
    assert await secret_error(secretive.node, me) == "the two sides don't have the same secret"
    await secretive.unmoved({"secret": 1})


@together
async def test_a_replayed_handshake_is_refused(secretive: Watched) -> None:
    """The very bytes that let an app in don't let anyone in again."""
    handshake = Dialling(Identity("app", "shop", "", known(SECRET)), NONCE, "")
    sent = [handshake.opening()]
    async with bare(secretive.node) as honest:
        await honest.send(sent[0])
        await honest.shake_hands(handshake, sent)
        await honest.send(Ping(1))
        assert await honest.next() == Pong(1)
    for _ in range(3):
        async with bare(secretive.node) as thief:
            await thief.send(*sent, Ping(2))
            theirs, error = await thief.rest()
            assert isinstance(theirs, Hello)
            assert isinstance(error, Error)
            assert error.code == "secret"
    await secretive.unmoved({"secret": 3})


@together
async def test_our_own_proof_does_not_let_anyone_in(secretive: Watched) -> None:
    """What a sidecar sends can't be sent back to it, on this or another connection."""
    async with bare(secretive.node) as first, bare(secretive.node) as second:
        await first.send(hello())
        theirs = await first.body()
        assert theirs is not None
        await second.send(frame(theirs))  # its own words
        assert (await second.error()).code == "self"
        await first.send(Proof(theirs[:32]))
        assert (await first.error()).code == "secret"
    await secretive.unmoved({"self": 1, "secret": 1})


async def test_the_unix_socket_asks_apps_for_nothing_and_takes_no_nodes(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The file system guards the Unix socket, for apps; no node has any business there."""
    path = f"{tmp_path_factory.mktemp('s')}/s"
    async with cluster("n1", secret=SECRET, socket=path) as (node,), witness(node, secret=SECRET):
        at = node.config.link.__class__(path=path)
        async with bare(at) as app:
            await app.send(APP.hello(NONCE), Proof(b"any"), Ping(1))
            kinds = [type(await app.next()) for _ in range(3)]
            assert kinds == [Hello, Welcome, Pong]
        async with bare(at) as other:
            await other.send(node_named("n9").hello(NONCE), Proof(b"any"))
            assert (await other.error()).code == "role"
