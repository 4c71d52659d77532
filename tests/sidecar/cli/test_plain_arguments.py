"""Arguments of `serve` that need no library to be read."""

from typing import Any

import pytest

from sidegate_sidecar.cli.options.names import variable
from sidegate_sidecar.cli.plain_arguments import plain_arguments

NOTHING: dict[str, Any] = {"name": "", "max_keys": "7", "seed": [], "insecure": False}


def command(
    *,
    name: str = "",
    max_keys: str = "7",
    seed: list[str] = [],  # noqa: B006  # as the command has it
    insecure: bool = False,
) -> None:
    """Do nothing, with options of each kind."""


def read(*arguments: str, **environ: str) -> dict[str, Any] | None:
    return plain_arguments(command, arguments, environ, variable)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {}),
        (["--name", "a"], {"name": "a"}),
        (["--name=a=b", "--max-keys", "5"], {"name": "a=b", "max_keys": "5"}),
        (["--name="], {"name": ""}),
        (["--seed", "a:1", "--seed=b:2"], {"seed": ["a:1", "b:2"]}),
        (["--insecure"], {"insecure": True}),
    ],
)
def test_plain_arguments_are_read(arguments: list[str], expected: dict[str, Any]) -> None:
    """Whole names, with their values beside or behind them."""
    assert read(*arguments) == NOTHING | expected


def test_what_is_not_said_is_in_the_environment() -> None:
    """Several in one variable, between spaces; what is empty is not there."""
    environ = {
        "SIDEGATE_NAME": "b",
        "SIDEGATE_MAX_MEMORY": "",
        "SIDEGATE_SEEDS": "a:1  b:2",
        "SIDEGATE_INSECURE": "yes",  # which is read where all flags are
    }
    assert read(**environ) == NOTHING | {"name": "b", "seed": ["a:1", "b:2"]}
    said = read("--name", "c", "--seed", "d:4", **environ)
    assert said == NOTHING | {"name": "c", "seed": ["d:4"]}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["-h"],
        ["x"],
        ["--nam", "x"],
        ["--max_memory", "5"],
        ["--name"],
        ["--name", "--insecure"],
        ["--name", "-x"],
        ["--name", "a", "--name", "b"],
        ["--insecure=yes"],
        ["--insecure", "yes"],
        ["--"],
        ["--no-insecure"],
    ],
)
def test_others_are_left_to_the_library(arguments: list[str]) -> None:
    assert read(*arguments) is None
