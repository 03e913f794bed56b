"""``/api/v1/events``: what happened, of all cameras, newest first; and the image of one event."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, get_args

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi import Path as InPath
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from dashboard.access.rights import Viewer
from dashboard.access.sight import without_others
from dashboard.api.seen import Seen
from dashboard.api.shapes import DIGITS, CameraName, Shape, as_said, refusals, unknown
from dashboard.history.happened import Cursor, Happened
from dashboard.services import FromApp, Services
from mirante.events import Event, EventKind
from mirante.keys import key
from mirante.nearest import nearest
from mirante.where import Where, WhereError
from pipeline.config.messages import ConfigError
from pipeline.control.event_images import event_image

router = APIRouter(prefix="/api/v1/events", tags=["results"])
of_camera = APIRouter()
"""Routes below a camera's own."""

ENTRY = r"^[0-9]{1,15}-[0-9]{1,19}$"
_KINDS: tuple[str, ...] = get_args(EventKind)
_EXAMPLE: dict[str, Any] = {
    "version": "1.3",
    "id": "1763899600000-7-object-new",
    "camera": "gate",
    "kind": "object-new",
    "ts": 1763899667.123456,
    "seq": 41,
    "epoch": 1763899600000,
    "track_id": 7,
    "label": "person",
    "score": 0.87,
    "bbox": [310.0, 80.0, 64.0, 180.0],
    "image": True,
    "entry": "1763899667123-41",
}


def _seconds(text: object) -> object:
    if isinstance(text, str) and not re.fullmatch(
        r"[0-9]{1,11}(\.[0-9]{1,15})?(e-[0-9]{1,2})?", text
    ):
        raise ValueError("expected Unix seconds")
    return text


Seconds = Annotated[float | None, Field(ge=0, le=1e11), BeforeValidator(_seconds)]


def _kind(name: str) -> str:
    if name not in _KINDS:
        raise ValueError(nearest(name, _KINDS))
    return name


Named = Annotated[str, AfterValidator(_kind), WithJsonSchema({"type": "string", "enum": [*_KINDS]})]


class Item(Event, frozen=True, kw_only=True):
    """An event, and the ID of its entry in the camera's stream."""

    entry: str


class Events(Shape):
    """Events, newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"events": [_EXAMPLE], "next": "1763899667123-41@gate", "unreadable": 0}]
        }
    )

    events: list[Annotated[dict[str, Any], as_said(Item)]]
    next: str | None = Field(
        description="`before` of the next page; null where there is none. A page may hold fewer "
        "events than asked for, or none, and still have a next"
    )
    unreadable: int = Field(0, description="entries left out, as they are no events of format 1")


def _several(what: str) -> Any:
    return Field(
        None, max_length=64, description=f"{what}; may be given several times; all by default"
    )


class Asked(BaseModel):
    """The events that are requested."""

    camera: list[str] | None = _several("of these cameras")
    kind: list[Named] | None = _several("of these kinds, as object-new")
    label: list[str] | None = _several("of objects of these classes")
    zone: list[str] | None = _several("in these zones")
    line: list[str] | None = _several("across these lines")
    where: str | None = Field(
        None, description="filter that they pass, too, such as label = person and zone = gate"
    )
    since: Seconds = Field(None, description="at or after this moment, in Unix seconds")
    until: Seconds = Field(None, description="before this moment, in Unix seconds")
    limit: Annotated[int, Field(ge=1, le=500), DIGITS] = Field(
        50, description="maximum number of events"
    )
    before: str | None = Field(
        None,
        pattern=r"^[0-9]{1,15}-[0-9]{1,19}(@[A-Za-z0-9][A-Za-z0-9_.-]{0,63})?$",
        description="only older ones: an `entry`, or the `next` of the page before",
    )

    def check(self) -> None:
        """Refuse a period that ends before it begins.

        Raises:
            ConfigError: ``since`` is not before ``until``.
        """
        if self.since is not None and self.until is not None and self.since >= self.until:
            words = f"expected a moment before until, which is {self.until}"
            raise ConfigError("query", [f"since: {self.since} — {words}"])

    def filter(self) -> Where | None:
        """Return the filter, if there is one.

        Raises:
            ConfigError: it cannot be read.
        """
        return None if self.where is None else read_filter(self.where)

    def fields(self) -> dict[str, frozenset[str]]:
        """Return the values of which an event must have one, by field."""
        asked = {"kind": self.kind, "label": self.label, "zone": self.zone, "line": self.line}
        return {name: frozenset(values) for name, values in asked.items() if values}


@router.get("", summary="Events", response_model=Events, responses=refusals(404, 422, 503))
def list_events(services: FromApp, who: Viewer, asked: Annotated[Asked, Query()]) -> dict[str, Any]:
    """Of all cameras that your rights reach, or of some. Times are those of the entries: when an
    event was published, by the camera's clock. What Redis keeps can be found, a day by default.
    """
    asked.check()
    cameras = _cameras(Seen(services, who), asked.camera)
    span = (_ms(asked.since), _ms(asked.until))
    happened = Happened(services.redis, cameras, asked.fields(), asked.filter(), *span)
    found, behind = happened.newest(
        asked.limit, Cursor.parse(asked.before) if asked.before else None
    )
    told = {
        "events": found,
        "next": None if behind is None else str(behind),
        "unreadable": happened.unreadable,
    }
    return without_others(who, told)


@of_camera.get(
    "/{name}/events/{entry}/image",
    summary="The image of an event",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}}, "description": "a JPEG"},
        **refusals(404, 422, 503),
    },
)
def get_event_image(
    name: CameraName,
    entry: Annotated[
        str, InPath(pattern=ENTRY, description="of the event", examples=["1763899667123-41"])
    ],
    services: FromApp,
    who: Viewer,
) -> Response:
    """The image of the event, blurred and blacked out as the camera says. Only events that say
    ``image`` have one.
    """
    _cameras(Seen(services, who), [name])
    kept = {"Cache-Control": "private, max-age=3600"}
    return Response(stored_image(services, name, entry), media_type="image/jpeg", headers=kept)


def stored_image(services: Services, camera: str, entry: str) -> bytes:
    """Return the JPEG of an event.

    Raises:
        HTTPException: 404, none is kept.
        redis.RedisError: Redis does not answer, or refuses.
    """
    jpeg = event_image(services.redis, camera, entry)
    if not jpeg:
        raise HTTPException(404, f'no image of entry {entry} of camera "{camera}" is kept')
    return jpeg


def _cameras(seen: Seen, names: Sequence[str] | None) -> list[str]:
    """Return the cameras that are asked for: configured, or removed while their events are kept.

    Raises:
        HTTPException: 404, one of them is neither.
    """
    known = seen.wanted()
    if names is None:
        return list(known)
    for name in dict.fromkeys(names):
        if name not in known and not (seen.who.sees(name) and _has_events(seen, name)):
            raise unknown(name, known)
    return list(dict.fromkeys(names))


def _has_events(seen: Seen, name: str) -> bool:
    try:
        return bool(seen.services.redis.exists(key(name, "events")))
    except ValueError:  # no camera can have that name
        return False


def read_filter(text: str) -> Where:
    """Return the filter of a query's ``where``.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return Where(text)
    except WhereError as error:
        raise ConfigError("query", [str(error)]) from None


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
