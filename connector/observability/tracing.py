"""Traces from a webhook to the destination's response, across the queue, exported with OpenTelemetry if configured.

Otherwise OpenTelemetry is not imported, and spans do nothing. Spans hold no data of orders.
"""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Literal, Self

from connector import __version__

SpanKindName = Literal["internal", "server", "client", "consumer"]


class Span:
    """A timed operation, used as a context manager. This class records nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def set_attributes(self, **attributes: str | int | None) -> None:
        """Add ids, outcomes and statuses. None is left out."""

    def mark_failed(self, description: str) -> None:
        """Mark the operation as failed without an exception. The description must not quote an order."""


NO_SPAN = Span()


class Tracing:
    """Creates spans. This class records nothing."""

    def span(self, name: str, *, kind: SpanKindName = "internal", parent: str | None = None) -> Span:
        """Return a span. Its parent is `parent`, a W3C traceparent, or else the current span."""
        return NO_SPAN

    def traceparent(self) -> str | None:
        """Return the current span as a W3C traceparent, so that it can be the parent of a span elsewhere."""
        return None

    def close(self) -> None:
        """Export the remaining spans."""


def open_tracing(endpoint: str | None, service_name: str) -> Tracing:
    """Return tracing that exports to the OTLP endpoint, or that does nothing if there is none."""
    return Tracing() if endpoint is None else OtlpTracing(endpoint, service_name)


class OtlpTracing(Tracing):
    """Exports spans to a collector by OTLP over HTTP, from a background thread. Spans that it rejects are dropped.

    The SDK reads sampling, headers and timeouts from the `OTEL_…` variables:
    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/, read 2026-11-22.
    """

    def __init__(self, endpoint: str, service_name: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        resource = Resource.create({"service.name": service_name, "service.version": __version__})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("connector", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def span(self, name: str, *, kind: SpanKindName = "internal", parent: str | None = None) -> Span:
        from opentelemetry.trace import SpanKind

        context = self._propagator.extract({"traceparent": parent}) if parent is not None else None
        return OtlpSpan(
            self._tracer.start_as_current_span(
                name,
                context=context,
                kind=SpanKind[kind.upper()],
                record_exception=False,  # its text may quote an order
                set_status_on_exception=False,
            )
        )

    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get("traceparent")

    def close(self) -> None:
        self._provider.shutdown()


class OtlpSpan(Span):
    def __init__(self, context_manager: AbstractContextManager[Any]) -> None:
        self._context_manager = context_manager
        self._span: Any = None

    def __enter__(self) -> Self:
        self._span = self._context_manager.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from opentelemetry.trace import StatusCode

        if kind is not None:
            self._span.set_status(StatusCode.ERROR, kind.__name__)
        self._context_manager.__exit__(kind, error, trace)

    def mark_failed(self, description: str) -> None:
        from opentelemetry.trace import StatusCode

        self._span.set_status(StatusCode.ERROR, description)

    def set_attributes(self, **attributes: str | int | None) -> None:
        self._span.set_attributes(
            {f"connector.{name}": value for name, value in attributes.items() if value is not None}
        )
