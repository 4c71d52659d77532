"""Tests of slowapi's that fail with ours, each with its reason. All others pass."""

from typing import Final

_BUILT: Final = range(3)  # each runs with both middlewares, and with a handler that awaits
_HEADERS: Final = (
    "it wants the end of a window that begins at the first hit, in whole seconds: with slowapi"
    " itself it fails too, since the library limits tells fractions"
)
_FROZEN: Final = "it moves a clock of its own, which isn't that of the sidecar"


def _each(test: str, why: str) -> dict[str, str]:
    path = f"tests/test_starlette_extension.py::TestDecorators::{test}"
    return {f"{path}[build_starlette_app{number}]": why for number in _BUILT}


IN_PROCESS: Final = {
    **_each("test_headers_no_breach", _HEADERS),
    **_each("test_headers_breach", _HEADERS),
}
OVER_A_SIDECAR: Final = {**IN_PROCESS, **_each("test_retry_after", _FROZEN)}
