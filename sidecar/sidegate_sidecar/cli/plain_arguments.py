"""Arguments of a command that are plain: each option by its whole name, with its value. Pure.

The command line's library takes 9 MiB and 150 ms of CPU to read arguments, which a process that
runs for months keeps. So `serve` is read here when there is nothing to explain: whatever is less
than plain, also a question for help, is left to the library, which then says so.
"""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def plain_arguments(
    command: Callable[..., Any],
    arguments: Iterable[str],
    environ: Mapping[str, str],
    variable: Callable[[str], str],
) -> dict[str, Any] | None:
    """Return the parameters to call a command with, None if the arguments aren't plain.

    A parameter is a text, a list of texts, or a flag, as its default says; `variable` names the
    one in the environment that holds an option, other than a flag.
    """
    defaults = {name: it.default for name, it in signature(command).parameters.items()}
    options = {"--" + name.replace("_", "-"): name for name in defaults}
    said = _said(arguments, options, defaults)
    if said is None:
        return None
    found = dict(defaults)
    for option, name in options.items():
        default, text = defaults[name], environ.get(variable(option[2:]), "")
        if name in said:
            found[name] = said[name]
        elif text and not isinstance(default, bool):
            found[name] = text.split() if isinstance(default, list) else text
    return found


def _said(
    arguments: Iterable[str], options: Mapping[str, str], defaults: Mapping[str, Any]
) -> dict[str, Any] | None:
    said: dict[str, Any] = {}
    rest = iter(arguments)
    for argument in rest:
        option, equals, value = argument.partition("=")
        name = options.get(option, "")
        default = defaults.get(name)
        if isinstance(default, bool) and not equals:
            said[name] = True
            continue
        text = value if equals else next(rest, "-")
        if not name or text.startswith("-") or isinstance(default, bool):
            return None
        if isinstance(default, list):
            said.setdefault(name, []).append(text)
        elif name in said:
            return None
        else:
            said[name] = text
    return said
