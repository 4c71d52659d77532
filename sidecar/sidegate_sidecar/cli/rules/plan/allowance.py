"""PlanAllowance: how many requests a new rules file may newly deny."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final, NamedTuple

from sidegate_sidecar.config import OptionError

_SHARE: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%")
_NUMBER: Final = re.compile(r"[0-9]{1,12}")


class PlanAllowance(NamedTuple):
    """A number of requests, or a share of all."""

    text: str
    number: Fraction
    is_share: bool

    def exceeded(self, newly_denied: int, requests: int) -> bool:
        """Tell whether so many of these are too many."""
        return newly_denied > (self.number * requests if self.is_share else self.number)


def read_allowance(option: str, text: str) -> PlanAllowance:
    """Return what a text says; OptionError if it is neither a number nor a share."""
    given = text.strip()
    if found := _SHARE.fullmatch(given):
        share = Fraction(found[1]) / 100
        if share <= 1:
            return PlanAllowance(given, share, is_share=True)
    elif _NUMBER.fullmatch(given):
        return PlanAllowance(given, Fraction(given), is_share=False)
    raise OptionError(option, text, 'expected a number of requests, or a share such as "0.1 %"')
