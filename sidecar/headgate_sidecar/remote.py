"""The HTTP API of a sidecar, asked by the command."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import httpx2

from headgate_sidecar.failure import BAD_INPUT, OUT_OF_REACH, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.address import Address

TIMEOUT = 5.0  # seconds: the sidecar itself waits no longer than its budget


class Remote:
    """One sidecar, by the address of its HTTP API; the secret is sent if there is one."""

    def __init__(self, http: Address, secret: bytes) -> None:
        if http.is_wildcard:  # where the sidecar listens; asked on this machine
            http = replace(http, host="::1" if ":" in http.host else "127.0.0.1")
        self._url = f"http://{http}"
        self._headers = {b"Authorization": b"Bearer " + secret} if secret else {}

    def ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """Return the answer to a call. Failure says why there is none, and what to do about it."""
        answer = self._send(method, path, body)
        content = _content(answer)
        if content is None:
            raise Failure(OUT_OF_REACH, f"what answers at {self._url} is no headgate sidecar: {answer.status_code} to {method} {path}")
        if answer.is_success:
            return content
        raise self._refused(answer.status_code, str(content.get("detail", "")))

    def _send(self, method: str, path: str, body: Mapping[str, object] | None) -> httpx2.Response:
        url = self._url + path
        try:
            # trust_env would send a call to this machine through the proxy of the environment
            with httpx2.Client(timeout=TIMEOUT, trust_env=False, headers=self._headers) as client:
                return client.request(method, url, json=body)
        except httpx2.ConnectError as error:
            raise Failure(OUT_OF_REACH, f"no sidecar answers at {self._url}: {_reason(error)}. Is `headgate serve` running there? Use --http") from None
        except httpx2.TimeoutException:
            raise Failure(OUT_OF_REACH, f"no answer from {self._url} within {TIMEOUT:g} s") from None
        except httpx2.RemoteProtocolError:
            raise Failure(OUT_OF_REACH, f"what listens at {self._url} doesn't speak HTTP: is that its --link? Use the address of its --http") from None
        except httpx2.LocalProtocolError as error:
            raise Failure(BAD_INPUT, f"the secret can't be sent over HTTP: {error}") from None
        except httpx2.TransportError as error:
            raise Failure(OUT_OF_REACH, f"the connection to {self._url} broke: {error}") from None

    def _refused(self, status: int, detail: str) -> Failure:
        match status:
            case 400 | 413 | 422:
                return Failure(BAD_INPUT, detail)
            case 401:
                return Failure(OUT_OF_REACH, f"the sidecar at {self._url} refuses: {detail}. Give --secret-file or HEADGATE_SECRET")
            case _:
                return Failure(OUT_OF_REACH, f"the sidecar at {self._url} refuses: {detail}")


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
