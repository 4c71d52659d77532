"""Asking for views in many spellings, and finding what was served past its rule."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from tests.cluster.spelling.frameworks.limited import TIGHT
from tests.cluster.spelling.frameworks.views import LIMITED, View
from tests.cluster.spelling.raw import ask, ask_all
from tests.cluster.spelling.spellings import LINE, request

# By which rules a view may be counted. Of a path whose last piece is empty or a dot each framework
# makes its own: it is the list, or one of it.
RULES: Final[Mapping[str, set[str]]] = {
    **{view.name: {view.name} for view in LIMITED},
    "items": {"items", "item"},
    "item": {"items", "item"},
}
SHOWN: Final = 40  # of what is wrong: enough to see its kind


def spend(port: int, view: View, *fields: str) -> None:
    """Ask for a view as one should until its tight limit is spent."""
    plain = request(LINE.format(method=view.method, target=view.path), *fields)
    assert [ask(port, plain).status == 429 for _ in range(TIGHT + 1)] == [False] * TIGHT + [True]


def served(port: int, view: View, lines: Sequence[str], *fields: str) -> list[str]:
    """Return which of these request lines a view serves."""
    answers = ask_all(port, [request(line, *fields) for line in lines])
    return [line for line, answer in zip(lines, answers, strict=True) if answer.view == view.name]


def look(
    port: int,
    asked: Sequence[tuple[str, ...]],
    rules: Mapping[str, AbstractSet[str | None]] = RULES,
) -> set[str | None]:
    """Ask, and return which views were served; fail if one wasn't counted as `rules` have it.

    What is asked is a request line and fields.
    """
    answers = ask_all(port, [request(*lines) for lines in asked])
    wrong = [
        f"{lines!r} is served by {answer.view} and counted by {answer.rule}"
        for lines, answer in zip(asked, answers, strict=True)
        if answer.view and answer.rule not in rules.get(answer.view, {None})
    ]
    assert not wrong, "\n".join([f"{len(wrong)} of {len(asked)}:", *wrong[:SHOWN]])
    return {answer.view for answer in answers}
