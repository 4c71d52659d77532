"""Loading: the file that a command about rules is given."""

# Commands import what they need when they run.
# ruff: noqa: PLC0415

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sidegate_sidecar.errors import BAD_INPUT, Failure

if TYPE_CHECKING:
    from sidegate.ruleset.ruleset import RuleSet

File = Annotated[
    str, typer.Argument(metavar="FILE", help="Of YAML or TOML, by its name.", show_default=False)
]


def load(file: str) -> RuleSet:
    """Return the rules in a file; Failure if it can't be read, UnusableFile for wrong ones."""
    from sidegate_sidecar.rules_file.rules_file import load_rules

    try:
        return load_rules(Path(file))
    except OSError as error:
        raise Failure(BAD_INPUT, f"{file}: {(error.strerror or str(error)).lower()}") from None
