"""UnseenFields: what rules go by that an access log never says, and what that comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.ruleset.selectors import HEADER, TENANT, header_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.ruleset.compiled import CompiledRule
    from sidegate.ruleset.ruleset import RuleSet
    from sidegate_sidecar.rules_plan.logged_request import LoggedRequest

_SCHEMES: Final = ("bearer", "basic")  # of the field Authorization
_HOST: Final = "host"


class UnseenFields:
    """The fields that two files go by, until a request has them."""

    def __init__(self, files: Iterable[RuleSet], *, is_trusted: bool) -> None:
        self._unseen: dict[str, dict[str, None]] = {}  # by field: what it comes to, each once
        self._notes: dict[str, None] = {}
        for rules in files:
            self._add_tenants(rules, is_trusted=is_trusted)
            for rule in rules.rules:
                self._add_key(rule)
                self._add_match(rule)

    def look(self, request: LoggedRequest) -> None:
        """Take note of what a request has."""
        if seen := [field for field in self._unseen if _has(request, field)]:
            for field in seen:
                del self._unseen[field]

    def told(self) -> list[str]:
        """Return what no request had, and what that comes to."""
        unseen = [
            f"no {field} in the log: {'; '.join(comes_to)}"
            for field, comes_to in self._unseen.items()
        ]
        return [*unseen, *self._notes]

    def _add(self, field: str, comes_to: str) -> None:
        self._unseen.setdefault(field, {})[comes_to] = None

    def _add_key(self, rule: CompiledRule) -> None:
        for selector in rule.entry.key or ():
            if selector.startswith(HEADER):
                self._add(
                    selector.removeprefix(HEADER), f"{rule.name} counts by the client's address"
                )
            elif selector in _SCHEMES:
                self._add(selector, f"{rule.name} counts by the client's address")
            elif selector == _HOST:
                self._add(_HOST, f"{rule.name} is not replayed (--host says it for all)")

    def _add_match(self, rule: CompiledRule) -> None:
        for name in rule.entry.match.headers:
            self._add(name, f"{rule.name} never applies")
        if rule.entry.match.host:
            self._add(_HOST, f"{rule.name} is not replayed (--host says it for all)")

    def _add_tenants(self, rules: RuleSet, *, is_trusted: bool) -> None:
        tenants = rules.document.tenants
        uses_tenants = any(TENANT in (rule.entry.key or ()) for rule in rules.rules)
        uses_plans = any(rule.plan_limits for rule in rules.rules)
        if not (uses_tenants or uses_plans):
            return
        for selector, comes_to in (
            (tenants.id, "nobody is known as a tenant"),
            (tenants.plan, f"all have the plan {tenants.default or 'that overrides say'}"),
        ):
            if selector and is_trusted:
                self._add(header_name(selector), comes_to)
            elif selector:
                name = header_name(selector)
                self._notes[f"{name} is a trusted proxy's word (--trusted): {comes_to}"] = None


def _has(request: LoggedRequest, field: str) -> bool:
    if field in _SCHEMES:
        lines = request.lines("authorization")
        return any(line.lower().startswith(field) for line in lines)
    return bool(request.lines(field)) or (field == _HOST and "://" in request.path)
