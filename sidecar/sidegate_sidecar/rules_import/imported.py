"""Imported: the rules of ours that an envoyproxy/ratelimit configuration comes to, and the rest.

There a request is asked about several descriptors, and each has its limit; here the first rule that
matches applies. So the rules that want more of a request stand before those that want less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sidegate.ruleset.document import CIDR, MAX_EXEMPT, MAX_RULES, VERSION
from sidegate.ruleset.invalid import RulesError
from sidegate.ruleset.ruleset import read_rules
from sidegate_sidecar.ratelimit_yaml.rule_names import MAX_NAME, rule_name
from sidegate_sidecar.rules_import.rule_draft import CLIENT, PATH, CantSay, RuleDraft

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sidegate_sidecar.ratelimit_yaml.descriptors import Descriptor, Domain

    Chain = tuple[Descriptor, ...]

_NEVER_REACHED: Final = (
    "no request would come to it: a rule before it, or an exempt path, takes them all, and only the"
    " first that matches applies"
)


class NotImported(NamedTuple):
    """What a file says that ours can't: where it stands, and why."""

    line: int
    path: str
    why: str


class ImportedRule(NamedTuple):
    """A rule as it is written, and where it comes from."""

    line: int
    path: str
    source: str  # the entries that lead to it
    rule: dict[str, Any]
    guessed: dict[str, str]  # which keys were taken for which header fields


class ImportedExempt(NamedTuple):
    """A path or a network that is never limited, and where it comes from."""

    line: int
    path: str
    source: str
    exempt: str


class Imported(NamedTuple):
    """All that came of a domain; what is in `rules` and `exempt` makes a file that is valid."""

    domain: str
    rules: list[ImportedRule]
    exempt: list[ImportedExempt]
    rest: list[NotImported]

    @property
    def document(self) -> dict[str, Any]:
        """What the rules file says."""
        exempt = [it.exempt for it in self.exempt]
        document: dict[str, Any] = {"version": VERSION}
        if exempt:
            document["exempt"] = exempt
        return {**document, "rules": [it.rule for it in self.rules]}


def imported(domain: Domain, headers_named: Mapping[str, str]) -> Imported:
    """Return the rules that a domain comes to; `headers_named` are the fields of its keys."""
    found = Imported(domain.name, [], [], [])
    drafts: list[tuple[Chain, str, RuleDraft]] = []
    for chain, path in _limited(domain.descriptors, (), ""):
        try:
            if exempt := _exempt(chain, domain.descriptors):
                found.exempt.append(ImportedExempt(chain[-1].line, path, source_of(chain), exempt))
            else:
                drafts.append((chain, path, _draft(chain, headers_named)))
        except CantSay as why:
            found.rest.append(NotImported(chain[-1].line, path, str(why)))
        found.rest.extend(_replaced(chain[-1], path))
    drafts.sort(key=lambda it: it[2].order)
    names: set[str] = set()
    for chain, path, draft in drafts:
        name = _name(domain, chain, names)
        rule = _rule(name, chain[-1], draft)
        found.rules.append(
            ImportedRule(chain[-1].line, path, source_of(chain), rule, draft.guessed)
        )
    _drop_invalid(found)
    found.rest.sort()
    return found


def source_of(chain: Sequence[Descriptor]) -> str:
    """Return the entries that lead to a limit, for people."""
    return ", ".join(f"{it.key}={it.value}" if it.value else it.key for it in chain)


def _limited(
    descriptors: Sequence[Descriptor], above: Chain, path: str
) -> Iterator[tuple[Chain, str]]:
    """Yield each descriptor that has a limit, or that is let off one, with those above it."""
    for at, descriptor in enumerate(descriptors):
        chain = (*above, descriptor)
        here = f"{path}descriptors[{at}]"
        if descriptor.limit is not None or _is_let_off(descriptor, descriptors):
            yield chain, here
        yield from _limited(descriptor.descriptors, chain, f"{here}.")


def _is_let_off(descriptor: Descriptor, beside: Sequence[Descriptor]) -> bool:
    """Tell whether a value without a limit escapes that of its key."""
    is_last = descriptor.limit is None and not descriptor.descriptors and bool(descriptor.value)
    return is_last and any(it.key == descriptor.key and it is not descriptor for it in beside)


def _exempt(chain: Chain, top: Sequence[Descriptor]) -> str:
    """Return what is never limited by a descriptor without limits; "" for one with limits."""
    last = chain[-1]
    if last.limit is not None and last.limit.limits is not None:
        return ""
    if len(chain) == 1 and last.key in PATH and last.value:
        return last.value
    if len(chain) == 1 and last.key in CLIENT and last.value:
        return CIDR + last.value
    if last in top and not last.value:
        raise CantSay("unlimited: leave it out, as what no rule is for isn't limited")
    raise CantSay("unlimited: exempt has whole paths and addresses, and nothing below others")


def _draft(chain: Chain, headers_named: Mapping[str, str]) -> RuleDraft:
    if chain[-1].quota:
        raise CantSay("quota_mode: each rule of ours refuses by itself")
    draft = RuleDraft(headers_named)
    for entry in chain:
        draft.add(entry)
    return draft


def _replaced(descriptor: Descriptor, path: str) -> Iterator[NotImported]:
    if descriptor.limit is not None and descriptor.limit.replaces:
        names = ", ".join(descriptor.limit.replaces)
        why = f"replaces {names}: the first rule that matches applies, and replaces all others"
        yield NotImported(descriptor.line, f"{path}.rate_limit.replaces", why)


def _name(domain: Domain, chain: Chain, names: set[str]) -> str:
    """Return a name that no other rule has."""
    plain = rule_name([domain.name, *(it.name for it in chain)])
    name, at = plain, 1
    while name in names:
        at += 1
        name = f"{plain[: MAX_NAME - 8]}-{at}"
    names.add(name)
    return name


def _rule(name: str, last: Descriptor, draft: RuleDraft) -> dict[str, Any]:
    assert last.limit is not None
    match: dict[str, Any] = {}
    if draft.path is not None:
        match["path"] = draft.path
    if draft.methods:
        match["methods"] = draft.methods
    if draft.host is not None:
        match["host"] = draft.host
    if draft.headers:
        match["headers"] = draft.headers
    rule: dict[str, Any] = {"name": name}
    if match:
        rule["match"] = match
    rule["limits"] = str(last.limit.limits)
    rule["key"] = draft.key[0] if len(draft.key) == 1 else draft.key or "global"
    if last.shadow:
        rule["mode"] = "shadow"
    return rule


def _drop_invalid(found: Imported) -> None:
    """Move what ours refuses to the rest, until nothing is refused."""
    for kept, most in ((found.rules, MAX_RULES), (found.exempt, MAX_EXEMPT)):
        for it in kept[most:]:
            found.rest.append(NotImported(it.line, it.path, f"more than {most:,} of them"))
        del kept[most:]
    while wrong := _wrong(found):
        for (part, at), why in sorted(wrong.items(), reverse=True):
            kept = found.rules if part == "rules" else found.exempt
            it = kept.pop(at)
            found.rest.append(NotImported(it.line, it.path, why))


def _wrong(found: Imported) -> dict[tuple[str, int], str]:
    """Return why which rules and exempt ones are refused, by what they are and their number."""
    try:
        read_rules(found.document)
    except RulesError as error:
        wrong: dict[tuple[str, int], str] = {}
        for it in error.invalid:
            match it.path:
                case ("rules", int(at)):
                    wrong["rules", at] = _NEVER_REACHED
                case ("rules" | "exempt" as part, int(at), *_):
                    wrong.setdefault((part, at), it.why)
                case _:  # the file as a whole is too large: those that want least go first
                    part = "rules" if found.rules else "exempt"
                    count = len(found.rules or found.exempt)
                    wrong |= {(part, at): it.why for at in range(count * 7 // 8, count)}
        return wrong
    return {}
