"""RuleSet: all rules of a file, and what each request is to be asked about."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_network
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from sidegate.errors import MalformedRequest
from sidegate.http.exempt import is_exempt_path, is_preflight
from sidegate.http.patterns import covers, path_matcher
from sidegate.http.request.paths import readings
from sidegate.http.request.proxies import parse_ip
from sidegate.ruleset.canonical.canonical import canonical_document
from sidegate.ruleset.compiled import CompiledRule
from sidegate.ruleset.document import CIDR, MAX_ENCODED
from sidegate.ruleset.invalid import InvalidValues
from sidegate.ruleset.shapes import document_of
from sidegate.ruleset.tenancy import Tenancy

if TYPE_CHECKING:
    from sidegate.http.evaluation import RuleQuestion
    from sidegate.http.request.request import Request
    from sidegate.ruleset.document import RulesDocument

MAX_CHOICES = 1_024  # requests whose rules are remembered, by path and method: 0.3 MB
MAX_REMEMBERED_PATH = 256  # characters; longer ones are looked up anew, so that none fill memory

_FORWARDING = ("x-forwarded-for", "forwarded", "x-real-ip", "via")  # say that there is a proxy

RuleChain: TypeAlias = tuple[CompiledRule, ...]
"""Rules that match a path and a method. The first whose conditions a request meets applies."""


class Chains(NamedTuple):
    """What a path comes to: the chains of its readings, where frameworks read it differently."""

    is_exempt: bool
    routed: tuple[RuleChain, ...]
    known: tuple[RuleChain, ...]  # by the whole path, where the app is served under a root path


class RuleSet:
    """A file that was read and found right. It never changes; another file is another set.

    `digest` is that of what it means: files of other spelling, order of mappings, or format have
    the same. `document` is its canonical form.
    """

    def __init__(self, document: RulesDocument) -> None:
        self.document = document
        self.tenancy = Tenancy(document)
        self.rules = tuple(CompiledRule(entry, self.tenancy) for entry in document.rules)
        self.by_name = {rule.name: rule for rule in self.rules}
        paths = [it for it in document.exempt if not it.startswith(CIDR)]
        self.exempt_paths = [path_matcher("exempt", it) for it in paths]
        networks = [it.removeprefix(CIDR) for it in document.exempt if it.startswith(CIDR)]
        self._exempt_networks = [ip_network(it) for it in networks]
        self.encoded = msgspec.msgpack.encode(document, order="deterministic")
        self.digest = sha256(self.encoded).hexdigest()
        self._remembered = lru_cache(MAX_CHOICES)(self._choose)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RuleSet) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def questions(self, request: Request, now: float, root: str = "") -> list[RuleQuestion]:
        """Return what to ask for a request, all of which must pass; nothing if it isn't limited.

        It is one question, but for a path that frameworks read differently: then each rule that
        a reading comes to. `now` is in seconds since 1970, and `root` what the app is served
        under. MalformedRequest, which is answered 400, where a rule that refuses can't tell
        whose request it is.
        """
        chains = self.chains(request, root)
        if chains.is_exempt or self.is_exempt_client(request):
            return []
        asked: dict[str, RuleQuestion] = {}
        for chain in chains.routed:
            if (rule := self._first(chain, request)) and rule.name not in asked:
                self._ask(rule, request, now, asked)
        for chain in chains.known:
            rule = self._first(chain, request)
            if rule and rule.name not in asked and not (asked and rule.rule.matches_any_path):
                self._ask(rule, request, now, asked)
        return list(asked.values())

    def chains(self, request: Request, root: str = "") -> Chains:
        """Return what the path and method of a request come to."""
        path, method = request.path, request.method
        if len(path) + len(root) <= MAX_REMEMBERED_PATH:
            return self._remembered(path, root, method)
        return self._choose(path, root, method)

    def is_exempt_client(self, request: Request) -> bool:
        """Tell whether a request is never limited for where its client is.

        A peer that forwards for others is no client: behind a proxy that isn't among the trusted
        ones everybody would be exempt.
        """
        if not self._exempt_networks:
            return False
        client = request.client
        if client == request.peer and any(request.lines(name) for name in _FORWARDING):
            return False
        address = parse_ip(client)
        return address is not None and any(address in it for it in self._exempt_networks)

    def _choose(self, path: str, root: str, method: str) -> Chains:
        read, method = readings(path, root), method.upper()
        return Chains(
            is_exempt_path(self.exempt_paths, path, read),
            tuple(dict.fromkeys(self._chain(it, method) for it in read.routed)),
            tuple(dict.fromkeys(self._chain(it, method) for it in read.known)),
        )

    def _chain(self, path: str, method: str) -> RuleChain:
        return tuple(it for it in self.rules if it.rule.matches(path, method))

    @staticmethod
    def _first(chain: RuleChain, request: Request) -> CompiledRule | None:
        for rule in chain:
            if is_preflight(request) and "OPTIONS" not in (rule.rule.methods or ()):
                continue
            if not rule.conditions:
                return rule
            try:
                if not rule.conditions.unmet(request):
                    return rule
            except MalformedRequest:
                if rule.share:  # else it refuses nobody
                    raise
        return None

    @staticmethod
    def _ask(
        rule: CompiledRule, request: Request, now: float, asked: dict[str, RuleQuestion]
    ) -> None:
        try:
            asked[rule.name] = rule.question(request, now)
        except MalformedRequest:
            if rule.share:
                raise


def read_rules(given: object) -> RuleSet:
    """Return the rules that a file says, which was read into mappings, lists, texts and numbers.

    RulesError has all that is wrong with it.
    """
    invalid = InvalidValues()
    rules = _rules(given, invalid)
    _require_reachable(rules, invalid)
    invalid.require_none()
    return rules


def _rules(given: object, invalid: InvalidValues) -> RuleSet:
    written = document_of(given, invalid)
    invalid.require_none()
    assert written is not None
    document = canonical_document(written, invalid)
    invalid.require_none()
    rules = RuleSet(document)
    if len(rules.encoded) > MAX_ENCODED:
        size = f"{len(rules.encoded):,} bytes"
        invalid.add((), size, f"at most {MAX_ENCODED:,} of what it means")
    invalid.require_none()
    return rules


def decode_rules(encoded: bytes) -> RuleSet:
    """Return the rules that `RuleSet.encoded` holds; RulesError or msgspec.DecodeError else.

    Whether each of them can be reached was asked by who has read them: that is two thirds of the
    time that the longest files take.
    """
    return _rules(msgspec.msgpack.decode(encoded), InvalidValues())


def _require_reachable(rules: RuleSet, invalid: InvalidValues) -> None:
    """Add each rule that no request ever comes to."""
    for at, rule in enumerate(rules.rules):
        earlier = next((n for n in range(at) if rules.rules[n].covers(rule)), None)
        if earlier is not None:
            expected = f"it before rules[{earlier}], which takes all of its requests"
            invalid.add(("rules", at), rule.name, expected)
        if any(covers(matches, rule.rule.path) for matches in rules.exempt_paths):
            invalid.add(("rules", at), rule.name, "a path that isn't exempt")
