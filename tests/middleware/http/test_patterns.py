"""Patterns that could never match are refused, with what to write instead."""

import re

import pytest

from sidegate.http.patterns import covers, path_matcher


@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        ("/users/{user_id}", 'write "*" for it'),
        ("/users/<int:id>", 'write "*" for it'),
        ("/users/<id>", 'write "*" for it'),
        ("/users/:id", 'write "*" for it'),
        ("/users/:id/orders", 'write "*" for it'),
        ("/login?next=*", 'leave out all from "?" on'),
        ("/login#top", 'leave out all from "#" on'),
        ("/caf%C3%A9", "write the characters"),
        (r"/users/\d+", "no regular expression"),
        ("/login$", "no regular expression"),
        ("/users/.*", "no regular expression"),
        ("/users/(.*)", "no regular expression"),
        ("/users/[0-9]+", "no regular expression"),
        ("/a|/b", "no regular expression"),
        ("//login", "write '/login'"),
        ("/a//b", "write '/a/b'"),
        ("/a/../b", "write '/b'"),
        ("/./a", "write '/a'"),
        ("/login\n", "no control characters"),
        ("/login ", "no control characters or blanks"),
    ],
)
def test_what_can_never_match_is_refused(pattern: str, instead: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"path={pattern!r} can never match")) as caught:
        path_matcher("path", pattern)
    assert instead in str(caught.value)


@pytest.mark.parametrize("pattern", ["login", "", None, 7, b"/login", ["/login"], "^/login"])
def test_what_is_no_path_is_refused(pattern: object) -> None:
    with pytest.raises(ValueError, match=r"exempt=.*: expected a path that begins with / or \*"):
        path_matcher("exempt", pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "/",
        "*",
        "/a b",
        "/q:a",
        "/.well-known/*",
        "*.json",
        "/$metadata",
        "/c++",
        "/a(b)",
        "/é",
        "/a/",
    ],
)
def test_what_may_match_is_taken(pattern: str) -> None:
    path_matcher("path", pattern)


@pytest.mark.parametrize(
    ("earlier", "later", "covered"),
    [
        ("*", "/login", True),
        ("/*", "*", True),
        ("/api/*", "/api/users", True),
        ("/api/*", "/api", True),
        ("/api/*", "/api/*/x", True),
        ("/api/*/x", "/api/*", False),
        ("/api/users", "/api/*", False),
        ("/login", "/login/", True),
        ("/a*c", "/a*b*c", True),
        ("/a*b*c", "/a*c", False),
        ("*.json", "/x.json", True),
        ("/items", "/items/*", False),
    ],
)
def test_a_pattern_that_takes_all_that_another_takes_covers_it(
    earlier: str, later: str, covered: bool
) -> None:
    assert covers(path_matcher("path", earlier), later) is covered
