"""What the command prints: small tables on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sidegate_sidecar.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Answer = Mapping[str, Any]

_WIDE = 10_000  # columns: what goes to a file or a pipe is never cut or folded
_STYLES = {
    "up": "green",
    "suspect": "yellow",
    "connecting": "yellow",
    "down": "red",
    "closed": "red",
}


def print_json(answer: Answer) -> None:
    """Print an answer for scripts."""
    print(json.dumps(answer, indent=2))  # noqa: T201  # what the command is for


def print_check(answer: Answer) -> None:
    """Print a decision."""
    verdict, style = ("allowed", "green") if answer["allowed"] else ("denied", "red")
    rest = f"{_left(answer)} ({visible(answer['limits'])}; {_who(answer)})"
    console_of().print(Text.assemble((verdict, style), ": ", rest), soft_wrap=True)


def _left(answer: Answer) -> str:
    if answer["remaining"] is None:
        return "nobody knows what is left"
    left = f"{answer['remaining']} of {answer['limit']} left"
    if answer["allowed"]:
        return f"{left}, full again in {duration(answer['reset_after'])}"
    return f"{left}, retry in {duration(answer['retry_after'])}"


def _who(answer: Answer) -> str:
    owner = visible(answer["owner"])
    if answer["source"] == "owner":
        return f"owner {owner}"
    return f"owner {owner} did not answer: {answer['source']}"


def print_nodes(answer: Answer) -> None:
    """Print the cluster."""
    console = console_of()
    console.print(_summary(answer), soft_wrap=True)
    rules = _rules_of(answer)
    rows = [_node_row(node, rules.get(node["name"], "")) for node in answer["nodes"]]
    rows += [
        ("?", one["address"], one["state"], "", "", "", "", one["refusal"])
        for one in answer["strangers"]
    ]
    heads = ("NODE", "ADDRESS", "STATE", "BUT", "SHARE", "RING", "RULES", "WHY")
    _print_table(console, heads, rows, "SHARE")


def _summary(answer: Answer) -> str:
    nodes = count_text(len(answer["nodes"]), "node")
    roles = f"{answer['keys_owned']:,} as owner, {answer['keys_backed_up']:,} as backup"
    parts = [
        f"{visible(answer['name'])} (sidegate {answer['version']}) sees {nodes}",
        "all that answer hold the same ring" if answer["agrees"] else "their rings differ",
        f"{count_text(answer['keys'], 'bucket')} held here: {roles}",
    ]
    if (versions := answer.get("rules_versions", 1)) > 1:
        parts.insert(2, f"they have {versions:,} different rules in force")
    side = answer.get("split", {})
    if side.get("lost") or side.get("share", 1.0) < 1.0:
        parts.append(_side(side))
    return "; ".join(parts if answer["stage"] == "member" else [*parts, answer["stage"]])


def _rules_of(answer: Answer) -> Mapping[str, str]:
    """Return what rules each node has, with a mark where it has others; none if no one has any."""
    held = {node["name"]: node.get("rules") for node in answer["nodes"]}
    if not any(held.values()):
        return {}
    mine = answer["rules"]
    marks = {name: "" if it in {None, mine} else " !" for name, it in held.items()}
    return {name: f"{_rules_text(it)}{marks[name]}" for name, it in held.items()}


def _rules_text(digest: str | None) -> str:
    return "unknown" if digest is None else digest or "no file"


def _node_row(node: Answer, rules: str) -> Sequence[str]:
    share, ring = f"{node['share']:.1%}", node["ring"] or "unknown"
    but = [node["life"]] if node["life"] != "alive" else []
    but += [] if node["owner"] else ["not on the ring"]
    return (
        node["name"],
        node["address"],
        node["state"],
        ", ".join(but),
        share,
        ring,
        rules,
        node["refusal"],
    )


def print_owner(answer: Answer) -> None:
    """Print who owns a key."""
    backups = ", ".join(map(visible, answer["backups"])) or "none"
    console_of().print(
        f"{visible(answer['owner'])} ({answer['state']}); backups: {backups}", soft_wrap=True
    )


def print_buckets(answer: Answer) -> None:
    """Print the buckets of a key, or those that were forgotten."""
    console = console_of()
    owner, key = visible(answer["owner"]), visible(answer["key"]) or '""'
    forgotten = "forgotten" in answer
    buckets = answer["forgotten"] if forgotten else answer["buckets"]
    if not buckets:
        console.print(f"{key}: no bucket in debt on {owner}, all limits are full", soft_wrap=True)
        return
    said = "forgotten, and full now" if forgotten else "in debt"
    console.print(f"{key}: {count_text(len(buckets), 'bucket')} on {owner} {said}", soft_wrap=True)
    left = [(one["limit"], f"{one['remaining']} of {one['burst']}") for one in buckets]
    if forgotten:
        _print_table(console, ("LIMIT", "LEFT BEFORE"), left, right="LEFT BEFORE")
        return
    rows = [(*row, duration(one["reset_after"])) for row, one in zip(left, buckets, strict=True)]
    _print_table(console, ("LIMIT", "LEFT", "FULL IN"), rows, right="LEFT, FULL IN")


def print_keys(answer: Answer) -> None:
    """Print the keys that were found, and what the list lacks."""
    console = console_of()
    rows = [
        (
            visible(key["key"]) or '""',
            one["limit"],
            f"{one['remaining']} of {one['burst']}",
            duration(one["reset_after"]),
            key["owner"],
        )
        for key in answer["keys"]
        for one in key["buckets"]
    ]
    if rows:
        heads = ("KEY", "LIMIT", "LEFT", "FULL IN", "OWNER")
        _print_table(console, heads, rows, right="LEFT, FULL IN")
    else:
        console.print("no key in debt: all limits are full", soft_wrap=True)
    if answer["more"]:
        console.print("there are more: raise --max, or give a longer beginning", soft_wrap=True)
    _print_lacks(console, answer["nodes"])


def _print_lacks(console: Console, nodes: Answer) -> None:
    if nodes["missing"]:
        names = ", ".join(map(visible, nodes["missing"]))
        asked = f"{nodes['answered']} of {count_text(nodes['of'], 'node')} answered"
        console.print(f"{asked}; missing: {names}", soft_wrap=True)
    if names := ", ".join(map(visible, nodes.get("unfinished", []))):
        console.print(f"not looked at to the end, for want of time: {names}", soft_wrap=True)


def print_forgotten(answer: Answer) -> None:
    """Print how many buckets were forgotten, and where."""
    console = console_of()
    what = f"{count_text(answer['forgotten'], 'bucket')} forgotten, and full now"
    console.print(f"{visible(answer['prefix'])}*: {what}", soft_wrap=True)
    rows = [(one["node"], f"{one['buckets']:,}") for one in answer["by_node"]]
    if rows:
        _print_table(console, ("NODE", "BUCKETS"), rows, right="BUCKETS")
    _print_lacks(console, answer["nodes"])
    if answer["nodes"]["missing"]:
        console.print("they are told as soon as they can be reached", soft_wrap=True)


def print_departure(answer: Answer) -> None:
    """Print how a node left the ring."""
    name, took = visible(answer["name"]), duration(answer["seconds"])
    moved = f"{count_text(answer['handed_over'], 'bucket')} handed over"
    if answer["left"]:
        said = f"{name} left the ring, and goes on forwarding checks: {moved} in {took}"
    else:
        kept = f"{answer['not_taken']:,} not, in {took}"
        said = f"{name} did not leave: {answer['why']}; {moved}, {kept}"
    console_of().print(said, soft_wrap=True)


def print_side(answer: Answer) -> None:
    """Print on which side of a split a node is, once it counts another one no more."""
    console_of().print(_side(answer), soft_wrap=True)


def _side(side: Answer) -> str:
    missed = ", ".join(map(visible, side["lost"])) or "nobody"
    does = f"serves {side['share']:.0%} of each limit" if side["share"] else "decides nothing"
    return f"on a split: {side['on_split']}; {does}, misses {missed}"


PRINTERS: Mapping[str, Callable[[Answer], None]] = {
    "forget": print_side,
    "check": print_check,
    "nodes": print_nodes,
    "owner": print_owner,
    "buckets": print_buckets,
    "keys": print_keys,
    "forgotten": print_forgotten,
    "leave": print_departure,
}


def duration(seconds: float) -> str:
    """Return a time for people: two to four digits and a unit."""
    for most, unit, text in (
        (1, 1e-3, "ms"),
        (120, 1, "s"),
        (7_200, 60, "min"),
        (172_800, 3_600, "h"),
    ):
        if seconds < most:
            return f"{seconds / unit:.3g} {text}"
    return f"{seconds / 86_400:,.0f} d"


def count_text(number: int, noun: str) -> str:
    """Return a number of things for people."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def console_of() -> Console:
    """Return what prints to stdout; what goes to a file or a pipe is never cut or folded."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDE
    return console


def _print_table(
    console: Console, heads: Sequence[str], rows: Sequence[Sequence[str]], right: str = ""
) -> None:
    console.print(table_of(console, heads, rows, right))


def table_of(
    console: Console, heads: Sequence[str], rows: Sequence[Sequence[str]], right: str
) -> Table:
    """Return rows under heads, without the columns that are empty; `right` names the aligned."""
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for head, cells in zip(heads, zip(*rows, strict=True), strict=True):
        if any(cells):
            table.add_column(head, justify="right" if head in right else "left", overflow="fold")
    used = [at for at, cells in enumerate(zip(*rows, strict=True)) if any(cells)]
    for row in rows:
        table.add_row(*(_cell(heads[at], row[at]) for at in used))
    return table


def _cell(head: str, text: str) -> Text:
    return Text(visible(text), style=_STYLES.get(text, "") if head == "STATE" else "")
