"""A browser for the tests of the page."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from sidegate_sidecar.fronts.http.live import live as live_module
from tests.support.browser.chromium import Browser, browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncGenerator[Browser]:
    """Run a browser for the tests of a module; where there is none they are skipped."""
    async with browser() as running:
        yield running


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have events come without much of a wait."""
    monkeypatch.setattr(live_module, "EVERY", 0.05)
