"""What a handshake leaves behind: keys that seal frames, for the role and the channel it was of."""

from dataclasses import replace

import pytest

from sidegate.protocol.codec import HEADER_BYTES, WireError, encode
from sidegate.protocol.handshake import PLAIN, UNIX, Handshake, tls_channel
from sidegate.protocol.messages import Ping
from sidegate.protocol.seal import Seal
from sidegate.trust.secrets import known
from tests.middleware.golden import APP, NODE, SEALED, SECRET
from tests.middleware.protocol.shaking import NONCES, Pair, identity, refused, tampered

CERTIFICATES = tls_channel(b"one"), tls_channel(b"another")


def sealed_by(side: Handshake) -> bytes:
    assert side.seals is not None
    return side.seals[0].sealed(FRAME)


FRAME = encode(Ping(7))


class TestSeals:
    def test_the_keys_are_those_of_protocol_md(self) -> None:
        pair = Pair()
        pair.run()
        for side, sender in ((pair.dialler, "dialling"), (pair.acceptor, "accepting")):
            key = bytes.fromhex(SEALED[f"key of the {sender} side"])
            assert sealed_by(side) == Seal(key).sealed(FRAME)

    @pytest.mark.parametrize("sender", ["dialler", "acceptor"])
    def test_each_side_opens_what_the_other_has_sealed(self, sender: str) -> None:
        """And not what it has sealed itself: each direction has a key of its own."""
        pair = Pair()
        pair.run()
        sides: list[Handshake] = [pair.dialler, pair.acceptor]
        one, other = sides if sender == "dialler" else sides[::-1]
        assert one.seals is not None
        assert other.seals is not None
        sent = sealed_by(one)
        assert other.seals[1].opened(sent) == FRAME[HEADER_BYTES:]
        assert one.seals[1].opened(sent) is None

    def test_another_connection_has_other_keys(self) -> None:
        """What was overheard on one connection, or passed on from it, opens nothing on another."""
        first, second = Pair(), Pair(nonces=(NONCES[1], NONCES[0]))
        first.run()
        second.run()
        assert sealed_by(first.dialler) != sealed_by(second.dialler)
        assert sealed_by(first.acceptor) != sealed_by(second.acceptor)

    @pytest.mark.parametrize("channel", [UNIX, CERTIFICATES[0]], ids=["a Unix socket", "TLS"])
    def test_where_something_else_protects_the_bytes_there_are_none(self, channel: bytes) -> None:
        pair = Pair(channels=(channel, channel))
        pair.run()
        assert pair.dialler.seals is pair.acceptor.seals is None

    def test_an_app_may_do_without(self) -> None:
        """It leaves out what it dialled, and nobody who passes its Hello on can do that for it."""
        pair = Pair(dialled="")
        pair.run()
        assert pair.dialler.seals is pair.acceptor.seals is None
        relayed = Pair()
        hello = tampered(relayed.dialler.opening(), {"dialled": ""})
        proof = relayed.dialler.receive(
            relayed.acceptor.receive(hello[HEADER_BYTES:])[HEADER_BYTES:]
        )
        with pytest.raises(WireError, match=r"\(secret\)"):
            relayed.acceptor.receive(proof[HEADER_BYTES:])

    def test_a_node_may_not_do_without(self) -> None:
        pair = Pair(identity(NODE, SECRET), dialled="")
        with pytest.raises(WireError, match="a node must say what it has dialled"):
            pair.run()

    def test_without_a_secret_there_are_none(self) -> None:
        pair = Pair(identity(APP), identity(NODE))
        pair.run()
        assert pair.dialler.seals is pair.acceptor.seals is None

    @pytest.mark.parametrize(
        "channels",
        [CERTIFICATES, (CERTIFICATES[0], PLAIN), (PLAIN, UNIX), (UNIX, PLAIN)],
        ids=["another certificate", "TLS on one side", "TCP to Unix", "Unix to TCP"],
    )
    def test_both_sides_must_see_the_same_channel(self, channels: tuple[bytes, bytes]) -> None:
        """Who ends TLS in between, with a certificate as good, can't pass the handshake on."""
        pair = Pair(channels=channels)
        refused(pair)
        assert not pair.acceptor.done


class TestRoles:
    """Nodes may have other secrets than apps."""

    @pytest.mark.parametrize(
        ("role", "shown", "is_in"),
        [
            ("app", b"of apps", True),
            ("app", b"of nodes", False),
            ("node", b"of nodes", True),
            ("node", b"of apps", False),
        ],
    )
    def test_a_secret_is_for_one_role(self, role: str, shown: bytes, is_in: bool) -> None:
        acceptor = replace(identity(NODE, b"of apps"), node_secrets=known(b"of nodes"))
        ring = NODE.ring if role == "node" else ""
        pair = Pair(replace(identity(APP, shown), role=role, ring=ring), acceptor)
        if is_in:
            pair.run()
            assert sealed_by(pair.dialler)
        else:
            refused(pair)

    def test_a_node_dials_with_that_of_nodes(self) -> None:
        """A node never shows a proof of the apps' secret, nor believes one."""
        me = replace(identity(NODE, b"of apps"), node_secrets=known(b"of nodes"))
        Pair(me, me).run()
        refused(Pair(me, identity(NODE, b"of apps"), trust_apps=True))

    def test_a_proof_of_an_app_makes_no_node(self) -> None:
        """A relay that changes the role in a Hello on its way is refused, with one secret too."""
        pair = Pair()
        hello = tampered(
            pair.dialler.opening(), {"role": "node", "link": "6.6.6.6:1", "ring": NODE.ring}
        )
        theirs = pair.acceptor.receive(hello[HEADER_BYTES:])
        proof = pair.dialler.receive(theirs[HEADER_BYTES:])
        with pytest.raises(WireError, match=r"\(secret\)"):
            pair.acceptor.receive(proof[HEADER_BYTES:])
