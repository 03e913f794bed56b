"""Events: what happened, once for each object and cause."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mirante.terms import VERSION, Box, Camera, Score, UnixSeconds, Version

EventKind = Literal[
    "object-new",
    "object-update",
    "object-end",
    "zone-entered",
    "zone-left",
    "zone-crowded",
    "line-crossed",
    "lane-departure",
    "camera-lost",
    "camera-back",
    "nothing-seen",
]
Point = tuple[float, float]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Field `json` of an entry of `mirante:{camera}:events`.

    Attributes:
        id: the same for the same object and cause, however often it is written; never used again.
        camera: the camera's name.
        kind: what happened.
        ts: Unix seconds of capture of the frame that shows it; of the moment without one.
        seq: number of that frame since ``epoch``; None of an event that no frame shows.
        epoch: Unix ms at which the camera's counting began.
        track_id: of the object.
        label: the object's class, by the votes so far.
        score: the object's, in 0..1.
        bbox: left, top, width, height in source pixels.
        zone: name of the zone.
        line: name of the line.
        direction: across a line or out of a lane: ``in`` or ``out``, ``left`` or ``right``.
        count: of objects in a zone.
        dwell_s: seconds that the object has been seen, or has been in the zone.
        speed_kmh: of the object over the ground, where that is known in metres.
        speed_error_kmh: by how much that may be off.
        distance_m: metres that the object went in the zone.
        votes: share of the frames in which the object had each class.
        path: where the object's anchor was, in source pixels, thinned.
        best: Unix seconds of the frame that shows the object best.
        clip: ID of the clip that it began, or is part of; empty without.
        image: the entry of the same ID in the camera's ``images`` stream is a JPEG of it.
        reason: in words, for people.
        version: of the wire format.
    """

    version: Version = msgspec.field(default_factory=lambda: VERSION)
    id: str
    camera: Camera
    kind: EventKind
    ts: UnixSeconds
    seq: Annotated[int, Meta(ge=0)] | None = None
    epoch: Annotated[int, Meta(ge=0)] | None = None
    track_id: int | None = None
    label: str = ""
    score: Score | None = None
    bbox: Box | None = None
    zone: str = ""
    line: str = ""
    direction: str = ""
    count: Annotated[int, Meta(ge=0)] | None = None
    dwell_s: Annotated[float, Meta(ge=0)] | None = None
    speed_kmh: Annotated[float, Meta(ge=0)] | None = None
    speed_error_kmh: Annotated[float, Meta(ge=0)] | None = None
    distance_m: Annotated[float, Meta(ge=0)] | None = None
    votes: dict[str, Score] = {}
    path: list[Point] = []
    best: UnixSeconds | None = None
    clip: str = ""
    image: bool = False
    reason: str = ""
