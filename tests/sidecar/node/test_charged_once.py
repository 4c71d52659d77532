"""A check is charged once, however late its owner, its backup and their words are."""

import pytest

from sidegate.buckets.limits import parse_limits
from sidegate.protocol.messages import MAX_HOPS, NOBODY, Checks
from sidegate_sidecar.node.failover import Next, NextStep
from sidegate_sidecar.node.forward import Asked, Forward
from tests.sidecar.node.trio import BUDGET, Trio
from tests.support.in_memory.clusters import YEARLY

SEEDS = range(120)  # 7,200 of each kind held when this was written


@pytest.mark.parametrize("limit", [YEARLY, "5/year"])
@pytest.mark.parametrize("asker", ["other", "backup", "owner"])
@pytest.mark.parametrize("checks", [1, 3])
def test_every_order_of_events_charges_a_check_once(asker: str, checks: int, limit: str) -> None:
    """Whatever comes first, both holders know in the end of as many tokens as were admitted.

    Of a limit that was passed, since the backup hadn't heard of the last tokens, all are gone. What
    the asker refused by its share may still be charged by those who were too late.
    """
    burst = parse_limits(limit).smallest_burst
    trio = Trio(asker, limit)
    for seed in SEEDS:
        trio.begin(seed)
        for at in range(60):
            if at % 15 == 0:
                trio.ask(checks)
            trio.step()
        trio.finish()
        held = {name: trio.tokens(name) for name in (trio.owner, trio.backup)}
        least, most = (min(it, burst) for it in (trio.admitted, trio.admitted + trio.refused))
        assert least <= min(held.values()) <= max(held.values()) <= most, (
            seed,
            held,
            trio.admitted,
        )


def test_an_owner_that_stood_still_hands_back_what_was_asked_before() -> None:
    """It neither decides nor passes on what may be decided by now, and charges nothing."""
    trio = Trio("other")
    trio.begin(1)
    trio.ask()
    trio.give_up(trio.asker, trio.owner)
    trio.deliver(trio.asker, trio.backup)
    trio.give_up(trio.backup, trio.owner)
    trio.pass_time(400)
    trio.room[trio.owner].late_at = trio.room.now - 1
    trio.deliver(trio.asker, trio.owner)
    assert trio.tokens(trio.owner) == 0
    assert trio.ways[trio.owner, trio.asker][-1].source == NOBODY
    assert not any(isinstance(it, Checks) for it in trio.ways.get((trio.owner, trio.backup), ()))
    trio.room[trio.owner].late_at = trio.room.now + 10**9
    trio.finish()
    assert (trio.tokens(trio.owner), trio.tokens(trio.backup), trio.admitted) == (1, 1, 1)


def test_a_node_that_forwards_a_check_is_not_asked_about_it() -> None:
    """It has heard from the owner a moment ago, and asks its backup since it doesn't any more."""
    trio = Trio("other")
    trio.begin(1)
    for name, by in ((trio.backup, trio.asker), (trio.asker, trio.backup)):
        cluster = trio.room[name]
        cluster.vouchers.add(trio.owner, by, trio.room.now)
    trio.ask()
    trio.give_up(trio.asker, trio.owner)
    trio.deliver(trio.asker, trio.backup)
    trio.give_up(trio.backup, trio.owner)
    trio.deliver(trio.backup, trio.asker)
    assert [(it.source, it.node) for it in trio.told] == [("backup", trio.backup)]


def test_a_node_that_is_asked_twice_before_it_has_decided_charges_once() -> None:
    """By two ways, both of which it had sent on to an owner that is silent."""
    trio = Trio("other")
    trio.begin(1)
    check = trio.key, trio.limit, 1
    for way in (trio.owner, trio.asker):
        trio.send(way, trio.backup, Checks(1, 1, 50_000, [check], 77, [3]))
        trio.deliver(way, trio.backup)
    trio.give_up(trio.backup, trio.owner)
    assert trio.tokens(trio.backup) == 1
    trio.finish()
    assert (trio.tokens(trio.owner), trio.tokens(trio.backup)) == (1, 1)


def test_a_check_that_was_decided_while_it_waited_is_not_charged_by_a_share() -> None:
    """The backup has told of it, and its answer came too late: who waited says the same."""
    trio = Trio("owner")
    trio.begin(1)
    node, now = trio.nodes[trio.owner], trio.room.now
    frame = Checks(1, 0, int(BUDGET * 1e6), [(trio.key, trio.limit, 1)])
    asked = Asked(frame, trio.told.append, now, now, "")
    forward = Forward(node.forwarding, asked, "", [0], 7, now)
    trio.room[trio.owner].sync.decided.note_in_place(forward.serial, 0, trio.backup, 1)
    node.forwarding._give_up(forward, now)
    [told] = trio.told
    [answer] = told.answers
    assert (told.source, answer[0]) == ("local", 1)
    assert trio.tokens(trio.owner) == 0  # what the backup has told of is counted elsewhere


@pytest.mark.parametrize("source", ["local", "owner"])
def test_what_a_backup_refuses_too_late_takes_nothing_off_what_an_owner_gave(source: str) -> None:
    """It had stood still and asked its backup; that didn't answer, so it gave its share, or knew.

    The backup had heard of more, and its word comes when it is asked by nobody any more.
    """
    trio = Trio("owner")
    trio.begin(1)
    limits, now = parse_limits(trio.limit), trio.room.now
    tables = {name: trio.room[name].table for name in (trio.owner, trio.backup)}
    assert tables[trio.backup].take(trio.key, limits, limits.smallest_burst, now)[0]
    check = trio.key, trio.limit, 1
    node = trio.nodes[trio.owner]
    frame = Checks(1, 0, int(BUDGET * 1e6), [check])
    asked = Asked(frame, trio.told.append, now, now, "")
    forward = Forward(node.forwarding, asked, "", [0], 7, now)
    if source == "local":
        node.forwarding._give_up(forward, now)
    else:
        node.forwarding._take_step(Next(NextStep.OWN), forward, now)
    assert [(it.source, it.answers[0][0]) for it in trio.told] == [(source, 1)]
    assert tables[trio.owner].take(trio.key, limits, limits.smallest_burst - 1, now)[0]
    trio.send(trio.owner, trio.backup, Checks(1, 1, 50_000, [check], 7))
    trio.deliver(trio.owner, trio.backup)
    trio.give_up(trio.backup, trio.owner)
    trio.finish()
    assert trio.tokens(trio.owner) == trio.tokens(trio.backup) == limits.smallest_burst


@pytest.mark.parametrize("by", ["other", "backup"])
def test_what_comes_by_way_of_a_third_has_an_asker_that_listens_to_nobody_else(by: str) -> None:
    """Who comes to the owner by its backup may be answered by that one in the end."""
    trio = Trio("other")
    trio.begin(1)
    third = trio.asker if by == "other" else trio.backup
    frame = Checks(1, MAX_HOPS, int(BUDGET * 1e6), [(trio.key, trio.limit, 1)], 9)
    trio.nodes[trio.owner].decide(frame, trio.told.append, third)
    assert trio.room[trio.owner].sync.decided.is_heard(9) == (by == "other")
