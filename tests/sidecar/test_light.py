"""A sidecar that only decides, and is probed and scraped, is light."""

from pathlib import Path

from tests.support.processes.commands import finish, start

# Serves with plain arguments, is asked by another thread, told to end, and says what it imported.
_PROGRAM = """
import os, signal, sys, threading, time
from http.client import HTTPConnection
from socket import create_server
from sidegate_sidecar.cli import commands as cli

with create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]

def get(path):
    try:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0

def check():
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    body, fields = '{"key": "k", "limits": "5/s"}', {"Content-Type": "application/json"}
    connection.request("POST", "/v1/check", body, fields)
    return connection.getresponse().status

def ask():
    deadline = time.monotonic() + 30
    while get("/readyz") != 200 and time.monotonic() < deadline:
        time.sleep(0.01)
    statuses = [get(path) for path in ("/healthz", "/metrics", "/nothing", "/v1/check")]
    print(*statuses, check(), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=ask).start()
code = cli.run(["serve", "--link", "127.0.0.1:0", "--http", f"127.0.0.1:{port}", *sys.argv[1:]])
print(*sys.modules)
sys.exit(code)
"""

HEAVY = {"fastapi", "starlette", "pydantic", "uvicorn", "rich", "httpx2", "aiohttp", "anyio"}
OF_FRONTS = {"grpc", "yaml"}


async def _imported(*arguments: str) -> set[str]:
    code, out, err = await finish(await start("-c", _PROGRAM, *arguments))
    assert code == 0, err
    statuses, modules = out.splitlines()
    assert statuses == "200 200 404 405 200"
    return {name.partition(".")[0] for name in modules.split()}


async def test_a_front_is_imported_where_it_is_switched_on() -> None:
    """That for clients of Redis, and what it reads with, only with --resp."""
    assert "hiredis" not in await _imported("--name=n1", "--drain", "1")
    assert "hiredis" in await _imported("--name=n1", "--drain", "1", "--resp", "127.0.0.1:0")


async def test_what_proxies_are_answered_with_is_imported_with_auth_only(tmp_path: Path) -> None:
    """httptools, which nobody needs beside it until the API is asked for."""
    file = tmp_path / "rules.yaml"
    file.write_text("version: 1\nrules: [{name: api, limits: 5/minute}]\n")
    assert "httptools" not in await _imported("--rules", str(file), "--drain", "1")
    asked = await _imported("--rules", str(file), "--drain", "1", "--auth", "127.0.0.1:0")
    assert "httptools" in asked
    assert not HEAVY & asked


async def test_probes_and_scrapes_import_no_app() -> None:
    """Nor do paths and methods that aren't there, nor checks."""
    imported = await _imported("--name=n1", "--drain", "1", "--insecure")
    assert not (HEAVY | OF_FRONTS) & imported
    assert "prometheus_client" in imported


async def test_a_front_that_is_switched_on_imports_what_it_needs(tmp_path: Path) -> None:
    """And no more."""
    file = tmp_path / "limits.yaml"
    file.write_text("domain: edge")
    imported = await _imported("--grpc", "127.0.0.1:0", "--ratelimit-yaml", str(file))
    assert imported >= OF_FRONTS
    assert not (HEAVY | {"google"}) & imported
