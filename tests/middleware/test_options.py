"""Options of a client: arguments before the environment, and errors that name the option."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

import pytest

from sidegate.address import Address
from sidegate.options import Options, Tls, client_options
from tests.middleware.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SIDEGATE_SIDECAR", "SIDEGATE_SECRET", "SIDEGATE_SECRET_FILE"):
        monkeypatch.delenv(name, raising=False)


def options(
    sidecar: str | None = None,
    *,
    budget: float = 0.05,
    secret: str | bytes | None = None,
    tls: Tls | None = None,
) -> Options:
    return client_options(sidecar, budget, secret, tls, "web-1")


class TestSidecar:
    def test_default(self) -> None:
        """Without a word it is the sidecar on this machine, on the usual port."""
        assert options().sidecar == Address("127.0.0.1", 7171)

    def test_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """SIDEGATE_SIDECAR says another; an empty one says nothing; an argument goes first."""
        monkeypatch.setenv("SIDEGATE_SIDECAR", "unix:/run/h.sock")
        assert options().sidecar == Address(path="/run/h.sock")
        assert options("127.0.0.1:1").sidecar == Address("127.0.0.1", 1)
        monkeypatch.setenv("SIDEGATE_SIDECAR", "")
        assert options().sidecar.port == 7171

    def test_nonsense(self) -> None:
        """What isn't an address is quoted."""
        with pytest.raises(ValueError, match="'nowhere'"):
            options("nowhere")

    def test_identity(self) -> None:
        """A client is an app of any cluster."""
        identity = options().identity
        assert (identity.role, identity.name, identity.cluster) == ("app", "web-1", "")


class TestBudget:
    @pytest.mark.parametrize("budget", [0.001, 0.05, 60])
    def test_seconds(self, budget: float) -> None:
        """A budget is up to a minute."""
        assert options(budget=budget).budget == budget

    @pytest.mark.parametrize("budget", [0, -1, 61, float("nan"), float("inf")])
    def test_nonsense(self, budget: float) -> None:
        """Others are refused with name and value."""
        with pytest.raises(ValueError, match=f"budget={budget}"):
            options(budget=budget)


class TestSecret:
    def test_none(self) -> None:
        """Without a word there is none."""
        assert options().identity.secrets() == ()

    def test_order(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """The argument goes before the file, and the file before the variable."""
        monkeypatch.setenv("SIDEGATE_SECRET", "of the variable")
        assert options().identity.secrets() == (b"of the variable",)
        file = tmp_path / "secret"
        file.write_text("  of the file\n")
        monkeypatch.setenv("SIDEGATE_SECRET_FILE", str(file))
        assert options().identity.secrets() == (b"of the file",)
        assert options(secret="é").identity.secrets() == (b"\xc3\xa9",)
        assert options(secret=b"\xff").identity.secrets() == (b"\xff",)
        assert options(secret="").identity.secrets() == ()

    def test_bytes_in_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A variable that isn't UTF-8 is the bytes that it is."""
        monkeypatch.setenv("SIDEGATE_SECRET", os.fsdecode(b"\xff"))
        assert options().identity.secrets() == (b"\xff",)

    def test_several(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The argument and the variable may have several, one a line."""
        assert options(secret="new\nold\n").identity.secrets() == (b"new", b"old")
        monkeypatch.setenv("SIDEGATE_SECRET", "new\n old")
        assert options().identity.secrets() == (b"new", b"old")

    def test_file_that_changes(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A client that was made before the file changed has what it holds now."""
        file = tmp_path / "secret"
        file.write_text("old")
        monkeypatch.setenv("SIDEGATE_SECRET_FILE", str(file))
        identity = options().identity
        file.write_text("new\nold")
        assert identity.secrets() == (b"new", b"old")

    def test_missing_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A file that can't be read is an error: the app must not go on without a secret."""
        monkeypatch.setenv("SIDEGATE_SECRET_FILE", str(tmp_path / "none"))
        with pytest.raises(ValueError, match="none': No such file"):
            options()

    def test_empty_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """So is one with nothing in it but white space."""
        (tmp_path / "empty").write_text(" \n")
        monkeypatch.setenv("SIDEGATE_SECRET_FILE", str(tmp_path / "empty"))
        with pytest.raises(ValueError, match="empty': no secret in it, expected 1 to 4"):
            options()

    @pytest.mark.parametrize(
        ("secret", "why"),
        [
            (" \n", "no secret in it"),
            (b"\n", "no secret in it"),
            ("ses\nam\ne1\ne2\nsesame", "5 secrets, expected 1 to 4, one a line"),
            ("sesame\ud800", "expected text in UTF-8, or bytes"),
        ],
    )
    def test_nonsense(self, secret: str | bytes, why: str) -> None:
        """What can't be used is said, and not shown."""
        with pytest.raises(ValueError, match=rf"^secret \(not shown\): {why}") as caught:
            options(secret=secret)
        assert "sesame" not in str(caught.value)
        assert caught.value.__cause__ is None

    def test_it_is_not_shown(self) -> None:
        """The text of the options, as in a log or a traceback, has no secret in it."""
        assert "sesame" not in repr(options(secret="sesame"))


class TestTls:
    def test_context(self, tmp_path: Path) -> None:
        """A context shows our certificate and requires one, whatever the name in it."""
        context = options(tls=Authority().issue(tmp_path, "app")).context()
        assert context is not None
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert not context.check_hostname
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2

    def test_only_the_given_authority(self, tmp_path: Path) -> None:
        """No other authority is trusted, not even those of the system."""
        context = options(tls=Authority("ours").issue(tmp_path, "app")).context()
        assert context is not None
        assert len(context.get_ca_certs()) == 1

    def test_not_on_a_unix_socket(self, tmp_path: Path) -> None:
        """A Unix socket needs none."""
        tls = Authority().issue(tmp_path, "app")
        assert options("unix:/run/h.sock", tls=tls).context() is None
        assert options().context() is None

    def test_files_are_read_each_time(self, tmp_path: Path) -> None:
        """Certificates that were replaced are those of the next connection."""
        tls = Authority("first").issue(tmp_path, "app")
        with_tls = options(tls=tls)
        first = authority_of(with_tls)
        Authority("second").issue(tmp_path, "app")
        assert authority_of(with_tls) != first


def authority_of(with_tls: Options) -> bytes:
    context = with_tls.context()
    assert context is not None
    (authority,) = context.get_ca_certs(binary_form=True)
    return authority
