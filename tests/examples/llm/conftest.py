"""What the gateway's tests run on: it, its model server, and the sidecar of all examples."""

import json
from collections.abc import AsyncGenerator, Generator
from dataclasses import asdict

import pytest

from sidegate import Client
from tests.examples.llm.chat import ACCOUNTS, Chat
from tests.support.apps.clients import async_client
from tests.support.processes.services import ROOT, UVICORN, App, Sidecar, running

SEND_SECONDS = 1  # in which a client has to take what it is sent


class Example(App):
    """One of the example's apps, as its first lines say that they are run."""

    def __init__(self, module: str, sidecar: Sidecar, **settings: object) -> None:
        place = f"--app-dir={ROOT / 'examples'}"
        super().__init__(module, sidecar, *UVICORN, place, f"llm_gateway.{module}:app")
        self._settings = {name: str(value) for name, value in settings.items()}

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, **self._settings}


@pytest.fixture(scope="session")
def gateway(sidecar: Sidecar, tmp_path_factory: pytest.TempPathFactory) -> Generator[Example]:
    """Run it. The budget is one that a busy machine keeps."""
    accounts = tmp_path_factory.mktemp("llm") / "accounts.json"
    accounts.write_text(json.dumps([asdict(it) | {"key": it.key} for it in ACCOUNTS]), "utf-8")
    model = Example("model_server", sidecar, LLM_PACE=0)
    told = {
        "LLM_ACCOUNTS": accounts,
        "LLM_UPSTREAM": model.url,
        "LLM_SEND_SECONDS": SEND_SECONDS,
        "LLM_BUDGET": 20,
    }
    gateway = Example("gateway", sidecar, **told)
    with running(model, gateway):
        yield gateway


@pytest.fixture
async def chat(gateway: Example, sidecar: Sidecar) -> AsyncGenerator[Chat]:
    """Return what asks it."""
    async with (
        async_client(gateway.url, connections=250) as http,
        Client(str(sidecar.link), budget=20) as limits,
    ):
        yield Chat(http, limits)
