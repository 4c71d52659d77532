"""Serve with secrets that are made up at the first start, and shared by all who mount the folder.

python serve.py FOLDER NAME...     makes FOLDER/NAME where it isn't there yet, then `sidegate serve`

Sidecars that start together try to make the same file: the first one wins, and all read its word.
`docker compose down --volumes` removes them, and the next start makes up others.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from secrets import token_urlsafe
from tempfile import NamedTemporaryFile


def make_up(file: Path) -> None:
    """Write a new secret into a file, unless there is one; nobody ever sees half of it."""
    with NamedTemporaryFile("w", dir=file.parent, prefix=f".{file.name}-") as draft:
        draft.write(f"{token_urlsafe(32)}\n")
        draft.flush()
        with suppress(FileExistsError):
            file.hardlink_to(draft.name)


def main() -> None:
    """Make up what is missing, and become a sidecar."""
    folder, *names = sys.argv[1:]
    for name in names:
        make_up(Path(folder, name))
    os.execvp("sidegate", ["sidegate", "serve"])  # noqa: S606, S607  # the image's own command


if __name__ == "__main__":
    main()
