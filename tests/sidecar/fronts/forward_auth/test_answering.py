"""What is answered by decisions, without a port."""

from random import Random

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import SECOND
from sidegate.http.evaluation import RuleQuestion
from sidegate.protocol.messages import Answer, Answers
from sidegate_sidecar.fronts.forward_auth.answering import MAX_REFUSALS
from sidegate_sidecar.fronts.forward_auth.asking import AuthBatch, Undecided
from tests.sidecar.fronts.forward_auth.asking_proxies import answering, server_of

RULES = """
version: 1
rules:
- {name: one, match: {path: /one}, limits: 3/hour}
- {name: two, match: {path: /two}, limits: [5/second, 3/hour]}
- {name: dear, match: {path: /dear}, limits: 9/hour, cost: 3}
- {name: never, match: {path: /never}, limits: 0/hour}
- {name: tried, match: {path: /tried}, limits: 3/hour, mode: shadow}
"""


async def test_what_is_remembered_of_a_refusal_is_what_would_be_said_anew() -> None:
    """Of whichever rule, whatever is owed; and only so much is remembered."""
    chance = Random(7)
    async with answering(RULES) as node:
        made_by = server_of(node)._answering
        for _ in range(4_000):
            rule = chance.choice(made_by.rules.rules).rule
            cost = 3 if rule.name == "dear" else 1
            limits = [it for it in rule.limits if it.capacity]
            debts = [chance.randrange(it.capacity // it.scale + 1) for it in limits]
            if limits:  # one of them refuses
                at = chance.randrange(len(limits))
                full = limits[at].capacity - cost * limits[at].interval
                least = full // limits[at].scale + 1
                debts[at] = chance.randrange(least, limits[at].capacity // limits[at].scale + 1)
            source = chance.choice([Source.OWNER, Source.BACKUP])
            made = Decision(False, rule.limits, cost, debts, source)
            fresh, found = made_by._limiter.verdict(rule, made), made_by._verdict(rule, made)
            assert (found.status, found.fields, found.body) == (
                fresh.status,
                fresh.fields,
                fresh.body,
            )
            assert found.status == (0 if rule.name == "tried" else 429)
        assert 0 < len(made_by._refusals) <= MAX_REFUSALS


async def test_more_than_fits_is_forgotten() -> None:
    async with answering(RULES) as node:
        made_by = server_of(node)._answering
        rule = made_by.rules.rules[0].rule
        for second in range(1, 1_200):
            debt = (rule.limits.items[0].capacity // rule.limits.items[0].scale) - second * SECOND
            made_by._verdict(rule, Decision(False, rule.limits, 1, [debt], Source.OWNER))
        assert 0 < len(made_by._refusals) <= MAX_REFUSALS


async def test_answers_may_come_in_parts() -> None:
    """Of several nodes, in any order; each request is answered once, with its last."""
    async with answering(RULES) as node:
        made_by = server_of(node)._answering
        one, two, dear = (it.rule for it in made_by.rules.rules[:3])
        told: list[str] = []
        batch: AuthBatch[str] = AuthBatch(lambda asked: told.append(asked.asker))
        batch.add(Undecided("a", [RuleQuestion(one, "k", 1), RuleQuestion(dear, "k", 3)], made_by))
        batch.add(Undecided("b", [RuleQuestion(two, "l", 1)], made_by))
        assert batch.frame(7).checks == [
            ("k", one.limits.asked, 1),
            ("k", dear.limits.asked, 3),
            ("l", two.limits.asked, 1),
        ]
        parts: list[tuple[list[int] | None, list[Answer], list[str]]] = [
            ([1], [[1, 5]], []),
            ([1], [[1, 5]], []),
            ([2, 0], [[1, 5, 5], [0, 5]], ["b", "a"]),
            (None, [[1, 5], [1, 5], [1, 5, 5]], []),
        ]
        for positions, answers, expected in parts:
            told.clear()
            batch.take(Answers(0, "owner", "n1", positions, answers))
            assert told == expected
