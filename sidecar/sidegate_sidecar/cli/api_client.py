"""The HTTP API of a sidecar, asked by the command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import httpx2

from sidegate_sidecar.errors import BAD_INPUT, OUT_OF_REACH, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidegate.link.address import Address

_FAULTS_OF_INPUT = {400, 404, 409, 413, 422, 431}
_HINT = (
    ". Give --secret-file or SIDEGATE_SECRET; or, if it has an HTTP token, --http-token-file or"
    " SIDEGATE_HTTP_TOKEN"
)
TIMEOUT = 5.0  # seconds: the sidecar itself waits no longer than its budget


class Remote:
    """One sidecar, by the address of its HTTP API; the secret is sent if there is one.

    `patience` is how long it may work on an answer (seconds) beyond the usual.
    """

    def __init__(self, http: Address, secret: bytes, patience: float = 0.0) -> None:
        self._url = f"http://{http.from_here()}"
        self._timeout = TIMEOUT + patience
        self._headers = {b"Authorization": b"Bearer " + secret} if secret else {}

    def ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """Return the answer to a call. Failure says why there is none, and what to do about it."""
        answer = self._send(method, path, body)
        content = _content(answer)
        if content is not None and answer.is_success:
            return content
        raise self._refused(answer.status_code, content)

    def _client(self) -> httpx2.Client:
        # trust_env would send a call to this machine through the proxy of the environment.
        return httpx2.Client(timeout=self._timeout, trust_env=False, headers=self._headers)

    def _send(self, method: str, path: str, body: Mapping[str, object] | None) -> httpx2.Response:
        try:
            with self._client() as client:
                return client.request(method, self._url + path, json=body)
        except httpx2.LocalProtocolError:  # its text has the secret in it
            raise Failure(BAD_INPUT, "the secret has bytes that HTTP can't carry") from None
        except httpx2.TransportError as error:
            raise Failure(OUT_OF_REACH, self._unreachable(error)) from None

    def _unreachable(self, error: httpx2.TransportError) -> str:
        match error:
            case httpx2.ConnectError():
                why = f"no sidecar answers at {self._url}: {_reason(error)}"
                return f"{why}. Is `sidegate serve` running there? Use --http"
            case httpx2.TimeoutException():
                return f"no answer from {self._url} within {self._timeout:g} s"
            case httpx2.RemoteProtocolError():
                why = f"what listens at {self._url} doesn't speak HTTP"
                return f"{why}: is that its --link? Use the address of its --http"
            case _:
                return f"the connection to {self._url} broke: {_reason(error)}"

    def _refused(self, status: int, content: Mapping[str, Any] | None) -> Failure:
        if content is None or "detail" not in content:
            text = f"what answers at {self._url} is no sidegate sidecar (status {status})"
            return Failure(OUT_OF_REACH, text)
        detail = str(content["detail"])
        if status in _FAULTS_OF_INPUT:
            return Failure(BAD_INPUT, detail)
        hint = _HINT if status == 401 else ""
        return Failure(OUT_OF_REACH, f"the sidecar at {self._url} refuses: {detail}{hint}")


def _content(answer: httpx2.Response) -> dict[str, Any] | None:
    try:
        content: object = answer.json()
    except ValueError:
        return None
    return cast("dict[str, Any]", content) if isinstance(content, dict) else None


def _reason(error: BaseException) -> str:
    """Return the system's words for why a connection failed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return str(error).lower()
