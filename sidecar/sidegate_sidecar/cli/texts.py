"""Texts: how those that options hold are read, and how a wrong one is named."""

from __future__ import annotations

import re
from math import inf
from typing import TYPE_CHECKING, Final, TypeVar

from sidegate.buckets.limits import parse_limits
from sidegate.errors import LimitError
from sidegate_sidecar.errors import BAD_INPUT, Failure
from sidegate_sidecar.loadtest.plan.scenario import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from enum import StrEnum

    Value = TypeVar("Value")
    Choice = TypeVar("Choice", bound=StrEnum)

MAX_HEADERS: Final = 50


def wrong(option: str, text: str, why: str) -> Failure:
    """Return what says that an option is wrong."""
    return Failure(BAD_INPUT, f"--{option} {text!r}: {why}")


def attempt(option: str, text: str, read: Callable[[], Value]) -> Value:
    """Return what is read; what is wrong with it is told of the option."""
    try:
        return read()
    except LimitError as error:
        raise wrong(option, text, error.why) from None
    except ScenarioError as error:
        raise wrong(option, text, str(error)) from None


def number(option: str, text: str) -> float:
    """Return a number above 0."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < inf:
        raise wrong(option, text, "expected a number above 0")
    return found


def whole(option: str, text: str, least: int, most: int) -> int:
    """Return a whole number between two others, which are allowed too."""
    if not re.fullmatch(r"[0-9]{1,20}", text) or not least <= int(text) <= most:
        raise wrong(option, text, f"expected a whole number from {least:,} to {most:,}")
    return int(text)


def choice(option: str, text: str, kind: type[Choice]) -> Choice:
    """Return one of the members of an Enum."""
    try:
        return kind(text)
    except ValueError:
        raise wrong(option, text, f"expected one of {', '.join(kind)}") from None


def limit(text: str) -> str:
    """Return limits as they are written shortest, "" for none."""
    return str(attempt("limit", text, lambda: parse_limits(text))) if text else ""


def field(option: str, name: str) -> str:
    """Return the name of a header."""
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", name):
        raise wrong(option, name, "expected the name of a header, such as x-api-key")
    return name


def headers(texts: Iterable[str], taken: dict[str, str]) -> dict[str, str]:
    """Return headers by name; `taken` are names in lower case that are in use, and for what."""
    pairs = [_header(text, taken) for text in texts]
    if len(pairs) > MAX_HEADERS:
        raise wrong("header", f"{len(pairs)} of them", f"expected at most {MAX_HEADERS}")
    return dict(pairs)


def _header(text: str, taken: dict[str, str]) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not re.fullmatch(r"[\t -~]*", value):
        raise wrong("header", text, 'expected NAME:VALUE in ASCII, such as "accept: text/html"')
    name = field("header", name.strip())
    if name.lower() in taken:
        raise wrong("header", name, f"expected another name, {taken[name.lower()]}")
    return name, value.strip()
