"""Tests of theirs that fail with ours, each with its reason. All others pass."""

from typing import Final

_PREVIOUS: Final = (
    "tokens come back one by one, as time goes: what was spent in the window before has no weight"
    " of its own, by which the first of them would come back later"
)
_EXACT_LOG: Final = (
    "it asks what is left when the first of two hits is a window old and the second isn't: only a"
    " list of all hits knows that, and a bucket has refilled meanwhile"
)
_PICKLE: Final = (
    "it counts by a key of its own, that no RateLimitItem has made: ours takes from a key what its"
    " limit is; and it takes what was counted from one object to another"
)
_FIRST_HIT: Final = (
    "it hits a limit of a minute a second after a full minute, and wants it refused 59 s later:"
    " their windows begin at the first hit, ours with the minute"
)

OF_FLASK_LIMITER: Final = {"tests/test_flask_ext.py::test_multiple_apps": _FIRST_HIT}

OF_LIMITS: Final = {
    "tests/test_strategy.py::TestSlidingWindow"
    "::test_sliding_window_counter_previous_window[in-memory]": _PREVIOUS,
    "tests/test_strategy.py::TestMovingWindow::test_moving_window_huge_cost[in-memory]": _EXACT_LOG,
    "tests/storage/test_memory.py::TestSerialization::test_pickle": _PICKLE,
}

OF_LIMITS_AIO: Final = {
    "tests/aio/test_strategy.py::TestAsyncSlidingWindow"
    "::test_sliding_window_counter_previous_window[in-memory]": _PREVIOUS,
    "tests/aio/test_strategy.py::TestAsyncMovingWindow::test_moving_window[in-memory]": _EXACT_LOG,
    "tests/aio/test_strategy.py::TestAsyncMovingWindow"
    "::test_moving_window_huge_cost[in-memory]": _EXACT_LOG,
    "tests/aio/storage/test_memory.py::TestSerialization::test_pickle": _PICKLE,
}

# On the clock of a real sidecar: between two steps 0.2 s pass, which give back a token, or a
# moment less, which doesn't.
EITHER: Final = {
    f"tests/{test}::test_moving_window_multiple_cost[in-memory]"
    for test in (
        "test_strategy.py::TestMovingWindow",
        "aio/test_strategy.py::TestAsyncMovingWindow",
    )
}
