"""The switch of leases: of a client, in the environment, of a rule, a decorator, a rules file."""

import logging

import pytest

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import parse_limits
from sidegate.client.config import client_options
from sidegate.http.request_limiter import RequestLimiter
from sidegate.http.rules import Rule
from sidegate.limiter.limiter import Limiter
from sidegate.middleware_options import settings_of
from sidegate.ruleset.invalid import RulesError
from sidegate.ruleset.ruleset import decode_rules, read_rules


def leases(lease: object = None) -> bool:
    return client_options(None, 0.05, None, None, "web-1", lease=lease).leases


def test_they_are_on_unless_something_says_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert leases()
    for text in ("0", "false", "No", " off "):
        monkeypatch.setenv("SIDEGATE_LEASE", text)
        assert not leases()
        assert leases(True)
    for text in ("", "1", "true", "Yes", " on "):
        monkeypatch.setenv("SIDEGATE_LEASE", text)
        assert leases()
        assert not leases(False)


def test_a_variable_that_says_neither_is_told_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SIDEGATE_LEASE", "maybe")
    with caplog.at_level(logging.ERROR, "sidegate"):
        assert leases()
    (line,) = caplog.messages
    assert line.startswith("sidegate: SIDEGATE_LEASE='maybe': expected 1, true, yes or on; or 0,")
    assert line.endswith(". It is on")


@pytest.mark.parametrize("wrong", ["no", 0, 1.0])
def test_an_option_that_says_neither_is_an_error(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"lease=.*: expected True, False or None"):
        leases(wrong)
    with pytest.raises(ValueError, match="lease="):
        Limiter("1/day", lease=wrong)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(ValueError, match="lease="):
        Rule("api", "1/day", lease=wrong)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(ValueError, match="lease="):
        Limiter().limit("1/day", lease=wrong)  # type: ignore[arg-type]  # what is refused


def test_limits_say_it_to_whatever_is_made_of_them() -> None:
    limits = parse_limits("100/minute").unleased()
    assert limits == parse_limits("100/minute")
    for made in (limits, limits.carrying(), limits.carrying().apart(), limits.unleased()):
        assert not made.may_lease
    assert parse_limits("100/minute").carrying().may_lease


def test_a_rule_says_it_with_whatever_is_made_of_it() -> None:
    rule = Rule("api", "100/minute", lease=False)
    assert rule.limits.carries
    for made in (rule, rule.of("shop"), rule.of("shop").stand_apart()):
        assert not made.limits.may_lease
    assert Rule("api", "100/minute").limits.may_lease


def test_a_rules_file_says_it() -> None:
    entry = {"name": "api", "limits": "100/minute"}
    rules = read_rules({"version": 1, "rules": [{**entry, "lease": False}]})
    assert not rules.by_name["api"].question_of("42").rule.limits.may_lease
    assert decode_rules(rules.encoded) == rules
    said = read_rules({"version": 1, "rules": [{**entry, "lease": True}]})
    unsaid = read_rules({"version": 1, "rules": [entry]})
    assert said.digest == unsaid.digest
    assert unsaid.by_name["api"].question_of("42").rule.limits.may_lease
    with pytest.raises(RulesError, match="lease"):
        read_rules({"version": 1, "rules": [{**entry, "lease": "no"}]})


def test_what_a_lease_allows_has_the_fields_of_what_the_owner_does() -> None:
    rule = Rule("api", "100/minute")
    limiter = RequestLimiter(settings_of({"rules": [rule]}), float)
    (rule,) = limiter.rules
    made = Decision(True, rule.limits, 1, [6 * 10**8], Source.OWNER, "n1")
    leased = Decision(True, rule.limits, 1, [6 * 10**8], Source.LEASE, "n1")
    other = Decision(True, rule.limits, 1, [12 * 10**8], Source.LEASE, "n1")
    usual = limiter.passing(rule, made)
    assert usual is not None
    for _ in range(2):
        assert limiter.passing(rule, leased) == usual
    assert limiter.passing(rule, other) != usual
    assert limiter.verdict(rule, leased) == usual


def test_a_lease_is_no_other_source_than_the_owner_in_any_style() -> None:
    for style in ("draft", "legacy", "both", None):
        limiter = RequestLimiter(settings_of({"limits": "100/minute", "headers": style}), float)
        (rule,) = limiter.rules
        for allowed in (True, False):
            of_owner, of_lease = (
                Decision(allowed, rule.limits, 1, [6 * 10**8], source, "n1")
                for source in (Source.OWNER, Source.LEASE)
            )
            one, other = limiter.verdict(rule, of_owner), limiter.verdict(rule, of_lease)
            assert (one.status, one.fields) == (other.status, other.fields)
