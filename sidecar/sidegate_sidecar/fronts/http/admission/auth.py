"""Who may call what over HTTP."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

from sidegate_sidecar.fronts.http.admission.routes import Right
from sidegate_sidecar.fronts.http.http11.reply import problem

if TYPE_CHECKING:
    from sidegate_sidecar.config import Config
    from sidegate_sidecar.fronts.http.http11.head import Head
    from sidegate_sidecar.fronts.http.http11.reply import Reply

_SCHEME = "bearer"


class Access:
    """Decides by the secret, and by where a request comes from.

    With a secret: what changes something is for whoever sends it, or any of several; what shows
    keys or names is for this machine too. Without: for everyone, if only this machine can reach the
    HTTP address or `insecure` is set; else what shows something is for this machine, and what
    changes something for no one.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._open = config.http.is_local or config.insecure

    def tokens(self) -> tuple[bytes, ...]:
        """Return the bearer tokens that are accepted now."""
        return self._config.http_tokens()

    def proves(self, head: Head) -> bool:
        """Tell if a request shows that whoever sent it may do everything."""
        sent = _token(head)
        right = [compare_digest(sent, token) for token in self.tokens()]  # all: time tells nothing
        return any(right)

    def trusts(self, head: Head) -> bool:
        """Tell if a request that was admitted is of somebody who may also change something."""
        return self.proves(head) or (self._open and not self.tokens())

    def refusal(self, right: Right, head: Head) -> Reply | None:
        """Return the reply to a request that may not be made, None for one that may."""
        if right is Right.OPEN or (right is Right.READ and head.is_from_here):
            return None
        if self.tokens():
            return None if self.proves(head) else _no_token(head)
        return None if self._open else self._no_secret_set()

    def _no_secret_set(self) -> Reply:
        return problem(
            403,
            f"other machines can reach {self._config.http}, and no secret is set: set one"
            " (SIDEGATE_SECRET or --secret-file), listen on 127.0.0.1 (--http), or give"
            " --insecure if the network keeps others out",
            reason="secret",
        )


def _token(head: Head) -> bytes:
    scheme, _, token = head.fields.get("authorization", "").partition(" ")
    # Fields are read as latin-1, whatever the bytes were meant to be.
    return token.strip().encode("latin-1") if scheme.lower() == _SCHEME else b""


def _no_token(head: Head) -> Reply:
    said = "a wrong secret" if _token(head) else "no secret"
    return problem(
        401,
        f"{said} was sent: expected Authorization: Bearer and the secret of the cluster",
        headers=[("WWW-Authenticate", "Bearer")],
        reason="secret",
    )
