"""What the options of `sidegate load` order, and how a wrong one is told."""

import re
import socket
from base64 import b64decode
from pathlib import Path

import pytest

from sidegate_sidecar.cli.options.load_arguments import Given, order_of
from sidegate_sidecar.loadtest.plan.settings import Order
from tests.support.in_process.commands import Run

URL = "http://localhost:8080/items"


def order(url: str = URL, **options: str) -> Order:
    texts = {name: "" for name in Given.__dataclass_fields__ if name != "headers"}
    texts |= {"url": url, "timeout": "5", "max_in_flight": "9", "tolerate_errors": "0"}
    return order_of(Given(**(texts | options), headers=()))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["localhost:8080"], "URL 'localhost:8080': expected an address such as http://"),
        (["ftp://localhost"], "URL 'ftp://localhost': expected an address"),
        (["http://localhost:0"], "URL 'http://localhost:0': expected an address"),
        (["http://localhost:99999"], "URL 'http://localhost:99999': expected an address"),
        (["http://[::1"], "URL 'http://[::1': expected an address"),
        ([URL, "--rate", "0"], "--rate '0': expected a number above 0"),
        ([URL, "--rate", "nan"], "--rate 'nan': expected a number above 0"),
        ([URL, "--seconds", "inf"], "--seconds 'inf': expected seconds, above 0"),
        (["http://me:secret@localhost:99999"], "URL 'http://localhost:99999': expected an address"),
        (["http://me:sec/ret@localhost"], "URL 'http://localhost': expected an address"),
        (["me:secret@localhost"], "URL 'localhost': expected an address"),
        (
            [f"{URL}?a=b", "--scenario", "standard"],
            f"URL '{URL}?a=b': expected none with a query, since the paths of a scenario",
        ),
        ([URL, "--rate", "1e6"], "--rate '1e6': 10,000,000 requests planned, expected at most"),
        (
            [URL, "--scenario", "standard", "--seconds", "1e6"],
            "--seconds '1e6': 300,000,000 requests planned, expected at most 5,000,000",
        ),
        (
            [URL, "--rate", "0.04"],
            "--rate '0.04': stream 'requests': no request is planned in 10 s at 0.04 a second",
        ),
        (
            [URL, "--limit", "20/minute", "--expect", "limited", "--rate", "5", "--seconds", "3"],
            "--rate '5' --seconds '3' --expect 'limited': stream 'requests' never goes over 20/m",
        ),
        (
            [URL, "--scenario", "standard", "--rate", "100"],
            "--scenario 'standard' --rate '100': stream 'hot' never goes over 50/second in 30 s;",
        ),
        (
            [URL, "--scenario", "standard", "--seconds", "1", "--seed", "1"],
            "--scenario 'standard' --seconds '1': stream 'above' never goes over 20/minute in 1 s",
        ),
        ([URL, "--keys", "0"], "--keys '0': expected a whole number from 1 to 1,000,000"),
        ([URL, "--keys", "2"], "--keys '2': expected --key-header too, where they go"),
        ([URL, "--key-header", "a b"], "--key-header 'a b': expected the name of a header"),
        ([URL, "--pick", "best"], "--pick 'best': expected one of turn, random, zipf"),
        ([URL, "--arrivals", "odd"], "--arrivals 'odd': expected one of even, poisson"),
        ([URL, "--limit", "5"], '--limit \'5\': expected "/" or "per" after'),
        ([URL, "--expect", "all"], "--expect 'all': expected one of any, allowed, within, limited"),
        ([URL, "--expect", "limited"], "--expect 'limited': expected --limit too"),
        ([URL, "--header", "nothing"], "--header 'nothing': expected NAME:VALUE in ASCII"),
        ([URL, "--header", "a:é"], "--header 'a:é': expected NAME:VALUE in ASCII"),
        (
            [URL, "--key-header", "X-API-Key", "--header", "x-api-key: a"],
            "--header 'x-api-key': expected another name, keys go into it",
        ),
        (
            [URL, "--scenario", "standard", "--header", "X-Api-Key: a"],
            "--header 'X-Api-Key': expected another name, keys go into it",
        ),
        (
            ["http://me:secret@localhost", "--header", "AUTHORIZATION: a"],
            "--header 'AUTHORIZATION': expected another name, the URL has a user",
        ),
        (
            ["http://me:secret@localhost", "--key-header", "authorization"],
            "--key-header 'authorization': expected another name, the URL has a user",
        ),
        ([URL, "--timeout", "-1"], "--timeout '-1': expected seconds, above 0"),
        ([URL, "--max-in-flight", "x"], "--max-in-flight 'x': expected a whole number from 1"),
        ([URL, "--seed", "-1"], "--seed '-1': expected a whole number from 0"),
        ([URL, "--key-prefix", "a b"], "--key-prefix 'a b': expected 1 to 100 printable ASCII"),
        ([URL, "--tolerate-errors", "x"], "--tolerate-errors 'x': expected a whole number"),
        ([URL, "--json", "/nowhere/a"], "--json '/nowhere/a': expected a path in a folder"),
        ([URL, "--html", "/"], "--html '/': expected the path of a file, this is a folder"),
        (
            [URL, "--json", "report", "--html", "./report"],
            "--html './report': expected another file than --json",
        ),
        ([URL, "--scenario", "other"], "--scenario 'other': expected standard, or a file"),
        (
            [URL, "--scenario", "standard", "--keys", "5"],
            "--keys '5': a scenario has this for each stream",
        ),
        ([URL, "--crashes", "/"], "--crashes '/': expected a file: Is a directory"),
    ],
)
def test_a_wrong_option_is_told_by_name_and_value(
    run: Run, arguments: list[str], complaint: str
) -> None:
    """In one line, before anything is sent, and with exit code 2."""
    ending = run("load", *arguments)
    assert ending.complaint.startswith(f"sidegate: {complaint}")
    assert ending.code == 2


def test_where_nobody_listens_is_told_at_once(run: Run) -> None:
    """In one line, with exit code 3."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        ending = run("load", url)
    assert ending.code == 3
    assert ending.complaint.startswith(f"sidegate: {url} can't be reached: ")


def test_help_names_every_option(run: Run) -> None:
    """Each with what it is for, and the scenarios that there are."""
    ending = run("load", "--help")
    assert ending.code == 0
    shown = set(re.findall(r"--[a-z-]+", ending.out))
    assert shown >= {
        *("--scenario", "--rate", "--seconds", "--keys", "--key-header", "--pick", "--limit"),
        *("--expect", "--arrivals", "--header", "--timeout", "--max-in-flight", "--key-prefix"),
        *("--seed", "--crashes", "--tolerate-errors", "--json", "--html"),
    }
    assert "standard" in ending.out


def test_a_url_alone_is_enough() -> None:
    """50 requests a second for ten seconds, by one client."""
    made = order()
    (stream,) = made.scenario.streams
    assert (stream.rate, made.scenario.seconds, made.urls) == (50, 10, [URL])
    assert made.scenario.key_header == ""


def test_the_paths_of_a_scenario_come_after_the_url() -> None:
    """Whether or not that ends with a slash."""
    for url in ("http://localhost:8080/v1", "http://localhost:8080/v1/"):
        assert order(url, scenario="standard").urls[:2] == [
            "http://localhost:8080/v1/free",
            "http://localhost:8080/v1/limited/below",
        ]


def test_a_stream_without_a_path_goes_to_the_url(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('seconds = 3\n[[stream]]\nname = "a"\nrate = 5\n')
    assert order(f"{URL}/", scenario=str(path)).urls == [f"{URL}/"]


@pytest.mark.parametrize(
    ("url", "pair"),
    [
        ("http://me:secret@localhost:8080/items", b"me:secret"),
        ("http://me@localhost:8080/items", b"me:"),
        ("http://m%40e:a:b%2Fc@localhost:8080/items", b"m@e:a:b/c"),
    ],
)
def test_a_user_and_password_are_sent_and_not_kept_in_the_url(url: str, pair: bytes) -> None:
    """They go into a header, which nothing shows."""
    made = order(url)
    assert made.urls == [made.url] == [URL]
    scheme, _, sent = made.headers["Authorization"].partition(" ")
    assert (scheme, b64decode(sent)) == ("Basic", pair)


def test_a_url_with_an_at_sign_further_on_is_left_as_it_is() -> None:
    made = order("http://localhost/@me?to=a@b")
    assert (made.url, made.headers) == ("http://localhost/@me?to=a@b", {})


def test_each_run_has_keys_of_its_own_unless_told() -> None:
    """So it finds full buckets, and the one to be repeated finds its own."""
    first, second, told = order(), order(), order(key_prefix="again")
    assert first.key_names != second.key_names
    assert told.key_names == ["again-requests-"]


def test_a_rate_scales_a_scenario_as_a_whole() -> None:
    made = order(scenario="standard", rate="600", seconds="15")
    assert made.scenario.rate == pytest.approx(600)
    assert made.scenario.seconds == 15
