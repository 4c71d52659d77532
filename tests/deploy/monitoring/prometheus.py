"""A real Prometheus on loopback, and its promtool; tests that need them skip without, not in CI."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2

from tests.support.apps.clients import async_client
from tests.support.in_process.cluster import eventually_answered
from tests.support.optional import missing
from tests.support.processes.services import PATIENCE, Port

EVERY: Final = "500ms"  # between two scrapes, and two evaluations
WINDOW: Final = "15s"  # of rates: three times as long as a standstill that may happen
LOG_TAIL: Final = 2_000  # characters


def tool(name: str) -> str:
    """Return where a program of Prometheus is; without it skip the test, or in CI fail it."""
    return shutil.which(name) or missing(f"no {name}: the Debian package prometheus has it")


def promtool(*arguments: str | Path) -> None:
    """Have promtool check something, and find nothing wrong."""
    command = [tool("promtool"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class Prometheus:
    """A Prometheus that runs, and finds its targets in a file."""

    def __init__(self, url: str, targets: Path, http: httpx2.AsyncClient) -> None:
        self._url = url
        self._targets = targets
        self._http = http

    def scrape(self, targets: Iterable[str]) -> None:
        """Have it scrape these addresses from now on, and no others."""
        _write(self._targets, targets)

    async def query(self, text: str) -> list[dict[str, Any]]:
        """Return the series that a query gives now."""
        return list((await self._ask("query", query=text))["result"])

    async def firing(self) -> dict[str, dict[str, Any]]:
        """Return the alerts that fire now by name, one of each."""
        alerts = (await self._ask("alerts"))["alerts"]
        return {it["labels"]["alertname"]: it for it in alerts if it["state"] == "firing"}

    async def _ask(self, what: str, **parameters: str) -> dict[str, Any]:
        answer = await self._http.get(f"{self._url}/api/v1/{what}", params=parameters)
        body: dict[str, Any] = answer.json()
        assert body["status"] == "success", f"{parameters}: {body.get('error')}"
        return dict(body["data"])

    async def is_ready(self) -> bool:
        """Tell if it serves."""
        try:
            return (await self._http.get(f"{self._url}/-/ready")).is_success
        except httpx2.TransportError:
            return False


def _write(path: Path, targets: Iterable[str]) -> None:
    """Write all targets or none: it may be reading."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps([{"targets": [*targets]}]))
    new.replace(path)


def _configure(folder: Path, rules: str) -> Path:
    (folder / "rules.yaml").write_text(rules)
    found = {"files": ["targets.json"], "refresh_interval": "1s"}
    config = {
        "global": {"scrape_interval": EVERY, "evaluation_interval": EVERY, "scrape_timeout": EVERY},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [{"job_name": "sidegate", "file_sd_configs": [found]}],
    }
    path = folder / "prometheus.yml"
    path.write_text(json.dumps(config))  # which is YAML too
    return path


@asynccontextmanager
async def prometheus(folder: Path, rules: str) -> AsyncGenerator[Prometheus]:
    """Run a Prometheus that scrapes its targets every EVERY, with these rules."""
    port = Port()
    targets = folder / "targets.json"
    _write(targets, [])
    command = [
        tool("prometheus"),
        f"--config.file={_configure(folder, rules)}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={port}",
        "--query.lookback-delta=5s",
    ]
    log = folder / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        async with async_client() as http:
            server = Prometheus(f"http://{port}", targets, http)

            async def is_ready() -> bool:
                assert process.returncode is None, log.read_text()[-LOG_TAIL:]
                return await server.is_ready()

            await eventually_answered(is_ready, bool, PATIENCE)
            yield server
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        port.close()
