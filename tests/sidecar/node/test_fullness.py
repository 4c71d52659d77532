"""What the log says of a table that is full."""

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits
from sidegate_sidecar.node.fullness import PAUSE, Fullness

START = 10**15


def flood(buckets: BucketTable, start: str, count: int) -> None:
    for at in range(count):
        buckets.take(f"{start}{at}", parse_limits("10/hour"), 1, START)


def test_nothing_is_said_while_all_fit() -> None:
    buckets = BucketTable(1 << 20)
    flood(buckets, "api:", 1_000)
    assert not Fullness().line(buckets, 0.0)


def test_a_full_table_names_the_rule_that_pays_and_what_it_takes() -> None:
    """Whoever reads it sees at once whose keys these are, and what the option is called."""
    buckets, fullness = BucketTable(1 << 20), Fullness()
    flood(buckets, "login:", 100)
    flood(buckets, "shop/api:", 10_000)
    gone = sum(buckets.evicted.values())
    assert fullness.line(buckets, 5.0) == (
        f"the buckets fill all of --max-memory (1MiB): {gone:,} of those that owe least were"
        " forgotten; most are of \"rule 'shop/api', 10/hour\", which takes"
        f" {buckets.largest()[1] * 100 >> 20} %"
    )


def test_it_is_said_once_a_minute_and_not_again_when_nothing_more_goes() -> None:
    buckets, fullness = BucketTable(1 << 20), Fullness()
    flood(buckets, "api:", 6_000)
    before = sum(buckets.evicted.values())
    assert fullness.line(buckets, 0.0)
    flood(buckets, "more:", 3_000)
    assert not fullness.line(buckets, PAUSE - 1)
    assert f" {sum(buckets.evicted.values()) - before:,} of" in fullness.line(buckets, PAUSE)
    assert not fullness.line(buckets, 3 * PAUSE)


def test_a_made_up_name_can_not_write_lines_of_its_own() -> None:
    """It is cut, and what would end a line is escaped."""
    buckets = BucketTable(1 << 20)
    flood(buckets, "a\nb" * 100 + ":", 10_000)
    line = Fullness().line(buckets, 0.0)
    assert line.isprintable()
    assert len(line) < 400
