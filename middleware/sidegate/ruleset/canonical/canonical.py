"""The canonical form of a document: two that mean the same have the same."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from sidegate.buckets.decision import OnUnreachable
from sidegate.errors import did_you_mean, quoted
from sidegate.http.patterns import path_matcher
from sidegate.ruleset.canonical.entries import Named, canonical_entry
from sidegate.ruleset.canonical.plans import canonical_plans, canonical_tenants
from sidegate.ruleset.canonical.values import canonical_key, require_few, require_short
from sidegate.ruleset.document import (
    CIDR,
    MAX_EXEMPT,
    MAX_RULES,
    VERSION,
    Defaults,
    RulesDocument,
)

if TYPE_CHECKING:
    from sidegate.ruleset.invalid import InvalidValues


def canonical_document(written: RulesDocument, invalid: InvalidValues) -> RulesDocument:
    """Return the canonical form of a document; what is wrong with it is added to `invalid`."""
    if written.version != VERSION:
        invalid.add(("version",), written.version, f"{VERSION}, the only one there is")
    plans = canonical_plans(written.plans, invalid)
    tenants = canonical_tenants(written.tenants, plans, invalid)
    has_tenants = tenants.id is not None
    defaults = _defaults(written.defaults, invalid, has_tenants=has_tenants)
    key = (defaults.key,) if isinstance(defaults.key, str) else defaults.key
    around = Named(key, has_tenants, plans, tenants.overrides)
    require_few(("rules",), written.rules, MAX_RULES, invalid)
    _require_names_once(written, invalid)
    return RulesDocument(
        version=VERSION,
        rules=tuple(
            canonical_entry(entry, ("rules", at), around, invalid)
            for at, entry in enumerate(written.rules[:MAX_RULES])
        ),
        defaults=Defaults(on_unreachable=defaults.on_unreachable),  # each rule has its key now
        exempt=_exempt(written.exempt, invalid),
        plans=plans,
        tenants=tenants,
    )


def _require_names_once(written: RulesDocument, invalid: InvalidValues) -> None:
    first: dict[str, int] = {}
    for at, entry in enumerate(written.rules):
        earlier = first.setdefault(entry.name, at)
        if earlier != at:
            why = f"another name than that of rules[{earlier}], or they would share buckets"
            invalid.add(("rules", at, "name"), entry.name, why)


def _defaults(written: Defaults, invalid: InvalidValues, *, has_tenants: bool) -> Defaults:
    known = [it.value for it in OnUnreachable]
    policy, path = written.on_unreachable, ("defaults", "on_unreachable")
    if policy is not None and policy not in known:
        invalid.add(path, policy, f"one of {', '.join(known)}{did_you_mean(policy, known)}")
    key = canonical_key(written.key, ("defaults", "key"), invalid, has_tenants=has_tenants)
    return Defaults(on_unreachable=policy, key=key)


def _exempt(written: tuple[str, ...], invalid: InvalidValues) -> tuple[str, ...]:
    require_few(("exempt",), written, MAX_EXEMPT, invalid)
    found: set[str] = set()
    for at, text in enumerate(written[:MAX_EXEMPT]):
        if require_short(("exempt", at), text, invalid):
            found.add(invalid.read(("exempt", at), text, _exempted, "exempt") or "")
    return tuple(sorted(found))


def _exempted(text: str) -> str:
    if text.startswith(CIDR):
        try:
            return f"{CIDR}{ip_network(text.removeprefix(CIDR).strip())}"
        except ValueError as error:
            raise ValueError(f"{quoted(text)} is no network: {error}") from None
    path_matcher("exempt", text)
    return text[:-1] if len(text) > 1 and text.endswith("/") else text
