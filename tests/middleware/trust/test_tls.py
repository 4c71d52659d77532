"""TLS of a client: whom it trusts, and what is said of files that can't be used."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from sidegate.buckets.decision import Source
from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from sidegate.client.config import client_options
from sidegate.link.endpoint import Endpoint
from sidegate.trust.tls import Tls
from tests.support.certificates import Authority
from tests.support.in_process.cluster import eventually_answered
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.waiting import AMPLE, until


def options(sidecar: str = "", *, tls: Tls | None = None) -> Endpoint:
    return client_options(sidecar, 0.05, "", tls, "web-1")


def test_a_context_shows_our_certificate_and_requires_one_of_any_name(tmp_path: Path) -> None:
    context = options(tls=Authority().issue(tmp_path, "app")).context()
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert not context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_no_other_authority_is_trusted_not_even_those_of_the_system(tmp_path: Path) -> None:
    context = options(tls=Authority("ours").issue(tmp_path, "app")).context()
    assert context is not None
    assert len(context.get_ca_certs()) == 1


def test_a_unix_socket_needs_none(tmp_path: Path) -> None:
    tls = Authority().issue(tmp_path, "app")
    assert options("unix:/run/h.sock", tls=tls).context() is None
    assert options().context() is None


def test_files_are_read_for_each_connection(tmp_path: Path) -> None:
    tls = Authority("first").issue(tmp_path, "app")
    with_tls = options(tls=tls)
    first = authority_of(with_tls)
    Authority("second").issue(tmp_path, "app")
    assert authority_of(with_tls) != first


def authority_of(with_tls: Endpoint) -> bytes:
    context = with_tls.context()
    assert context is not None
    (authority,) = context.get_ca_certs(binary_form=True)
    return authority


# --- files that can't be used


def spoil(tls: Tls, file: str, contents: bytes | None) -> str:
    """Put something else into one of the files, or remove it; return its path."""
    path: str = getattr(tls, file)
    if contents is None:
        Path(path).unlink()
    else:
        Path(path).write_bytes(contents)
    return path


@pytest.mark.parametrize("contents", [None, b"", b"\x00\xff" * 100, b"-----BEGIN CERTIFICATE-----"])
@pytest.mark.parametrize("file", ["cert", "key", "ca"])
def test_the_error_names_the_file(file: str, contents: bytes | None, tmp_path: Path) -> None:
    """Missing or nonsense: ValueError with the path, and the reason of the system or of OpenSSL."""
    tls = Authority().issue(tmp_path, "app")
    path = spoil(tls, file, contents)
    with pytest.raises(ValueError, match=r"^TLS files? '") as caught:
        tls.context()
    assert path in str(caught.value)
    assert contents is not None or str(caught.value).endswith(": No such file or directory")


def test_files_that_do_not_fit_are_both_named(tmp_path: Path) -> None:
    tls, other = (Authority().issue(tmp_path / name, "app") for name in ("one", "other"))
    with pytest.raises(ValueError, match=r"^TLS files '.*one/cert\.pem' and '.*other/key\.pem': "):
        Tls(tls.cert, other.key, tls.ca).context()


def test_a_key_with_a_password(tmp_path: Path) -> None:
    """It is refused: OpenSSL would ask for the password on the terminal, and the app would hang."""
    tls = Authority().issue(tmp_path, "app")
    key = serialization.load_pem_private_key(Path(tls.key).read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"sesame"),
    )
    spoil(tls, "key", locked)
    with pytest.raises(ValueError, match=r"key\.pem': the key has a password, and nobody is there"):
        tls.context()


def test_a_missing_file_heals_blocking(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """From threads: a check goes by the policy, the log names the file, and then it is asked."""
    authority = Authority()
    theirs, mine = (authority.issue(tmp_path / name, name) for name in ("sidecar", "app"))
    contents = Path(mine.ca).read_bytes()
    spoil(mine, "ca", None)
    with (
        SidecarDouble("127.0.0.1:0", tls=theirs) as sidecar,
        BlockingClient(sidecar.address, tls=mine, budget=AMPLE) as client,
    ):
        assert client.check("k", "5/minute").source is Source.OPEN
        assert f"TLS file '{mine.ca}': No such file or directory" in caplog.text
        spoil(mine, "ca", contents)
        until(lambda: client.check("k", "5/minute", 0).source is Source.OWNER)


async def test_a_missing_file_heals_asyncio(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From an event loop: just so."""
    authority = Authority()
    theirs, mine = (authority.issue(tmp_path / name, name) for name in ("sidecar", "app"))
    spoil(mine, "key", b"nonsense")
    with SidecarDouble("127.0.0.1:0", tls=theirs) as sidecar:
        async with Client(sidecar.address, tls=mine, budget=AMPLE) as client:
            assert (await client.check("k", "5/minute")).source is Source.OPEN
            assert f"TLS files '{mine.cert}' and '{mine.key}': " in caplog.text
            authority.issue(tmp_path / "app", "app")
            await eventually_answered(
                lambda: client.check("k", "5/minute", 0),
                lambda decision: decision.source is Source.OWNER,
            )
