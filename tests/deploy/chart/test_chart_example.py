"""The test that the example chart brings: what its probe takes for a limit that holds."""

import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Final

import pytest

from tests.support.deploy.helm import PATIENCE
from tests.support.processes.services import ROOT

PROBE: Final = ROOT / "examples" / "kubernetes" / "files" / "probe.py"


class Limited(BaseHTTPRequestHandler):
    """An app behind a limiter that lets the first 20 requests through."""

    left = 20
    counting = Lock()  # requests come at the same time, each in a thread of its own

    def do_GET(self) -> None:
        """Answer by how many are left."""
        with self.counting:
            type(self).left -= 1
            is_left = type(self).left >= 0
        self.send_response(200 if is_left else 429)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
        """Say nothing."""


@pytest.mark.parametrize(
    ("limit", "code"), [("20 per hour", 0), ("100/hour burst 20", 0), ("21/hour", 1)]
)
def test_the_examples_probe_takes_a_limit_however_it_is_written(limit: str, code: int) -> None:
    """And fails when another number of requests passed."""
    handler = type("Handler", (Limited,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as app:
        Thread(target=app.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            done = probe(f"http://127.0.0.1:{app.server_port}/", limit)
        finally:
            app.shutdown()
    assert done.returncode == code
    assert "{200: 20, 429: 1" in done.stdout


def test_the_examples_probe_says_what_it_cannot_reach() -> None:
    """An app that isn't there yet is no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        done = probe(url, "20/hour")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{url} doesn't answer: ")
    assert "Traceback" not in done.stderr


def probe(url: str, limit: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROBE), url, limit]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
