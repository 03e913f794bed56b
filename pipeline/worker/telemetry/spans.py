"""Traces of frames as spans of OpenTelemetry: one for the frame, and one for each of its steps."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from plugins.trace import FAILED, PUBLISHED, Step, Trace

_RECEIVE = "receive"  # from the camera to the decoder, where the camera tells the time


def end_spans(tracer: Tracer, trace: Trace) -> None:
    """Begin and end the spans of a trace that is over, at the times at which they were.

    Args:
        tracer: of a provider that samples all: what comes here was sampled.
        trace: of one frame.
    """
    frame = trace.frame
    first_ns = min((step.began_ns for step in trace.steps), default=trace.ended_ns)
    first_ns += trace.offset_ns
    is_timed = frame.ts_source == "rtcp" and frame.captured_ns < first_ns
    began_ns = frame.captured_ns if is_timed else first_ns
    span = tracer.start_span("frame", Context(), SpanKind.PRODUCER, start_time=began_ns)
    span.set_attributes(
        {
            "mirante.camera": frame.camera,
            "mirante.epoch": frame.epoch,
            "mirante.seq": frame.seq,
            "mirante.outcome": trace.fate,
            "mirante.ts_source": frame.ts_source,
            "mirante.width": frame.width,
            "mirante.height": frame.height,
            "mirante.damaged": frame.damaged,
            "mirante.objects": trace.objects,
            "mirante.masks": trace.masks,
        }
    )
    if trace.entry_id:
        span.set_attribute("mirante.entry_id", trace.entry_id)
    inside = set_span_in_context(span, Context())
    if is_timed:
        tracer.start_span(_RECEIVE, inside, start_time=began_ns).end(first_ns)
    for step in trace.steps:
        _end_step(tracer.start_span(step.name, inside, start_time=step.began_ns + trace.offset_ns),
                  step, trace.offset_ns)  # fmt: skip
    if trace.fate == FAILED:
        span.set_status(Status(StatusCode.ERROR, trace.error))
    elif trace.fate == PUBLISHED:
        span.set_status(Status(StatusCode.OK))
    span.end(trace.ended_ns + trace.offset_ns)


def _end_step(span: Span, step: Step, offset_ns: int) -> None:
    span.set_attributes({f"mirante.{part}_ms": ms for part, ms in step.took_ms.items()})
    if step.error:
        span.set_status(Status(StatusCode.ERROR, step.error))
    span.end(step.ended_ns + offset_ns)
