"""Patterns: the paths that a rule names, refused when they could never match. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from sidegate.http.request.paths import canonical, is_plain

Matcher: TypeAlias = Callable[[str], object]
"""Is true for a canonical path that the pattern names."""

_ANY = "\ue000"  # for private use: stands for what "*" may be, where patterns are compared
_NO_REGEX = 'it is no regular expression: only "*" is special, for any run of characters'
# (what a pattern has, what to write instead); looked for in this order
_NEVER = (
    (re.compile(r"[{}<>]"), 'a route\'s parameter matches no path: write "*" for it'),
    (re.compile(r"/:[^/]*"), 'a route\'s parameter matches no path: write "*" for it'),
    (re.compile(r"\?"), 'the query is no part of a path: leave out all from "?" on'),
    (re.compile(r"#"), 'the fragment is never sent: leave out all from "#" on'),
    (re.compile(r"%"), 'paths are compared decoded: write the characters, as in "/café"'),
    (re.compile(r"[\\^|]|\$\Z|[/(]\.[*+]|\[[^]]+\][*+]"), _NO_REGEX),
    (re.compile(r"[\x00-\x1f\x7f]|^\s|\s$"), "no control characters or blanks around it"),
)


def path_matcher(option: str, pattern: object) -> Matcher:
    """Return the matcher of a pattern; `option` is named in the error.

    A pattern is a path, or has `*` for any run of characters, also with slashes. A slash at its
    end makes no difference. ValueError says what to write in place of one that can't match.
    """
    text = _checked(option, pattern)
    return text_matcher(text.removesuffix("/"), "/?") if "*" in text else canonical(text).__eq__


def text_matcher(pattern: str, end: str = "") -> Matcher:
    """Return the matcher of whole texts in which `*` stands for any run of characters.

    The time it takes grows with the length of the text only: each piece between two `*` is looked
    for once and never again (an atomic group), whatever a client sends. `end` is the regular
    expression of what may follow.
    """
    if "*" not in pattern and not end:
        return pattern.__eq__
    first, *others = map(re.escape, pattern.split("*"))
    *middle, last = others
    pieces = "".join(f"(?>.*?{piece})" for piece in middle if piece)
    return re.compile(f"{first}{pieces}.*{last}{end}", re.DOTALL).fullmatch


def covers(matches: Matcher, pattern: str) -> bool:
    """Tell whether a matcher takes every path that a pattern stands for.

    A character that no pattern has stands in for each `*`, so only a `*` can take it.
    """
    return bool(matches(canonical(pattern.replace("*", _ANY))))


def _checked(option: str, pattern: object) -> str:
    if not isinstance(pattern, str) or not pattern.startswith(("/", "*")):
        raise ValueError(f"{option}={pattern!r:.80}: expected a path that begins with / or *")
    for never, instead in _NEVER:
        if never.search(pattern):
            raise ValueError(f"{option}={pattern!r:.80} can never match: {instead}")
    if not is_plain("/" + pattern.removeprefix("/")):
        plain = canonical(pattern).removesuffix("/") or "/"
        raise ValueError(f"{option}={pattern!r:.80} can never match: write {plain!r:.80}")
    return pattern
