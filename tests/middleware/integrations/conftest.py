"""Django's settings, which have to be there before a test imports what reads them."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false

from collections.abc import Iterator

import pytest
from django.test.utils import override_settings

from tests.support.apps.drf_app import SIDEGATE


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """Have each test begin and end without the client of another."""
    with override_settings(SIDEGATE=SIDEGATE):
        yield
