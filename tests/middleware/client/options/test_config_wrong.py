"""Endpoint of a client that are wrong: in code they raise, in the environment they are logged."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sidegate.client.config import NOWHERE, client_options
from sidegate.link.endpoint import Endpoint
from sidegate.trust.tls import Tls


def options(on_unreachable: object = "open", **wrong: Any) -> Endpoint:
    right = {"sidecar": None, "budget": 0.05, "secret": None, "tls": None, "name": "web-1"}
    return client_options(**right | wrong, on_unreachable=on_unreachable)


def said(caplog: pytest.LogCaptureFixture) -> Sequence[tuple[int, str]]:
    """Return what was logged since the last look, and its level."""
    lines = [(level, line) for name, level, line in caplog.record_tuples if name == "sidegate"]
    caplog.clear()
    return lines


# --- in code


ADDRESSES = [5, 0, b"", b"127.0.0.1:7171", ["127.0.0.1:7171"], True, float("nan")]
ADDRESS_TEXTS = ["nowhere", ":7171", "127.0.0.1:", "h:70000", "h:x", "unix:", "::1:7171"]
NUMBERS = [0, -1, 61, float("nan"), float("inf"), True, None, "0.05", b"1", [0.05], 10**99, 1j]
SECRETS = [5, True, ["sesame"], object(), bytearray(b"sesame"), {"sesame": 1}]
NO_TLS: list[object] = ["cert.pem", ("c", "k", "a"), {}, 1, True, b""]
NAMES = ["", None, 5, b"web", ["web"], "x" * 254, "a\n", "\ud800", "ü" * 127]
POLICIES = ["opne", "", None, b"open", 0, True, ["open"], "OPEN"]
EXPECTED = {
    "sidecar": "HOST:PORT, ",
    "budget": "seconds, more than 0 and at most 60",
    "tls": "a sidegate.Tls, or None",
    "name": "1 to 253 bytes of printable text",
    "on_unreachable": "one of open, closed, local",
}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *[("sidecar", value) for value in ADDRESSES],
        *[("budget", value) for value in NUMBERS],
        *[("tls", value) for value in NO_TLS],
        *[("name", value) for value in NAMES],
        *[("on_unreachable", value) for value in POLICIES],
    ],
)
def test_a_wrong_argument_is_named(option: str, value: object) -> None:
    """Of whatever type: ValueError with option, value and what was expected, when it is made."""
    shown = repr(value)[:15]
    with pytest.raises(ValueError, match=rf"^{option}=") as caught:
        options(**{option: value})
    assert str(caught.value).startswith(f"{option}={shown}")
    assert f": expected {EXPECTED[option]}" in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", ADDRESS_TEXTS)
def test_a_text_that_is_no_address_is_named_with_the_option(text: str) -> None:
    with pytest.raises(ValueError, match=r"^sidecar='.*': expected ") as caught:
        options(sidecar=text)
    assert str(caught.value).startswith(f"sidecar={text!r}: expected ")


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_of_another_type_is_refused_by_it_and_not_shown(secret: object) -> None:
    with pytest.raises(
        ValueError, match=r"^secret \(not shown\): expected text or bytes, not "
    ) as it:
        options(secret=secret)
    assert "sesame" not in str(it.value)


@pytest.mark.parametrize("wrong", [None, 5, "", b"ca.pem", ["ca.pem"]])
@pytest.mark.parametrize("file", ["cert", "key", "ca"])
def test_what_is_no_path_for_tls_is_refused(file: str, wrong: object) -> None:
    paths: dict[str, Any] = {"cert": "c", "key": "k", "ca": "a", file: wrong}
    with pytest.raises(ValueError, match=rf"^Tls\({file}=.*\): expected the path of a PEM file$"):
        Tls(**paths)


# --- in the environment


@pytest.mark.parametrize("text", ["localhost", "x", ":", "unix:", "tcp://10.0.0.1:7171", "h:0x1"])
def test_an_address_of_the_environment(
    text: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It doesn't raise: the options say what is wrong, and the log what that means, once."""
    monkeypatch.setenv("SIDEGATE_SIDECAR", text)
    made = [options(), options()]
    assert made[0].fault.startswith(f"SIDEGATE_SIDECAR={text!r}: expected ")
    assert [it.sidecar for it in made] == [NOWHERE, NOWHERE]
    ((level, line),) = said(caplog)
    assert level == logging.ERROR
    assert line == (
        f"sidegate: {made[0].fault}; no sidecar is asked, and requests are let through"
        " (on_unreachable=open). Set it to the sidecar's --link, such as 127.0.0.1:7171."
    )


def test_the_consequence_is_that_of_the_policy(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SIDEGATE_SIDECAR", "localhost")
    assert options("closed").fault
    ((_, line),) = said(caplog)
    assert "requests are refused (on_unreachable=closed)" in line


def test_an_argument_goes_before_a_wrong_variable(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What isn't needed isn't looked at."""
    for name in ("SIDEGATE_SIDECAR", "SIDEGATE_SECRET", "SIDEGATE_SECRET_FILE"):
        monkeypatch.setenv(name, " \n")
    assert options(sidecar="127.0.0.1:1", secret="sesame").fault == ""
    assert said(caplog) == []


def test_a_secret_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is asked without the secret that there was meant to be; it isn't shown."""
    monkeypatch.setenv("SIDEGATE_SECRET", "ses\nam\ne1\ne2\nsesame")
    fault = "SIDEGATE_SECRET (not shown): 5 secrets, expected 1 to 4, one a line"
    assert options().fault == fault
    ((level, line),) = said(caplog)
    assert level == logging.ERROR
    assert line.startswith(f"sidegate: {fault}; no sidecar is asked, and requests are let through")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none", "No such file or directory"),
        ("folder", "Is a directory"),
        ("empty", "no secret in it, expected 1 to 4, one a line"),
        ("long", "more than 16,384 bytes, expected 1 to 4, one a line"),
    ],
)
def test_a_secret_file_of_the_environment(
    name: str,
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A file that can't be read is said once; each dial fails by it, until it is there."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "long").write_text("sesame" * 5_000)
    path = tmp_path / name
    monkeypatch.setenv("SIDEGATE_SECRET_FILE", str(path))
    made, _ = options(), options()
    assert made.fault == ""
    ((level, line),) = said(caplog)
    assert level == logging.ERROR
    assert line.startswith(f"sidegate: SIDEGATE_SECRET_FILE='{path}'"[:60])
    assert (
        f": {why}; until that is mended no sidecar is asked, and requests are let through" in line
    )
    for _ in range(2):
        with pytest.raises(ValueError, match=f"^secret file '{path}': {why}$"):
            made.identity.secrets()


def test_unknown_variables(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A variable that does nothing is said when the first client is made, once for each name."""
    monkeypatch.setenv("SIDEGATE_SECERT", "sesame")
    options()
    options()
    ((level, line),) = said(caplog)
    assert level == logging.WARNING
    assert line.startswith("sidegate: 'SIDEGATE_SECERT' is set, but it is no option of sidegate")
    assert line.endswith("did you mean SIDEGATE_SECRET?")
    monkeypatch.setenv("SIDEGATE_PORT", "tcp://10.0.0.1:7171")
    monkeypatch.setenv("SIDEGATE_TIMEOUT", "1")
    options()
    ((_, line),) = said(caplog)
    assert "SIDEGATE_TIMEOUT" in line
