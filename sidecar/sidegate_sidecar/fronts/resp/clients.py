"""Clients: what each says before and beside its checks, as stock clients of Redis do. Pure.

What changes nothing and nobody relies on is said to be done (SELECT 0, CLIENT SETINFO). What would
change something that there isn't is an error, which stock clients take as one (CLIENT TRACKING).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.version import __version__
from sidegate_sidecar.fronts.resp.replies import (
    NOTHING,
    OK,
    bulk,
    error,
    integer,
    mapping,
    nothing,
    simple,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class House(Protocol):
        """What a client's words depend on, of the sidecar that hears them."""

        def needs_secret(self) -> bool:
            """Is there a secret that everyone has to show?"""
            ...

        def knows(self, secret: bytes) -> bool:
            """Is it one of ours? Says so in the same time for each that isn't."""
            ...

        def facts(self) -> dict[str, str | int]:
            """Return what INFO says of the sidecar."""
            ...


MAX_UNPROVEN = 64  # commands before the secret is shown: stock clients say five
MAX_NAME = 64  # bytes of the name that a client gives itself
_USER = b"default"  # as Redis calls the one that has a password and no name
_COMMANDS = "CL.THROTTLE, THROTTLE, DEL, PING, ECHO, INFO, HELLO, AUTH, CLIENT, RESET and QUIT"
_NO_AUTH = "Authentication required: AUTH, or HELLO with AUTH, and the secret of this sidecar"
_WRONG = error("invalid username-password pair: expected user default and the secret", "WRONGPASS")
_NOT_SET = (
    "AUTH called without any password configured for the default user: this sidecar has no secret"
)
_TRANSACTIONS = frozenset({b"MULTI", b"EXEC", b"DISCARD", b"WATCH", b"UNWATCH"})
_HTTP = frozenset({b"POST", b"HOST:"})  # a page of a stranger's may have a browser say them here


class RespClient:
    """One client. `is_over` once nothing more is to be heard of it, for a `fault` or not."""

    def __init__(self, house: House, number: int) -> None:
        self.is_proven = not house.needs_secret()
        self.is_over = False
        self.fault = ""  # a reason, as metrics name it
        self.source = ""  # of its last decision
        self._house = house
        self._number = number
        self._version = 2
        self._name = b""
        self._unproven = 0  # commands said without a right to
        self._words: dict[bytes, Callable[[list[bytes]], bytes]] = {
            b"HELLO": self._hello,
            b"AUTH": self._auth,
            b"PING": self._ping,
            b"ECHO": self._echo,
            b"SELECT": self._select,
            b"CLIENT": self._client,
            b"INFO": self._info,
            b"COMMAND": self._command,
            b"CONFIG": self._config,
            b"DEL": self._delete,
            b"RESET": self._reset,
            b"QUIT": self._quit,
        }

    def reply(self, name: bytes, command: list[bytes]) -> bytes:
        """Return the reply to a command, whose name is given in capitals."""
        word = self._words.get(name)
        if word is None and (name in _HTTP or command[-1].startswith(b"HTTP/")):
            self.end("http")
            return error("this is no HTTP: --http has a port for it")
        if not self.is_proven:
            self._unproven += 1
            if self._unproven > MAX_UNPROVEN:
                self.end("secret")
                return error(f"expected AUTH within {MAX_UNPROVEN} commands", "NOAUTH")
            if name not in {b"HELLO", b"AUTH", b"RESET", b"QUIT"}:
                return error(_NO_AUTH, "NOAUTH")
        return _unknown(name) if word is None else word(command[1:])

    def end(self, fault: str = "") -> None:
        """Hear nothing more of it; `fault` says why, if it is its own."""
        self.is_over, self.fault = True, fault

    # --- who it is

    def _hello(self, arguments: list[bytes]) -> bytes:
        version = arguments[0] if arguments else b"%d" % self._version
        if version not in {b"2", b"3"}:
            said = version[:20].decode("utf-8", "replace")
            return error(f"unsupported protocol version {said!r}: expected 2 or 3", "NOPROTO")
        rest, name = arguments[1:], self._name
        while rest:
            option = rest[0].upper()
            if option == b"AUTH" and len(rest) >= 3:
                if (refusal := self._auth(rest[1:3])) != OK:
                    return refusal
                rest = rest[3:]
            elif option == b"SETNAME" and len(rest) >= 2:
                name, rest = rest[1], rest[2:]
            else:
                said = rest[0][:80].decode("utf-8", "replace")
                return error(f"HELLO option {said!r}: expected AUTH user secret, or SETNAME name")
        if not self.is_proven:
            return error(
                f"HELLO must be called with AUTH default and the secret. {_NO_AUTH}", "NOAUTH"
            )
        if (named := self._set_name(name)) != OK:
            return named
        self._version = int(version)
        return mapping(self._greeting(), self._version)

    def _greeting(self) -> dict[str, str | int | None]:
        return {
            "server": "sidegate",
            "version": __version__,
            "proto": self._version,
            "id": self._number,
            "mode": "standalone",
            "role": "master",
            "modules": None,
        }

    def _auth(self, arguments: list[bytes]) -> bytes:
        if not 1 <= len(arguments) <= 2:
            return error(
                f"AUTH with {len(arguments)} arguments: expected user default and a secret"
            )
        if not self._house.needs_secret():
            return error(_NOT_SET)
        user, secret = (_USER, *arguments)[-2:]
        if not self._house.knows(secret) or user != _USER:
            self.end("secret")
            return _WRONG
        self.is_proven = True
        return OK

    def _client(self, arguments: list[bytes]) -> bytes:
        asked = arguments[0].upper() if arguments else b""
        match asked, arguments[1:]:
            case b"SETINFO", [_, _]:
                return OK
            case b"SETNAME", [name]:
                return self._set_name(name)
            case b"GETNAME", []:
                return bulk(self._name) if self._name else nothing(self._version)
            case b"ID", []:
                return integer(self._number)
            case b"INFO", []:
                return bulk(b"id=%d name=%s resp=%d\n" % (self._number, self._name, self._version))
            case _:
                said = b" ".join(arguments)[:80].decode("utf-8", "replace")
                return error(f"CLIENT {said}: expected SETINFO, SETNAME, GETNAME, ID or INFO")

    def _set_name(self, name: bytes) -> bytes:
        if len(name) > MAX_NAME or any(not 33 <= byte <= 126 for byte in name):
            return error(f"a name of {len(name)} bytes: expected up to {MAX_NAME}, no blanks in it")
        self._name = name
        return OK

    def _reset(self, _arguments: list[bytes]) -> bytes:
        self._version, self._name = 2, b""
        self.is_proven = not self._house.needs_secret()
        return simple("RESET")

    def _quit(self, _arguments: list[bytes]) -> bytes:
        self.end()
        return OK

    # --- what it asks

    def _ping(self, arguments: list[bytes]) -> bytes:
        if len(arguments) > 1:
            return error(f"PING with {len(arguments)} arguments: expected one at most")
        return bulk(arguments[0]) if arguments else simple("PONG")

    def _echo(self, arguments: list[bytes]) -> bytes:
        if len(arguments) != 1:
            return error(f"ECHO with {len(arguments)} arguments: expected one")
        return bulk(arguments[0])

    def _select(self, arguments: list[bytes]) -> bytes:
        if arguments == [b"0"]:
            return OK
        said = b" ".join(arguments)[:20].decode("utf-8", "replace")
        return error(f"DB index {said!r} is out of range: expected 0, there is one")

    def _info(self, _arguments: list[bytes]) -> bytes:
        facts = self._house.facts() | {"last_source": self.source}
        lines = [f"sidegate_{name}:{value}" for name, value in facts.items()]
        return bulk(
            "\r\n".join(
                [
                    "# Server",
                    "redis_mode:standalone",
                    "# Persistence",
                    "loading:0",
                    "# Sidegate",
                    *lines,
                    "",
                ]
            ).encode()
        )

    def _delete(self, arguments: list[bytes]) -> bytes:
        """Refuse one without keys: those with some are done by their owners."""
        return error(f"DEL with {len(arguments)} arguments: expected keys")

    def _command(self, arguments: list[bytes]) -> bytes:
        asked = arguments[0].upper() if arguments else b""
        if asked == b"COUNT":
            return integer(0)
        return mapping({}, self._version) if asked == b"DOCS" else NOTHING

    def _config(self, arguments: list[bytes]) -> bytes:
        if arguments[:1] and arguments[0].upper() == b"GET":
            return mapping({}, self._version)
        return error(
            "CONFIG: expected GET, which finds nothing: options are those of sidegate serve"
        )


def _unknown(name: bytes) -> bytes:
    said = name[:80].decode("utf-8", "replace")
    if name in _TRANSACTIONS:
        return error(
            f"unknown command {said!r}: there are no transactions, so use a pipeline without one"
            " (redis-py: transaction=False)"
        )
    return error(f"unknown command {said!r}: expected one of {_COMMANDS}")
