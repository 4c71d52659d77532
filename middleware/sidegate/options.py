"""What a client takes from its arguments, or else from the environment; read at one place."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sidegate.address import Address, parse_address
from sidegate.handshake import Identity
from sidegate.secret import SecretFile, known, parse_secrets

if TYPE_CHECKING:
    from sidegate.handshake import Secrets

DEFAULT_SIDECAR = "127.0.0.1:7171"
DEFAULT_BUDGET = 0.05  # seconds: what a request may lose to a limiter that doesn't answer
MOST_BUDGET = 60.0


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files for TLS with certificates on both sides; read again at each new connection."""

    cert: str
    key: str
    ca: str

    def context(self, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> ssl.SSLContext:
        """Return a context that shows our certificate and requires one signed by `ca`.

        Names aren't compared: sidecars come and go under addresses that no certificate knows, so
        the CA should sign for this cluster only.
        """
        context = ssl.create_default_context(purpose, cafile=self.ca)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.cert, self.key)
        return context


@dataclass(frozen=True, slots=True)
class Options:
    """Where the sidecar is and how to talk to it; checked when it is made."""

    sidecar: Address
    budget: float
    identity: Identity
    tls: Tls | None
    fault: str = ""  # what is wrong with the environment; then nobody is asked

    def context(self) -> ssl.SSLContext | None:
        """Return the TLS context for one connection, None on a Unix socket or without TLS."""
        return self.tls.context() if self.tls and not self.sidecar.path else None


def client_options(
    sidecar: str | None, budget: float, secret: str | bytes | None, tls: Tls | None, name: str
) -> Options:
    """Return the options of a client. ValueError names an option that can't be used.

    None means: take it from SIDEGATE_SIDECAR, SIDEGATE_SECRET or SIDEGATE_SECRET_FILE.
    """
    if not 0 < budget <= MOST_BUDGET:
        raise ValueError(f"budget={budget!r}: expected seconds, more than 0 and at most 60")
    text = sidecar or os.environ.get("SIDEGATE_SIDECAR") or DEFAULT_SIDECAR
    identity = Identity("app", name, "", as_secrets(secret))
    return Options(parse_address(text), budget, identity, tls)


def as_secrets(secret: str | bytes | None) -> Secrets:
    """Return the secrets given, or else those of the environment, or else none.

    Those in a file are read again when it changes. ValueError never shows a secret.
    """
    if secret is None:
        if path := os.environ.get("SIDEGATE_SECRET_FILE"):
            return SecretFile(path)
        secret = os.environ.get("SIDEGATE_SECRET", "")
    if not secret:
        return known()
    try:
        # What isn't UTF-8 in the environment comes as surrogates, and is to be what it was.
        text = secret.encode("utf-8", "surrogateescape") if isinstance(secret, str) else secret
        return known(*parse_secrets(text))
    except UnicodeEncodeError:  # its text has some of the secret in it
        raise ValueError("secret (not shown): expected text in UTF-8, or bytes") from None
    except ValueError as error:
        raise ValueError(f"secret (not shown): {error}") from None
