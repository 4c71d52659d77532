"""The handshake of a link: both sides say who they are and prove that they know the secret. Pure.

    dialling side                     accepting side
    Hello(nonce)            ->
                            <-        Hello(nonce)
    Proof                   ->
                            <-        Welcome(proof)

A proof is HMAC-SHA256 with the secret as key over a label ("sidegate dialler" or "sidegate
acceptor", by who sends it) and the bytes of both Hellos. The secret itself never crosses the wire.
A proof is worth nothing on any other connection, since each side put a fresh nonce in, nor for the
other direction, since the label differs, nor in another protocol that uses the same secret. The
side that was dialled shows its proof last: who doesn't know the secret learns nothing from it that
could be tried against a list of words.

What is proved also binds what carries the bytes: over TLS the certificate of the accepting side, so
that nobody whose certificate is as good can pass a handshake on. Where nothing else protects the
bytes, the secret also makes a key for each direction, and all frames behind the handshake are
sealed with it (`seal.py`): who passes that on gets nothing by it. Only an app may do without, in a
language where that is much to ask for: it leaves out what it dialled, and nobody can do that in
its place.

A side may know several secrets, so that one can replace another while links come and go. It dials
with its first one, and accepts whoever proves any of them; the Welcome then proves the same one.
Nodes may have others than apps: each side goes by the role of the one that dials.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from hashlib import sha256
from typing import TypeAlias, TypeVar

from sidegate.protocol.codec import (
    HEADER_BYTES,
    Bytes,
    Refused,
    WireError,
    decode,
    encode,
    version_of,
)
from sidegate.protocol.levels import LEVEL, NONE, unknown_to
from sidegate.protocol.messages import VERSION, Error, Hello, Message, Proof, Welcome
from sidegate.protocol.seal import Seal

Expected = TypeVar("Expected", bound=Message)

ROLES = ("app", "node")
NONCE_BYTES = 32
# They name this protocol, so that a proof is worth nothing in another one with the same secret.
_DIALLER = b"sidegate dialler"
_ACCEPTOR = b"sidegate acceptor"
_OTHER_SEED = (
    "the two nodes don't have the same ring seed, and would each have another owner for a key: give"
    " all nodes of a cluster the same --ring-seed-file (SIDEGATE_RING_SEED), or none"
)
_FRAMES = b" frames"  # behind either: a key for what that side sends
MAX_NAME_BYTES = 253  # the longest host name there is (RFC 1035, 2.3.4)
MAX_DIALLED = 300  # characters: "[", a host name, and a port; or a path

PLAIN = b""  # a channel where anybody on the way reads and writes: TCP
UNIX = b"unix"  # one that the file system guards


def is_name(text: str) -> bool:
    """Is it fit to name a node, an app or a cluster: 1 to 253 bytes of printable text?"""
    return text.isprintable() and 0 < len(text.encode()) <= MAX_NAME_BYTES


def tls_channel(certificate: bytes) -> bytes:
    """Return what tells a TLS channel: whose it is, by the accepting side's certificate (DER)."""
    return b"tls" + sha256(certificate).digest()


Approval: TypeAlias = Callable[[Hello], None]
"""Raises WireError when this side doesn't want to talk to the one that said this Hello."""

Secrets: TypeAlias = Callable[[], tuple[bytes, ...]]
"""Returns the secrets that hold for one handshake, the one to show first; empty without any."""


def no_secrets() -> tuple[bytes, ...]:
    """Return that there are none."""
    return ()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this side is and what it knows; the same for all of its connections.

    `secrets` is asked at each handshake; without any the other side's proof isn't looked at. Where
    nodes have secrets of their own, `node_secrets` is asked for those, and `secrets` is for apps.
    `instance` starts the nonces of a node, so that it knows itself when it has dialled its own
    address. `ring` is the fingerprint of a node's ring seed; nodes with another one are refused.
    `level` tells which kinds of messages it knows.
    """

    role: str
    name: str
    cluster: str
    secrets: Secrets = field(default=no_secrets, repr=False)
    link: str = ""
    instance: bytes = b""
    node_secrets: Secrets | None = field(default=None, repr=False)
    ring: str = ""
    level: int = LEVEL

    def hello(self, nonce: bytes, dialled: str = "") -> Hello:
        """Return the Hello that opens one connection."""
        me = self.role, self.name, self.cluster
        return Hello(VERSION, *me, nonce, self.link, dialled, self.ring, self.level)

    def secrets_of(self, role: str) -> tuple[bytes, ...]:
        """Return the secrets that hold now for a dialling side of that role, the one to show first.

        ValueError if there must be some and aren't yet.
        """
        own = role == "node" and self.node_secrets is not None
        return self.node_secrets() if own and self.node_secrets else self.secrets()


class Step(Enum):
    """What a side waits for next."""

    HELLO = auto()
    PROOF = auto()
    WELCOME = auto()
    DONE = auto()


class Handshake:
    """One side of one handshake: `opening` and `receive` return the frames to send.

    After the last message `done` is true and `peer` is the other side's Hello. A WireError says
    why the connection must be closed; it is for the log here and, as an Error, for the other side.

    `channel` is what carries the bytes: PLAIN, UNIX or a `tls_channel`; set it before the first
    frame comes. `seals` are for the frames that this side sends behind the handshake, and for
    those that come; None where frames have none. `unknown` are the kinds of messages that the
    other side doesn't know, each with what it is about; none in a cluster of one release.
    """

    def __init__(self, me: Identity, nonce: bytes, dialled: str = "") -> None:
        self._me = me
        self._hello = encode(me.hello(nonce, dialled))
        self._transcript = b""
        self._step = Step.HELLO
        self.channel = PLAIN
        self.peer: Hello | None = None
        self.unknown = NONE
        self.seals: tuple[Seal, Seal] | None = None

    @property
    def done(self) -> bool:
        """Is the link up?"""
        return self._step is Step.DONE

    def lacks(self, kind: type[Message]) -> str:
        """Return why the other side isn't told messages of that kind, for people; "" if it is."""
        if self.peer is None or kind not in self.unknown:
            return ""
        return f"{self.peer.name} is of an older version, which has no {self.unknown[kind]}"

    def receive(self, body: Bytes) -> bytes:
        """Take the body of the next frame; return what to send, perhaps nothing."""
        raise NotImplementedError

    def _meet(self, body: Bytes) -> Hello:
        if (version := version_of(body)) not in {None, VERSION}:
            raise WireError("version", f"version {version} is not spoken here, only {VERSION}")
        hello = _expect(Hello, decode(body))
        if len(hello.nonce) != NONCE_BYTES:
            raise WireError("bad-message", f"a nonce of {len(hello.nonce)} bytes, not 32")
        if hello.role not in ROLES:
            raise WireError("bad-message", f"role {hello.role[:20]!r} is not one of {ROLES}")
        for what, name in (("name", hello.name), ("cluster", hello.cluster or "-")):
            if not is_name(name):
                raise WireError("bad-message", f"a {what} must have 1 to 253 printable bytes")
        if len(hello.dialled) > MAX_DIALLED or not (hello.dialled or "-").isprintable():
            raise WireError(
                "bad-message", "what was dialled must be up to 300 printable characters"
            )
        self.peer = hello  # before it is refused, so that the log can name it
        self.unknown = unknown_to(hello, self._me.role)
        if hello.cluster and self._me.cluster and hello.cluster != self._me.cluster:
            raise WireError(
                "cluster", f"this is cluster {self._me.cluster!r}, not {hello.cluster!r}"
            )
        if hello.role == self._me.role == "node" and hello.ring != self._me.ring:
            raise WireError("ring-seed", _OTHER_SEED)
        return hello

    def _hear_both(self, dialler: Bytes, acceptor: Bytes) -> None:
        """Note what proofs are about: both Hellos, byte for byte, so neither can be tampered with.

        And the channel that this side sees below them.
        """
        hellos = sha256(dialler).digest() + sha256(acceptor).digest()
        self._transcript = hellos + self.channel

    def _prove(self, label: bytes, secret: bytes) -> bytes:
        return hmac.digest(secret, label + b"\0" + self._transcript, "sha256")

    def _finish(self, secret: bytes, mine: bytes, theirs: bytes, dialled: str) -> None:
        """Be up; both sides know this secret, if there is one."""
        self._step = Step.DONE
        if secret and dialled and self.channel == PLAIN:
            sent, came = (self._prove(label + _FRAMES, secret) for label in (mine, theirs))
            self.seals = Seal(sent), Seal(came)

    def _proved(self, label: bytes, proof: bytes, secrets: tuple[bytes, ...]) -> bytes | None:
        """Return the secret that a proof proves; all are tried, so the time taken tells nothing."""
        proved = None
        for secret in secrets:
            if hmac.compare_digest(self._prove(label, secret), proof):
                proved = secret
        return proved


class Dialling(Handshake):
    """The side that opened the connection, to the address `dialled`.

    What it proves is what it wants to see proved.
    """

    def __init__(self, me: Identity, nonce: bytes, dialled: str) -> None:
        super().__init__(me, nonce, dialled)
        self._dialled = dialled
        self._secret = b""

    def opening(self) -> bytes:
        """Return the frame to send as soon as the connection is there."""
        return self._hello

    def receive(self, body: Bytes) -> bytes:
        """Take the body of the next frame; return what to send, perhaps nothing."""
        match self._step:
            case Step.HELLO:
                self._meet(body)
                self._hear_both(self._hello[HEADER_BYTES:], body)
                self._step = Step.WELCOME
                self._secret = _first(self._me.secrets_of(self._me.role))
                return encode(Proof(self._prove(_DIALLER, self._secret)))
            case _:
                proof = _expect(Welcome, decode(body)).proof
                if self._secret and self._proved(_ACCEPTOR, proof, (self._secret,)) is None:
                    raise _not_the_same()
                self._finish(self._secret, _DIALLER, _ACCEPTOR, self._dialled)
                return b""


class Accepting(Handshake):
    """The side that was dialled. `approve` may turn a Hello away.

    `trust_apps`: an app needn't prove anything (on a Unix socket, which the file system guards).
    """

    def __init__(
        self, me: Identity, nonce: bytes, *, approve: Approval, trust_apps: bool = False
    ) -> None:
        super().__init__(me, nonce)
        self._approve = approve
        self._trust_apps = trust_apps

    def receive(self, body: Bytes) -> bytes:
        """Take the body of the next frame; return what to send."""
        match self._step:
            case Step.HELLO:
                self._approve(self._meet(body))
                self._hear_both(body, self._hello[HEADER_BYTES:])
                self._step = Step.PROOF
                return self._hello
            case _:
                assert self.peer is not None  # it has said Hello
                secrets = self._me.secrets_of(self.peer.role)
                proved = self._proved(_DIALLER, _expect(Proof, decode(body)).proof, secrets)
                if proved is None:
                    if secrets and not self._trusts_peer:
                        raise _not_the_same()
                    proved = _first(secrets)
                if proved and self.peer.role == "node" and not self.peer.dialled:
                    raise WireError("bad-message", "a node must say what it has dialled")
                self._finish(proved, _ACCEPTOR, _DIALLER, self.peer.dialled)
                return encode(Welcome(self._prove(_ACCEPTOR, proved)))

    @property
    def _trusts_peer(self) -> bool:
        return self._trust_apps and self.peer is not None and self.peer.role == "app"


def _first(secrets: tuple[bytes, ...]) -> bytes:
    return secrets[0] if secrets else b""


def _not_the_same() -> WireError:
    return WireError("secret", "the two sides don't have the same secret")


def _expect(kind: type[Expected], message: Message) -> Expected:
    if isinstance(message, kind):
        return message
    if isinstance(message, Error):
        raise Refused(message.code, message.text)
    expected, got = kind.__name__.lower(), type(message).__name__.lower()
    raise WireError("bad-message", f"expected {expected}, got {got}")
