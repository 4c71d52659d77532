"""A Kubernetes API server on loopback with its etcd, for tests: no nodes, and no controllers.

So objects are admitted, defaulted and stored as in any cluster, and nothing comes of them: no
Deployment makes pods, no namespace gets its ServiceAccount, and nothing runs.
"""

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx2
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.deploy.kubernetes.cluster_objects import ApiServer, eventually
from tests.support.deploy.tools import TOOLS
from tests.support.optional import missing_build

PATIENCE: Final = 60.0  # seconds until the API server is ready: 4 on two idle cores
A_MOMENT: Final = 0.05  # seconds between two looks at a program that starts
ONE_ANSWER: Final = 30.0  # seconds for one request to it
END_OF_LOG: Final = 2_000  # characters of it in a failure
TOKEN: Final = "for-tests-only"
LOOPBACK: Final = "127.0.0.1"
HOW_TO_BUILD: Final = "python -m tests.deploy.kubernetes.build_apiserver builds it, in minutes"


def tool(name: str) -> str:
    """Return the path of kube-apiserver or etcd, or skip the test; CI has built them by now.

    SIDEGATE_KUBE_APISERVER and SIDEGATE_ETCD name other files than .venv/tools or PATH have.
    """
    variable = "SIDEGATE_" + name.upper().replace("-", "_")
    given = os.environ.get(variable)
    if given and not os.access(given, os.X_OK):
        pytest.fail(f"{variable} {given}: expected a program")
    built = TOOLS / name
    found = given or shutil.which(built) or shutil.which(name)
    return found or missing_build(f"no {name}: {HOW_TO_BUILD}")


@contextmanager
def api_server() -> Generator[ApiServer]:
    """Run one, with an etcd in a temporary folder; both are gone afterwards, and all they held."""
    programs = tool("etcd"), tool("kube-apiserver")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="apiserver-")))
        etcd, peers, port = _free_ports(3)
        (folder / "tokens.csv").write_text(f"{TOKEN},tester,tester,system:masters\n", "utf-8")
        (folder / "accounts.key").write_bytes(_private_key())
        stack.enter_context(_running(_etcd(programs[0], folder, etcd, peers), folder / "etcd.log"))
        command = _kube_apiserver(programs[1], folder, etcd, port)
        log = folder / "kube-apiserver.log"
        process = stack.enter_context(_running(command, log))
        # It signs its own certificate while it starts.
        certificate = folder / "certificates" / "apiserver.crt"
        eventually(lambda: _alive(process, log) and certificate.exists(), within=PATIENCE)
        client = stack.enter_context(_client(port, certificate))
        eventually(lambda: _alive(process, log) and _ready(client), within=PATIENCE)
        yield ApiServer(client, _kubeconfig(folder, port, certificate))


def _etcd(program: str, folder: Path, port: int, peers: int) -> list[str]:
    clients, members = f"http://{LOOPBACK}:{port}", f"http://{LOOPBACK}:{peers}"
    return [
        program,
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={members}",
        f"--initial-advertise-peer-urls={members}",
        f"--initial-cluster=default={members}",
        "--unsafe-no-fsync",
    ]


def _kube_apiserver(program: str, folder: Path, etcd: int, port: int) -> list[str]:
    return [
        program,
        f"--etcd-servers=http://{LOOPBACK}:{etcd}",
        f"--bind-address={LOOPBACK}",
        f"--advertise-address={LOOPBACK}",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'accounts.key'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        "--service-cluster-ip-range=10.0.0.0/16,fd00:1::/112",
        "--endpoint-reconciler-type=none",
    ]


@contextmanager
def _running(command: list[str], log: Path) -> Generator[subprocess.Popen[bytes]]:
    """Run a program; killed in the end, as nothing that it holds is wanted any more."""
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            yield process
        finally:
            process.kill()


def _alive(process: subprocess.Popen[bytes], log: Path) -> bool:
    """Watch a program for a moment, in which it must not end."""
    with suppress(subprocess.TimeoutExpired):
        code = process.wait(A_MOMENT)
        pytest.fail(f"exited with {code}: {log.read_text('utf-8')[-END_OF_LOG:]}")
    return True


def _ready(client: httpx2.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx2.TransportError:
        return False


def _client(port: int, certificate: Path) -> httpx2.Client:
    return httpx2.Client(
        base_url=f"https://{LOOPBACK}:{port}",
        headers={"Authorization": f"Bearer {TOKEN}"},
        verify=ssl.create_default_context(cafile=certificate),
        trust_env=False,
        timeout=ONE_ANSWER,
    )


def _kubeconfig(folder: Path, port: int, certificate: Path) -> Path:
    server = {"server": f"https://{LOOPBACK}:{port}", "certificate-authority": str(certificate)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": server}],
        "users": [{"name": "tester", "user": {"token": TOKEN}}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tester"}}],
        "current-context": "tests",
    }
    file = folder / "kubeconfig"
    file.write_bytes(msgspec.json.encode(config))  # JSON is YAML
    return file


def _private_key() -> bytes:
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on: these programs don't tell which one port 0 became."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]
