"""What can't be built is skipped by name, with the reason."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from bench.peers import build
from bench.peers.build import PINS, Pin, build_peer, peer_program
from bench.peers.contenders import OFFERS, Beside, open_peers
from bench.results import Results, UnavailableError

PIN = Pin("go", "example.invalid/peer", "v1", "peer")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for programs with none in it, and one on the path with no tools."""
    monkeypatch.setattr(build, "PLACE", tmp_path / "peers")
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    return tools


def tool(place: Path, script: str) -> None:
    program = place / "go"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.mark.usefixtures("place")
def test_without_its_tool_a_peer_is_skipped_by_that_reason() -> None:
    assert build_peer("gubernator", PINS["gubernator"]) == "go is not installed"
    with pytest.raises(UnavailableError, match=r"gubernator v[\d.]+: go is not installed"):
        peer_program("gubernator")


@pytest.mark.usefixtures("place")
def test_what_nobody_tried_to_build_says_how() -> None:
    with pytest.raises(UnavailableError, match="throttlecrab is not built: `make bench` does"):
        peer_program("throttlecrab")


def test_a_tool_that_fails_is_quoted(place: Path) -> None:
    tool(place, "echo no such module >&2; exit 1")
    assert build_peer("peer", PIN) == "go could not build it: no such module"


def test_a_peer_that_is_there_is_not_built_again(place: Path) -> None:
    tool(place, "exit 1")
    PIN.path.parent.mkdir(parents=True)
    PIN.path.touch()
    assert build_peer("peer", PIN) is None


def test_a_reason_is_forgotten_once_the_build_works(place: Path) -> None:
    tool(place, "exit 1")
    build_peer("gubernator", PINS["gubernator"])
    tool(place, "echo > $GOBIN/gubernator")
    PINS["gubernator"].path.parent.mkdir(parents=True)
    assert build_peer("gubernator", PINS["gubernator"]) is None
    assert peer_program("gubernator") == str(PINS["gubernator"].path)
    assert not list(build.PLACE.glob("*.reason"))


@pytest.mark.usefixtures("place")
async def test_peers_that_can_not_run_leave_those_that_can(tmp_path: Path) -> None:
    @asynccontextmanager
    async def here(_folder: Path) -> AsyncGenerator[list[Beside]]:
        yield []

    peers = {name: offer for name, offer in OFFERS.items() if name != "sidegate"}
    results = Results({}, 0.0)
    async with AsyncExitStack() as stack:
        await open_peers(stack, tmp_path, results, {**peers, "here": here})
    assert results.skipped == {
        name: f"{program} is not built: `make bench` does, with {PINS[program].tool}"
        for name, program in (
            ("throttlecrab", "throttlecrab"),
            ("rateguard", "rateguard"),
            ("gubernator", "gubernator"),
            ("envoyproxy/ratelimit", "ratelimit"),
        )
    }
