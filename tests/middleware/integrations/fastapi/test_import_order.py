"""FastAPI may be imported after the first limit: then a process has Starlette alone at first."""

import subprocess
import sys

LATE = """
import sys
from starlette.applications import Starlette

from sidegate import Limiter

limiter = Limiter(sidecar="memory")
limiter.limit("1/minute")(lambda: None)
limiter.asgi(Starlette())
assert "sidegate.integrations.starlette" in sys.modules
assert "fastapi" not in sys.modules

from fastapi import FastAPI, HTTPException
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient

app = FastAPI()
app.add_middleware(limiter.asgi)


@app.get("/")
@limiter.limit("1/minute")
def index() -> None: ...


@app.exception_handler(HTTPException)
def own(request, error):
    return PlainTextResponse("own", error.status_code)


client = TestClient(app)
answers = [client.get("/") for _ in range(2)]
assert [answer.status_code for answer in answers] == [200, 429]
assert answers[1].text == "own"
"""


def test_a_handler_of_its_http_exception_gets_refusals() -> None:
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
