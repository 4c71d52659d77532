"""RulesInForce: the rules of a file, taken over as it changes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sidegate.ruleset.ruleset import RuleSet
from sidegate_sidecar.in_force import InForce
from sidegate_sidecar.rules_file.rules_file import load_rules

SHOWN_DIGEST: Final = 12  # of the characters of a digest: enough to tell two files apart


class RulesInForce(InForce[RuleSet]):
    """The rules of a file; UnusableFile or OSError at the start for one that can't be used."""

    def __init__(self, file: str) -> None:
        super().__init__("rules file", (file,), lambda: load_rules(Path(file)))

    @property
    def digest(self) -> str:
        """What tells rules in force from others, short: equal ones mean the same."""
        return self.value.digest[:SHOWN_DIGEST]
