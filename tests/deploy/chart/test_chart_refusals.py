"""Values that the chart refuses, and that the message says which value it was and why."""

import re
from typing import Final

import pytest

from tests.support.deploy.helm import CHART, NEWEST, Helm

UNKNOWN: Final = (  # keys, at each level
    "nonsense=1",
    "image.tga=1.2.3",
    "ports.metrics=7172",
    "secret.valeu=x",
    "tls.secret=x",
    "ringSeed.seed=x",
    "tls.certManager.issuer=x",
    "networkPolicy.appPort=8000",
    "probes.path=/",
    "probes.startup.period=1",
    "probes.liveness.path=/",
    "probes.readiness.path=/",
    "podMonitor.selector=x",
    "prometheusRule.labels=x",
    "dashboard.folder=x",
    "autoscaling.max=3",
    "podDisruptionBudget.minimum=1",
    "serviceAccount.create=true",
    "service.port=1",
    "patch.namespace=x",
    "envoy.files=x",
)
WRONG: Final = (  # values of keys that there are
    "mode=both",
    "image.pullPolicy=Sometimes",
    "image.digest=0a0a",
    "clusterDomain=.local",
    "podMonitor.scrapeTimeout=soon",
    "podDisruptionBudget.minAvailable=half",
    "autoscaling.targetCPU=70%",
    "ports.link=http",
    "ports.http=70000",
    "ports.resp=-1",
    "ports.auth=-1",
    "authProxies[0]=everyone",
    "authProxies[0]=0.0.0.0/0",
    "budget=-1",
    "budget=quick",
    "drain=0",
    "maxMemory=1.5",
    "maxMemory=1000",
    "maxMemory=much",
    "maxMemory=1Ti",
    "maxConnections=0",
    "reports.rules=-1",
    "reports.rules=1025",
    "reports.memory=1000",
    "reports.keys=secret",
    "onUnreachable=deny",
    "onSplit=never",
    "role=master",
    "zone=eu 1",
    "zoneLabel=a'b",
    "logLevel=loud",
    "otel=perhaps",
    "stateFile=buckets",
    "socketMode=rw",
    "seeds[0]=no-port",
    "listenOn=eth0",
    "insecure=perhaps",
    "replicas=two",
    "extraEnv=A",
    "podLabels=team",
    "networkPolicy.appPorts[0]=http",
    "ringSeed.value=fifteen-letters",
    "probes.liveness.timeoutSeconds=0",
    "podMonitor.enabled=often",
    "podDisruptionBudget.maxUnavailable=half",
    "terminationGracePeriodSeconds=long",
    "ports.grpc=grpc",
    "envoy.enabled=often",
    "envoy.existingKeys[0]=../x",
    "networkPolicy.envoys[0]=all",
)
AT_ODDS: Final = (  # values that don't go together
    ("drain=30", "terminationGracePeriodSeconds 30: expected more than drain, which is 30"),
    ("mode=deployment,join=limits", 'join "limits": expected mode sidecar'),
    ("ports.http=7171", "ports.http 7171: expected another port than ports.link"),
    ("ports.resp=7172", "ports.resp 7172: expected another port than ports.link and ports.http"),
    ("ports.auth=7175", "ports.auth 7175: expected rules.configMap beside it"),
    (
        "rules.configMap=r,ports.auth=7172",
        "ports.auth 7172: expected another port than ports.link, ports.http and ports.resp",
    ),
    (
        "rules.configMap=r,envoy.enabled=true,envoy.limits.a=b,ports.auth=7173",
        "ports.auth 7173: expected another port than ports.grpc",
    ),
    (
        "envoy.enabled=true,envoy.limits.a=b,ports.resp=7173",
        "ports.resp 7173: expected another port than ports.grpc",
    ),
    ("envoy.enabled=true", "envoy.limits {}: expected a file of limits in it, envoy.existingConf"),
    (
        "envoy.enabled=true,envoy.limits.a=b,envoy.existingConfigMap=c",
        'envoy.existingConfigMap "c": expected either it or envoy.limits, not both',
    ),
    (
        "envoy.enabled=true,envoy.limits.a=b,ports.grpc=7171",
        "ports.grpc 7171: expected another port than ports.link and ports.http",
    ),
    ("secret.value=a,secret.existingSecret=b", 'secret.existingSecret "b": expected either it or'),
    ("secret.value=fifteen-letters", "secret.value: a line of 15 bytes, expected at least 16"),
    ("secret.nodeValue=short", "secret.nodeValue: a line of 5 bytes, expected at least 16"),
    ("secret.tokenValue=short", "secret.tokenValue: a line of 5 bytes, expected at least 16"),
    ("mode=deployment,role=leaf", "role leaf: in mode deployment expected owner"),
    ("patch.name=web,patch.kind=Pod", 'patch.kind "Pod": expected a kind that makes pods'),
    (
        "ringSeed.value=0123456789abcdef,ringSeed.existingSecret=b",
        'ringSeed.existingSecret "b": expected either it or ringSeed.value',
    ),
)


def refusal(helm: Helm, setting: str) -> str:
    command = ("template", "limits", CHART, "--kube-version", NEWEST, "--set", setting)
    return re.sub(r"\s+", " ", helm.fails(*command))


@pytest.mark.parametrize("setting", UNKNOWN)
def test_a_key_that_is_not_there_is_named(helm: Helm, setting: str) -> None:
    path = f"/{setting.partition('=')[0].replace('.', '/')}"
    parents, _, key = path.rpartition("/")
    assert f"at '{parents}': additional properties '{key}' not allowed" in refusal(helm, setting)


@pytest.mark.parametrize("setting", WRONG)
def test_a_value_that_cannot_be_is_refused_by_the_path_of_its_key(helm: Helm, setting: str) -> None:
    path = re.sub(r"[.\[]", "/", setting.partition("=")[0]).replace("]", "")
    assert f"at '/{path}': " in refusal(helm, setting)


@pytest.mark.parametrize(("settings", "message"), AT_ODDS)
def test_values_that_do_not_go_together_are_refused(
    helm: Helm, settings: str, message: str
) -> None:
    assert message in refusal(helm, settings).replace("\\", "")


@pytest.mark.parametrize("setting", ["networkPolicy.appPortsElsewhere", "insecure"])
def test_what_was_decided_elsewhere_is_no_error(helm: Helm, setting: str) -> None:
    assert helm.template("--set", f"{setting}=true")
