"""Exporting: where a sidecar's spans go, by the OTEL_ variables that every SDK knows.

Imported only where OpenTelemetry is switched on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import (
    SERVICE_INSTANCE_ID,
    SERVICE_NAME,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from sidegate_sidecar.config import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ONLY: Final = {  # what else it may say is of SDKs that have more exporters than this one
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
}


def exporting_provider(name: str, environ: Mapping[str, str]) -> TracerProvider:
    """Return a provider whose spans are sent by OTLP over HTTP, in a thread of its own.

    It is the node `name` of the service "sidegate", unless the environment says otherwise.
    OptionError for what the environment asks for and this exporter can't do.
    """
    for variable, can in _ONLY.items():
        if (said := environ.get(variable, "").strip().lower()) not in {"", can}:
            raise OptionError("otel", "on", f"{variable}={said[:80]!r}: expected {can}, or nothing")
    own = Resource.create({SERVICE_NAME: "sidegate", SERVICE_INSTANCE_ID: name})
    try:
        provider = TracerProvider(
            resource=own.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
        )
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    except (ValueError, OSError) as error:
        raise OptionError("otel", "on", f"OTEL_ variables: {error}") from None
    return provider
