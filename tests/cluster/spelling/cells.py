"""The cells of the table: each framework on each server that can serve it."""

from itertools import product
from typing import Final

import pytest

from tests.cluster.spelling.serving.servers import ASGI, WSGI

ASGI_FRAMEWORKS: Final = ("fastapi", "starlette", "django", "quart", "litestar")
WSGI_FRAMEWORKS: Final = ("flask", "django")
CELLS: Final = [*product(ASGI, ASGI_FRAMEWORKS), *product(WSGI, WSGI_FRAMEWORKS)]

each_cell = pytest.mark.parametrize(("server", "framework"), CELLS)
