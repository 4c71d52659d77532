"""The values of the chart: what each becomes in `sidegate serve`."""

import base64
import subprocess
import sys
from pathlib import Path
from typing import Final, get_args, get_type_hints

import pytest
from typer.models import OptionInfo

from sidegate_sidecar import process
from sidegate_sidecar.cgroup import memory_needed
from sidegate_sidecar.cli import commands as cli
from sidegate_sidecar.config import Config, Role
from sidegate_sidecar.sizes import parse_size
from tests.support.certificates import Authority
from tests.support.deploy import manifests
from tests.support.deploy.helm import Helm, ci_values
from tests.support.deploy.manifests import Object
from tests.support.processes.services import Port, until

ETC: Final = "/etc/sidegate"
CI_VALUES = pytest.mark.parametrize("values", ci_values().values(), ids=ci_values())


def options() -> set[str]:
    """Return the variables that `sidegate serve` reads; those of flags are read by themselves."""
    hints = get_type_hints(cli.serve, include_extras=True).values()
    found = [it for hint in hints for it in get_args(hint)[1:] if isinstance(it, OptionInfo)]
    of_flags = {"SIDEGATE_INSECURE", "SIDEGATE_OTEL"}
    return {str(it.envvar) for it in found if it.envvar} | of_flags


def sidecar(helm: Helm, *options: str | Path) -> Object:
    """Return the container that runs sidegate, beside an app or by itself."""
    patch = ("--set", "patch.name=app")
    objects = helm.template(*options, *patch)
    kind = "DaemonSet" if manifests.of_kind(objects, "DaemonSet") else "Deployment"
    (found,) = [
        each
        for pod in manifests.pods(manifests.of_kind(objects, kind))
        for each in pod.containers
        if each["name"] == "sidegate" and pod.title != "Deployment/app"
    ] or [manifests.container(manifests.the(objects, kind)["spec"]["template"]["spec"], "sidegate")]
    return dict(found)


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "ConfigOf":
    """Give what reads the environment of a container as `sidegate serve` does."""
    return ConfigOf(monkeypatch, tmp_path)


SECRETS = ("secret", "node-secret", "http-token")


class ConfigOf:
    """Reads an environment by the real command, with the files of `/etc/sidegate` elsewhere."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
        self._monkeypatch = monkeypatch
        self._etc = etc
        tls = Authority().issue(etc / "tls", "n1")
        for path, name in ((tls.cert, "tls.crt"), (tls.key, "tls.key"), (tls.ca, "ca.crt")):
            (etc / "tls" / name).write_bytes((etc / "tls" / path).read_bytes())
        (etc / "secret").mkdir()
        for name in SECRETS:
            (etc / "secret" / name).write_text(f"sixteen bytes of {name}\n")
        (etc / "rules").mkdir()
        (etc / "rules" / "limits.toml").write_text("version = 1\nrules = []\n")
        (etc / "ring-seed").mkdir()
        (etc / "ring-seed" / "ring-seed").write_text("0123456789abcdef\n")

    def __call__(self, environment: dict[str, str]) -> Config:
        taken: list[Config] = []

        def take(config: Config, _log_level: str) -> None:
            taken.append(config)

        with self._monkeypatch.context() as patch:
            for name, text in environment.items():
                here = text.replace(ETC, str(self._etc)).replace("/state", str(self._etc))
                patch.setenv(name, here)
            patch.setattr(process, "run_until_signal", take)
            assert cli.run(["serve"]) == 0
        return taken[0]


@CI_VALUES
def test_every_variable_is_an_option_that_takes_its_value(
    helm: Helm, values: Path, configured: ConfigOf
) -> None:
    environment = manifests.env(sidecar(helm, "--values", values))
    ours = {name: text for name, text in environment.items() if name.startswith("SIDEGATE_")}
    assert ours.keys() <= options()
    configured(ours)


def test_every_option_is_a_value(helm: Helm) -> None:
    """But for the secrets and the seed themselves, which belong into no manifest."""
    given = {
        name
        for values in ci_values().values()
        for name in manifests.env(sidecar(helm, "--values", values))
    }
    assert given >= options() - {"SIDEGATE_SECRET", "SIDEGATE_NODE_SECRET", "SIDEGATE_HTTP_TOKEN"}


def test_the_memory_limit_has_room_for_what_the_buckets_may_take(
    helm: Helm, configured: ConfigOf
) -> None:
    """By the chart's own values: else made-up keys would have sidecars killed."""
    container = sidecar(helm)
    config = configured(manifests.env(container))
    needed = memory_needed(config.max_memory, config.cache_bytes, config.report_bytes)
    assert parse_size(container["resources"]["limits"]["memory"]) >= needed


def test_values_arrive_as_they_were_given(helm: Helm, configured: ConfigOf) -> None:
    """Large numbers too, which templates like to write as 2.5e+06."""
    values = ci_values()["deployment-full"]
    config = configured(manifests.env(sidecar(helm, "--values", values)))
    assert config.max_memory == 1_610_612_736
    assert config.cache_bytes == 268_435_456
    assert config.max_connections == 10_000
    assert (config.report_rules, config.report_memory) == (16, 1_500_000)
    assert config.report_keys == "hashed"
    assert config.drain == 45.5
    assert config.budget == 0.2
    assert config.on_unreachable == "local"
    assert config.on_split == "quorum"
    assert config.cluster == "shop"
    assert config.zone == "eu-1a"
    assert str(config.link) == "0.0.0.0:7271"
    assert str(config.http) == "0.0.0.0:7272"
    assert str(config.resp) == "0.0.0.0:7274"
    assert str(config.auth) == "0.0.0.0:7275"
    assert config.auth_proxies == ("10.9.0.0/16", "192.0.2.7")
    assert [str(seed) for seed in config.seeds] == [
        "limits-peers.shop.svc.cluster.local.:7271",
        "sidegate.other.svc:7171",
    ]
    assert str(config.grpc) == "0.0.0.0:7273"
    assert [Path(it).name for it in config.ratelimit_yaml] == ["edge.yaml", "shop.yaml"]
    assert config.state_file
    assert config.rules.endswith("/rules/limits.toml")
    assert config.otel
    assert config.tls
    assert config.secrets() == (b"sixteen bytes of secret",)
    assert config.node_secrets() == (b"sixteen bytes of node-secret",)
    assert config.http_tokens() == (b"sixteen bytes of http-token",)
    assert config.ring_seed == b"0123456789abcdef"


def test_ipv6_is_listened_to_in_brackets(helm: Helm, configured: ConfigOf) -> None:
    config = configured(manifests.env(sidecar(helm, "--values", ci_values()["ipv6"])))
    assert str(config.link) == "[::]:7171"
    assert config.http.from_here().host == "::1"


def test_a_probe_may_be_left_out(helm: Helm) -> None:
    container = sidecar(helm, "--values", ci_values()["insecure"])
    assert not {it for it in container if it.endswith("Probe")}


def test_a_zone_is_that_of_the_pod_if_its_label_is_named(helm: Helm) -> None:
    container = sidecar(helm, "--set", "zoneLabel=topology.kubernetes.io/zone")
    [zone] = [it for it in container["env"] if it["name"] == "SIDEGATE_ZONE"]
    label = {"fieldPath": "metadata.labels['topology.kubernetes.io/zone']"}
    assert zone["valueFrom"] == {"fieldRef": label}


def test_a_leaf_is_one(helm: Helm, configured: ConfigOf) -> None:
    values = ci_values()["sidecar-join"]
    assert configured(manifests.env(sidecar(helm, "--values", values))).role is Role.LEAF


def test_the_container_serves_and_its_pre_stop_reaches_it(helm: Helm, tmp_path: Path) -> None:
    """The real commands with the environment of the chart; only places are others."""
    container = sidecar(helm)
    for name in SECRETS:
        (tmp_path / name).write_text(f"a {name}")
    (tmp_path / "seed").write_text("0123456789abcdef")
    link, http = Port(), Port()
    environment = {
        **manifests.env(container),
        "SIDEGATE_NAME": "pod-1",
        "SIDEGATE_LINK": str(link),
        "SIDEGATE_HTTP": str(http),
        "SIDEGATE_SEEDS": str(link),
        "SIDEGATE_SOCKET": str(tmp_path / "socket"),
        "SIDEGATE_SECRET_FILE": str(tmp_path / "secret"),
        "SIDEGATE_NODE_SECRET_FILE": str(tmp_path / "node-secret"),
        "SIDEGATE_HTTP_TOKEN_FILE": str(tmp_path / "http-token"),
        "SIDEGATE_RING_SEED_FILE": str(tmp_path / "seed"),
    }
    with subprocess.Popen(_here(container["command"]), env=environment) as serving:
        try:
            ready = ["sidegate", "health"]
            until(lambda: _exit_code(ready, environment) == 0)
            assert (tmp_path / "socket").stat().st_mode & 0o777 == 0o666
            pre_stop = container["lifecycle"]["preStop"]["exec"]["command"]
            assert _exit_code(pre_stop, environment) == 1  # it is alone, and stays on the ring
            assert serving.poll() is None
        finally:
            serving.terminate()
        assert serving.wait() == 0
    link.close()
    http.close()


def _here(command: list[str]) -> list[str]:
    assert command[0] == "sidegate"
    return [sys.executable, "-m", "sidegate_sidecar", *command[1:]]


def _exit_code(command: list[str], environment: dict[str, str]) -> int:
    done = subprocess.run(_here(command), env=environment, capture_output=True, check=False)
    return done.returncode


@pytest.mark.parametrize("key", ["global.region=eu", "enabled=true"])
def test_what_parent_charts_hand_down_is_no_error(helm: Helm, key: str) -> None:
    assert helm.template("--set", key)


def test_several_secrets_may_be_given_one_a_line(helm: Helm, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("secret: {value: 'a new one, and long\n\n  an old one, and long'}")
    secret = manifests.the(helm.template("--values", values), "Secret", "limits-sidegate")
    assert base64.b64decode(secret["data"]["secret"]).splitlines() == [
        b"a new one, and long",
        b"an old one, and long",
    ]
