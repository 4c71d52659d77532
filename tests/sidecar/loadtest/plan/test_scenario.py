"""Scenarios: how they are read, scaled, and refused."""

import re
from pathlib import Path
from typing import Any

import pytest

from sidegate_sidecar.loadtest.plan.library import load_scenario, names
from sidegate_sidecar.loadtest.plan.scenario import (
    Expect,
    Scenario,
    ScenarioError,
    Stream,
    read_scenario,
)

APP = Path(__file__).parents[4] / "compose" / "app.py"
RULE = re.compile(r'Rule\("[a-z]+", "([^"]+)", path="([^"]+)"')


def one(**more: Any) -> dict[str, Any]:
    return {"seconds": 10, "stream": [{"name": "a", "rate": 5, **more}]}


def test_what_is_not_given_has_a_default() -> None:
    """One key until the end, and with a limit that it is kept."""
    scenario = read_scenario(one(limit="5/second"))
    (stream,) = scenario.streams
    assert (stream.keys, scenario.seconds_of(stream), stream.expected) == (1, 10, Expect.WITHIN)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"seconds": 1}, "the scenario: object missing required field `stream`"),
        ({"seconds": 1, "stream": []}, "stream: expected `array` of length >= 1"),
        ({**one(), "second": 1}, "the scenario: object contains unknown field `second`"),
        (one(rat=1), "stream[0]: object contains unknown field `rat`"),
        (one(rate=0), "stream[0].rate = 0: expected `float` > 0.0"),
        (one(rate="many"), "stream[0].rate = 'many': expected `float`, got `str`"),
        (one(keys=0), "stream[0].keys = 0: expected `int` >= 1"),
        (one(pick="best"), "stream[0].pick = 'best': invalid enum value 'best'"),
        (one(path="items"), "stream[0].path = 'items': expected `str` matching regex"),
        (one(name="A B"), "stream[0].name = 'A B': expected `str` matching regex"),
        (one(limit="5"), "stream 'a': limit = '5': expected \"/\""),
        (one(expect="limited"), "stream 'a': expect = 'limited': expected a limit too"),
        (one(start=10), "stream 'a': start = 10, expected less than 10"),
        (one(start=6, seconds=5), "stream 'a': ends at 11 s, expected at most 10 s"),
        (one(rate=1e9), "10,000,000,000 requests planned, expected at most 5,000,000"),
        ({**one(), "baseline": "b"}, "baseline = 'b': expected a stream: a"),
        ({**one(limit="1/s"), "baseline": "a"}, "limit = '1/s': expected none on the baseline"),
        ({**one(keys=2), "key_header": ""}, "keys = 2: expected a header to send them in"),
        ({"seconds": 1, "stream": [{"name": "a", "rate": 1}] * 2}, "expected another name"),
    ],
)
def test_a_wrong_one_is_refused_by_place_value_and_what_is_expected(
    given: dict[str, Any], words: str
) -> None:
    """So that its author finds the line."""
    with pytest.raises(ScenarioError) as caught:
        read_scenario(given)
    assert words in str(caught.value)


def test_a_file_is_read(tmp_path: Path) -> None:
    """In TOML, by the end of its name."""
    path = tmp_path / "mine.toml"
    path.write_text('seconds = 3\n[[stream]]\nname = "a"\nrate = 5\n')
    assert load_scenario(str(path)) == Scenario(3, [Stream("a", rate=5)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"seconds = ", "expected TOML"),
        (b"\xff", "expected text in UTF-8"),
        (b"#" * 1_000_001, "expected a file of at most 1,000,000 bytes"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    """It says what is expected."""
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError, match=words):
        load_scenario(str(path))
    with pytest.raises(ScenarioError, match="No such file"):
        load_scenario(str(tmp_path / "other.toml"))


def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    """And with the other way."""
    with pytest.raises(ScenarioError, match=r"expected standard, or a file whose name ends with"):
        load_scenario("standart")


def test_scaling_keeps_what_each_key_is_asked_for() -> None:
    """Rates and numbers of keys grow alike, times are stretched, a single key stays single."""
    scenario = Scenario(
        10, [Stream("many", rate=30, keys=60), Stream("hot", rate=10, start=2, seconds=5)]
    ).scaled(rate=70, seconds=20)
    many, hot = scenario.streams
    assert (many.rate, many.keys) == (60, 120)
    assert (hot.rate, hot.keys, hot.start, hot.seconds) == (20, 1, 4, 10)
    assert (scenario.rate, scenario.seconds) == (70, 20)


@pytest.mark.parametrize("name", names())
def test_our_own_can_be_played(name: str) -> None:
    """Each says what it is about."""
    assert load_scenario(name).about


def test_the_standard_scenario_knows_the_limits_of_the_app_in_compose() -> None:
    """Path by path, as it is written there."""
    limits = {path: limit for limit, path in RULE.findall(APP.read_text())}
    streams = [stream for stream in load_scenario("standard").streams if stream.limit]
    assert len(streams) == 4
    for stream in streams:
        assert stream.path
        assert stream.limit == limits[stream.path]
