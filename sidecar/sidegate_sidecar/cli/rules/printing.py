"""What the commands about rules files print."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from sidegate_sidecar.cli.printing import duration, print_json
from sidegate_sidecar.rules_file.rules_in_force import SHOWN_DIGEST
from sidegate_sidecar.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sized

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


def print_explanation(said: Mapping[str, Any], *, as_json: bool) -> None:
    """Print which rule a request falls under, what is asked, and why no other rule applies."""
    if as_json:
        print_json(dict(said))
        return
    for line in _explanation(said):
        sys.stdout.write(f"{visible(line)}\n")


def _explanation(said: Mapping[str, Any]) -> Iterator[str]:
    yield f"{said['method']} {said['path']} from {said['client'] or 'a Unix socket'}"
    if said["exempt"]:
        yield f"not limited: {said['exempt']} is exempt"
    if said["malformed"]:
        yield f"answered 400: {said['malformed']}"
    for rule in said["rules"]:
        why = f"doesn't apply: {rule['why']}" if rule["why"] else "applies"
        yield f"rule {rule['name']} {why}"
        for asked in said["asked"]:
            if asked["rule"] == rule["name"]:
                yield from _question(asked)
    if not (said["asked"] or said["exempt"] or said["malformed"]):
        yield "not limited: no rule applies"


def _question(asked: Mapping[str, Any]) -> Iterator[str]:
    enforced = "" if asked["enforced"] else ", which refuses nothing for this key"
    yield f"  key {asked['key']}"
    plan = f" (plan {asked['plan']})" if asked["plan"] else ""
    yield f"  limits {asked['limits']}{plan}"
    running = f", {asked['in_flight']} in flight" if asked["in_flight"] else ""
    running += ", sync" * asked["sync"]
    yield f"  cost {asked['cost']}, mode {asked['mode']}{running}{enforced}"
    if "owner" in asked:
        yield f"  owner {asked['owner']}"
    for left in asked.get("left", ()):
        full = f", full again in {duration(left['reset_after'])}" if left["reset_after"] else ""
        yield f"  {left['remaining']} of {left['burst']} left of {left['limit']}{full}"


def _count(things: Sized, noun: str) -> str:
    return f"{len(things)} {noun}" if len(things) == 1 else f"{len(things)} {noun}s"
