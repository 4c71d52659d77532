"""The options of the command: their names here and in the environment, and how they are read."""

from __future__ import annotations

import os
import re
import ssl
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from sidegate.buckets.decision import OnUnreachable
from sidegate.link.address import Address, parse_address
from sidegate.trust.secrets import SecretFile as FileOfSecrets
from sidegate.trust.tls import Tls
from sidegate_sidecar.config import (
    MAX_RING_SEED_BYTES,
    OptionError,
    Role,
    require_ring_seed,
    secrets_in,
)
from sidegate_sidecar.persistence.state_file import require_place
from sidegate_sidecar.sizes import EXPECTED, parse_size
from sidegate_sidecar.telemetry.logs import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Value = TypeVar("Value")

_ONLY_FLAGS: Final = {"cost", "seconds"}  # not in the environment
_PLURAL: Final = {  # several in one variable
    "seed": "SIDEGATE_SEEDS",
    "http-host": "SIDEGATE_HTTP_HOSTS",
}
# All here can read a command line.
_NO_FLAG: Final = {"secret", "node-secret", "http-token", "ring-seed"}
_ONE_SEED: Final = "SIDEGATE_SEED"  # what one would guess from the flag


def variable(option: str) -> str:
    """Return the name of an option in the environment."""
    return _PLURAL.get(option, "SIDEGATE_" + option.upper().replace("-", "_"))


def complaint(option: str, value: object, why: str) -> str:
    """Return the line that says what is wrong with an option."""
    if option in _NO_FLAG:
        names = variable(option)
    elif option in _ONLY_FLAGS:
        names = f"--{option}"
    else:
        names = f"--{option} (or {variable(option)})"
    return f"{names} {str(value)!r}: {why}"


def _option(
    option: str, metavar: str, text: str, group: str = "Options", shown: str = ""
) -> object:
    return typer.Option(
        f"--{option}",
        metavar=metavar,
        help=text,
        envvar=variable(option),
        rich_help_panel=group,
        show_default=shown or True,
    )


_WHO = "Who and where"
_TRUST = "Trust"
_BEHAVIOUR = "Behaviour"

Name = Annotated[
    str, _option("name", "NAME", "Name of this node on the ring; unique.", _WHO, "host name")
]
Link = Annotated[
    str, _option("link", "HOST:PORT", "Where to listen for apps and for other nodes.", _WHO)
]
SocketPath = Annotated[
    str, _option("socket", "PATH", "Where to listen for apps on a Unix socket as well.", _WHO)
]
SocketMode = Annotated[
    str,
    _option(
        "socket-mode",
        "OCTAL",
        "Who may use that socket, as for chmod: 660 its user and group, 666 everyone who can reach"
        " the file.",
        _WHO,
    ),
]
Http = Annotated[str, _option("http", "HOST:PORT", "Where to serve the HTTP API.", _WHO)]
HttpHosts = Annotated[
    list[str],
    _option(
        "http-host",
        "NAME",
        "A further host name that requests may ask for, such as that of a proxy. Addresses,"
        " localhost, names without dots and those within a cluster (.svc) need none. Repeat it, or"
        " separate several by commas.",
        _WHO,
    ),
]
Seeds = Annotated[
    list[str],
    _option(
        "seed",
        "HOST:PORT",
        "Where to find other nodes: all addresses behind the name, asked for again and again."
        " Repeat it, or separate several by commas.",
        _WHO,
    ),
]
Cluster = Annotated[
    str, _option("cluster", "NAME", "Only nodes of the same cluster talk to each other.", _WHO)
]
SecretFile = Annotated[
    str,
    _option(
        "secret-file",
        "PATH",
        "The secret that all nodes and apps share; read again when it changes. Of several, one a"
        " line, the first is shown and all are accepted. Or put it itself into SIDEGATE_SECRET.",
        _TRUST,
    ),
]
NodeSecretFile = Annotated[
    str,
    _option(
        "node-secret-file",
        "PATH",
        "Another one that makes a node of who has it; that of apps doesn't then. Or put it itself"
        " into SIDEGATE_NODE_SECRET.",
        _TRUST,
    ),
]
HttpTokenFile = Annotated[
    str,
    _option(
        "http-token-file",
        "PATH",
        "Another one that HTTP takes in place of the secret, for it crosses the wire there. Or put"
        " it itself into SIDEGATE_HTTP_TOKEN.",
        _TRUST,
    ),
]
RingSeedFile = Annotated[
    str,
    _option(
        "ring-seed-file",
        "PATH",
        "16 bytes or more that no stranger knows, so that none can make up keys for one node. The"
        " same on all nodes, kept when the secret changes, read at the start. Or put them"
        " themselves into SIDEGATE_RING_SEED.",
        _TRUST,
    ),
]
TlsCert = Annotated[
    str, _option("tls-cert", "PATH", "Our certificate (PEM), for the link over TCP.", _TRUST)
]
TlsKey = Annotated[str, _option("tls-key", "PATH", "Its private key (PEM).", _TRUST)]
TlsCa = Annotated[
    str, _option("tls-ca", "PATH", "Who signs the certificates of the other side (PEM).", _TRUST)
]
Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure",
        help="Serve other machines without a secret or TLS. \\[env var: SIDEGATE_INSECURE]",
        rich_help_panel=_TRUST,
        show_default=False,
    ),
]
Policy = Annotated[
    str,
    _option(
        "on-unreachable",
        "|".join(OnUnreachable),
        "What becomes of a check that no node which could decide it can be asked about: let"
        " through, refused, or decided here with this node's share of the limit.",
        _BEHAVIOUR,
    ),
]
Budget = Annotated[
    str,
    _option(
        "budget",
        "SECONDS",
        "How long a check may take; its owner has half of it, then its backup.",
        _BEHAVIOUR,
    ),
]
MaxMemory = Annotated[
    str,
    _option(
        "max-memory",
        "BYTES",
        "What the buckets may take of the memory: about 250 bytes each, and their longer keys.",
        _BEHAVIOUR,
    ),
]
MaxConnections = Annotated[
    str,
    _option("max-connections", "NUMBER", "Connections of apps to accept on the link.", _BEHAVIOUR),
]
NodeRole = Annotated[
    str,
    _option(
        "role",
        "|".join(Role),
        "A leaf forwards checks and owns no keys: for fleets too large for everyone to be on the"
        " ring.",
        _BEHAVIOUR,
    ),
]
Drain = Annotated[
    str,
    _option(
        "drain",
        "SECONDS",
        "How long leaving the ring may take; the last one waits for another.",
        _BEHAVIOUR,
    ),
]
StateFile = Annotated[
    str,
    _option(
        "state-file",
        "PATH",
        "Where to keep buckets over a restart: saved every 10 s and at exit.",
        _BEHAVIOUR,
    ),
]
LogLevel = Annotated[
    str, _option("log-level", "|".join(LEVELS), "What to log to stderr.", _BEHAVIOUR)
]

Version = Annotated[bool, typer.Option("--version", help="Print the version.", show_default=False)]
Sidecar = Annotated[str, _option("http", "HOST:PORT", "The HTTP address of the sidecar to ask.")]
CallerSecret = Annotated[
    str,
    _option("secret-file", "PATH", "The secret of the cluster. Or put it into SIDEGATE_SECRET."),
]
CallerToken = Annotated[
    str,
    _option(
        "http-token-file",
        "PATH",
        "What the sidecar's HTTP takes, if that isn't the secret. Or put it into"
        " SIDEGATE_HTTP_TOKEN.",
    ),
]
Cost = Annotated[
    str, typer.Option("--cost", metavar="TOKENS", help="Tokens to charge; 0 only looks.")
]
Seconds = Annotated[
    str, typer.Option("--seconds", metavar="SECONDS", help="End by itself after so long.")
]
Patience = Annotated[
    str, _option("drain", "SECONDS", "How long the sidecar may take, as it was told itself.")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the answer as JSON, for scripts.", show_default=False)
]


_AN_ADDRESS = "expected HOST:PORT or [IPV6]:PORT, with a port from 0 to 65535"


def address(option: str, text: str) -> Address:
    """Return the address that an option holds."""
    return _read(option, text, parse_address, _AN_ADDRESS)


def seeds(texts: Iterable[str]) -> tuple[Address, ...]:
    """Return the addresses of seeds; OptionError if its two variables say different things."""
    texts, one = list(texts), os.environ.get(_ONE_SEED, "")
    several = os.environ.get(variable("seed"), "")
    if one and several and _SEPARATORS.split(one) != _SEPARATORS.split(several):
        why = f"{_ONE_SEED} says {one!r}: expected one of the two, or the same in both"
        raise OptionError("seed", several, why)
    return addresses("seed", texts or _SEPARATORS.split(one))


_SEPARATORS: Final = re.compile(r"[\s,]+")


def names(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the names in texts, each of which may hold several between commas."""
    return tuple(part.strip() for text in texts for part in text.split(",") if part.strip())


def addresses(option: str, texts: Iterable[str]) -> tuple[Address, ...]:
    """Return the addresses in texts, each of which may hold several between commas."""
    parts = [part.strip() for text in texts for part in text.split(",")]
    return tuple(address(option, part) for part in parts if part)


def seconds(option: str, text: str) -> float:
    """Return a number of seconds."""
    return _read(option, text, _above_zero, "expected seconds, above 0")


def _above_zero(text: str) -> float:
    if not 0 < float(text) < inf:
        raise ValueError(text)
    return float(text)


def whole(option: str, text: str) -> int:
    """Return a whole number."""
    return _read(option, text, int, "expected a whole number")


def size(option: str, text: str) -> int:
    """Return a number of bytes."""
    return _read(option, text, parse_size, EXPECTED)


def mode(option: str, text: str) -> int:
    """Return the mode of a file."""
    return _read(option, text, _octal, "expected a mode in octal, such as 660")


def _octal(text: str) -> int:
    if not (text.isascii() and text.isdigit()):  # int() would take 0o660, 6_60 and -1 as well
        raise ValueError(text)
    return int(text, 8)


def policy(option: str, text: str) -> OnUnreachable:
    """Return a policy for unreachable."""
    return _read(option, text, OnUnreachable, f"expected one of {', '.join(OnUnreachable)}")


def role(option: str, text: str) -> Role:
    """Return a role."""
    return _read(option, text, Role, f"expected one of {', '.join(Role)}")


def level(option: str, text: str) -> str:
    """Return a log level."""
    return _read(option, text.lower(), _level, f"expected one of {', '.join(LEVELS)}")


def _level(text: str) -> str:
    return LEVELS[LEVELS.index(text)]


def _read(option: str, text: str, read: Callable[[str], Value], expected: str) -> Value:
    try:
        return read(text)
    except ValueError:
        raise OptionError(option, text, expected) from None


def flag(option: str, *, given: bool) -> bool:
    """Return whether a flag is given, or set in the environment."""
    text = os.environ.get(variable(option), "").strip().lower()
    if text not in _YES | _NO:
        raise OptionError(option, text, "expected 1, true, yes or on; or 0, false, no or off")
    return given or text in _YES


_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"", "0", "false", "no", "off"})


def secret(option: str, path: str) -> bytes:
    """Return what is in the variable of a secret; nothing (empty) if there is a file instead."""
    return b"" if path else os.environ.get(variable(option), "").encode("utf-8", "surrogateescape")


def shown_secret(token_path: str, secret_path: str) -> bytes:
    """Return what a command shows by HTTP: the first token if there is one, else the secret."""
    for option, path in (("http-token", token_path), ("secret", secret_path)):
        file = secret_file(option, path)
        if held := file() if file else secrets_in(secret(option, path), option):
            return held[0]
    return b""


def secret_file(option: str, path: str) -> FileOfSecrets | None:
    """Return the file with such secrets, None without a path; OptionError if it has none."""
    if not path:
        return None
    try:
        return FileOfSecrets(path)
    except ValueError as error:
        why = str(error).removeprefix(f"secret file {path!r}").lstrip(": ")
        expected = f"expected a file with the {option.replace('-', ' ')}: {why}"
        raise OptionError(f"{option}-file", path, expected) from None


def ring_seed(path: str) -> bytes:
    """Return the seed of the ring in the file, or else in SIDEGATE_RING_SEED; empty without both.

    White space around it doesn't count. OptionError for a file without a seed.
    """
    if not path:
        text = os.environ.get("SIDEGATE_RING_SEED", "")
        return text.encode("utf-8", "surrogateescape").strip()
    try:
        with Path(path).open("rb") as file:
            seed = file.read(MAX_RING_SEED_BYTES + 2).strip()  # 2: a line may end with two bytes
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise OptionError("ring-seed-file", path, f"expected a file with a seed: {why}") from None
    require_ring_seed("ring-seed-file", path, seed)
    return seed


def state_file(path: str) -> str:
    """Return the path of a state file, empty for none; OptionError if none can be saved there."""
    if path:
        require_place(path)
    return path


def tls(cert: str, key: str, ca: str) -> Tls | None:
    """Return the files for TLS, None without any; OptionError for some, or for unusable ones."""
    files = {"tls-cert": cert, "tls-key": key, "tls-ca": ca}
    if not any(files.values()):
        return None
    for option, path in files.items():
        if not path:
            raise OptionError(
                option, path, "expected a path: --tls-cert, --tls-key and --tls-ca go together"
            )
        _require_readable(option, path)
    made = Tls(cert, key, ca)
    try:
        made.context(ssl.Purpose.CLIENT_AUTH)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise OptionError("tls-cert", cert, f"not usable with {key} and {ca}: {error}") from None
    return made


def _require_readable(option: str, path: str) -> None:
    try:
        Path(path).read_bytes()
    except OSError as error:
        raise OptionError(option, path, f"expected a PEM file: {error.strerror}") from None
