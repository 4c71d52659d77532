"""The library: the scenarios that come with sidegate, and those in a file."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Final

from sidegate_sidecar.loadtest.plan.scenario import Scenario, ScenarioError, read_scenario

_FOLDER: Final = files("sidegate_sidecar.loadtest.plan") / "scenarios"
MAX_BYTES: Final = 1_000_000  # of a file: far more than 32 streams need


def load_scenario(name: str) -> Scenario:
    """Return a scenario that comes with sidegate, or that in a file whose name ends with .toml.

    ScenarioError for one that isn't there, can't be read, or can't be played.
    """
    text = _file(name) if name.endswith(".toml") else _ours(name)
    try:
        return read_scenario(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"expected TOML: {error}") from None


def names() -> list[str]:
    """Return the names of the scenarios that come with sidegate."""
    found = (entry.name for entry in _FOLDER.iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def _ours(name: str) -> str:
    if name not in names():
        known = ", ".join(names())
        raise ScenarioError(f"expected {known}, or a file whose name ends with .toml")
    return (_FOLDER / f"{name}.toml").read_text("utf-8")


def _file(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ScenarioError(f"expected a file of at most {MAX_BYTES:,} bytes")
        return content.decode()
    except OSError as error:
        raise ScenarioError(f"expected a file: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ScenarioError("expected text in UTF-8") from None
