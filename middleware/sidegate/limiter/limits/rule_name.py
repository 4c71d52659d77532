"""RuleName: a rule of the sidecar's file in the place of limits, as in `limit("@login")`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sidegate.buckets.limits import BY_NAME
from sidegate.errors import shown
from sidegate.http.rules import read_limits, require_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidegate.buckets.limits import Limits

_OF_THE_RULE: Final = ("cost", "scope", "per_method")  # what it says, and whose its buckets are


@dataclass(frozen=True, slots=True)
class RuleName:
    """Which rule it is, and the limits where there is none of that name; None: not limited."""

    name: str
    default: Limits | None

    @property
    def done(self) -> str:
        """What becomes of requests where there is no such rule, for people."""
        if self.default is None:
            return "what names it isn't limited"
        return f"what names it has its default, {self.default.text}"


def is_rule_name(limits: object) -> bool:
    """Tell whether limits are a rule by its name."""
    return isinstance(limits, str) and limits.startswith(BY_NAME)


def rule_name(limits: object, options: Mapping[str, object]) -> RuleName | None:
    """Return the rule that limits name; None for other limits. ValueError names an option."""
    default = options.get("default")
    if not isinstance(limits, str) or not is_rule_name(limits):
        if default is not None:
            raise ValueError(f"default={shown(default)}: belongs to limits='@NAME'")
        return None
    for option in _OF_THE_RULE:
        if (value := options.get(option)) is not None and value is not False:
            raise ValueError(f"{option}={shown(value)}: the rule {shown(limits)} says that itself")
    try:
        name = require_name("limits", limits.removeprefix(BY_NAME))
    except ValueError as error:
        raise ValueError(f"limits={shown(limits)}: expected @ and a rule's name; {error}") from None
    return RuleName(name, None if default is None else read_limits(default, "default"))
