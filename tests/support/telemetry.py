"""OpenTelemetry in tests: the SDK of this process, and a collector of what others export."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

from opentelemetry import metrics, trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

MAX_BODY = 1 << 20  # bytes of an export that a test makes


class Sdk:
    """What an app has set up: everything that begins in a sampled trace is kept in memory.

    An SDK is of the process, and set once, so tests tell their checks apart by their rules.
    """

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        trace.set_tracer_provider(provider)
        metrics.set_meter_provider(MeterProvider([self._reader], shutdown_on_exit=False))
        self._requests = provider.get_tracer("app")
        self._unsampled = TracerProvider(ALWAYS_OFF, shutdown_on_exit=False).get_tracer("app")

    @contextmanager
    def request(self, *, sampled: bool = True) -> Generator[trace.Span]:
        """Begin a trace, as what instruments an app does at a request."""
        tracer = self._requests if sampled else self._unsampled
        with tracer.start_as_current_span("GET /") as span:
            yield span

    def ended(self) -> list[ReadableSpan]:
        """Return all spans, in the order in which they ended."""
        return list(self._exporter.get_finished_spans())

    def spans(self, rule: str) -> list[ReadableSpan]:
        """Return those of the checks of a rule."""
        return [it for it in self.ended() if (it.attributes or {}).get("sidegate.rule") == rule]

    def counts(self, policy: str) -> dict[tuple[str, str], int]:
        """Return how many checks of a rule were counted, by result and source."""
        return {
            (result, source): value
            for (counted, result, source), value in self._counted()
            if counted == policy
        }

    def _counted(self) -> Iterator[tuple[tuple[str, str, str], int]]:
        data = self._reader.get_metrics_data()
        if data is None:
            return
        for resource in data.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name != "rate_limiter.requests":  # of a framework in this process
                        continue
                    for point in metric.data.data_points:
                        said: Any = point.attributes
                        names = "rate_limiter.policy", "rate_limiter.result", "sidegate.source"
                        policy, result, source = (str(said.get(name, "")) for name in names)
                        yield (policy, result, source), int(getattr(point, "value", 0))


@cache
def sdk() -> Sdk:
    """Return the SDK of this process."""
    return Sdk()


class Exported(NamedTuple):
    """A span as a collector gets it."""

    service: str
    instance: str
    name: str
    kind: int
    trace_id: int
    span_id: int
    parent: int
    attributes: dict[str, str | int]
    is_error: bool


class Collector:
    """What was exported to it by OTLP over HTTP."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    @property
    def spans(self) -> list[Exported]:
        """All spans that have come."""
        return [span for body in list(self.bodies) for span in _spans_in(body)]


def _spans_in(body: bytes) -> Iterator[Exported]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        who = _attributes(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Exported(
                    str(who["service.name"]),
                    str(who["service.instance.id"]),
                    span.name,
                    span.kind,
                    int.from_bytes(span.trace_id, "big"),
                    int.from_bytes(span.span_id, "big"),
                    int.from_bytes(span.parent_span_id, "big"),
                    _attributes(span.attributes),
                    span.status.code == span.status.STATUS_CODE_ERROR,
                )


def _attributes(said: Any) -> dict[str, str | int]:
    return {
        it.key: it.value.int_value if it.value.HasField("int_value") else it.value.string_value
        for it in said
    }


@contextmanager
def collector() -> Generator[tuple[Collector, str]]:
    """Run a collector on loopback; give it and its endpoint."""
    collected = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["content-length"])
            assert self.path == "/v1/traces"
            assert size <= MAX_BODY
            collected.bodies.append(self.rfile.read(size))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        serving.start()
        try:
            yield collected, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()
