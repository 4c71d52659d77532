"""Variables of the command: which there are, and what is said of those that mean nothing."""

import signal
from typing import Any

import pytest
from typer.main import get_command

from sidegate.client.environment import OF_SIDECARS
from sidegate.link.address import parse_address
from sidegate_sidecar.cli.commands import whole_app
from sidegate_sidecar.cli.options.readers import seeds
from tests.support.in_process.commands import Run
from tests.support.processes.commands import finish, serving

A_AND_B = (parse_address("a:1"), parse_address("b:2"))


def test_all_variables_of_the_command_are_known() -> None:
    """Each option that may stand in the environment is in the list, and nothing else is."""
    command = get_command(whole_app())
    commands: dict[str, Any] = vars(command)["commands"]
    read = {option.envvar for one in commands.values() for option in one.params if option.envvar}
    # Read by hand: no secret on a command line, a flag that may be "no", and a second name.
    by_hand = {
        "SIDEGATE_HTTP_TOKEN",
        "SIDEGATE_INSECURE",
        "SIDEGATE_NODE_SECRET",
        "SIDEGATE_OTEL",
        "SIDEGATE_RING_SEED",
        "SIDEGATE_SECRET",
        "SIDEGATE_SEED",
    }
    assert read | by_hand == OF_SIDECARS


@pytest.mark.parametrize(
    "variables",
    [
        {"SIDEGATE_SEEDS": "a:1 b:2"},
        {"SIDEGATE_SEED": "a:1, b:2"},
        {"SIDEGATE_SEED": "a:1,b:2", "SIDEGATE_SEEDS": "a:1 b:2"},
        {"SIDEGATE_SEED": "", "SIDEGATE_SEEDS": "a:1 b:2"},
    ],
)
def test_seeds_by_either_name(
    variables: dict[str, str],
    run: Run,  # noqa: ARG001  # it clears the environment
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Seeds are taken from SIDEGATE_SEED as well, or from both if they agree; flags go first."""
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert seeds(["c:3"]) == (parse_address("c:3"),)
    assert seeds(variables.get("SIDEGATE_SEEDS", "").split()) == A_AND_B


def test_no_seeds(run: Run) -> None:  # noqa: ARG001  # it clears the environment
    """Without a word there are none."""
    assert seeds([]) == ()


def test_seeds_by_both_names(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two different answers to one question are refused."""
    monkeypatch.setenv("SIDEGATE_SEEDS", "a:1")
    monkeypatch.setenv("SIDEGATE_SEED", "b:2")
    ending = run("serve", "--drain", "never")  # so that it ends even if it takes both
    assert ending.code == 2
    assert ending.complaint == (
        "sidegate: --seed (or SIDEGATE_SEEDS) 'a:1':"
        " SIDEGATE_SEED says 'b:2': expected one of the two, or the same in both\n"
    )


async def test_a_sidecar_says_what_it_does_not_know() -> None:
    """At its start, before anything else; what Kubernetes sets is no matter."""
    environment = {
        "SIDEGATE_SEEDZ": "a:1",
        "SIDEGATE_PORT": "tcp://10.0.0.1:7171",
        "SIDEGATE_PEERS_SERVICE_HOST": "10.0.0.1",
    }
    async with serving(**environment) as sidecar:
        assert sidecar.line.endswith(
            " warning sidegate: 'SIDEGATE_SEEDZ' is set, but it is no option of sidegate and does"
            " nothing; did you mean SIDEGATE_SEEDS?\n"
        )
        sidecar.process.send_signal(signal.SIGTERM)
        _, _, log = await finish(sidecar.process)
    assert "SIDEGATE_" not in log
