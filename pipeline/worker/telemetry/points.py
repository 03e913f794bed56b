"""What Prometheus scrapes as metrics of OpenTelemetry: the same names, labels and values."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import cast

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.metrics_core import Metric as Family

_CUMULATIVE = AggregationTemporality.CUMULATIVE
_UNKNOWN = cast(float, None)  # left out of the message

Labels = tuple[tuple[str, str], ...]


class Points:
    """Makes reports of metrics, one after the other.

    A counter that has fallen, as that of a camera which was removed and added again, begins anew:
    its points say since when they count.

    Args:
        resource: what the metrics are of.
        scope: what measured them.
    """

    def __init__(self, resource: Resource, scope: InstrumentationScope) -> None:
        self._resource, self._scope = resource, scope
        self._before_ns = self._now_ns = time.time_ns()
        self._starts: dict[tuple[str, Labels], tuple[int, float]] = {}
        self._seen: dict[tuple[str, Labels], tuple[int, float]] = {}

    def report(self, families: Iterable[Family]) -> MetricsData:
        """Return a report of families of Prometheus: counters, gauges and histograms."""
        self._now_ns, self._seen = time.time_ns(), {}
        metrics = [
            Metric(
                f"{family.name}_total" if family.type == "counter" else family.name,
                family.documentation,
                "s" if family.name.endswith("_seconds") else "",
                self._data(family),
            )
            for family in families
            if family.samples
        ]
        self._before_ns, self._starts = self._now_ns, self._seen
        scope = ScopeMetrics(self._scope, metrics, "")
        return MetricsData([ResourceMetrics(self._resource, [scope], "")])

    def _data(self, family: Family) -> Sum | Gauge | Histogram:
        if family.type == "histogram":
            return Histogram(list(self._histograms(family)), _CUMULATIVE)
        if family.type == "counter":
            number = float if family.name.endswith("_seconds") else int
            return Sum(list(self._numbers(family, number)), _CUMULATIVE, is_monotonic=True)
        return Gauge(list(self._numbers(family, float)))

    def _numbers(self, family: Family, number: type[int | float]) -> Iterator[NumberDataPoint]:
        for sample in family.samples:
            since_ns = self._since_ns(family.name, sample.labels, sample.value)
            yield NumberDataPoint(sample.labels, since_ns, self._now_ns, number(sample.value))

    def _histograms(self, family: Family) -> Iterator[HistogramDataPoint]:
        """One of each set of labels; Prometheus counts each bucket with those below it."""
        found: dict[Labels, dict[float, float]] = {}
        sums: dict[Labels, float] = {}
        for sample in family.samples:
            labels = tuple(pair for pair in sample.labels.items() if pair[0] != "le")
            if sample.name.endswith("_bucket"):
                found.setdefault(labels, {})[float(sample.labels["le"])] = sample.value
            elif sample.name.endswith("_sum"):
                sums[labels] = sample.value
        for labels, buckets in found.items():
            *bounds, _ = sorted(buckets)
            upto = [int(buckets[bound]) for bound in sorted(buckets)]
            counts = [n - below for n, below in zip(upto, [0, *upto], strict=False)]
            since_ns = self._since_ns(family.name, dict(labels), upto[-1])
            yield HistogramDataPoint(
                dict(labels), since_ns, self._now_ns, upto[-1], sums[labels], counts, bounds,
                _UNKNOWN, _UNKNOWN,
            )  # fmt: skip

    def _since_ns(self, name: str, labels: dict[str, str], value: float) -> int:
        """Unix time in ns since when a value counts."""
        series = name, tuple(labels.items())
        since_ns, before = self._starts.get(series, (self._before_ns, 0.0))
        since_ns = self._before_ns if value < before else since_ns
        self._seen[series] = since_ns, value
        return since_ns
