"""Who may call over gRPC: by the secret, and by certificates where there are any."""

from __future__ import annotations

from hmac import compare_digest
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import grpc

from sidegate.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sidegate.trust.tls import Tls
    from sidegate_sidecar.config import Config

_SCHEME: Final = "bearer"


class RlsAccess:
    """Decides by the secret of HTTP, which crosses the wire here as it does there.

    Where none is set the options have seen to it that certificates, or the network, keep others
    out.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    def refusal(self, metadata: Iterable[tuple[str, str | bytes]]) -> str:
        """Return why a call may not be made, empty if it may."""
        tokens = self._config.http_tokens()
        if not tokens:
            return ""
        sent = _token(metadata)
        right = [compare_digest(sent, token) for token in tokens]  # all: time tells nothing
        if any(right):
            return ""
        said = "a wrong secret" if sent else "no secret"
        return f"{said} was sent: expected authorization: Bearer and the secret of the cluster"


def _token(metadata: Iterable[tuple[str, str | bytes]]) -> bytes:
    for name, value in metadata:
        if name == "authorization":
            text = value if isinstance(value, str) else value.decode("latin-1")
            scheme, _, token = text.partition(" ")
            return token.strip().encode() if scheme.lower() == _SCHEME else b""
    return b""


def server_credentials(tls: Tls) -> grpc.ServerCredentials:
    """Return what shows our certificate, and requires one of the same authority, as the link does.

    The files are read again when they change. ValueError names one that can't be used.
    """
    files = Watched((tls.cert, tls.key, tls.ca), lambda: _configuration(tls))
    files.look()

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        """Called by gRPC's threads at each new connection; None is what there was before."""
        try:
            return files.value if files.look() else None
        except (OSError, ValueError):  # half a change: what there was before holds
            return None

    assert files.value is not None  # or look would have raised
    fetcher = cast("Callable[[], grpc.ServerCertificateConfiguration]", fetch)  # it may say None
    return grpc.dynamic_ssl_server_credentials(
        files.value, fetcher, require_client_authentication=True
    )


def _configuration(tls: Tls) -> grpc.ServerCertificateConfiguration:
    tls.context()  # says which file it is that can't be used
    key, cert, ca = (Path(path).read_bytes() for path in (tls.key, tls.cert, tls.ca))
    return grpc.ssl_server_certificate_configuration([(key, cert)], ca)
