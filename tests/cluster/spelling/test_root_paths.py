"""Views under a root path: one of the server, of a client's own words, or of the app."""

from collections.abc import Generator
from itertools import product
from typing import Final

import pytest

from tests.cluster.spelling.cells import ASGI_FRAMEWORKS, WSGI_FRAMEWORKS, each_cell
from tests.cluster.spelling.counting import look
from tests.cluster.spelling.frameworks.limited import ROOT_PATH
from tests.cluster.spelling.frameworks.views import PICK
from tests.cluster.spelling.serving.servers import (
    ASGI,
    ASGI_UNDER_ROOT,
    FOLDER,
    WSGI_UNDER_ROOT,
    serving,
)
from tests.cluster.spelling.spellings import LINE, targets
from tests.support.processes.services import App, Sidecar, running

# What a client may write before a path, if the root path is {root}: the first two before every
# spelling of it, the others before a few.
BEFORE: Final = (
    *("", "{root}", "{root}/", "/{root}", "{root}{root}", "/anything{root}", "/other{root}"),
    *("/anything{root}{root}", "/static{root}", "/healthz{root}", "{root}/static{root}"),
    "http://localhost{root}",
)
ALL: Final = 2
FEW: Final = (
    *("{path}", "/{path}", "{path}/", "{tail}"),
    *("{one}", "%2F{tail}", "/.{path}", "{path}%0a"),
)
# Fields by which one server or another lets a proxy say what it took away, and their look-alikes.
FIELDS: Final = (
    *("Daphne-Root-Path", "SCRIPT_NAME", "Script_Name", "SCRIPT-NAME", "X-Script-Name"),
    *("PATH_INFO", "Path-Info", "X-Forwarded-Prefix", "X-Original-Url", "REQUEST_URI", "Raw_Uri"),
)
ROOTS: Final = ("/zzz", "/zzz/", "/", "/static", "/healthz", "/login", "/other", "zzz", "%2Fzzz")
UNDER: Final = ("{root}/login", "{root}//login", "/anything{root}/login", "/login", "{root}/other")


@pytest.fixture(scope="module")
def rooted(sidecar: Sidecar) -> Generator[dict[str, App]]:
    """Serve the views on the servers that can be told a root path."""
    alive = f"{ROOT_PATH}/healthz"
    apps = serving(ASGI_UNDER_ROOT, f"{FOLDER}.frameworks.asgi_apps:app", sidecar, alive)
    apps |= serving(WSGI_UNDER_ROOT, f"{FOLDER}.frameworks.wsgi_apps:app", sidecar, alive)
    with running(*apps.values()):
        yield apps


def _asked(pick: str, root: str) -> list[tuple[str, str]]:
    """Return what to ask: POST /login in many spellings, and two others as they should be."""
    before = [text.format(root=root) for text in BEFORE]
    logins = [
        *product(["POST"], before[:ALL], targets("/login")),
        *product(["POST"], before[ALL:], targets("/login", FEW)),
    ]
    others = [("GET", text, "/v1/items") for text in before]
    others += [("POST", text, "/other") for text in before]
    return [
        (LINE.format(method=method, target=text + target), pick)
        for method, text, target in logins + others
    ]


@pytest.mark.parametrize("rules", ["wide", "wide rooted"])
@pytest.mark.parametrize(
    ("server", "framework"),
    [*product(ASGI_UNDER_ROOT, ASGI_FRAMEWORKS), *product(WSGI_UNDER_ROOT, WSGI_FRAMEWORKS)],
)
def test_under_the_root_path_of_a_server(
    rooted: dict[str, App], server: str, framework: str, rules: str
) -> None:
    """A rule holds in the app's own words, and in those with the root path before them."""
    asked = _asked(f"{PICK}: {framework} {rules}", ROOT_PATH)
    assert look(rooted[server].http.number, asked) >= {"login", "items", "other"}


@each_cell
def test_a_client_invents_a_root_path(servers: dict[str, App], server: str, framework: str) -> None:
    """Nothing that a client says of a root path gets it past a rule, nor into an exemption."""
    asked = [
        (LINE.format(method="POST", target=under.format(root=root)), f"{name}: {root}", pick)
        for name, root, under in product(FIELDS, ROOTS, UNDER)
        for pick in [f"{PICK}: {framework} wide"]
    ]
    assert look(servers[server].http.number, asked) >= {"login"}


@pytest.mark.parametrize("server", ASGI)
def test_under_the_root_path_of_an_app(servers: dict[str, App], server: str) -> None:
    """FastAPI's own root_path is known to a middleware that was added to the app."""
    asked = _asked(f"{PICK}: fastapi root_path wide", "/api")
    assert look(servers[server].http.number, asked) >= {"login", "other"}


@pytest.mark.parametrize("server", ASGI)
@pytest.mark.parametrize("words", ["own", "whole"])
def test_inside_a_mounted_app(servers: dict[str, App], server: str, words: str) -> None:
    """A mounted app that has the middleware may name its paths by its own words or whole."""
    pick = f"{PICK}: inside, {words} path"
    # No rule names one of the list; "." is the list or one of it.
    rules: dict[str, set[str | None]] = {"items": {"items"}, "item": {"items", None}}
    lines = [LINE.format(method="GET", target=target) for target in targets("/v1/items")]
    asked = [(line, pick) for line in lines]
    assert look(servers[server].http.number, asked, rules) >= {"items"}
