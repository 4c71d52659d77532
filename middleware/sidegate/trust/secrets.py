"""The secrets of a cluster: one, or several while a new one takes the place of an old one."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sidegate.watched import Watched

if TYPE_CHECKING:
    from sidegate.protocol.handshake import Secrets

log = logging.getLogger("sidegate")

MAX_SECRETS = 4  # two while one replaces the other; each is one more that a stranger may guess
MIN_BYTES = 16  # beyond loopback: what listens, or is dialled, can try words offline
MAX_BYTES = 16_384  # of all of them: a wrong path (a log, a device) is not read to its end

_EXPECTED = f"expected 1 to {MAX_SECRETS}, one a line"


def parse_secrets(text: bytes, least: int = 1) -> tuple[bytes, ...]:
    """Return the secrets in a text, one a line: the one to show first, then others to accept.

    White space around a secret and blank lines don't count. ValueError, which never shows any of
    the text, for none, for more than 4, for more than 16,384 bytes, and for one of fewer than
    `least` bytes.
    """
    if len(text) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES:,} bytes, {_EXPECTED}")
    secrets = tuple(secret for line in text.splitlines() if (secret := line.strip()))
    if not secrets:
        raise ValueError(f"no secret in it, {_EXPECTED}")
    if len(secrets) > MAX_SECRETS:
        raise ValueError(f"{len(secrets)} secrets, {_EXPECTED}")
    require_long(secrets, least)
    return secrets


def require_long(secrets: tuple[bytes, ...], least: int = MIN_BYTES) -> None:
    """Raise ValueError, which shows none of them, if a secret has fewer bytes than that."""
    shortest = min(map(len, secrets), default=least)
    if shortest < least:
        raise ValueError(
            f"{shortest} bytes, expected at least {least} beyond this machine, such as"
            " `openssl rand -base64 32` prints"
        )


def known(*secrets: bytes) -> Secrets:
    """Return secrets that stay what they are; an empty one is none."""
    held = tuple(secret for secret in secrets if secret)
    return lambda: held


@dataclass(slots=True)
class SecretFile:
    """The secrets in a file; call it for those that hold now. ValueError if it has none at first.

    Each call looks at the file, and reads it when it has changed. If it can't be used then (it is
    being written, say) the secrets from before go on, and the log says so once. Any thread may
    call it; there is no lock, which a fork could leave held.

    With `required` false it may have none at first; then each call raises ValueError until it has.
    One with a secret of fewer than `least` bytes can't be used.
    """

    path: str
    required: bool = field(default=True, repr=False)
    least: int = field(default=1, repr=False)
    _file: Watched[tuple[bytes, ...]] = field(init=False, repr=False, compare=False)
    _fault: str = field(default="", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._file = Watched([self.path], self._read)
        try:
            self._file.look()
        except ValueError as error:
            if self.required:
                raise
            self._fault = str(error)

    @property
    def fault(self) -> str:
        """Why the file could not be used when it was last looked at; empty if it could."""
        return self._fault

    def demand(self, least: int) -> None:
        """Have each secret be that long from now on, also when it changes; ValueError if one isn't.

        It is for who learns only after it was made who can reach what is guarded by it.
        """
        self.least = least
        require_long(self(), least)

    def __call__(self) -> tuple[bytes, ...]:
        """Return the secrets that hold now, never none; the first is the one to show."""
        before = self._file.value
        try:
            has_changed = self._file.look()
        except ValueError as error:
            if before is None:
                self._fault = str(error)
                raise
            if str(error) != self._fault:
                log.warning("%s; the secrets from before stay in use", error)
            self._fault = str(error)
            return before
        secrets = self._file.value or ()
        if has_changed:
            self._fault = ""
            self._tell(before, secrets)
        return secrets

    def _tell(self, before: tuple[bytes, ...] | None, secrets: tuple[bytes, ...]) -> None:
        if not before:
            log.info("secrets read from %s: %d accepted", self.path, len(secrets))
            return
        shown = "the same as before" if secrets[0] == before[0] else "another than before"
        log.info(
            "secrets read again from %s: %d accepted, the first is %s",
            self.path,
            len(secrets),
            shown,
        )

    def _read(self) -> tuple[bytes, ...]:
        """Return the secrets in the file. ValueError names it, and why it can't be used."""
        try:
            with Path(self.path).open("rb") as file:
                return parse_secrets(file.read(MAX_BYTES + 1), self.least)
        except OSError as error:
            raise ValueError(f"secret file {self.path!r}: {error.strerror}") from None
        except ValueError as error:
            raise ValueError(f"secret file {self.path!r}: {error}") from None
