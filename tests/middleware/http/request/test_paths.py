"""Paths: each spelling that a framework takes for a view's path has the view's canonical form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.http.request.paths import canonical, is_plain, readings

LOGIN = [
    "/login",
    "/login/",
    "//login",
    "///login",
    "//login//",
    "/./login",
    "/x/../login",
    "/../login",
    "/login/.",
    "/login/x/..",
    "/log%69n",
    "/%6c%6f%67%69%6e",
    "/log%2569n",
    "%2Flogin",
    "/%2e/login",
    "/login%2F",
    "/login\n",
    "\n/login",
    "/lo\tgin",
    "login",
    "http://localhost/login",
    "HTTP://LOCALHOST/login/",
    "http://user@localhost:80//login",
    "http:///login",
    "http:/login",
    "x:/login",
    "http://[::1]/login",
    "http://localhost/login;x",
    "http://localhost/login?x",
    "http://localhost/login#x",
    "http%3a//localhost/login",
]


@pytest.mark.parametrize("path", LOGIN)
def test_a_spelling_has_the_canonical_form_of_its_view(path: str) -> None:
    assert canonical(path) == "/login/"
    assert "/login/" in readings(path, "").routed


@pytest.mark.parametrize("path", [path for path in LOGIN if path not in {"/login", "/login/"}])
def test_only_the_view_s_own_spelling_is_plain(path: str) -> None:
    assert not is_plain(path)


@pytest.mark.parametrize("path", ["", "/", "//", "http://localhost", "/.", "/x/..", "?x"])
def test_nothing_is_the_root(path: str) -> None:
    assert canonical(path) == "/"


@pytest.mark.parametrize(
    "path", ["/logins", "/LOGIN", "/x/login", "/login/x", "/a.b", "/.well-known"]
)
def test_another_path_stays_another(path: str) -> None:
    assert canonical(path) == f"{path}/"
    assert is_plain(path)


@pytest.mark.parametrize("path", ["http://[::1/login", "http://[", "[/login"])
def test_half_an_address_is_a_path_like_any_other(path: str) -> None:
    assert canonical(path).startswith("/")


def test_dots_are_read_both_ways() -> None:
    """Frameworks route them as they are, proxies and static files resolve them."""
    read = readings("/files/a/../../healthz", "")
    assert read.routed == ("/healthz/", "/files/a/../../healthz/")


@pytest.mark.parametrize(
    ("path", "root", "routed", "known"),
    [
        ("/v1/items", "/v1", ["/items/"], ["/v1/items/"]),
        ("/v1", "/v1", ["/"], ["/v1/"]),
        ("/v1/", "/v1/", ["/"], ["/v1/"]),
        ("/v1//items", "/v1", ["/items/"], ["/v1/items/"]),
        ("/items", "/v1", ["/items/"], ["/v1/items/"]),
        ("/v1x", "/v1", ["/v1x/", "/x/"], ["/v1/v1x/", "/v1/x/"]),
        (
            "/any/v1/items",
            "/v1",
            ["/any/v1/items/", "/items/"],
            ["/v1/any/v1/items/", "/v1/items/"],
        ),
        ("/items", "", ["/items/"], []),
        ("/items", "/", ["/items/"], []),
    ],
)
def test_under_a_root_path_each_framework_has_its_way(
    path: str, root: str, routed: list[str], known: list[str]
) -> None:
    assert readings(path, root) == (tuple(routed), tuple(known))


def test_an_absolute_url_has_a_root_path_too() -> None:
    assert "/login/" in readings("http://localhost/v1/login;x", "/v1").routed


@given(st.text(max_size=40), st.sampled_from(["", "/v1", "/v1/", "v1", "%", "//"]))
def test_any_path_has_readings_and_they_are_canonical(path: str, root: str) -> None:
    routed, known = readings(path, root)
    assert routed
    for form in (*routed, *known):
        assert form.startswith("/")
        assert form.endswith("/")
        assert "//" not in form


@given(st.text("/.ab%2e6\n", max_size=12))
def test_what_is_canonical_stays_so(path: str) -> None:
    once = canonical(f"/{path}")
    if "%" not in once:  # decoding ends after three times
        assert canonical(once) == once
