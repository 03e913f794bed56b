"""``/api/v1/cameras/{name}/counts``: counts over time, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
import redis
from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field

from dashboard.access.rights import Viewer
from dashboard.api.seen import Seen
from dashboard.api.shapes import DIGITS, CameraName, Shape, inline, refusals
from dashboard.services import FromApp
from mirante.counts import DAY_S, HOUR_S, MINUTE_S, By, Metric, Series, keys_between, read
from mirante.redis_url import exchange
from pipeline.config.messages import ConfigError

router = APIRouter()

LONGEST_S: Mapping[By, int] = {"minute": 7 * DAY_S, "hour": 36 * DAY_S}
_LATEST = 100_000_000_000
_STEP_S: Mapping[By, int] = {"minute": MINUTE_S, "hour": HOUR_S}
_OF_LINES = ("in", "out")
_HEAD = ("time", "metric", "zone", "line", "label", "value")
_EXAMPLE: dict[str, Any] = {
    "camera": "gate",
    "by": "minute",
    "from": 1763899200,
    "to": 1763902800,
    "series": [
        {
            "metric": "in",
            "zone": "",
            "line": "door",
            "label": "person",
            "values": [[1763899260, 2], [1763899320, 1]],
        }
    ],
}


class CountedSeries(Shape):
    """One thing that is counted."""

    metric: Metric = Field(
        description="new: objects; entered, left: a zone; dwell: the seconds in a zone of those "
        "that left; peak: most objects in a zone at once; in, out: across a line"
    )
    zone: str
    line: str
    label: str = Field(description="class; empty of peak")
    values: list[list[int]] = Field(
        description="[Unix second at which the minute or hour begins, value], oldest first; those "
        "of 0 are left out"
    )


class Counted(Shape):
    """The counts of a camera."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    camera: str
    by: By
    since: int = Field(alias="from", description="Unix seconds, included")
    until: int = Field(alias="to", description="Unix seconds, not included")
    series: list[CountedSeries]


@router.get(
    "/{name}/counts",
    summary="What a camera counted over time",
    response_class=Response,
    responses={
        200: {
            "content": {
                "application/json": {
                    "schema": inline(Counted.model_json_schema()),
                    "example": _EXAMPLE,
                },
                "text/csv": {"schema": {"type": "string"}},
            },
            "description": "counts",
        },
        **refusals(404, 422, 503),
    },
)
def get_counts(
    name: CameraName,
    services: FromApp,
    who: Viewer,
    since: Annotated[
        int | None,
        Field(ge=0, le=_LATEST),
        DIGITS,
        Query(alias="from", description="Unix seconds; a day before `to` by default"),
    ] = None,
    until: Annotated[
        int | None,
        Field(ge=0, le=_LATEST),
        DIGITS,
        Query(alias="to", description="Unix seconds, not included; now by default"),
    ] = None,
    by: Annotated[By, Query(description="minutes of at most 7 days, or hours")] = "hour",
    form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Response:
    """Objects by class, entries and exits of zones, crossings of lines. Minutes and hours are those
    of UTC and of the camera's clock. They are kept for 35 days in at most 1 MiB a camera: where
    that is full, the oldest minutes are gone, and their hours remain.
    """
    Seen(services, who).named(name)
    end = int(time.time()) + 1 if until is None else until
    begin = max(0, end - DAY_S) if since is None else since
    _check(begin, end, by)
    step = _STEP_S[by]
    first = begin // step * step
    keys = keys_between(name, first, end, by)
    replies = exchange(services.redis, [("HGETALL", key) for key in keys])
    hashes = [
        (moment, _fields(reply)) for moment, reply in zip(keys.values(), replies, strict=True)
    ]
    found = sorted(read(hashes, by).items())
    counted = {
        series: {ts: n for ts, n in sorted(values.items()) if first <= ts < end}
        for series, values in found
    }
    if form == "csv":
        saved = f'attachment; filename="{name}-{by}s.csv"'
        text = _csv(counted)
        return Response(text, media_type="text/csv", headers={"Content-Disposition": saved})
    told = {
        "camera": name,
        "by": by,
        "from": begin,
        "to": end,
        "series": [
            {**_described(series), "values": list(values.items())}
            for series, values in counted.items()
            if values
        ],
    }
    return Response(msgspec.json.encode(told), media_type="application/json")


def _check(begin: int, end: int, by: By) -> None:
    if not begin < end:
        raise ConfigError("query", [f"from: {begin} — expected a moment before to, which is {end}"])
    if end - begin > LONGEST_S[by]:
        days = LONGEST_S[by] // DAY_S
        raise ConfigError("query", [f"from: {begin} — expected at most {days} days of {by}s"])


def _fields(reply: Any) -> dict[bytes, bytes]:
    """Return the fields in a reply to HGETALL."""
    if isinstance(reply, redis.RedisError):
        raise reply
    return dict(zip(reply[::2], reply[1::2], strict=True))


def _described(series: Series) -> dict[str, Any]:
    is_line = series.metric in _OF_LINES
    place = {"zone": "" if is_line else series.place, "line": series.place if is_line else ""}
    return {"metric": series.metric, **place, "label": series.label}


def _csv(counted: Mapping[Series, Mapping[int, int]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_HEAD)
    writer.writerows(_rows(counted))
    return text.getvalue()


def _rows(counted: Mapping[Series, Mapping[int, int]]) -> Iterator[list[Any]]:
    values = ((ts, series, n) for series, of in counted.items() for ts, n in of.items())
    for ts, series, value in sorted(values):
        when = datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        yield [when, *_described(series).values(), value]
