"""Secrets in the options: for apps, for nodes, for HTTP; how long, and where they must differ."""

import logging
from pathlib import Path
from typing import Any

import pytest

from sidegate.link.address import Address
from sidegate.trust.secrets import SecretFile
from sidegate.trust.tls import Tls
from sidegate_sidecar.config import Config, OptionError
from tests.support.in_process.cluster import cluster, eventually

SHORT, LONG, OTHER = b"fifteen bytes..", b"sixteen bytes...", b"sixteen others.."
HERE, ANYWHERE = Address("127.0.0.1", 1), Address("0.0.0.0", 1)
ELSEWHERE: dict[str, Any] = {"seeds": (Address("other", 7171),)}
OPTIONS = {"secret": "secret", "node_secret": "node-secret", "http_token": "http-token"}


def told(options: dict[str, Any], option: str, value: Any) -> Config:
    """Return options with one more."""
    return Config(**{**options, option: value})


def test_the_secret_is_for_all_who_have_none_of_their_own() -> None:
    """Without more words apps, nodes and HTTP share one."""
    config = Config(secret=b"one\ntwo")
    assert config.secrets() == config.node_secrets() == config.http_tokens() == (b"one", b"two")
    assert Config().node_secrets() == Config().http_tokens() == ()


def test_nodes_and_http_may_have_their_own(tmp_path: Path) -> None:
    """Then that of apps is for apps only; each may be a file, which is read again."""
    config = Config(secret=b"apps", node_secret=b"nodes", http_token=b"http\nhttp2")
    assert config.secrets() == (b"apps",)
    assert config.node_secrets() == (b"nodes",)
    assert config.http_tokens() == (b"http", b"http2")
    file = tmp_path / "nodes"
    file.write_text("nodes")
    config = Config(secret=b"apps", node_secret_file=SecretFile(str(file)))
    file.write_text("nodes\nnewer nodes")
    assert config.node_secrets() == (b"nodes", b"newer nodes")
    assert config.http_tokens() == (b"apps",)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"node_secret": b"one"}, "node-secret"),
        ({"node_secret": b"three\ntwo"}, "node-secret"),
        ({"http_token": b"two"}, "http-token"),
        ({"node_secret": b"n", "http_token": b"h\nn"}, "http-token"),
    ],
)
def test_what_is_to_differ_differs(options: dict[str, Any], named: str) -> None:
    """A secret of nodes or a token that is the apps' too guards nothing, and is refused."""
    with pytest.raises(
        OptionError, match=f"^{named} '.not shown.': expected another than"
    ) as caught:
        Config(secret=b"one\ntwo", **options)
    assert "two" not in str(caught.value)


@pytest.mark.parametrize("option", OPTIONS)
def test_no_secret_and_no_token_is_ever_shown(option: str) -> None:
    """Not in the text of the options, nor in an error."""
    assert "sesame" not in repr(told({}, option, b"open sesame"))
    with pytest.raises(OptionError, match=f"^{OPTIONS[option]} '.not shown.': 5 secrets") as caught:
        told({}, option, b"open sesame\n" * 5)
    assert "sesame" not in str(caught.value)


def test_a_secret_of_nodes_alone_leaves_the_link_open() -> None:
    """Apps would need nothing: so it isn't enough where others can reach the link."""
    with pytest.raises(OptionError, match="neither a secret nor TLS"):
        Config(link=ANYWHERE, node_secret=LONG)
    assert Config(node_secret=SHORT).secrets() == ()


FAR: list[tuple[dict[str, Any], str]] = [
    ({"link": ANYWHERE}, "secret"),
    ({"link": ANYWHERE, "insecure": True}, "secret"),
    ({"link": ANYWHERE, "tls": Tls("c", "k", "a")}, "secret"),
    ({"link": ANYWHERE, "secret": LONG}, "node_secret"),
    ({"http": ANYWHERE}, "secret"),
    ({"http": ANYWHERE}, "http_token"),
    ({"auth": ANYWHERE, "rules": "x", "tls": Tls("c", "k", "a")}, "secret"),
    ({"auth": ANYWHERE, "rules": "x"}, "http_token"),
    ({"resp": ANYWHERE, "tls": Tls("c", "k", "a")}, "secret"),
    ({"resp": ANYWHERE}, "http_token"),
    (ELSEWHERE, "secret"),
    (ELSEWHERE, "node_secret"),
]


@pytest.mark.parametrize(("options", "option"), FAR)
def test_beyond_this_machine_it_is_long(options: dict[str, Any], option: str) -> None:
    """Fewer than 16 bytes are refused where others can reach or see it, and the cure is told."""
    name = OPTIONS[option]
    expected = rf"^{name} '.not shown.': 15 bytes, expected at least 16 .*openssl rand -base64 32"
    with pytest.raises(OptionError, match=expected):
        told(options, option, SHORT)
    with pytest.raises(OptionError, match=expected):  # each of several
        told(options, option, OTHER + b"\n" + SHORT)
    assert told(options, option, OTHER)


@pytest.mark.parametrize(("options", "option"), FAR)
def test_so_it_is_in_a_file_for_ever(
    options: dict[str, Any], option: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One that becomes too short isn't taken; those from before go on, and the log says so."""
    file = tmp_path / "file"
    file.write_bytes(SHORT)
    with pytest.raises(OptionError, match=f"^{OPTIONS[option]}-file .*15 bytes, expected at least"):
        told(options, f"{option}_file", SecretFile(str(file)))
    file.write_bytes(OTHER)
    held = SecretFile(str(file))
    assert told(options, f"{option}_file", held)
    file.write_bytes(b"short")
    with caplog.at_level(logging.WARNING, "sidegate"):
        assert held() == (OTHER,)
    assert "5 bytes, expected at least 16" in caplog.text


@pytest.mark.parametrize(
    "options",
    [
        {"secret": SHORT, "seeds": (Address("127.0.0.1", 7171), Address("localhost", 7172))},
        {"secret": SHORT, "http": ANYWHERE, "http_token": LONG},
        {"secret": SHORT, "resp": ANYWHERE, "http_token": LONG},
        {"secret": SHORT, "resp": HERE},
        {"secret": SHORT, "auth": HERE, "rules": "x"},
        {"secret": SHORT, "node_secret": LONG, **ELSEWHERE},
        {"node_secret": SHORT, "http": ANYWHERE},
        {"http_token": SHORT, "link": ANYWHERE, "secret": LONG},
    ],
)
def test_on_this_machine_it_may_be_short(options: dict[str, Any]) -> None:
    """What nobody else can reach or see may be any word: development, and tests."""
    assert Config(**options)


async def test_secrets_that_become_alike_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that changes is no reason to stop a sidecar; the log says what is open."""
    file = tmp_path / "nodes"
    file.write_text("nodes")
    async with cluster("n1", secret=b"apps", node_secret_file=SecretFile(str(file))):
        file.write_text("nodes\napps")
        await eventually(lambda: "node-secret: expected another than the secret" in caplog.text)
