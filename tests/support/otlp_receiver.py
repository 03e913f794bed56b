"""A receiver of OpenTelemetry's protocol over HTTP, which keeps what it is sent."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class OtlpReceiver:
    """Listens from construction to ``close``; a context manager.

    Attributes:
        status: what it answers.
        headers: of the requests, names in small letters.
        requests: the paths that were asked for.
    """

    def __init__(self, port: int = 0, status: int = 200) -> None:
        self.status = status
        self.headers: list[dict[str, str]] = []
        self.requests: list[str] = []
        self._traces: list[Any] = []
        self._metrics: list[Any] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver.headers.append({k.lower(): v for k, v in self.headers.items()})
                receiver.take(self.path, body)
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, path: str, body: bytes) -> None:
        """Keeps a request."""
        self.requests.append(path)
        if path.endswith("/v1/traces"):
            self._traces += ExportTraceServiceRequest.FromString(body).resource_spans
        else:
            self._metrics += ExportMetricsServiceRequest.FromString(body).resource_metrics

    @property
    def resources(self) -> list[dict[str, Any]]:
        """What was measured, by each request."""
        return [attributes(each.resource) for each in (*self._traces, *self._metrics)]

    def spans(self) -> list[Any]:
        """Every span."""
        return [span for r in self._traces for s in r.scope_spans for span in s.spans]

    def frames(self) -> Iterator[tuple[Any, list[Any]]]:
        """Each frame's span with those within it, in order."""
        spans = self.spans()
        for root in (span for span in spans if not span.parent_span_id):
            inside = [span for span in spans if span.parent_span_id == root.span_id]
            yield root, sorted(inside, key=lambda span: int(span.start_time_unix_nano))

    def metrics(self) -> dict[str, Any]:
        """The newest metric of each name."""
        found = [m for r in self._metrics for s in r.scope_metrics for m in s.metrics]
        return {metric.name: metric for metric in found}

    def close(self) -> None:
        """Answers no more, and frees the port."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> OtlpReceiver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def attributes(of: Any) -> dict[str, Any]:
    """The attributes of a span, a point or a resource."""
    pairs = ((each.key, each.value) for each in of.attributes)
    return {key: getattr(value, value.WhichOneof("value")) for key, value in pairs}
