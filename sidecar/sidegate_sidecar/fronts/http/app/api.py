"""The HTTP API of a sidecar: for people, scripts and languages without a client.

The road of a check from an app is the link; this one serves hundreds a second, not hundreds of
thousands. Checks that are in order the front answers itself, some thousands a second.
"""

from collections.abc import Callable
from inspect import getdoc
from time import time
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import Body, FastAPI, HTTPException, Request, Response, Security
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from sidegate.buckets.decision import Source
from sidegate.buckets.limits import parse_limits
from sidegate.errors import CheckError, RuleNotInForce, UnknownRule
from sidegate.link.health import LinkState
from sidegate.protocol.codec import WireError
from sidegate.protocol.messages import Holdings
from sidegate.protocol.report_messages import EventQuery
from sidegate.reports.event_report import event_report_of
from sidegate.reports.report import report_of
from sidegate.version import __version__
from sidegate_sidecar.fronts.http.app.holds.reservation_api import ReservationApi
from sidegate_sidecar.fronts.http.app.key_api import NO_PREFIX, KeyApi
from sidegate_sidecar.fronts.http.app.key_models import KeysFound
from sidegate_sidecar.fronts.http.app.layers import PathAsSent
from sidegate_sidecar.fronts.http.app.models import (
    Bucket,
    CheckRequest,
    CheckResponse,
    Departed,
    Forgotten,
    HealthStatus,
    HowManyBackups,
    KeyHoldings,
    KeyInPath,
    KeyInQuery,
    NodeInQuery,
    Nodes,
    Ownership,
    SplitSide,
)
from sidegate_sidecar.fronts.http.app.overview import nodes_of, side_of
from sidegate_sidecar.fronts.http.app.problems import ProblemApp, ProblemFault, documented
from sidegate_sidecar.fronts.http.app.reports.event_models import AnyReport, EventInQuery
from sidegate_sidecar.fronts.http.app.reports.report_models import (
    Last,
    RowsBy,
    RuleInQuery,
    Top,
    asked,
)
from sidegate_sidecar.fronts.http.checks import CheckAsked, as_enforced, question_of
from sidegate_sidecar.fronts.http.http11.bodies import MAX_BODY_BYTES
from sidegate_sidecar.fronts.http.live.feed import Feed
from sidegate_sidecar.fronts.http.live.live import FULL
from sidegate_sidecar.node.asking import ask_one
from sidegate_sidecar.sidecar import LOOKING

if TYPE_CHECKING:
    from sidegate.link.address import Address
    from sidegate.reports.event_report import EventReport
    from sidegate.reports.report import Report
    from sidegate_sidecar.sidecar import Sidecar
    from sidegate_sidecar.telemetry.scrape import Scrape

_ABOUT = """\
A distributed rate limiter for Python services. Each key is decided by the one node that owns it,
whichever node is asked. Times are in seconds. Errors are `application/problem+json`.

Calls that change something need the secret of the cluster as a bearer token if one is set; without
a secret they are served on loopback only, or with `--insecure`. Calls that show keys or names need
none on the machine itself. A request that another site's page had a browser send is refused.
"""

_TAGS = [
    {"name": "limits", "description": "Ask, look at, and reset limits."},
    {"name": "cluster", "description": "Who is there, and who owns what."},
    {"name": "process", "description": "For probes and for Prometheus."},
]

_WRONG_KEY = (
    422,
    ProblemFault(field="key", message="key of 600 bytes: expected at most 512 bytes of UTF-8"),
)
_WRONG_ORDER = (
    422,
    ProblemFault(field="order", message="order 'debts': expected debt or key"),
)
_WRONG_PREFIX = (422, ProblemFault(field="prefix", message=NO_PREFIX))
_WRONG_CHECK = (
    422,
    ProblemFault(
        field="cost", message="cost 200: expected 0 to 100, the smallest burst of the limits"
    ),
)
_TOO_LONG = (413, f"expected a body of at most {MAX_BODY_BYTES:,} bytes")
_NOT_ALLOWED = (
    (401, "no secret was sent: expected Authorization: Bearer and the secret of the cluster"),
    (403, "other machines can reach 0.0.0.0:7172, and no secret is set"),
)
_WRONG_LAST = (
    422,
    ProblemFault(
        field="last", message="last='5x': expected whole seconds from 1s to 3h, such as \"5m\""
    ),
)
_UNKNOWN_RULE = (
    404,
    'rule "apy": no node has decided a check of it; they have "api", "other"',
)
_NO_SENSE = (502, "the owner of this key makes no sense: nobody here knows source 'x'")
_FULL_OF_READERS = (503, FULL)
_OTHER_ID = (409, "id 'job-7': expected what it had first, 5000 of 20000/day")
_OVER = (410, "a reservation that ended more than 10 minutes ago: nothing was changed")
_WRONG_NAME = (
    422,
    ProblemFault(field="name", message="String should have at least 1 character"),
)
_NOT_MISSED = (409, "node 'node-b': expected one that is missed here: node-c")
_UNREACHABLE = (503, "node-b owns this key and can't be asked now")

_EXAMPLES: dict[str, Any] = {
    "one": {"summary": "One limit", "value": {"key": "customer-7", "limits": "100/minute"}},
    "several": {
        "summary": "Two limits, both charged or none",
        "value": {"key": "customer-7", "limits": "10/second burst 20; 1000/hour", "cost": 5},
    },
    "peek": {
        "summary": "Only look",
        "value": {"key": "customer-7", "limits": "100/minute", "cost": 0},
    },
}
CheckBody = Annotated[CheckRequest, Body(openapi_examples=_EXAMPLES)]

# For the document: the front has seen to it before the app is asked.
_bearer = HTTPBearer(
    scheme_name="secret",
    description="The secret of the cluster, if one is set; not for reading on the machine itself.",
    auto_error=False,
)


class EventStream(Response):
    """Server-sent events."""

    media_type = "text/event-stream"


class Api:
    """The calls. What each one's first line says is its text in the OpenAPI document."""

    def __init__(self, sidecar: "Sidecar", address: "Address", scrape: "Scrape") -> None:
        self._sidecar = sidecar
        self._address = address
        self._scrape = scrape
        self._node = sidecar.node
        self._feed = Feed(sidecar)

    async def check(self, asked: CheckBody) -> CheckResponse:
        """Charge tokens to a key, if all its limits have them.

        Answers 200 whether it was allowed or not: the question was answered.
        """
        try:
            wanted = CheckAsked(asked.key, asked.limits, asked.cost)
            question = question_of(wanted, self._sidecar.rules_in_force())
            decision = await ask_one(self._node, question.key, question.limits, question.cost)
            decision = as_enforced(question, decision)
        except (CheckError, ValueError, RuleNotInForce) as error:
            raise HTTPException(422, str(error)) from None
        except WireError as error:
            raise HTTPException(502, f"the owner of this key makes no sense: {error}") from None
        return CheckResponse.of(decision, self._owner(question.key))

    async def peek(self, key: KeyInPath) -> KeyHoldings:
        """Look at the buckets of a key on its owner."""
        held = await self._inspect(key, reset=False)
        return KeyHoldings(key=key, owner=self._owner(key), buckets=_buckets(held))

    async def reset(self, key: KeyInPath) -> Forgotten:
        """Forget all buckets of a key on its owner, so that they are full.

        After a 503 they may have been forgotten or not; to reset again does no harm.
        """
        held = await self._inspect(key, reset=True)
        return Forgotten(key=key, owner=self._owner(key), forgotten=_buckets(held))

    async def nodes(self) -> Nodes:
        """Show the cluster as this node sees it."""
        return nodes_of(self._sidecar, self._address)

    async def forget(self, name: NodeInQuery) -> SplitSide:
        """Count a node no more that is gone for good, and that --on-split misses.

        All nodes of this side are told. It is an operator's word: if that node lives on another
        side of a split, both sides may decide from now on.
        """
        if why := self._sidecar.cluster.forget(name, self._sidecar.clock()):
            raise HTTPException(409, why)
        return side_of(self._sidecar)

    async def owner(self, key: KeyInQuery, backups: HowManyBackups = 2) -> Ownership:
        """Name the node that owns a key, and those that come next."""
        owner, *others = self._node.cluster.ring.owners(key, backups + 1) or ("",)
        link = self._sidecar.peers.link_to(owner)
        state = link.state if link else LinkState.UP
        return Ownership(key=key, owner=owner, backups=others, state=state)

    async def report(
        self,
        last: Last = "5m",
        rule: RuleInQuery = None,
        event: EventInQuery = None,
        by: RowsBy = "key",
        top: Top = 20,
    ) -> Response:
        """Show what all nodes have decided of late: which keys were denied most, and how much.

        Each node is asked, and answers within 250 ms or is named as missing. What a node had
        counted is gone when it ends. With `event` it is what apps have recorded themselves.
        """
        query = asked(rule, event, last, by, top)
        answer = await self._sidecar.sessions.gathering.report(query)
        try:
            if isinstance(query, EventQuery):
                found: Report | EventReport = event_report_of(query, answer, time())
            else:
                found = report_of(query, answer, time())
        except UnknownRule as error:
            raise HTTPException(404, str(error)) from None
        # As an AnyReport has it: 0.04 ms of the loop for 1,000 rows, and by pydantic 3.
        return Response(msgspec.json.encode(found), media_type="application/json")

    async def leave(self) -> Departed:
        """Leave the ring, hand all buckets over, and go on forwarding checks.

        Answers once that is done, or was given up after the time that `--drain` allows. The last
        owner waits that long for another node; if none comes it stays, and goes on deciding.
        """
        return Departed.of(await self._sidecar.leave())

    async def live(self) -> Response:
        """Tell the cluster as it is, once a second, as server-sent events.

        Each event is one JSON object with all that the page at `/` shows: `rates` a second over the
        last ten, the most `denied` keys and the `sources` of the last minute, the `rules` over ten
        minutes, the `ring`, and which `nodes` have answered. It goes on until one side ends it; at
        most 32 read at a time, all of one look. This app, without the front, tells it once.
        """
        return EventStream(b"data: " + await self._feed.event() + b"\n\n")

    async def healthz(self) -> HealthStatus:
        """Say that the process is alive."""
        return HealthStatus(status="ok")

    async def readyz(self) -> HealthStatus:
        """Say whether this node has joined."""
        if why := self._sidecar.why_not_ready:
            raise HTTPException(503, why)
        return HealthStatus(status="ready")

    async def metrics(self, request: Request) -> Response:
        """Give metrics as text for Prometheus, or as OpenMetrics to those who accept it."""
        scrape = self._scrape.render(request.headers.get("accept", ""))
        return Response(scrape.body, headers={"Content-Type": scrape.content_type})

    @property
    def of_many(self) -> KeyApi:
        """The calls about many keys."""
        return KeyApi(self._sidecar.sessions.keys)

    @property
    def of_reservations(self) -> ReservationApi:
        """The calls about reservations."""
        return ReservationApi(self._sidecar)

    def _owner(self, key: str) -> str:
        return self._node.cluster.ring.pair(key)[0]

    async def _inspect(self, key: str, *, reset: bool) -> Holdings:
        held = await self._node.inspect(key, reset=reset)
        if held is None or held.source not in {Source.OWNER, Source.BACKUP}:
            raise HTTPException(503, f"{self._owner(key)} owns this key and can't be asked now")
        return held


def _buckets(held: Holdings) -> list[Bucket]:
    return [Bucket.of(parse_limits(limit).items[0], debt) for limit, debt in held.buckets]


def create_app(sidecar: "Sidecar", address: "Address", scrape: "Scrape") -> FastAPI:
    """Return the app that answers for a sidecar.

    It leaves to the front what holds for all requests: who may ask, how much, and for what host.
    """
    app = ProblemApp(
        title="sidegate",
        version=__version__,
        description=_ABOUT,
        openapi_tags=_TAGS,
        redirect_slashes=False,
        docs_url=None,  # the pages are the front's: these would load scripts from elsewhere
        redoc_url=None,
        # Off, so that no exporter that the environment names sends anything about the requests.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    _add_routes(app, Api(sidecar, address, scrape), [Security(_bearer)])
    app.add_middleware(PathAsSent)
    return app


def _add_routes(app: FastAPI, api: Api, secret: list[Any]) -> None:
    limits, cluster, process = (_at(app, tag["name"]) for tag in _TAGS)
    key = "/v1/keys/{key:path}"
    limits(
        "POST",
        "/v1/check",
        api.check,
        secret,
        *_NOT_ALLOWED,
        _TOO_LONG,
        _WRONG_CHECK,
        _NO_SENSE,
    )
    held, refused = api.of_reservations, (*_NOT_ALLOWED, _TOO_LONG, _WRONG_CHECK)
    limits("POST", "/v1/reserve", held.reserve, secret, *refused, _OTHER_ID, _NO_SENSE)
    limits("POST", "/v1/commit", held.commit, secret, *refused, _OVER, _UNREACHABLE)
    limits("GET", key, api.peek, secret, *_NOT_ALLOWED, _WRONG_KEY, _UNREACHABLE)
    limits("DELETE", key, api.reset, secret, *_NOT_ALLOWED, _WRONG_KEY, _UNREACHABLE)
    many = api.of_many
    limits("GET", "/v1/keys", many.keys, secret, *_NOT_ALLOWED, _WRONG_ORDER, answers=KeysFound)
    limits("DELETE", "/v1/keys", many.reset_keys, secret, *_NOT_ALLOWED, _WRONG_PREFIX)
    cluster("GET", "/v1/nodes", api.nodes, secret, *_NOT_ALLOWED)
    cluster("DELETE", "/v1/nodes", api.forget, secret, *_NOT_ALLOWED, _NOT_MISSED, _WRONG_NAME)
    cluster("GET", "/v1/owner", api.owner, secret, *_NOT_ALLOWED, _WRONG_KEY)
    cluster(
        "GET",
        "/v1/report",
        api.report,
        secret,
        *_NOT_ALLOWED,
        _WRONG_LAST,
        _UNKNOWN_RULE,
        answers=AnyReport,
    )
    cluster("POST", "/v1/leave", api.leave, secret, *_NOT_ALLOWED)
    cluster(
        "GET", "/v1/live", api.live, secret, *_NOT_ALLOWED, _FULL_OF_READERS, answers=EventStream
    )
    process("GET", "/healthz", api.healthz, [])
    process("GET", "/readyz", api.readyz, [], (503, LOOKING))
    process("GET", "/metrics", api.metrics, [], answers=PlainTextResponse)


def _at(app: FastAPI, tag: str) -> Callable[..., None]:
    """Return what adds a call under a tag, with what it answers and the problems that it may."""

    def add(
        method: str,
        path: str,
        call: Callable[..., Any],
        dependencies: list[Any],
        *problems: tuple[int, ProblemFault | str],
        answers: type[Response | BaseModel] = JSONResponse,
    ) -> None:
        kind = "response_model" if issubclass(answers, BaseModel) else "response_class"
        answered: dict[str, Any] = {kind: answers}
        summary, _, description = (getdoc(call) or "").partition("\n")
        app.add_api_route(
            path,
            call,
            methods=[method],
            name=call.__name__,
            operation_id=call.__name__,
            tags=[tag],
            summary=summary.removesuffix("."),
            description=description.strip(),
            dependencies=dependencies,
            responses=documented(*problems),
            **answered,
        )

    return add
