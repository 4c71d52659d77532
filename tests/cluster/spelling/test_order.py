"""The first rule that matches applies, and no spelling makes a more generous one the first."""

from typing import Final

import pytest

from tests.cluster.spelling.cells import each_cell
from tests.cluster.spelling.counting import served, spend
from tests.cluster.spelling.frameworks.limited import CASE
from tests.cluster.spelling.frameworks.views import LIMITED, PICK, View
from tests.cluster.spelling.spellings import LINE, targets
from tests.support.processes.services import App

# What an earlier rule would match, if dots were resolved, is served by a view that takes them.
DECOYS: Final = (
    *("{path}/../../open/x", "{path}/../../../open/x", "/files/../open/x", "/files/./../open/x"),
    *("/files/%2e%2e/open/x", "/files/..%2fopen%2fx"),
    *("/files/%252e%252e/open/x", "/files//../open/x"),
    *("/open/..{path}", "/open/x/../..{path}", "/open/%2e%2e{path}", "/open%2f..{path}"),
    *("{path}/../..", "{path}/../../", "/files/..", "/files/../v1/items/7", "/files/../v1/items"),
    *("http://localhost/files/../open/x", "//files/../open/x", "/open{path}", "/open/{path}"),
)


@each_cell
@pytest.mark.parametrize(
    "view", [it for it in LIMITED if it.name in {"login", "files", "item"}], ids=str
)
def test_between_generous_rules(
    servers: dict[str, App], server: str, framework: str, view: View
) -> None:
    """A spent view stays spent, whatever other rules its spellings look like."""
    port = servers[server].http.number
    fields = (f"{PICK}: {framework} mixed", f"{CASE}: {server} {framework} {view} mixed")
    spend(port, view, *fields)
    asked = targets(view.path) + targets(view.path, DECOYS)
    lines = [LINE.format(method=view.method, target=target) for target in asked]
    assert not served(port, view, lines, *fields)
