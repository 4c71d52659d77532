"""Secrets: one a line, and in a file that changes while it is in use."""

import logging
from pathlib import Path

import pytest

from sidegate.buckets.decision import Source
from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from sidegate.trust.secrets import MAX_BYTES, SecretFile, known, parse_secrets
from tests.support.files import replace
from tests.support.in_process.cluster import eventually_answered
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.waiting import AMPLE, until


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
    def test_each_line_is_a_secret(self, text: bytes, secrets: tuple[bytes, ...]) -> None:
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
    def test_none_and_too_many_are_refused_but_not_shown(self, text: bytes, why: str) -> None:
        with pytest.raises(ValueError, match=f"^{why}$"):
            parse_secrets(text)

    def test_known_ones_do_not_change_and_an_empty_one_is_none(self) -> None:
        assert known(b"one", b"two")() == (b"one", b"two")
        assert known(b"")() == known()() == ()


class TestFile:
    def test_it_is_read_when_it_is_written_anew_or_replaced(self, file: Path) -> None:
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

    def test_its_text_in_a_log_or_traceback_is_the_path(self, file: Path) -> None:
        assert repr(SecretFile(str(file))) == f"SecretFile(path={str(file)!r})"


@pytest.fixture(params=["the old secret", "no file"])
def fault(request: pytest.FixtureRequest, file: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have clients take the file, and return what is said of it as it is."""
    monkeypatch.setenv("SIDEGATE_SECRET_FILE", str(file))
    if request.param == "the old secret":
        return "the two sides don't have the same secret"
    file.unlink()
    return f"secret file {str(file)!r}: No such file or directory"


class TestClients:
    """A client that was made before the file changed, or came, dials with what it holds now."""

    def test_from_threads(self, fault: str, file: Path, log: pytest.LogCaptureFixture) -> None:
        with (
            SidecarDouble("127.0.0.1:0", secret=b"new") as sidecar,
            BlockingClient(sidecar.address, budget=AMPLE) as client,
        ):
            assert client.check("k", "5/minute").source is Source.OPEN
            assert fault in log.text
            replace(file, "new\nold")
            until(lambda: client.check("k", "5/minute", 0).source is Source.OWNER)

    async def test_from_a_loop(self, fault: str, file: Path, log: pytest.LogCaptureFixture) -> None:
        """Over the link that goes on dialling, but nobody where there should be a secret."""
        is_missing = "No such file" in fault
        with SidecarDouble("127.0.0.1:0", secret=b"new") as sidecar:
            async with Client(sidecar.address, budget=AMPLE) as client:
                assert (await client.check("k", "5/minute")).source is Source.OPEN
                assert fault in log.text
                assert (sidecar.accepted == 0) is is_missing
                replace(file, "new\nold")
                await eventually_answered(
                    lambda: client.check("k", "5/minute", 0),
                    lambda decision: decision.source is Source.OWNER,
                )
