"""The handshake: two real sides over a fake wire, one of which may lie."""

from dataclasses import replace
from itertools import pairwise, permutations, product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.protocol.codec import HEADER_BYTES, Refused, WireError, decode
from sidegate.protocol.handshake import Accepting, Dialling, Handshake, Identity
from sidegate.protocol.messages import Error, Hello, Ping, Proof, Welcome
from tests.middleware.golden import APP, MESSAGES, NODE, SECRET
from tests.middleware.protocol.shaking import (
    NONCES,
    Pair,
    body_of,
    identity,
    refused,
    tampered,
    welcome_all,
)


class TestSecret:
    @pytest.mark.parametrize("secret", [SECRET, b""])
    def test_two_sides_with_the_same_secret_or_none_know_each_other(self, secret: bytes) -> None:
        pair = Pair(identity(APP, secret), identity(NODE, secret))
        pair.run()
        assert pair.is_up
        assert pair.dialler.peer == NODE
        assert pair.acceptor.peer == APP

    def test_proofs_are_those_of_protocol_md_and_the_secret_is_not_sent(self) -> None:
        pair = Pair()
        pair.run()
        names = ["Hello of an app", "Hello of a node", "Proof", "Welcome"]
        assert [decode(frame[HEADER_BYTES:]) for frame in pair.frames] == [
            MESSAGES[name] for name in names
        ]
        assert SECRET not in b"".join(pair.frames)

    @pytest.mark.parametrize("dialler", [b"", b"wrong"])
    def test_a_dialler_without_it_learns_no_proof(self, dialler: bytes) -> None:
        pair = Pair(identity(APP, dialler), identity(NODE, SECRET))
        refused(pair)
        assert not pair.acceptor.done
        assert len(pair.frames) == 3  # no Welcome

    @pytest.mark.parametrize("acceptor", [b"", b"wrong"])
    def test_who_cannot_prove_it_is_not_talked_to(self, acceptor: bytes) -> None:
        pair = Pair(identity(APP, SECRET), identity(NODE, acceptor), trust_apps=True)
        refused(pair)
        assert len(pair.frames) == 4
        assert not pair.dialler.done

    @pytest.mark.parametrize("proof", [b"", bytes(32), bytes(1_000)])
    def test_a_proof_of_any_length_that_is_not_the_right_one_is_refused(self, proof: bytes) -> None:
        pair = Pair()
        pair.acceptor.receive(body_of(APP))
        with pytest.raises(WireError, match=r"\(secret\)"):
            pair.acceptor.receive(body_of(Proof(proof)))

    def test_on_a_unix_socket_an_app_needs_no_secret(self) -> None:
        pair = Pair(identity(APP), identity(NODE, SECRET), trust_apps=True)
        pair.run()
        assert pair.is_up

    def test_whoever_says_that_it_is_a_node_proves_it_there_too(self) -> None:
        pair = Pair(identity(NODE), identity(NODE, SECRET), trust_apps=True)
        refused(pair)


OLD, NEW, ODD = b"old", b"new", b"odd"
LISTS: list[tuple[bytes, ...]] = [
    (),
    *((one,) for one in (OLD, NEW, ODD)),
    *permutations((OLD, NEW, ODD), 2),
    *permutations((OLD, NEW, ODD)),
]


def names(secrets: tuple[bytes, ...]) -> str:
    return b"+".join(secrets).decode() or "none"


class TestSecrets:
    """One secret takes the place of another."""

    @pytest.mark.parametrize("dialler", LISTS, ids=names)
    @pytest.mark.parametrize("acceptor", LISTS, ids=names)
    def test_a_link_comes_up_if_the_first_of_one_is_known_to_the_other(
        self, dialler: tuple[bytes, ...], acceptor: tuple[bytes, ...]
    ) -> None:
        """Whoever dials shows the first; all are accepted; with none there must be none."""
        pair = Pair(identity(APP, *dialler), identity(NODE, *acceptor))
        if dialler[0] in acceptor if dialler else not acceptor:
            pair.run()
            assert pair.is_up
        else:
            refused(pair)
            assert not pair.dialler.done
            assert pair.acceptor.done == (not acceptor)  # without any it lets everyone in
            assert len(pair.frames) == (3 if acceptor else 4)  # no Welcome for who isn't let in

    @pytest.mark.parametrize(
        ("steps", "refused"),
        [
            ([(OLD,), (OLD, NEW), (NEW, OLD), (NEW,)], 0),
            ([(OLD,), (NEW, OLD), (NEW,)], 1),  # who shows the new one, by who has the old
            ([(OLD,), (OLD, NEW), (NEW,)], 1),  # who shows the old one, by who has the new
        ],
        ids=["three steps", "new first", "old first"],
    )
    def test_a_rotation_takes_three_steps(
        self, steps: list[tuple[bytes, ...]], refused: int
    ) -> None:
        """In each of three steps those before and behind it can talk; two steps are too few."""
        errors = 0
        for step in pairwise(steps):
            for dialler, acceptor in product(step, repeat=2):
                try:
                    Pair(identity(NODE, *dialler), identity(NODE, *acceptor)).run()
                except WireError:
                    errors += 1
        assert errors == refused

    def test_the_welcome_proves_what_the_proof_did(self) -> None:
        """A dialler with the old secret is answered with it, by a side that shows the new one."""
        pair = Pair(identity(APP, OLD), identity(NODE, NEW, OLD))
        alike = Pair(identity(APP, OLD), identity(NODE, OLD))
        pair.run()
        alike.run()
        assert pair.frames == alike.frames

    def test_a_dialler_accepts_no_other_than_it_shows(self) -> None:
        """Who doesn't know the first secret isn't believed for knowing the second."""
        pair = Pair(identity(APP, NEW, OLD), identity(NODE, OLD), trust_apps=True)
        refused(pair)
        assert len(pair.frames) == 4

    @pytest.mark.parametrize("app", [(), (NEW,), (OLD,), (OLD, ODD)], ids=names)
    def test_a_trusted_app_sees_the_secret_that_it_has(self, app: tuple[bytes, ...]) -> None:
        """On a Unix socket an app with any of the secrets, or none, is answered with its own."""
        pair = Pair(identity(APP, *app), identity(NODE, NEW, OLD), trust_apps=True)
        pair.run()
        assert pair.dialler.done

    def test_they_are_asked_for_at_each_handshake(self) -> None:
        """What a side knows may change while it lives; a handshake that has begun ends well."""
        held = [(OLD,), (NEW,)]
        me = Identity("node", "n", "", lambda: held[0], ring=NODE.ring)
        first = Dialling(me, NONCES[0], APP.dialled)
        acceptor = Accepting(identity(NODE, OLD, NEW), NONCES[1], approve=welcome_all)
        theirs = acceptor.receive(first.opening()[HEADER_BYTES:])
        proof = first.receive(theirs[HEADER_BYTES:])
        del held[0]  # between its proof and the Welcome
        first.receive(acceptor.receive(proof[HEADER_BYTES:])[HEADER_BYTES:])
        assert first.done
        Pair(me, identity(NODE, NEW)).run()
        Pair(identity(APP, NEW), me).run()

    def test_they_are_not_in_the_text_of_an_identity(self) -> None:
        assert "open sesame" not in repr(identity(NODE, b"open sesame"))


class TestAttacks:
    def test_what_was_overheard_opens_no_other_connection(self) -> None:
        overheard = Pair()
        overheard.run()
        hello, _, proof, _ = overheard.frames
        victim = Pair(nonces=(NONCES[0], bytes(32))).acceptor
        victim.receive(hello[HEADER_BYTES:])
        with pytest.raises(WireError, match=r"\(secret\)"):
            victim.receive(proof[HEADER_BYTES:])

    def test_nor_does_it_make_anybody_a_sidecar(self) -> None:
        overheard = Pair()
        overheard.run()
        _, hello, _, welcome = overheard.frames
        victim = Pair(nonces=(bytes(32), NONCES[1])).dialler
        victim.receive(hello[HEADER_BYTES:])
        with pytest.raises(WireError, match=r"\(secret\)"):
            victim.receive(welcome[HEADER_BYTES:])

    def test_a_diallers_own_hello_and_proof_sent_back_to_it_prove_nothing(self) -> None:
        victim = Dialling(identity(NODE, SECRET), NONCES[0], "")
        mirrored = victim.receive(victim.opening()[HEADER_BYTES:])
        proof = decode(mirrored[HEADER_BYTES:])
        assert isinstance(proof, Proof)
        with pytest.raises(WireError, match=r"\(secret\)"):
            victim.receive(body_of(Welcome(proof.proof)))

    @pytest.mark.parametrize("at", [0, 1], ids=["Hello of the dialler", "Hello of the acceptor"])
    @pytest.mark.parametrize(
        "change",
        [
            {"role": "the other"},
            {"name": "mallory"},
            {"cluster": ""},
            {"nonce": bytes(32)},
            {"link": "x:1"},
            {"dialled": "10.0.0.2:7171"},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_a_hello_that_is_changed_fails(self, at: int, change: dict[str, str | bytes]) -> None:
        pair = Pair(identity(msgspec.structs.replace(NODE, role="app"), SECRET))
        if "role" in change:
            change = {"role": ("node", "app")[at]}
        frames = [pair.dialler.opening()]
        frames[0] = tampered(frames[0], change if at == 0 else {})
        frames.append(
            tampered(pair.acceptor.receive(frames[0][HEADER_BYTES:]), change if at else {})
        )
        proof = pair.dialler.receive(frames[1][HEADER_BYTES:])
        with pytest.raises(WireError, match=r"\(secret\)"):
            pair.acceptor.receive(proof[HEADER_BYTES:])

    def test_so_does_one_that_says_the_same_in_other_bytes(self) -> None:
        pair = Pair()
        hello = body_of(APP)
        hello = hello[:2] + b"\xcc\x01" + hello[3:]
        assert decode(hello) == APP
        answer = pair.acceptor.receive(hello)
        proof = pair.dialler.receive(answer[HEADER_BYTES:])
        with pytest.raises(WireError, match=r"\(secret\)"):
            pair.acceptor.receive(proof[HEADER_BYTES:])


class TestHello:
    @pytest.mark.parametrize("version", [0, 2, 1_000])
    def test_an_unknown_version_is_named_though_the_rest_is_unreadable(self, version: int) -> None:
        body = msgspec.msgpack.encode([0, version, {"another": "layout"}])
        for side in (Pair().acceptor, Pair().dialler):
            with pytest.raises(WireError, match=rf"version {version} .* only 1 \(version\)"):
                side.receive(body)

    @pytest.mark.parametrize(
        ("mine", "theirs"), [("prod", "prod"), ("prod", ""), ("", "prod"), ("", "")]
    )
    def test_sides_of_one_cluster_or_none_talk(self, mine: str, theirs: str) -> None:
        pair = Pair(Identity("app", "a", theirs), Identity("node", "n", mine))
        pair.run()
        assert pair.dialler.done

    def test_sides_of_two_clusters_do_not_and_the_error_names_both(self) -> None:
        pair = Pair(Identity("node", "n", "test"), Identity("node", "m", "prod"))
        with pytest.raises(WireError, match=r"'prod', not 'test' \(cluster\)"):
            pair.run()

    @pytest.mark.parametrize(("mine", "theirs"), [("6a03", ""), ("", "6a03"), ("6a03", "7b14")])
    def test_nodes_of_other_ring_seeds_refuse_each_other(self, mine: str, theirs: str) -> None:
        me, other = (replace(identity(NODE), ring=ring) for ring in (mine, theirs))
        dialler = Dialling(me, NONCES[0], "")
        for side in (
            Accepting(other, NONCES[1], approve=welcome_all),
            Dialling(other, NONCES[1], ""),
        ):
            with pytest.raises(WireError, match=r"the same --ring-seed-file .*\(ring-seed\)"):
                side.receive(dialler.opening()[HEADER_BYTES:])

    def test_to_an_app_any_ring_seed_will_do(self) -> None:
        pair = Pair(identity(APP, SECRET), replace(identity(NODE, SECRET), ring="6a03"))
        pair.run()
        assert pair.is_up

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"nonce": b""}, "nonce of 0 bytes"),
            ({"nonce": bytes(31)}, "nonce of 31 bytes"),
            ({"nonce": bytes(1_000)}, "nonce of 1000 bytes"),
            ({"role": "admin"}, "role 'admin'"),
            ({"role": "x" * 1_000}, "role 'x{20}'"),
            ({"name": ""}, "name"),
            ({"name": "n" * 254}, "name"),
            ({"name": "é" * 127}, "name"),
            ({"name": "two\nlines"}, "name"),
            ({"cluster": "c" * 254}, "cluster"),
            ({"cluster": "\x1b[31m"}, "cluster"),
            ({"dialled": "d" * 301}, "dialled"),
            ({"dialled": "two\nlines"}, "dialled"),
        ],
    )
    def test_what_cannot_be_is_refused(self, change: dict[str, str | bytes], reason: str) -> None:
        body = body_of(msgspec.structs.replace(APP, **change))
        for side in (Pair().acceptor, Pair().dialler):
            with pytest.raises(WireError, match=rf"{reason}.*\(bad-message\)"):
                side.receive(body)
            assert side.peer is None

    def test_a_host_name_of_253_bytes_is_a_name(self) -> None:
        pair = Pair(Identity("app", "n" * 253, "c" * 253), Identity("node", "n", "c" * 253))
        pair.run()
        assert pair.acceptor.done

    def test_it_may_be_turned_away_before_the_other_side_says_anything(self) -> None:
        def approve(hello: Hello) -> None:
            raise WireError("name", f"no {hello.name}")

        acceptor = Accepting(identity(NODE), NONCES[1], approve=approve)
        with pytest.raises(WireError, match=r"no web-1 \(name\)"):
            acceptor.receive(body_of(APP))


class TestOrder:
    @pytest.mark.parametrize("name", [name for name in MESSAGES if not name.startswith("Hello")])
    def test_hello_comes_first(self, name: str) -> None:
        """Whatever else comes first is refused; an Error is what the other side has against us."""
        body = body_of(MESSAGES[name])
        for side in (Pair().acceptor, Pair().dialler):
            with pytest.raises(WireError, match="expected hello" if name != "Error" else "secret"):
                side.receive(body)
            assert not side.done

    @pytest.mark.parametrize(
        ("at", "hello", "expected", "name"),
        [
            (at, hello, expected, name)
            for at, hello, expected in [("acceptor", APP, "Proof"), ("dialler", NODE, "Welcome")]
            for name in MESSAGES
            if name not in {expected, "Error"}
        ],
    )
    def test_then_its_proof(self, at: str, hello: Hello, expected: str, name: str) -> None:
        """After its Hello nothing but that, or the Welcome, is taken from the other side."""
        side: Handshake = getattr(Pair(), at)
        side.receive(body_of(hello))
        with pytest.raises(WireError, match=f"expected {expected.lower()}"):
            side.receive(body_of(MESSAGES[name]))
        assert not side.done

    def test_an_error_at_any_step_is_a_refusal_that_is_not_answered(self) -> None:
        refusal = body_of(Error("busy", "come back later"))
        pair = Pair()
        with pytest.raises(Refused, match=r"come back later \(busy\)"):
            pair.dialler.receive(refusal)
        pair = Pair()
        pair.dialler.receive(body_of(NODE))
        with pytest.raises(Refused, match=r"come back later \(busy\)"):
            pair.dialler.receive(refusal)

    @given(st.lists(st.binary(max_size=60) | st.sampled_from([body_of(APP), body_of(Ping(1))])))
    def test_random_bytes_never_make_a_link(self, bodies: list[bytes]) -> None:
        for side in (Pair().acceptor, Pair().dialler):
            for body in bodies:
                try:
                    side.receive(body)
                except WireError:
                    break
            assert not side.done
