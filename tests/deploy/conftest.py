"""Both Helms, for all tests that render the chart."""

import pytest

from tests.support.deploy.helm import BOTH, Helm, find


@pytest.fixture(scope="module", params=BOTH)
def helm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Give each Helm."""
    return Helm(find(request.param), tmp_path_factory.mktemp(request.param))
