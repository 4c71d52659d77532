"""A copy of the rules that were pushed last, in a file: for an app that starts without its sidecar.

It decides what is limited, so it is believed only where nobody but this user can have written it.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Final

from sidegate.errors import shown
from sidegate.ruleset.document import MAX_ENCODED

_HEAD: Final = b"sidegate rules 1 "  # and the digest, and the end of the line
_DIGEST: Final = 64  # hexadecimal digits
_BEGIN: Final = len(_HEAD) + _DIGEST + 1
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


class RulesCopy:
    """The file at a path, which needn't be there yet. ValueError for what can't be a path."""

    def __init__(self, path: object) -> None:
        text = os.fspath(path) if isinstance(path, str | Path) else ""
        if not text or "\0" in text or Path(text).is_dir():
            raise ValueError(f"rules_copy={shown(path)}: expected the path of a file")
        self.path = Path(text)

    def read(self) -> tuple[str, bytes]:
        """Return digest and rules as they were pushed; OSError, ValueError for what is no copy."""
        opened = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(opened, "rb") as file:  # noqa: PTH123 - a descriptor
            self._require_ours(os.fstat(opened))
            data = file.read(_BEGIN + MAX_ENCODED + 1)
        digest, encoded = data[len(_HEAD) : _BEGIN - 1].decode("ascii", "replace"), data[_BEGIN:]
        if not data.startswith(_HEAD) or sha256(encoded).hexdigest() != digest:
            raise ValueError("it isn't whole, or no copy of rules")
        return digest, encoded

    @staticmethod
    def _require_ours(status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no regular file")
        if status.st_uid != os.geteuid() or status.st_mode & _OTHERS_WRITE:
            raise ValueError("others than this user can write it")

    def write(self, digest: str, encoded: bytes) -> None:
        """Put a new copy in the place of the old one, whole and for this user only; OSError."""
        made = self.path.with_name(f".{self.path.name}.{token_hex(8)}")
        opened = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(opened, "wb") as file:  # noqa: PTH123 - a descriptor
                file.write(_HEAD + digest.encode("ascii") + b"\n" + encoded)
                file.flush()
                os.fsync(opened)
            made.replace(self.path)
        except BaseException:
            with suppress(OSError):
                made.unlink()
            raise
