"""The settings of a Limiter: RATELIMIT_ variables, and those of a file, as slowapi reads them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from starlette.config import Config

from sidegate.compat.slowapi.fields import HTTP_DATE, HeaderNames
from sidegate.errors import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FILE = ".env"


class RateLimitConfig:
    """Reads settings of the environment, or else of a file.

    ValueError for a setting that can't be read.
    """

    def __init__(self, filename: str | None) -> None:
        """Read the file, by default `.env` where there is one."""
        is_there = filename is None and os.path.isfile(_FILE)  # noqa: PTH113 - as open takes it
        self._config = Config(_FILE if is_there else filename)

    def text(self, name: str, default: str | None = None) -> str | None:
        """Return a setting, without its RATELIMIT_."""
        return self._config(f"RATELIMIT_{name}", default=default)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the limits that a setting says, as one text; () for none."""
        text = self.text(name)
        return (text,) if text else ()

    def switch(self, name: str, *, default: bool) -> bool:
        """Tell whether a setting is on: true or 1, false or 0."""
        return self._config(f"RATELIMIT_{name}", cast=bool, default=default)

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return options of the storage: what is given, and over it RATELIMIT_STORAGE_OPTIONS."""
        text = self.text("STORAGE_OPTIONS")
        try:
            read = json.loads(text or "{}")
        except ValueError:
            read = None
        if isinstance(read, dict):
            return {**given, **read}
        raise ValueError(f"RATELIMIT_STORAGE_OPTIONS={shown(text)}: expected an object in JSON")

    def fields(self, retry_after: str | None) -> HeaderNames:
        """Return the names of fields; `retry_after` is how that one is written."""
        limit, remaining, reset, wait = (
            self.text(f"HEADER_{name.replace('-', '_').upper()}", prefix + name) or ""
            for prefix, name in (
                ("X-RateLimit-", "Limit"),
                ("X-RateLimit-", "Remaining"),
                ("X-RateLimit-", "Reset"),
                ("", "Retry-After"),
            )
        )
        written = retry_after or self.text("HEADER_RETRY_AFTER_VALUE")
        return HeaderNames(limit, remaining, reset, wait, has_dates=written == HTTP_DATE)


def require_one_of(option: str, value: object, known: Sequence[str]) -> str:
    """Return the value of an option; ValueError unless it is one of those there are."""
    if isinstance(value, str) and value in known:
        return value
    raise ValueError(f"{option}={shown(value)}: expected one of {', '.join(known)}")
