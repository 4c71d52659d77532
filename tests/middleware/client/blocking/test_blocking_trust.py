"""The blocking client: whom it trusts, and the processes that it lives in."""

import logging
from pathlib import Path

import pytest

from sidegate.buckets.decision import Source
from sidegate.client.blocking import BlockingClient
from sidegate.trust.tls import Tls
from tests.middleware.client.scripts.run import run
from tests.support.certificates import Authority
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.waiting import AMPLE, SCANT, in_threads, until


class TestTrust:
    def test_over_tcp_the_same_secret_on_both_sides_lets_the_client_in(self) -> None:
        with (
            SidecarDouble("127.0.0.1:0", secret=b"s3cret") as sidecar,
            BlockingClient(sidecar.address, budget=AMPLE, secret="s3cret") as client,
        ):
            assert client.check("k", "5/minute").source is Source.OWNER

    @pytest.mark.parametrize(
        ("theirs", "mine", "says"),
        [(b"s3cret", "wrong", "sidecar"), (b"s3cret", "", "sidecar"), (b"", "s3cret", "client")],
    )
    def test_wrong_secret(
        self, theirs: bytes, mine: str, says: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Without it the policy answers, and the log says why, once; the sidecar learns it too."""
        with (
            caplog.at_level(logging.WARNING, "sidegate"),
            SidecarDouble("127.0.0.1:0", secret=theirs) as sidecar,
            BlockingClient(sidecar.address, budget=AMPLE, secret=mine) as client,
        ):
            accepted = sidecar.accepted
            until(lambda: bool(client.check("k", "5/minute")) and sidecar.accepted > accepted + 2)
            assert client.check("k", "5/minute").source is Source.OPEN
            sidecar.wait_for(lambda: len(sidecar.errors) > 0)
        (told,) = caplog.messages
        assert told.startswith("sidegate: not limiting: ")
        assert f"{sidecar.address} (the two sides don't have the same secret (secret))" in told
        assert {type(error).__name__ for error in sidecar.errors} == {
            "WireError" if says == "sidecar" else "Refused"
        }

    def test_over_tls_both_show_certificates_of_the_same_authority(self, tmp_path: Path) -> None:
        authority = Authority()
        theirs = authority.issue(tmp_path / "sidecar", "sidecar")
        mine = authority.issue(tmp_path / "app", "app")
        with (
            SidecarDouble("127.0.0.1:0", tls=theirs) as sidecar,
            BlockingClient(sidecar.address, budget=AMPLE, tls=mine) as client,
        ):
            decided = in_threads(4, lambda _number: client.check("k", "5/minute"))
            assert sum(each.source is Source.OWNER for each in decided) == 4
            sidecar.freeze()
            with BlockingClient(sidecar.address, budget=SCANT, tls=mine) as hasty:
                assert hasty.check("k", "5/minute").source is Source.OPEN
            sidecar.thaw()
            assert client.check("k", "5/minute").source is Source.OWNER

    def test_a_certificate_of_another_authority_lets_nobody_in(self, tmp_path: Path) -> None:
        theirs = Authority("ours").issue(tmp_path / "sidecar", "sidecar")
        mine = Authority("another").issue(tmp_path / "app", "app")
        half = Tls(mine.cert, mine.key, theirs.ca)
        with SidecarDouble("127.0.0.1:0", tls=theirs) as sidecar:
            for tls in (mine, half, None):
                with BlockingClient(sidecar.address, budget=1, tls=tls) as client:
                    assert client.check("k", "5/minute").source is Source.OPEN

    def test_replaced_certificates_are_those_of_the_next_connection(self, tmp_path: Path) -> None:
        theirs = Authority("new").issue(tmp_path / "sidecar", "sidecar")
        mine = Authority("old").issue(tmp_path / "app", "app")
        with (
            SidecarDouble("127.0.0.1:0", tls=theirs) as sidecar,
            BlockingClient(sidecar.address, budget=1, tls=mine) as client,
        ):
            assert client.check("k", "5/minute").source is Source.OPEN
            for file in ("cert", "key", "ca"):
                Path(getattr(mine, file)).write_bytes(Path(getattr(theirs, file)).read_bytes())
            until(lambda: client.check("k", "5/minute", 0).source is Source.OWNER)


class TestProcesses:
    def test_after_a_fork_each_has_a_connection_of_its_own(self, sidecar: SidecarDouble) -> None:
        said = run("in_fork.py", sidecar.address)
        assert said == ["parent OOOOO", "child OOOOO", "no file more", "parent OOOOO"]
        assert sum(len(frame.checks) for frame in sidecar.frames) == 15
        assert sidecar.accepted == 2
        assert not sidecar.errors

    def test_under_gevent_one_thread_asks_50_at_once(self, sidecar: SidecarDouble) -> None:
        sidecar.hold(50)
        assert run("in_gevent.py", sidecar.address) == ["owner 50", "threads 1"]

    def test_so_they_are_over_tls(self, tmp_path: Path) -> None:
        tls = Authority().issue(tmp_path, "both")
        with SidecarDouble("127.0.0.1:0", tls=tls) as sidecar:
            sidecar.hold(50)
            said = run("in_gevent.py", sidecar.address, tls.cert, tls.key, tls.ca)
        assert said == ["owner 50", "threads 1"]
