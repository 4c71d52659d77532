"""Servers without a command line: python -m tests.cluster.spelling.serving SERVER MODULE:APP PORT.

SERVER is wsgiref or werkzeug.
"""

import socketserver
import sys
from importlib import import_module
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from werkzeug.serving import run_simple


class _Threads(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128  # the tests open more at once than its 5


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing of each request."""


def main() -> None:
    """Serve an app until the process ends."""
    server, target, port = sys.argv[1:]
    module, _, name = target.partition(":")
    app = getattr(import_module(module), name)
    if server == "werkzeug":
        run_simple("127.0.0.1", int(port), app, threaded=True)
    with _Threads(("127.0.0.1", int(port)), _Quiet) as serving:
        serving.set_app(app)
        serving.serve_forever()


if __name__ == "__main__":
    main()
