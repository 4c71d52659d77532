"""The commands of sidegate that the documentation shows: each is there, with these options."""

import re
import shlex
from collections.abc import Iterator
from typing import Any, Final

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from sidegate_sidecar.cli.commands import whole_app
from tests.docs.pages import ROOT, pages

_SHELL: Final = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"`((?:[^`\n]* )?sidegate [^`\n]+)`")
_BEFORE: Final = {"--", "exec"}  # in a container: what comes before the command in it


def shown(text: str) -> Iterator[str]:
    """Yield what a page shows of commands: lines of shell, and what it has within a line."""
    for block in _SHELL.findall(text):
        yield from block.replace("\\\n", " ").splitlines()
    yield from _INLINE.findall(text)


def arguments(line: str) -> Iterator[list[str]]:
    """Yield what follows each `sidegate` that is a command in a line of shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    command: list[str] = []
    for word in [*lexer, ";"]:
        if not set(word) <= set("();<>|&"):
            command.append(word)
            continue
        yield from of_sidegate(command)
        command = []


def of_sidegate(command: list[str]) -> Iterator[list[str]]:
    for at, word in enumerate(command):
        before = [it for it in command[:at] if "=" not in it]  # variables of its environment
        if word == "sidegate" and (not before or _BEFORE & set(before)):
            rest = command[at + 1 :]
            if rest and rest[0] not in _BEFORE:  # a container may have the name, too
                yield rest


COMMANDS: Final = {
    (page, *it)
    for page in pages("README.md", "docs/[ar]*/*.md", "charts/**/*.md", "examples/**/*.md")
    for line in shown((ROOT / page).read_text("utf-8"))
    if "sidegate" in line
    for it in arguments(line)
}


@pytest.mark.parametrize("command", sorted(COMMANDS), ids=" ".join)
def test_a_command(command: tuple[str, ...]) -> None:
    """It is there, and knows its options."""
    _page, *words = command
    assert unknown(words) == set()


def unknown(words: list[str]) -> set[str]:
    """Return what isn't known: the name of the command itself, or options of it."""
    group = get_command(whole_app())
    assert isinstance(group, TyperGroup)
    if words[0].startswith("-"):
        return unknown_options(group, words)
    command = group.commands.get(words[0])
    if isinstance(command, TyperGroup) and len(words) > 1:
        command, words = command.commands.get(words[1]), words[1:]
    return {words[0]} if command is None else unknown_options(command, words)


def unknown_options(command: Any, words: list[str]) -> set[str]:
    known = {name for it in command.params for name in (*it.opts, *it.secondary_opts)}
    ours = words[: words.index("--")] if "--" in words else words
    said = {it.partition("=")[0] for it in ours if it.startswith("-")}
    return said - known - {"--help"}


def test_commands_are_found() -> None:
    """In blocks, over several lines, within a line, and in a container."""
    assert len(COMMANDS) > 15
    assert list(arguments("kubectl exec POD -c sidegate -- sidegate nodes --json | head")) == [
        ["nodes", "--json"]
    ]
    assert list(arguments("A=1 sidegate serve && helm install sidegate charts")) == [["serve"]]


def test_what_is_not_known() -> None:
    """A command or an option that isn't there; what another command is given is its own."""
    assert unknown(["serv"]) == {"serv"}
    assert unknown(["rules", "explai"]) == {"explai"}
    assert unknown(["rules", "explain", "f.yaml", "--path", "/", "--peth"]) == {"--peth"}
    assert unknown(["serve", "--sead=x", "--drain", "1"]) == {"--sead"}
    assert unknown(["dev", "--", "uvicorn", "--reload"]) == set()
    assert unknown(["--versions"]) == {"--versions"}
