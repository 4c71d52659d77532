"""What an option is called: on the command line, in the environment, and when it is wrong. Pure."""

from __future__ import annotations

from typing import Final

_ONLY_FLAGS: Final = {
    "client",
    "cost",
    "descriptor",
    "field",
    "format",
    "header",
    "host",
    "max",
    "max-newly-denied",
    "method",
    "order",
    "path",
    "rows",
    "seconds",
    "top",
}  # not in the environment
_PLURAL: Final = {  # several in one variable
    "seed": "SIDEGATE_SEEDS",
    "http-host": "SIDEGATE_HTTP_HOSTS",
}
# All here can read a command line.
_NO_FLAG: Final = {"secret", "node-secret", "http-token", "ring-seed"}


def variable(option: str) -> str:
    """Return the name of an option in the environment."""
    return _PLURAL.get(option, "SIDEGATE_" + option.upper().replace("-", "_"))


def complaint(option: str, value: object, why: str, *, has_variable: bool = True) -> str:
    """Return the line that says what is wrong with an option."""
    if option in _NO_FLAG:
        names = variable(option)
    elif option in _ONLY_FLAGS or not has_variable:
        names = f"--{option}"
    else:
        names = f"--{option} (or {variable(option)})"
    return f"{names} {str(value)!r}: {why}"
