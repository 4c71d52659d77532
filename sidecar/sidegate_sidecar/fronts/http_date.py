"""HttpDate: the time as HTTP writes it, made once a second."""

from __future__ import annotations

from email.utils import formatdate
from time import time


class HttpDate:
    """A clock for the field Date (RFC 9110, 6.6.1)."""

    def __init__(self) -> None:
        self._second = 0
        self._text = ""

    def text(self) -> str:
        """Return the time."""
        if (now := int(time())) != self._second:
            self._second, self._text = now, formatdate(now, usegmt=True)
        return self._text
