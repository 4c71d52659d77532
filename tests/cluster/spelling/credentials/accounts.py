"""The credentials that the apps under test know, and the ways in which apps read them."""

import base64
import binascii
import hashlib
import hmac
import re
from typing import Final

from werkzeug.datastructures import Authorization

KEY: Final = re.compile(r"good-\d+")  # a key an app knows; each case of a test has its own
PASSWORDS: Final = (b"password", "pässwörd".encode(), "pässwörd".encode("latin-1"))
SIGNING: Final = b"of a test, and long enough for HS256"
HEAD: Final = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()


def jwt(subject: str) -> str:
    """Return a JSON Web Token by HS256 (RFC 7519)."""
    body = base64.urlsafe_b64encode(b'{"sub":"%s"}' % subject.encode()).rstrip(b"=").decode()
    signature = base64.urlsafe_b64encode(_mac(f"{HEAD}.{body}")).rstrip(b"=").decode()
    return f"{HEAD}.{body}.{signature}"


def basic(user: str, password: bytes = PASSWORDS[0]) -> str:
    """Return a user and a password as RFC 7617 writes them."""
    return base64.b64encode(user.encode() + b":" + password).decode()


def knows_key(value: str | None) -> bool:
    """Tell whether an app knows an API key."""
    return value is not None and KEY.fullmatch(value) is not None


def knows_token(value: str | None) -> bool:
    """Tell whether an app knows a bearer token: a key, or a JWT that it reads as PyJWT does."""
    if not value or value.count(".") != 2:
        return knows_key(value)
    signed, _, signature = value.rpartition(".")
    try:
        given = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(given, _mac(signed))


def knows_user(user: str | None, password: str | bytes | None) -> bool:
    """Tell whether an app knows a user; it takes the password in either encoding."""
    given = password.encode() if isinstance(password, str) else password
    return knows_key(user) and given in PASSWORDS


def knows_bearer(given: Authorization | None) -> bool:
    """Tell whether an app knows the token that Flask or Quart has read."""
    return given is not None and given.type == "bearer" and knows_token(given.token)


def knows_basic(given: Authorization | None) -> bool:
    """Tell whether an app knows the user that Flask or Quart has read."""
    return given is not None and knows_user(given.username, given.password)


def _mac(text: str) -> bytes:
    return hmac.digest(SIGNING, text.encode("utf-8", "surrogatepass"), hashlib.sha256)


# --- how code that isn't a framework's reads the value of Authorization


def split(value: str) -> str | None:
    """Take what stands in second place."""
    words = value.split()
    return words[1] if len(words) > 1 else None


def without_prefix(value: str) -> str | None:
    """Take what follows "Bearer "."""
    return value.removeprefix("Bearer ") if value.startswith("Bearer ") else None


def by_hand(value: str) -> tuple[str, bytes] | None:
    """Read a user and a password, as leniently as Python reads base64."""
    scheme, _, encoded = value.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded + "==").partition(b":")
        return user.decode(), password
    except ValueError:
        return None


def knows_by_hand(value: str) -> bool:
    """Tell whether hand-written code knows the user in the value of Authorization."""
    read = by_hand(value)
    return read is not None and knows_user(*read)
