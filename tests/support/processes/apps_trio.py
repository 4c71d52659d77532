"""Three sidecars that make one ring, with a FastAPI app beside each."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from sidegate.http.keys import bucket_key
from sidegate_ring.hashring import Ring
from tests.support.processes.services import UVICORN, App, Sidecar, running, until

if TYPE_CHECKING:
    from collections.abc import Generator

NAMES: Final = ("a", "b", "c")
FASTAPI: Final = (*UVICORN, "tests.support.apps.fastapi_app:app")


class Trio:
    """Sidecars and apps by the same names; sidecars wait `budget` seconds for each other."""

    def __init__(self, budget: float = 20.0) -> None:
        self.sidecars = {name: Sidecar(name, budget=budget) for name in NAMES}
        for sidecar in self.sidecars.values():
            sidecar.seeds = list(self.sidecars.values())
        self.apps = {
            name: App(f"app {name}", sidecar, *FASTAPI) for name, sidecar in self.sidecars.items()
        }

    @contextmanager
    def running(self) -> Generator[None]:
        """Run all six; all sidecars know each other when this is entered."""
        with running(*self.sidecars.values(), *self.apps.values()):
            self.wait_for_one_ring()
            yield

    def mend(self) -> None:
        """Have all sidecars run and make one ring, whatever became of them."""
        for sidecar in self.sidecars.values():
            sidecar.revive()
        self.wait_for_one_ring()

    def wait_for_one_ring(self) -> None:
        """Wait until each sidecar has links to both others, and holds the same ring."""
        for sidecar in self.sidecars.values():
            until(partial(_knows_all, sidecar))

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric over all sidecars."""
        return sum(sidecar.metric(name, **labels) for sidecar in self.sidecars.values())


def _knows_all(sidecar: Sidecar) -> bool:
    view = sidecar.get("/v1/nodes").json()
    seen = {(node["name"], node["state"], node["owner"]) for node in view["nodes"]}
    is_one = view["stage"] == "member" and view["agrees"]
    return is_one and seen == {(name, "up", True) for name in NAMES}


def api_key_of(owner: str, rule: str, start: str) -> str:
    """Return an API key whose buckets under a rule this sidecar of a trio holds."""
    ring = Ring(NAMES)
    keys = (f"{start} {number}" for number in range(10_000))
    return next(key for key in keys if ring.owner(bucket_key(rule, f"x-api-key={key}")) == owner)
