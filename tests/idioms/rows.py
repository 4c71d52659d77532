"""The 38 idioms of other limiters, and what sidegate says to each: yes, awkward, or no, and why.

`shows` says of a test which of them it proves.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple, TypeVar

F = TypeVar("F")

SHOWN: Final = "__idioms__"  # on a test: those that it shows


class Answer(Enum):
    """Can it be said in sidegate?"""

    YES = "yes"  # by an option, a decorator or a call
    AWKWARD = "awkward"  # by code of one's own
    NO = "no"


class Row(NamedTuple):
    """One idiom, and the answer; `why` for what is no yes."""

    idiom: str
    answer: Answer = Answer.YES
    why: str = ""


ROWS: Final = (
    Row("decorator of a route"),
    Row("dependency of a route"),
    Row("default limits, of each route"),
    Row("limit of the whole application"),
    Row("default limits and those of a route"),
    Row("several keys on one request"),
    Row("limit that routes share"),
    Row("exempt path"),
    Row("exempt view, or group of views"),
    Row("exempt when"),
    Row("limit by plan"),
    Row("cost"),
    Row("charged by the response"),
    Row("by method"),
    Row(
        "fixed, moving and sliding windows",
        Answer.AWKWARD,
        "fixed ones by a quota; moving and sliding ones by a bucket beside it, which is near",
    ),
    Row("0/minute, None, 100/300"),
    Row("classes of views"),
    Row("blueprints, routers, nested apps"),
    Row("refusal of one's own"),
    Row("told of breaches"),
    Row(
        "fields on, off, renamed",
        Answer.AWKWARD,
        "on, off, and two sets of names by an option; names of one's own by a middleware",
    ),
    Row("key by user, behind authentication"),
    Row("key by a field of the body"),
    Row("test client"),
    Row("switched off"),
    Row("reset"),
    Row("usage"),
    Row("the current request's limits in a handler"),
    Row("check in a handler"),
    Row("wait for a turn"),
    Row("outgoing requests of httpx"),
    Row("Celery"),
    Row("throttles of DRF"),
    Row("Django's MIDDLEWARE, and ratelimit"),
    Row("policy for failures"),
    Row("limit of breaches"),
    Row("each message of a websocket"),
    Row("limits from a file"),
)


def shows(*idioms: str) -> Callable[[F], F]:
    """Say which idioms a test shows; ValueError for what is none of them."""
    for idiom in idioms:
        if idiom not in {row.idiom for row in ROWS}:
            raise ValueError(f"idiom={idiom!r}: expected one of ROWS")

    def decorate(test: F) -> F:
        setattr(test, SHOWN, idioms)
        return test

    return decorate
