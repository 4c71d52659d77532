"""What a command is trusted with: secrets, the seed of the ring, certificates.

They are in files that options name, or in the environment itself.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from sidegate.trust.secrets import SecretFile
from sidegate.trust.tls import Tls
from sidegate_sidecar.cli.options.names import variable
from sidegate_sidecar.config import (
    MAX_RING_SEED_BYTES,
    OptionError,
    require_ring_seed,
    secrets_in,
)


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


def secret_file(option: str, path: str) -> SecretFile | None:
    """Return the file with such secrets, None without a path; OptionError if it has none."""
    if not path:
        return None
    try:
        return SecretFile(path)
    except ValueError as error:
        why = str(error).removeprefix(f"secret file {path!r}").lstrip(": ")
        expected = f"expected a file with the {option.replace('-', ' ')}: {why}"
        raise OptionError(f"{option}-file", path, expected) from None


def ring_seed(path: str) -> bytes:
    """Return the seed of the ring in the file, or else in SIDEGATE_RING_SEED; empty without both.

    White space around it doesn't count. OptionError for a file without a seed.
    """
    if not path:
        text = os.environ.get(variable("ring-seed"), "")
        return text.encode("utf-8", "surrogateescape").strip()
    try:
        with Path(path).open("rb") as file:
            seed = file.read(MAX_RING_SEED_BYTES + 2).strip()  # 2: a line may end with two bytes
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise OptionError("ring-seed-file", path, f"expected a file with a seed: {why}") from None
    require_ring_seed("ring-seed-file", path, seed)
    return seed


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
