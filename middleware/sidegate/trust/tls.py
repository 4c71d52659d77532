"""TLS with certificates on both sides, from PEM files that may be replaced."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, fields
from pathlib import Path

from sidegate.errors import shown


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files for TLS with certificates on both sides; read again at each new connection.

    ValueError for what is no path. The files themselves are looked at when they are needed.
    """

    cert: str
    key: str
    ca: str

    def __post_init__(self) -> None:
        for field in fields(self):
            path: object = getattr(self, field.name)
            if not path or not isinstance(path, (str, Path)):
                raise ValueError(
                    f"Tls({field.name}={shown(path)}): expected the path of a PEM file"
                )

    def context(self, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> ssl.SSLContext:
        """Return a context that shows our certificate and requires one signed by `ca`.

        Names aren't compared: sidecars come and go under addresses that no certificate knows, so
        the CA should sign for this cluster only. ValueError names a file that can't be used.
        """
        for path in (self.ca, self.cert, self.key):
            _require_readable(path)
        try:
            context = ssl.create_default_context(purpose, cafile=self.ca)
        except OSError as error:
            raise _unusable(f"TLS file {str(self.ca)!r}", error) from None
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_cert_chain(self.cert, self.key, password=_no_password)
        except (OSError, ValueError) as error:
            files = f"TLS files {str(self.cert)!r} and {str(self.key)!r}"
            raise _unusable(files, error) from None
        return context

    def certificate(self) -> bytes:
        """Return our own certificate (DER): the first in the file. ValueError if it has none."""
        try:
            text = Path(self.cert).read_text("latin-1")
        except OSError as error:
            raise _unusable(f"TLS file {str(self.cert)!r}", error) from None
        if found := _CERTIFICATE.search(text):
            return ssl.PEM_cert_to_DER_cert(found[0])
        raise ValueError(f"TLS file {str(self.cert)!r}: no certificate in it")


_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL | re.ASCII
)


def _require_readable(path: str) -> None:
    """Raise ValueError that names the file: the errors of ssl don't."""
    try:
        with Path(path).open("rb"):
            pass
    except (OSError, ValueError) as error:  # the latter: no path at all
        raise _unusable(f"TLS file {str(path)!r}", error) from None


def _no_password() -> str:
    """Refuse a key with a password: OpenSSL would ask for it on the terminal, and wait."""
    raise ValueError("the key has a password, and nobody is there to give it")


def _unusable(files: str, error: OSError | ValueError) -> ValueError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ValueError(f"{files}: {why}")
