"""The files that a report is written to."""

from __future__ import annotations

import os
from pathlib import Path

from sidegate_sidecar.errors import BAD_INPUT, Failure


def require_place(option: str, path: str) -> str:
    """Return a path under which a file can be written; Failure if not, so before the run."""
    folder = Path(path).absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        why = f"expected a path in a folder that is there and can be written to, not {folder}"
    elif Path(path).is_dir():
        why = "expected the path of a file, this is a folder"
    else:
        return path
    raise Failure(BAD_INPUT, f"--{option} {path!r}: {why}")


def require_places(json: str, html: str) -> None:
    """Fail unless both reports can be written, "" for none; Failure names the first that can't."""
    for option, path in (("json", json), ("html", html)):
        if path:
            require_place(option, path)
    if json and html and Path(json).resolve() == Path(html).resolve():
        raise Failure(BAD_INPUT, f"--html {html!r}: expected another file than --json")


def write(option: str, path: str, content: bytes) -> None:
    """Write a file at once or not at all: nobody reads half a report. Failure if it can't be."""
    place = Path(path)
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(place)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise Failure(BAD_INPUT, f"--{option} {path!r}: {error.strerror}") from None
