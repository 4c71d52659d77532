"""What a view serves was counted by its rule, however the request was spelled."""

import pytest

from tests.cluster.spelling.cells import each_cell
from tests.cluster.spelling.counting import look, served, spend
from tests.cluster.spelling.frameworks.limited import CASE
from tests.cluster.spelling.frameworks.views import FREE, LIMITED, PICK, View
from tests.cluster.spelling.spellings import BARE, LINE, request_lines, values
from tests.support.processes.services import App


@each_cell
def test_served_is_counted(servers: dict[str, App], server: str, framework: str) -> None:
    """No spelling reaches a view past its rule, and none is counted that no rule names."""
    views = (*LIMITED, FREE)
    lines = [line for view in views for line in request_lines(view.method, view.path)]
    pick = f"{PICK}: {framework} wide"
    asked = [(line, pick) for line in lines]
    assert look(servers[server].http.number, asked) >= {view.name for view in views}


@each_cell
def test_a_parameter_may_be_anything(servers: dict[str, App], server: str, framework: str) -> None:
    """What a framework takes for a parameter, the `*` of a rule takes too."""
    views = [view for view in LIMITED if view.name in {"item", "user"}]
    lines = [
        LINE.format(method=view.method, target=target)
        for view in views
        for target in (view.path, *values(view.path))
    ]
    pick = f"{PICK}: {framework} wide"
    assert look(servers[server].http.number, [(line, pick) for line in lines]) >= {"item", "user"}


@each_cell
@pytest.mark.parametrize(
    "view", [it for it in LIMITED if it.name in {"login", "items", "files"}], ids=str
)
def test_a_spent_limit_is_spent(
    servers: dict[str, App], server: str, framework: str, view: View
) -> None:
    """Once the plain request is denied, no spelling of it is served, nor by HTTP/0.9."""
    port = servers[server].http.number
    fields = (f"{PICK}: {framework} tight", f"{CASE}: {server} {framework} {view.name}")
    spend(port, view, *fields)
    bare = BARE.format(method=view.method, target=view.path)
    assert not served(port, view, [*request_lines(view.method, view.path), bare], *fields)
