"""Health: is the sidecar at an address ready? Asked by probes, every few seconds.

With the standard library alone: importing an HTTP client would double what a probe costs.
"""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

from sidegate_sidecar.errors import NOT_DONE, OUT_OF_REACH, Failure
from sidegate_sidecar.text import visible

if TYPE_CHECKING:
    from sidegate.link.address import Address

_READY, _JOINING = 200, 503
_KNOWN = {_READY, _JOINING}
MAX_BODY = 4_096  # bytes of an answer: it has a sentence
TIMEOUT = 2.0  # seconds: it answers from memory; less than the timeout of Docker's health check


def require_ready(http: Address) -> None:
    """Return once the sidecar has said that it is ready. Failure says why it isn't."""
    asked = http.from_here()
    connection = HTTPConnection(asked.host, asked.port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        status, body = answer.status, answer.read(MAX_BODY)
    except (OSError, HTTPException) as error:
        raise Failure(OUT_OF_REACH, _unreachable(asked, error)) from None
    finally:
        connection.close()
    if status not in _KNOWN:
        why = f"what answers at http://{asked} is no sidegate sidecar (status {status})"
        raise Failure(OUT_OF_REACH, why)
    if status == _JOINING:
        raise Failure(NOT_DONE, f"the sidecar at http://{asked} is not ready: {_why(body)}")


def _why(body: bytes) -> str:
    """Return what the sidecar says about it."""
    try:
        return visible(str(json.loads(body)["detail"]))
    except (ValueError, TypeError, KeyError):
        return "it is still joining"


def _unreachable(asked: Address, error: OSError | HTTPException) -> str:
    why = f"no sidecar answers at http://{asked}: {error or type(error).__name__}"
    if isinstance(error, (HTTPException, TimeoutError)):  # something listens there
        return why
    return f"{why}. Is `sidegate serve` running there? Use --http"
