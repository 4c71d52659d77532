"""Readers: the text of an option in, its value out; OptionError names what can't be read."""

from __future__ import annotations

import os
import re
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from sidegate.buckets.limits import parse_limits
from sidegate.client.environment import NO, YES
from sidegate.errors import LimitError
from sidegate.link.address import Address, parse_address
from sidegate_sidecar.cli.options.names import variable
from sidegate_sidecar.config import OptionError
from sidegate_sidecar.persistence.state_file import require_place
from sidegate_sidecar.sizes import EXPECTED, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Value = TypeVar("Value")
    Text = TypeVar("Text", bound=str)

_ONE_SEED: Final = "SIDEGATE_SEED"  # what one would guess from the flag
_SEPARATORS: Final = re.compile(r"[\s,]+")


def _read(option: str, text: str, read: Callable[[str], Value], expected: str) -> Value:
    try:
        return read(text)
    except ValueError:
        raise OptionError(option, text, expected) from None


def address(option: str, text: str) -> Address:
    """Return an address."""
    expected = "expected HOST:PORT or [IPV6]:PORT, with a port from 0 to 65535"
    return _read(option, text, parse_address, expected)


def addresses(option: str, texts: Iterable[str]) -> tuple[Address, ...]:
    """Return the addresses in texts, each of which may hold several between commas."""
    return tuple(address(option, part) for part in names(texts))


def seeds(texts: Iterable[str]) -> tuple[Address, ...]:
    """Return the addresses of seeds; OptionError if its two variables say different things."""
    texts, one = list(texts), os.environ.get(_ONE_SEED, "")
    several = os.environ.get(variable("seed"), "")
    if one and several and _SEPARATORS.split(one) != _SEPARATORS.split(several):
        why = f"{_ONE_SEED} says {one!r}: expected one of the two, or the same in both"
        raise OptionError("seed", several, why)
    return addresses("seed", texts or _SEPARATORS.split(one))


def names(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the names in texts, each of which may hold several between commas."""
    return tuple(part.strip() for text in texts for part in text.split(",") if part.strip())


def number(option: str, text: str) -> float:
    """Return a number above 0."""
    return _read(option, text, _above_zero, "expected a number above 0")


def seconds(option: str, text: str) -> float:
    """Return a number of seconds."""
    return _read(option, text, _above_zero, "expected seconds, above 0")


def _above_zero(text: str) -> float:
    if not 0 < float(text) < inf:
        raise ValueError(text)
    return float(text)


def whole(option: str, text: str, least: float = -inf, most: float = inf) -> int:
    """Return a whole number between two others, which are allowed too."""

    def between(text: str) -> int:
        if not least <= int(text) <= most:
            raise ValueError(text)
        return int(text)

    between_which = f" from {least:,} to {most:,}" if most < inf else ""
    return _read(option, text, between, f"expected a whole number{between_which}")


def size(option: str, text: str) -> int:
    """Return a number of bytes."""
    return _read(option, text, parse_size, EXPECTED)


def mode(option: str, text: str) -> int:
    """Return the mode of a file."""
    return _read(option, text, _octal, "expected a mode in octal, such as 660")


def _octal(text: str) -> int:
    if not (text.isascii() and text.isdigit()):  # int() would take 0o660, 6_60 and -1 as well
        raise ValueError(text)
    return int(text, 8)


def choice(option: str, text: str, among: Iterable[Text]) -> Text:
    """Return the one of several words, or members of a StrEnum, that the text is."""
    found = {str(one): one for one in among}
    if text not in found:
        raise OptionError(option, text, f"expected one of {', '.join(found)}")
    return found[text]


def limits(option: str, text: str) -> str:
    """Return limits as they are written shortest."""
    try:
        return str(parse_limits(text))
    except LimitError as error:
        raise OptionError(option, text, error.why) from None


def header_name(option: str, text: str) -> str:
    """Return the name of a header."""
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", text):
        raise OptionError(option, text, "expected the name of a header, such as x-api-key")
    return text


def header(option: str, text: str) -> tuple[str, str]:
    """Return a header: its name and its value."""
    name, colon, value = text.partition(":")
    if not colon or not re.fullmatch(r"[\t -~]*", value):
        raise OptionError(option, text, 'expected NAME:VALUE in ASCII, such as "accept: text/html"')
    return header_name(option, name.strip()), value.strip()


def flag(option: str, *, given: bool) -> bool:
    """Return whether a flag is given, or set in the environment."""
    text = os.environ.get(variable(option), "").strip().lower()
    if text not in YES | NO:
        raise OptionError(option, text, "expected 1, true, yes or on; or 0, false, no or off")
    return given or text in YES


def rules(path: str) -> str:
    """Return the path of a rules file, empty for none; OptionError if it can't be used."""
    if not path:
        return path
    from sidegate_sidecar.rules_file.rules_file import (  # noqa: PLC0415 - where there is one only
        UnusableFile,
        load_rules,
    )

    try:
        load_rules(Path(path))
    except OSError as error:
        why = f"expected a file with rules: {error.strerror}"
        raise OptionError("rules", path, why) from None
    except UnusableFile as error:
        raise OptionError("rules", path, f"expected rules that can be used: {error}") from None
    return path


def state_file(path: str) -> str:
    """Return the path of a state file, empty for none; OptionError if none can be saved there."""
    if path:
        require_place(path)
    return path
