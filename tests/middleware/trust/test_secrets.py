"""Secrets: one a line, and in a file that changes while it is in use."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from sidegate.buckets.decision import Source
from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from sidegate.trust.secrets import MAX_BYTES, SecretFile, known, parse_secrets
from tests.cluster.cluster import eventually_answered
from tests.middleware.patience import AMPLE, until
from tests.middleware.sidecar_double import SidecarDouble

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with the secret `old`."""
    file = tmp_path / "secret"
    file.write_text("old\n")
    return file


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Return what hears every line of the log, from info on."""
    caplog.set_level(logging.INFO, "sidegate")
    return caplog


def replace(file: Path, text: str) -> None:
    """Put another file in the place of one, at once."""
    fresh = file.with_name("fresh")
    fresh.write_text(text)
    fresh.replace(file)


class TestParse:
    @pytest.mark.parametrize(
        ("text", "secrets"),
        [
            (b"one", (b"one",)),
            (b"  one two \t\n", (b"one two",)),
            (b"one\ntwo", (b"one", b"two")),
            (b"\n\n one\r\n \n\ttwo\n\n", (b"one", b"two")),
            (b"d\nc\nb\na\n", (b"d", b"c", b"b", b"a")),
            (b"\xff\x00\xfe", (b"\xff\x00\xfe",)),
            (b"x" * MAX_BYTES, (b"x" * MAX_BYTES,)),
        ],
    )
    def test_lines(self, text: bytes, secrets: tuple[bytes, ...]) -> None:
        """Each line that isn't blank is a secret, without the white space around it, in order."""
        assert parse_secrets(text) == secrets

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            (b"", "no secret in it, expected 1 to 4, one a line"),
            (b" \n\r\n\t", "no secret in it, expected 1 to 4, one a line"),
            (b"sesame\n" * 5, "5 secrets, expected 1 to 4, one a line"),
            (b"sesame" * MAX_BYTES, "more than 16,384 bytes, expected 1 to 4, one a line"),
        ],
    )
    def test_nonsense(self, text: bytes, why: str) -> None:
        """None and too many are refused in words that have no secret in them."""
        with pytest.raises(ValueError, match=f"^{why}$"):
            parse_secrets(text)

    def test_known(self) -> None:
        """Secrets that don't change; an empty one is none."""
        assert known(b"one", b"two")() == (b"one", b"two")
        assert known(b"")() == known()() == ()


class TestFile:
    def test_it_is_read_when_it_changes(self, file: Path) -> None:
        """Written anew or replaced, the next to ask gets what is in it then."""
        secrets = SecretFile(str(file))
        assert secrets() == (b"old",)
        file.write_text("old\nnew\n")
        assert secrets() == (b"old", b"new")
        replace(file, "new\nold\n")
        assert secrets() == (b"new", b"old")

    @pytest.mark.parametrize("broken", ["", " \n", "a\nb\nc\nd\ne", "x" * 20_000, None])
    def test_what_cannot_be_used_changes_nothing(
        self, broken: str | None, file: Path, log: pytest.LogCaptureFixture
    ) -> None:
        """An empty, wrong or missing file is said once, not each time; the old secrets go on."""
        secrets = SecretFile(str(file))
        for times in range(2):
            file.unlink()
            if broken is not None:
                file.write_text(broken)
            assert {secrets() for _ in range(10)} == {(b"old",)}
            (said,) = log.messages
            assert said.startswith(f"secret file {str(file)!r}: ")
            assert said.endswith("; the secrets from before stay in use")
            log.clear()
            replace(file, "old" + "\n" * times)  # of another size: the clock of files is coarse
            assert secrets() == (b"old",)
            assert [record.levelname for record in log.records] == ["INFO"]
            log.clear()

    def test_a_change_is_said_once(self, file: Path, log: pytest.LogCaptureFixture) -> None:
        """The log says how many there are, and whether the first is another, but not which."""
        secrets = SecretFile(str(file))
        for text in ("old\nnew", "new\nold", "new"):
            replace(file, text)
            assert secrets() == secrets() == tuple(text.encode().split())
        assert log.messages == [
            f"secrets read again from {file}: 2 accepted, the first is the same as before",
            f"secrets read again from {file}: 2 accepted, the first is another than before",
            f"secrets read again from {file}: 1 accepted, the first is the same as before",
        ]

    @pytest.mark.parametrize("text", [None, "", "a\nb\nc\nd\ne"])
    def test_it_must_be_good_at_first(self, text: str | None, file: Path) -> None:
        """Nobody starts without a secret who was told to have one; the error names the file."""
        file.unlink()
        if text is not None:
            file.write_text(text)
        with pytest.raises(ValueError, match=f"^secret file {str(file)!r}: "):
            SecretFile(str(file))

    @pytest.mark.parametrize("text", [None, "", "a\nb\nc\nd\ne"])
    def test_it_may_come_later(
        self, text: str | None, file: Path, log: pytest.LogCaptureFixture
    ) -> None:
        """One that isn't required has no secrets until it is there; each call looks again."""
        file.unlink()
        if text is not None:
            file.write_text(text)
        secrets = SecretFile(str(file), required=False)
        assert secrets.fault.startswith(f"secret file {str(file)!r}: ")
        for _ in range(2):
            with pytest.raises(ValueError, match=f"^secret file {str(file)!r}: "):
                secrets()
        assert log.messages == []
        replace(file, "sesame\n")
        assert secrets() == secrets() == (b"sesame",)
        assert secrets.fault == ""
        assert log.messages == [f"secrets read from {file}: 1 accepted"]
        file.unlink()
        assert secrets() == (b"sesame",)

    def test_it_is_not_shown(self, file: Path) -> None:
        """Its text, as in a log or a traceback, is the path."""
        assert repr(SecretFile(str(file))) == f"SecretFile(path={str(file)!r})"


class TestClients:
    """A client that was made before the file changed dials with what it holds now."""

    def test_blocking(
        self, file: Path, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
    ) -> None:
        """From threads: refused with the old secret, let in with the new one."""
        monkeypatch.setenv("SIDEGATE_SECRET_FILE", str(file))
        with (
            SidecarDouble("127.0.0.1:0", secret=b"new") as sidecar,
            BlockingClient(sidecar.address, budget=AMPLE) as client,
        ):
            assert client.check("k", "5/minute").source is Source.OPEN
            assert "the two sides don't have the same secret" in log.text
            replace(file, "new\nold")
            until(lambda: client.check("k", "5/minute", 0).source is Source.OWNER)

    async def test_asyncio(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """From an event loop: over the link that goes on dialling."""
        monkeypatch.setenv("SIDEGATE_SECRET_FILE", str(file))
        with SidecarDouble("127.0.0.1:0", secret=b"new") as sidecar:
            async with Client(sidecar.address, budget=AMPLE) as client:
                assert (await client.check("k", "5/minute")).source is Source.OPEN
                replace(file, "new\nold")
                await eventually_answered(
                    lambda: client.check("k", "5/minute", 0),
                    lambda decision: decision.source is Source.OWNER,
                )

    def test_a_file_that_comes_later_blocking(
        self, file: Path, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
    ) -> None:
        """From threads: no client fails for want of the file, and it heals when that is there."""
        file.unlink()
        monkeypatch.setenv("SIDEGATE_SECRET_FILE", str(file))
        with (
            SidecarDouble("127.0.0.1:0", secret=b"new") as sidecar,
            BlockingClient(sidecar.address, budget=AMPLE) as client,
        ):
            assert client.check("k", "5/minute").source is Source.OPEN
            assert f"secret file {str(file)!r}: No such file or directory" in log.text
            replace(file, "new\n")
            until(lambda: client.check("k", "5/minute", 0).source is Source.OWNER)

    async def test_a_file_that_comes_later_asyncio(
        self, file: Path, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
    ) -> None:
        """From an event loop: nobody is dialled without the secret that there should be."""
        file = file.with_name("later")
        monkeypatch.setenv("SIDEGATE_SECRET_FILE", str(file))
        with SidecarDouble("127.0.0.1:0", secret=b"new") as sidecar:
            async with Client(sidecar.address, budget=AMPLE) as client:
                assert (await client.check("k", "5/minute")).source is Source.OPEN
                assert f"secret file {str(file)!r}: No such file or directory" in log.text
                assert sidecar.accepted == 0
                replace(file, "new\n")
                await eventually_answered(
                    lambda: client.check("k", "5/minute", 0),
                    lambda decision: decision.source is Source.OWNER,
                )
