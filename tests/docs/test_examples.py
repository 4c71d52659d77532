"""The apps in examples/ run, and limit what their first lines say to ask for."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import ROOT

SERVER: Final = re.compile(r"^(uvicorn|gunicorn) .*?(\w+):(\w+)", re.MULTILINE)
CURL: Final = re.compile(r"^curl -i localhost:8000(/\S*)(.*)$", re.MULTILINE)
APPS: Final = {
    (file.name, *found)
    for file in ROOT.glob("examples/*.py")
    for found in SERVER.findall(file.read_text("utf-8"))
}
# Each in a process of its own: Django has one configuration for each.
ASK: Final = """
import sys
from importlib import import_module

from sidegate.testing import isolated
from starlette.testclient import TestClient
from werkzeug.test import Client

server, module, name, path, *fields = sys.argv[1:]
app = getattr(import_module(module), name)
client = TestClient(app, "http://localhost") if server == "uvicorn" else Client(app)
with isolated():
    answer = client.get(path, headers=dict(it.split(": ") for it in fields))
print(answer.status_code, answer.headers["ratelimit"])
"""


@pytest.mark.parametrize(("file", "server", "module", "name"), sorted(APPS))
def test_an_example(file: str, server: str, module: str, name: str) -> None:
    """The request in its first lines is answered, and counted."""
    assert file == f"{module}.py"
    found = CURL.search((ROOT / "examples" / file).read_text("utf-8"))
    assert found, "no curl -i localhost:8000/..."
    fields = [it for it in shlex.split(found[2]) if it != "-H"]
    said = ask(ROOT / "examples", server, module, name, found[1], *fields)
    assert re.fullmatch(r'200 ".+";r=\d+;t=\d+\n', said)


def ask(within: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", ASK, *arguments],
        cwd=within,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_are_examples() -> None:
    """Each file has a server's command, and Django one for each kind."""
    assert {file for file, *_ in APPS} == {it.name for it in ROOT.glob("examples/*.py")}
    assert len(APPS) == 4
