"""Our docker-compose.yml, run by whichever Compose this machine has."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sidegate_sidecar.lab.processes import free_ports
from tests.deploy.containers.engine import Done, Engine
from tests.support.optional import missing

PAIRS: Final = (1, 2, 3)
# All but Grafana, which has no stand-in.
SERVICES: Final = (
    *(f"{kind}-{pair}" for kind in ("sidecar", "app") for pair in PAIRS),
    "balancer",
    "prometheus",
)
_PORTS: Final = [f"SIDEGATE_{it}_PORT" for it in ("APP", "PROMETHEUS", "GRAFANA")]


class Compose:
    """The services of our compose file, as a project that nothing else uses."""

    def __init__(self, engine: Engine, folder: Path, variables: Mapping[str, str]) -> None:
        self.engine = engine
        self.folder = folder
        self._command = command(engine)
        project = f"sidegate-test-{os.getpid()}"
        self.image = f"{project}:local"
        self.ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self._variables = {
            "COMPOSE_PROJECT_NAME": project,
            "SIDEGATE_IMAGE": self.image,
            **({"DOCKER_SOCKET": engine.socket} if engine.socket else {}),
            **{name: str(port) for name, port in self.ports.items()},
            **variables,
        }

    def ask(self, *arguments: str) -> Done:
        """Run a command of Compose that may fail."""
        return self.engine.ask(*self._command, *arguments, cwd=self.folder, **self._variables)

    def do(self, *arguments: str) -> str:
        """Run a command of Compose that must not fail; return what it said."""
        return self.engine.do(*self._command, *arguments, cwd=self.folder, **self._variables)

    def url(self, path: str, port: str = "SIDEGATE_APP_PORT") -> str:
        """Return the URL of the balancer, or of what else has a port."""
        return f"http://127.0.0.1:{self.ports[port]}{path}"

    def down(self) -> None:
        """Stop and remove everything."""
        self.ask("--profile", "load", "--profile", "chaos", "down", "--volumes", "--timeout", "5")
        self.engine.ask("docker", "image", "rm", "--force", self.image)


def command(engine: Engine) -> list[str]:
    """Return what Compose is called here: version 2 if there is one, else 1.29."""
    if engine.ask("docker", "compose", "version").code == 0:
        return ["docker", "compose"]
    if not shutil.which("docker-compose"):
        missing("no docker compose: on Debian apt-get install docker-compose")
    return ["docker-compose"]
