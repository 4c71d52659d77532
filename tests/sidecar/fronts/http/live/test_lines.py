"""Lines of rules, of the rows of a report by time."""

from sidegate_sidecar.fronts.http.live.lines import COARSE, FINE, STEP, points_of, window_of


def rows(ages: range, *seen: tuple[int, int, int]) -> list[tuple[str, str, list[int]]]:
    """Return a row for each age, with what was allowed and denied at some."""
    counts = {age: (allowed, denied) for age, allowed, denied in seen}
    return [(str(age), "", [*counts.get(age, (0, 0)), 0, 0, 0]) for age in ages]


def test_seconds_are_added_up_in_steps_that_stay_where_they_are() -> None:
    """A second later all points but the newest are as they were; one that isn't whole is none."""
    seen = rows(range(19, -1, -1), (16, 9, 9), (12, 1, 0), (5, 2, 1), (4, 4, 1), (0, 8, 2))
    assert points_of(seen, 1_000_005.7, STEP) == [(999_990, 1, 0), (1_000_000, 14, 4)]
    later = rows(range(19, -1, -1), (13, 1, 0), (6, 2, 1), (5, 4, 1), (1, 8, 2), (0, 1, 1))
    assert points_of(later, 1_000_006.7, STEP) == [(999_990, 1, 0), (1_000_000, 15, 5)]


def test_minutes_are_points_of_their_own() -> None:
    """Their ages count from the minute that has begun last."""
    minute = 60 * 20_000
    assert points_of(rows(range(120, -1, -60), (120, 5, 0), (0, 7, 1)), minute + 59.0, 60) == [
        (minute - 120, 5, 0),
        (minute - 60, 0, 0),
        (minute, 7, 1),
    ]


def test_many_nodes_are_asked_for_less() -> None:
    """A line of all of them is put together in a moment."""
    assert window_of(1) == window_of(10) == (FINE, STEP)
    assert window_of(11) == window_of(1_000) == (COARSE, 60)


def test_without_any_checks_there_is_no_point() -> None:
    assert points_of([], 1_000.0, STEP) == []
