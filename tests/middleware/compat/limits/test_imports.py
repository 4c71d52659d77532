"""What is imported with the storage, and that nothing of it is where nobody asked for it."""

import subprocess
import sys

import pytest

OTHERS = "{'flask', 'flask_limiter', 'slowapi', 'redis', 'starlette', 'fastapi', 'opentelemetry'}"


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("sidegate", "{'limits', 'sidegate.compat'}"),
        ("sidegate.limiter.limiter", "{'limits', 'sidegate.compat'}"),
        ("sidegate.compat", "{'limits'}"),
        ("sidegate.compat.limits", OTHERS),
    ],
)
def test_only_what_is_switched_on_is_imported(module: str, unwanted: str) -> None:
    code = f"import sys, {module}\nprint({unwanted} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_addresses_are_there_with_the_import() -> None:
    """Before it they are unknown to limits, which looks for nothing by itself."""
    code = (
        "from limits._storage_scheme import SCHEMES\n"
        "before = {*SCHEMES}\n"
        "import sidegate.compat.limits\n"
        "print(*sorted({*SCHEMES} - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    kinds = ("sidegate", "sidegate+memory", "sidegate+unix")
    assert done.stdout.split() == [*(f"async+{it}" for it in kinds), *kinds]
