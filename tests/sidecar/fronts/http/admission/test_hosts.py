"""For which hosts, and from which pages, requests are served."""

import pytest

from sidegate_sidecar.fronts.http.admission.hosts import Hosts
from tests.sidecar.fronts.http.heads import head

HOSTS = Hosts(["node-a", "Limiter.Example.org"])


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:7172",
        "10.1.2.3:7172",
        "[::1]:7172",
        "[fd00::7]",
        "localhost",
        "LOCALHOST:7172",
        "app.localhost",
        "sidecar-1:7172",
        "side_gate",
        "sidegate.shop.svc:7172",
        "sidegate.shop.svc.cluster.local.",
        "node.internal",
        "limiter.example.org:80",
        "LIMITER.example.org.",
        "",
    ],
)
def test_hosts_that_no_stranger_can_own_are_ours(host: str) -> None:
    """Addresses, names of this network or cluster, and those that were given."""
    assert HOSTS.foreign_host(head(host=host)) == ""


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "rebound.evil.example:7172",
        "limiter.example.org.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1.nip.io:7172",
        "svc",  # a name without dots: see above; only with one it is a suffix
        "evil.svc.example",
        "localhost.evil.example:7172",
        "1.2.3.4.5",
        "[::1].evil.example",
        "[::1",
        "::1",
        "evil.example#.svc",
        "a@evil.example",
        ":7172",
        ".",
        "ключ",
    ],
)
def test_other_hosts_are_not(host: str) -> None:
    """A name in the public DNS may lead anywhere, also here."""
    said = HOSTS.foreign_host(head(host=host))
    assert bool(said) is (host != "svc")
    assert not said or ("--http-host" in said and repr(host) in said)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "same-origin", "origin": "http://127.0.0.1:7172"},
        {"origin": "http://127.0.0.1:7172"},
        {"origin": "HTTP://127.0.0.1:7172"},
        {"origin": "https://127.0.0.1:7172"},  # what ends TLS passes it on
        {
            "sec_fetch_site": "cross-site",  # a link on a page of Prometheus was followed
            "sec_fetch_mode": "navigate",
            "sec_fetch_dest": "document",
        },
    ],
)
def test_no_page_and_our_own_pages_are_served(fields: dict[str, str]) -> None:
    """What no browser sent, what a user asked for, and what our own pages ask for."""
    assert HOSTS.foreign_page(head(**fields)) == ""


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("GET", {"origin": "http://evil.example"}),
        ("GET", {"origin": "null"}),
        ("GET", {"origin": ""}),
        ("GET", {"origin": "http://127.0.0.1:8000"}),
        ("GET", {"origin": "http://127.0.0.1:7172, http://evil.example"}),
        ("GET", {"origin": "http://"}),
        ("POST", {"origin": "file://127.0.0.1:7172"}),
        ("GET", {"sec_fetch_site": "cross-site"}),
        ("GET", {"sec_fetch_site": "same-site"}),
        ("GET", {"sec_fetch_site": "none, cross-site"}),
        (
            "GET",
            {
                "sec_fetch_site": "cross-site",
                "sec_fetch_mode": "navigate",
                "sec_fetch_dest": "iframe",
            },
        ),
        (
            "POST",
            {
                "sec_fetch_site": "cross-site",
                "sec_fetch_mode": "navigate",
                "sec_fetch_dest": "document",
            },
        ),
    ],
)
def test_pages_of_other_sites_are_not(method: str, fields: dict[str, str]) -> None:
    """Whatever a page of another site has a browser send, and frames."""
    said = HOSTS.foreign_page(head(method, **fields))
    assert "expected" in said


def test_without_a_host_no_page_is_ours() -> None:
    """HTTP/1.0 has no Host, and no page asks by it."""
    assert HOSTS.foreign_page(head(host="", origin="http://")) != ""
