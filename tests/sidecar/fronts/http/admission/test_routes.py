"""What the front says there is, against what the API has."""

import re

from sidegate_sidecar.fronts.http.admission.routes import KEYS, ROUTES, Answerer, Right, route_of
from sidegate_sidecar.fronts.http.app.api import create_app
from tests.support.in_process.cluster import cluster


async def test_the_front_has_what_the_api_has() -> None:
    """Each path with its methods, and which of them need the secret."""
    async with cluster("n1") as (node,):
        document = create_app(node, node.http, node.http_server.scrape).openapi()
    there = {re.sub(r"\{.*", "", path): calls for path, calls in document["paths"].items()}
    own = {Answerer.DOCUMENT, Answerer.FILE}
    pages = {path for path, route in ROUTES.items() if route.place in own}
    assert there.keys() == (ROUTES.keys() - pages) | {KEYS}
    for path, calls in there.items():
        route = route_of(path)
        assert route is not None
        assert {method.lower() for method in route.rights} == calls.keys()
        for method, call in calls.items():
            assert ("security" in call) is (route.rights[method.upper()] is not Right.OPEN)


def test_a_key_may_hold_anything() -> None:
    """Slashes too, and nothing at all."""
    for path in ("/v1/keys/", "/v1/keys/a/b", "/v1/keys//", "/v1/keys/..", "/v1/keys/%2F"):
        route = route_of(path)
        assert route is not None
        assert route.allow == "GET, DELETE, HEAD"
    for path in ("/v1/key", "/v1/key/a", "//v1/keys/a", "", "*", "v1/nodes", "/v1/nodes/"):
        assert route_of(path) is None
