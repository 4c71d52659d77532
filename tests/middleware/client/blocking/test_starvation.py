"""A process that can't run: none of its trouble is taken for the sidecar's."""

from tests.middleware.client.scripts.run import run
from tests.support.in_process.sidecar_double import SidecarDouble


def test_a_busy_hub(sidecar: SidecarDouble) -> None:
    """A hub that is busy for six budgets costs no answer; nor does a greenlet that is killed.

    And all of it happens on one connection.
    """
    dialling, asking, *kills = run("in_gevent_busy.py", sidecar.address)
    assert dialling == "dialling {'owner': 50}"
    assert asking == "asking {'owner': 50}"
    assert kills == ["killed {'owner': 49}"] * 10
    assert sidecar.accepted == 1


def test_no_cpu(sidecar: SidecarDouble) -> None:
    """Threads that don't run for six budgets, again and again, get all answers of the owner."""
    assert run("in_starved.py", sidecar.address) == ["owner"]
    assert sidecar.accepted == 1


def test_a_slow_resolver() -> None:
    """Those who wait for a name that another one looks up wait a budget, and take their share."""
    with SidecarDouble("127.0.0.1:0") as sidecar:
        said = run("in_slow_resolver.py", sidecar.address)
    assert said == ["local local local local owner"]
