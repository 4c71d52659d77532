"""The options of a sidecar: what can't be used is named, and why."""

from pathlib import Path
from typing import Any

import pytest

from sidegate.link.address import Address, parse_address
from sidegate.trust.secrets import SecretFile
from sidegate.trust.tls import Tls
from sidegate_sidecar.config import Config, OptionError

LOOPBACK = parse_address("127.0.0.1:0")
ANYWHERE = parse_address("0.0.0.0:7171")
UNIX = Address(path="/run/sidegate.sock")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name": ""}, "name '': expected 1 to 253 bytes of printable text"),
        ({"name": "n" * 254}, "expected 1 to 253 bytes"),
        ({"name": "ä" * 127}, "expected 1 to 253 bytes"),
        ({"name": "a\nb"}, "expected 1 to 253 bytes of printable text"),
        ({"cluster": ""}, "cluster '': expected 1 to 253 bytes of printable text"),
        ({"link": UNIX}, "link 'unix:/run/sidegate.sock': expected HOST:PORT"),
        ({"auth": UNIX, "rules": "x"}, "auth 'unix:/run/sidegate.sock': expected HOST:PORT"),
        ({"auth": LOOPBACK}, "expected --rules FILE beside it, which says what is limited"),
        ({"auth_proxies": ("0.0.0.0/0",)}, "auth-proxies '0.0.0.0/0': expected the networks of"),
        ({"auth_proxies": ("::/0",)}, "auth-proxies '::/0': expected the networks of proxies"),
        ({"auth_proxies": ("some-host",)}, "auth-proxies 'some-host': expected networks: "),
        ({"resp": UNIX}, "resp 'unix:/run/sidegate.sock': expected HOST:PORT"),
        ({"http": UNIX}, "http 'unix:/run/sidegate.sock': expected HOST:PORT"),
        ({"seeds": (LOOPBACK, UNIX)}, "seed 'unix:/run/sidegate.sock': expected HOST:PORT"),
        ({"socket": "/" + "s" * 103}, "expected at most 103 bytes"),
        ({"socket_mode": 0o1777}, "socket-mode '1777': expected 0 to 777, in octal"),
        ({"socket_mode": -1}, "socket-mode '-1'"),
        ({"secret": b"\n"}, "secret '(not shown)': no secret in it, expected 1 to 4, one a line"),
        ({"secret": b"s\n" * 5}, "secret '(not shown)': 5 secrets, expected 1 to 4, one a line"),
        ({"ring_seed": b"s" * 15}, "ring-seed '(not shown)': expected 16 to 1,024 bytes"),
        ({"ring_seed": b"s" * 1025}, "ring-seed '(not shown)': expected 16 to 1,024 bytes"),
        ({"budget": 0.0}, "budget '0.0': expected seconds, above 0 and at most 60"),
        ({"budget": -1.0}, "budget '-1.0'"),
        ({"budget": 60.1}, "budget '60.1'"),
        ({"budget": float("nan")}, "budget 'nan'"),
        ({"drain": 0.0}, "drain '0.0': expected seconds, above 0 and at most 3600"),
        ({"drain": -1.0}, "drain '-1.0'"),
        ({"drain": 3600.1}, "drain '3600.1'"),
        ({"drain": float("nan")}, "drain 'nan'"),
        ({"max_memory": 1_023 << 10}, "max-memory '1023KiB': expected at least 1MiB"),
        ({"report_rules": -1}, "report-rules '-1': expected a whole number from 0 (no reports)"),
        ({"report_rules": 1_000}, "report-rules '1000'"),
        ({"report_memory": 65_535}, "report-memory '65535': expected at least 64KiB"),
        ({"max_connections": -5}, "max-connections '-5': expected at least 1"),
    ],
)
def test_what_cannot_be_used_is_named(options: dict[str, Any], text: str) -> None:
    """The error has the option as on the command line, its value, and what was expected."""
    with pytest.raises(OptionError, match="expected") as caught:
        Config(**options)
    assert text in str(caught.value)
    assert caught.value.option == text.partition(" ")[0] or text.startswith("expected")


@pytest.mark.parametrize("option", ["link", "resp", "auth"])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "some-host"])
def test_an_open_door_needs_a_reason(host: str, option: str, tmp_path: Path) -> None:
    """A link or a front that others can reach needs a secret, or TLS, or an explicit word."""
    (tmp_path / "secret").write_text("sixteen characters")
    file = SecretFile(str(tmp_path / "secret"))
    door: dict[str, Any] = {option: Address(host, 7171), "rules": "rules.yaml"}
    with pytest.raises(OptionError, match=f"^{option} .* neither a secret nor TLS") as caught:
        Config(**door)
    assert "--insecure" in str(caught.value)
    assert Config(**door, secret=b"0123456789abcdef")
    assert Config(**door, secret_file=file)
    assert Config(**door, tls=Tls("c", "k", "a"))
    assert Config(**door, insecure=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    """What only this machine can reach needs no secret; the HTTP address is another matter."""
    assert Config(link=Address(host, 7171), http=ANYWHERE).http == ANYWHERE


def test_keys_are_plain_only_on_loopback_or_with_a_secret() -> None:
    """Whatever is asked for: else anyone who can reach it would read them."""
    secret = b"0123456789abcdef"
    assert Config().shown_key("api:alice") == "api:alice"
    assert Config(link=ANYWHERE, http=ANYWHERE, secret=secret).shown_key("api:alice") == "api:alice"
    assert Config(http=ANYWHERE).shown_key("api:alice") == "api:a…"
    assert Config(link=ANYWHERE, insecure=True).shown_key("api:alice") == "api:a…"


def test_the_ring_seed_is_never_shown() -> None:
    """An error says how long it is, and the text of the options nothing."""
    with pytest.raises(OptionError, match="not 11") as caught:
        Config(ring_seed=b"open sesame")
    assert "sesame" not in str(caught.value)
    assert "sesame" not in repr(Config(ring_seed=b"open sesame, please"))


@pytest.mark.parametrize(
    ("link", "seed", "aimed"),
    [(ANYWHERE, b"", True), (ANYWHERE, b"s" * 16, False), (LOOPBACK, b"", False)],
)
def test_a_ring_beyond_loopback_can_be_aimed_at_without_a_seed(
    link: Address, seed: bytes, *, aimed: bool
) -> None:
    """On loopback whoever makes up keys is on this machine anyway."""
    assert Config(link=link, ring_seed=seed, insecure=True).can_be_aimed_at == aimed


def test_secrets_are_one_a_line(tmp_path: Path) -> None:
    """The option may hold several; a file has the last word, and is read again when it changes."""
    assert Config().secrets() == ()
    assert Config(secret=b" new \nold\n").secrets() == (b"new", b"old")
    file = tmp_path / "secret"
    file.write_text("old")
    told = Config(secret=b"another", secret_file=SecretFile(str(file)))
    assert told.secrets() == (b"old",)
    file.write_text("old\nnew")
    assert told.secrets() == (b"old", b"new")
