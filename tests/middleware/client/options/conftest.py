"""An environment that says nothing, of which nothing was told yet."""

import pytest

from sidegate.client.config import log_once


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEASE", "OTEL", "SECRET", "SECRET_FILE", "SIDECAR"):
        monkeypatch.delenv(f"SIDEGATE_{name}", raising=False)
    log_once.cache_clear()  # what other tests were told
