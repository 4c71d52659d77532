"""Builds the peers into the environment: `python -m bench.peers.build`.

What can't be built here says why in a file of its own, and is skipped by that reason.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.contenders.peers import program
from bench.results import UnavailableError

PLACE: Final = Path(sys.prefix) / "peers"
_PATIENCE: Final = 1_800.0  # seconds for one of them; on two busy cores the longest takes 400
_SAID: Final = 300  # characters of what a tool complained about


@dataclass(frozen=True, slots=True)
class Pin:
    """One peer in one version, and the tool that builds it."""

    tool: str
    source: str  # a Go package, a crate or a distribution, as its tool knows it
    version: str
    program: str  # as the tool calls it
    environment: dict[str, str] = field(default_factory=dict[str, str])
    needs: tuple[str, ...] = ()  # other programs

    @property
    def command(self) -> list[str]:
        """Return what builds it."""
        if self.tool == "go":
            return ["go", "install", f"{self.source}@{self.version}"]
        if self.tool == "cargo":
            place = str(PLACE / "cargo")
            locked = ["--version", self.version, "--locked", "--root", place]
            return ["cargo", "install", "--quiet", self.source, *locked]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        return [*pip, "--no-deps", f"{self.source}=={self.version}"]

    @property
    def path(self) -> Path:
        """Return where its program is once it is built."""
        return PLACE / ("bin" if self.tool == "go" else "cargo/bin") / self.program


PINS: Final = {
    "gubernator": Pin(
        "go",
        "github.com/gubernator-io/gubernator/v2/cmd/gubernator",
        "v2.21.0",
        "gubernator",
        {"GOTOOLCHAIN": "go1.27.3"},  # its go.mod wants a newer one than most have
    ),
    "throttlecrab": Pin(
        "cargo", "throttlecrab-server", "0.4.40", "throttlecrab-server", needs=("protoc",)
    ),
    "rateguard": Pin("cargo", "rateguard-sidecar", "0.7.4", "rateguard-sidecar"),
    "ratelimit": Pin(
        "go",
        "github.com/envoyproxy/ratelimit/src/service_cmd",
        "v1.4.1-0.20260122083618-3fb702589d36",
        "service_cmd",
    ),
    "rateguard-client": Pin("pip", "rateguard-client", "0.5.1", ""),
}


def peer_program(name: str) -> str:
    """Return the path of a peer's program; UnavailableError says why it isn't there."""
    path, reason = PINS[name].path, _reason_file(name)
    if path.exists():
        return str(path)
    if reason.exists():
        raise UnavailableError(reason.read_text().strip())
    raise UnavailableError(f"{name} is not built: `make bench` does, with {PINS[name].tool}")


def build_peer(name: str, pin: Pin) -> str | None:
    """Build one, unless it is there; return why it can't be, and keep that for who asks for it."""
    reason = _reason_file(name)
    reason.parent.mkdir(parents=True, exist_ok=True)
    reason.unlink(missing_ok=True)
    if pin.tool != "pip" and pin.path.exists():
        return None
    try:
        for needed in pin.needs:
            program(needed)
        why = _run(pin)
    except UnavailableError as missing:
        why = str(missing)
    if why is not None:
        reason.write_text(f"{name} {pin.version}: {why}\n")
    return why


def _run(pin: Pin) -> str | None:
    if pin.tool != "pip" and shutil.which(pin.tool) is None:
        return f"{pin.tool} is not installed"
    environment = {**os.environ, "GOBIN": str(PLACE / "bin"), **pin.environment}
    try:
        done = subprocess.run(
            pin.command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{pin.tool} took longer than {_PATIENCE:,.0f} s"
    if done.returncode:
        return f"{pin.tool} could not build it: {done.stderr.strip()[-_SAID:]}"
    return None


def _reason_file(name: str) -> Path:
    return PLACE / f"{name}.reason"


def main() -> None:
    """Build all; what can't be is told, and is no error."""
    for name, pin in PINS.items():
        print(f"peers: {name} {pin.version}, by {pin.tool}", flush=True)
        why = build_peer(name, pin)
        if why is not None:
            print(f"peers: {name} is skipped: {why}", flush=True)


if __name__ == "__main__":
    main()
