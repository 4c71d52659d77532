"""Three sidecars that make one ring, with a FastAPI app beside each."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from sidegate.http.keys import bucket_key
from sidegate_ring.hashring import Ring
from sidegate_sidecar.lab.sidecars import is_whole
from tests.support.processes.services import UVICORN, App, Sidecar, running, until

NAMES: Final = ("a", "b", "c")
RING: Final = Ring(NAMES)
FASTAPI: Final = (*UVICORN, "tests.support.apps.fastapi_app:app")


class Trio:
    """Sidecars and apps by the same names; sidecars wait `budget` seconds for each other."""

    def __init__(self, budget: float = 20.0) -> None:
        self.sidecars = {name: Sidecar(name, budget=budget) for name in NAMES}
        for sidecar in self.sidecars.values():
            sidecar.seeds = [*self.sidecars.values()]
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
        sidecars = self.sidecars.values()
        until(lambda: all(is_whole(it.get("/v1/nodes").json(), RING) for it in sidecars))

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric over all sidecars."""
        return sum(sidecar.metric(name, **labels) for sidecar in self.sidecars.values())


def api_key_of(owner: str, rule: str, start: str) -> str:
    """Return an API key whose buckets under a rule this sidecar of a trio holds."""
    keys = (f"{start} {number}" for number in range(10_000))
    return next(key for key in keys if RING.owner(bucket_key(rule, f"x-api-key={key}")) == owner)
