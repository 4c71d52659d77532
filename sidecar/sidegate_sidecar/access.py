"""Who may call what changes something over HTTP."""

from hmac import compare_digest
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from sidegate_sidecar.config import Config

_bearer = HTTPBearer(
    scheme_name="secret",
    description="The secret of the cluster, for calls that change something, if one is set.",
    auto_error=False,
)


class MayChange:
    """A dependency of calls that change something: 401 or 403 for those who may not.

    With a secret: whoever sends it, or any of several. Without: everyone, if only this machine can
    reach the HTTP address or `insecure` is set; else no one.
    """

    def __init__(self, config: Config) -> None:
        self._secrets = config.http_tokens
        self._open = config.http.is_local or config.insecure
        self._http = config.http

    async def __call__(
        self, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> None:
        """Raise HTTPException unless the call may go on."""
        if secrets := self._secrets():
            _require(given, secrets)
        elif not self._open:
            raise HTTPException(
                403,
                f"other machines can reach {self._http}, and no secret is set: set one"
                " (SIDEGATE_SECRET or --secret-file), listen on 127.0.0.1 (--http), or give"
                " --insecure if the network keeps others out",
            )


def _require(given: HTTPAuthorizationCredentials | None, secrets: tuple[bytes, ...]) -> None:
    # Headers arrive as latin-1, whatever the bytes were meant to be.
    sent = given.credentials.encode("latin-1") if given else b""
    right = [compare_digest(sent, secret) for secret in secrets]  # all: time tells nothing
    if not any(right):
        said = "a wrong secret" if given else "no secret"
        raise HTTPException(
            401,
            f"{said} was sent: expected Authorization: Bearer and the secret of the cluster",
            {"WWW-Authenticate": "Bearer"},
        )
