"""A limit for lines of the log: few at once, few for ever, and a count of those not said."""

import re

import pytest

from sidegate_sidecar.log_limiter import LogLimiter

REST = object()
_OTHERS = re.compile(r"([\d,]+) others in")


@pytest.mark.parametrize(
    ("story", "said"),
    [
        ([(0, "a")], ["a"]),
        ([(0, "a"), (0, "b"), (0, "c")], ["a", "b", ""]),
        ([(0, "a"), (0, "b"), (0, "c"), (9.9, "d")], ["a", "b", "", ""]),
        (
            [(0, "a"), (0, "b"), (0, "c"), (10, "d"), (20, "e")],
            ["a", "b", "", "d (and 1 other in 10 s)", "e"],
        ),
        (
            [(0, "a"), (0, "b"), (3, "c"), (4, "d"), (9, REST), (15, REST), (16, REST)],
            ["a", "b", "", "", "", "2 others in 12 s", ""],
        ),
        ([(5, "a"), (5, "b"), (15, "c"), (15, "d")], ["a", "b", "c", ""]),
        ([(0, "a"), (0, "b"), (10**9, "c"), (10**9, "d"), (10**9, "e")], ["a", "b", "c", "d", ""]),
        ([(7, REST), (7, "a"), (7, REST)], ["", "a", ""]),
        ([(0, "a"), (0, "b"), (9.9, "c"), (10, REST)], ["a", "b", "", "1 other in 1 s"]),
    ],
)
def test_stories(story: list[tuple[float, object]], said: list[str]) -> None:
    """Two at once and one each ten seconds, the count of others with the next or by itself."""
    limiter = LogLimiter(burst=2, every=10)
    heard = [
        limiter.rest(now) if text is REST else limiter.line(str(text), now) for now, text in story
    ]
    assert heard == said


def test_a_flood() -> None:
    """A thousand a second for a minute are eleven lines, which count them all."""
    limiter = LogLimiter()
    lines = [limiter.line("x", at / 1_000) for at in range(60_000)]
    lines += [limiter.rest(now) for now in range(60, 80)]
    said = [line for line in lines if line]
    assert len(said) == 11
    assert said[:5] == ["x"] * 5
    assert said[5] == "x (and 9,995 others in 10 s)"
    others = [int(found[1].replace(",", "")) for it in said[5:] if (found := _OTHERS.search(it))]
    assert sum(others) + 10 == 60_000
