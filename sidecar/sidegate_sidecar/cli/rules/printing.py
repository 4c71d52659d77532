"""What the commands about rules files print."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sidegate_sidecar.cli.printing import print_json
from sidegate_sidecar.rules_file.rules_in_force import SHOWN_DIGEST
from sidegate_sidecar.text import visible

if TYPE_CHECKING:
    from collections.abc import Sized

    from sidegate.ruleset.ruleset import RuleSet
    from sidegate_sidecar.rules_file.rules_file import UnusableFile


def print_held(file: str, rules: RuleSet, *, as_json: bool) -> None:
    """Print what a rules file holds."""
    document = rules.document
    counts = {
        "rules": len(document.rules),
        "exempt": len(document.exempt),
        "plans": len(document.plans),
        "overrides": len(document.tenants.overrides),
    }
    if as_json:
        print_json({"valid": True, "digest": rules.digest, **counts})
        return
    parts = [
        _count(document.rules, "rule"),
        _count(document.plans, "plan"),
        _count(document.tenants.overrides, "override"),
        f"{len(document.exempt)} exempt",
    ]
    held = ", ".join(it for it in parts if not it.startswith("0 ")) or "nothing"
    sys.stdout.write(f"{visible(file)}: {held}; digest {rules.digest[:SHOWN_DIGEST]}\n")


def print_wrong(error: UnusableFile, *, as_json: bool) -> None:
    """Print each line that is wrong."""
    if as_json:
        wrong = [
            {"line": it.line, "path": it.path, "value": it.value, "why": it.why}
            for it in error.wrong
        ]
        print_json({"valid": False, "file": error.file, "wrong": wrong})
        return
    for line in str(error).splitlines():
        sys.stderr.write(f"{visible(line)}\n")


def _count(things: Sized, noun: str) -> str:
    return f"{len(things)} {noun}" if len(things) == 1 else f"{len(things)} {noun}s"
