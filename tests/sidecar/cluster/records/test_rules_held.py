"""RulesHeld: how many different rules there are, and what the log says of it."""

import pytest

from sidegate.buckets.limits import SECOND
from sidegate_sidecar.cluster.records.rules_held import LASTS, RulesHeld

Log = pytest.LogCaptureFixture
INFO = 20


def held(mine: str, **theirs: str | None) -> RulesHeld:
    rules = RulesHeld("n1")
    rules.mine = mine
    for name, digest in theirs.items():
        rules.hear(name, digest)
    return rules


def test_nodes_that_have_not_told_theirs_count_for_nothing() -> None:
    rules = held("aa", n2="aa", n3=None)
    assert (rules.of("n1"), rules.of("n2"), rules.of("n3")) == ("aa", "aa", None)
    assert rules.versions() == 1


def test_no_rules_file_is_another_set_of_rules() -> None:
    assert held("aa", n2="aa", n3="", n4="bb").versions() == 3


def test_who_is_gone_is_forgotten_and_who_says_none_any_more_too() -> None:
    rules = held("aa", n2="bb", n3="cc")
    rules.forget("n2")
    rules.hear("n3", None)
    rules.forget("n9")
    assert rules.versions() == 1


def test_a_change_on_its_way_is_no_word_in_the_log(caplog: Log) -> None:
    rules = held("aa", n2="bb")
    with caplog.at_level(INFO):
        rules.look(0)
        rules.look(LASTS - 1)
        rules.hear("n2", "aa")
        rules.look(LASTS)
        rules.hear("n2", "bb")
        rules.look(2 * LASTS)  # counts anew
    assert caplog.records == []


def test_what_lasts_is_said_once_with_who_has_which_and_when_it_is_over(caplog: Log) -> None:
    rules = held("aa", n2="bb", n3="aa", n4="")
    with caplog.at_level(INFO):
        for second in range(300):
            rules.look(second * SECOND)
        for name in ("n2", "n4"):
            rules.hear(name, "aa")
        rules.look(300 * SECOND)
        rules.look(301 * SECOND)
    assert [it.getMessage() for it in caplog.records] == [
        "nodes have 3 different rules in force: aa (n1, n3); bb (n2); no rules file (n4)",
        "all nodes have the same rules again: aa",
    ]


def test_a_line_is_short_and_holds_only_what_prints(caplog: Log) -> None:
    rules = held("aa", **{f"n{at}": f"{at}\x1b[2J\n" for at in range(2, 900)})
    rules.look(0)
    rules.look(LASTS)
    (line,) = [it.getMessage() for it in caplog.records]
    assert line.endswith("and 896 more")
    assert line.isprintable()
    assert len(line) < 200
