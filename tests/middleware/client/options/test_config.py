"""Options of a client: arguments before the environment, and errors that name the option."""

import os
import pydoc
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from sidegate.client.config import client_options
from sidegate.link.address import Address
from sidegate.link.endpoint import Endpoint


def options(sidecar: object = None, **given: Any) -> Endpoint:
    return client_options(
        sidecar, **{"budget": 0.05, "secret": None, "tls": None, "name": "web-1"} | given
    )


@pytest.mark.parametrize("client", [Client, BlockingClient])
def test_help_tells_of_every_option(client: type) -> None:
    """Of both clients, with its default and what it means."""
    told = pydoc.plain(pydoc.render_doc(client))
    for name, option in signature(client).parameters.items():
        assert str(option) in told
        assert f"- `{name}`: " in told


class TestSidecar:
    def test_by_default_it_is_on_this_machine_on_the_usual_port(self) -> None:
        assert options().sidecar == Address("127.0.0.1", 7171)

    def test_an_argument_goes_before_a_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SIDEGATE_SIDECAR", "unix:/run/h.sock")
        assert options().sidecar == Address(path="/run/h.sock")
        assert options("127.0.0.1:1").sidecar == Address("127.0.0.1", 1)
        monkeypatch.setenv("SIDEGATE_SIDECAR", "")
        assert options().sidecar.port == 7171

    def test_a_client_is_an_app_of_any_cluster(self) -> None:
        identity = options().identity
        assert (identity.role, identity.name, identity.cluster) == ("app", "web-1", "")


class TestBudget:
    @pytest.mark.parametrize("budget", [0.001, 0.05, 60])
    def test_a_budget_is_up_to_a_minute(self, budget: float) -> None:
        assert options(budget=budget).budget == budget

    @pytest.mark.parametrize("budget", [0, -1, 61, float("nan"), float("inf")])
    def test_others_are_refused_with_name_and_value(self, budget: float) -> None:
        with pytest.raises(ValueError, match=f"budget={budget}"):
            options(budget=budget)


class TestSecret:
    def test_by_default_there_is_none(self) -> None:
        assert options().identity.secrets() == ()

    def test_an_argument_goes_first(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("SIDEGATE_SECRET", "of the variable")
        assert options().identity.secrets() == (b"of the variable",)
        file = tmp_path / "secret"
        file.write_text("  of the file\n")
        monkeypatch.setenv("SIDEGATE_SECRET_FILE", str(file))
        assert options().identity.secrets() == (b"of the file",)
        assert options(secret="é").identity.secrets() == (b"\xc3\xa9",)
        assert options(secret=b"\xff").identity.secrets() == (b"\xff",)
        assert options(secret="").identity.secrets() == ()

    def test_a_variable_may_be_any_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SIDEGATE_SECRET", os.fsdecode(b"\xff"))
        assert options().identity.secrets() == (b"\xff",)

    def test_there_may_be_several_one_a_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert options(secret="new\nold\n").identity.secrets() == (b"new", b"old")
        monkeypatch.setenv("SIDEGATE_SECRET", "new\n old")
        assert options().identity.secrets() == (b"new", b"old")

    def test_its_file_may_change(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text("old")
        monkeypatch.setenv("SIDEGATE_SECRET_FILE", str(file))
        identity = options().identity
        file.write_text("new\nold")
        assert identity.secrets() == (b"new", b"old")

    @pytest.mark.parametrize("secret", ["fifteen bytes..", b"x", "sixteen bytes...\nshort"])
    def test_short(
        self, secret: str | bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """To another machine no secret of fewer than 16 bytes is shown; to this one any is."""
        for here in ("127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/s"):
            assert options(here, secret=secret).identity.secrets()
        too_short = r"expected at least 16 beyond this machine, such as `openssl rand -base64 32`"
        with pytest.raises(ValueError, match=rf"^secret \(not shown\): \d+ bytes, {too_short}"):
            options("sidecar:7171", secret=secret)
        text = secret.decode() if isinstance(secret, bytes) else secret
        monkeypatch.setenv("SIDEGATE_SECRET", text)
        assert "expected at least 16" in options("10.0.0.1:7171").fault
        (tmp_path / "secret").write_text(text)
        monkeypatch.setenv("SIDEGATE_SECRET_FILE", str(tmp_path / "secret"))
        made = options("10.0.0.1:7171")
        with pytest.raises(ValueError, match="expected at least 16"):
            made.identity.secrets()
        (tmp_path / "secret").write_text("now it has sixteen bytes")
        assert made.identity.secrets() == (b"now it has sixteen bytes",)

    @pytest.mark.parametrize(
        ("secret", "why"),
        [
            (" \n", "no secret in it"),
            (b"\n", "no secret in it"),
            ("ses\nam\ne1\ne2\nsesame", "5 secrets, expected 1 to 4, one a line"),
            ("sesame\ud800", "expected text in UTF-8, or bytes"),
        ],
    )
    def test_what_cannot_be_used_is_said_and_not_shown(self, secret: str | bytes, why: str) -> None:
        with pytest.raises(ValueError, match=rf"^secret \(not shown\): {why}") as caught:
            options(secret=secret)
        assert "sesame" not in str(caught.value)
        assert caught.value.__cause__ is None

    def test_it_is_not_shown(self) -> None:
        """The text of the options, as in a log or a traceback, has no secret in it."""
        assert "sesame" not in repr(options(secret="sesame"))
