"""Events: what happened, once for each object and cause."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from mirante.terms import VERSION, Box, Camera, Count, Pixels, Score, Version

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
    "camera:motion",
    "camera:cell-motion",
    "camera:line",
    "camera:field",
    "camera:object",
    "camera:tamper",
    "camera:input",
    "camera:sound",
    "camera:visitor",
]
Point = tuple[Pixels, Pixels]
Moment = Annotated[float, Meta(ge=0, le=1e11)]
Amount = Annotated[float, Meta(ge=0)]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Field `json` of an entry of `mirante:{camera}:events`: what happened, once.

    Attributes:
        id: the same for the same object and cause, however often it is written; never used again.
        camera: the camera's name.
        kind: what happened: an ``EventKind``, or one of a later version.
        ts: Unix seconds of capture of the frame that shows it; without one, of the moment.
        seq: number of that frame since ``epoch``; None without a frame.
        epoch: Unix ms at which the camera's counting began.
        track_id: of the object.
        label: the object's class, by the votes so far.
        score: the object's, in 0..1.
        bbox: left, top, width, height in source pixels.
        zone: name of the zone.
        line: name of the line.
        direction: across a line or out of a lane: ``in`` or ``out``, ``left`` or ``right``.
        count: number of objects in the zone.
        dwell_s: seconds for which the object has been seen, or has been in the zone.
        speed_kmh: of the object over the ground, where that is known in metres.
        speed_error_kmh: by how much that may be off.
        distance_m: metres that the object went in the zone.
        votes: share of the frames in which the object had each class.
        path: positions of the object's anchor in source pixels, oldest first, thinned.
        best: Unix seconds of capture of the frame that shows the object best.
        clip: ID of the clip that it began, or is part of; empty without.
        image: the entry of the same ID in the camera's ``images`` stream is a JPEG of it.
        active: of a camera's own event: true as it begins, false as it ends; None for a moment, and
            for events of ours.
        reason: why, in words for people.
        version: of the wire format.
    """

    version: Version = msgspec.field(default_factory=lambda: VERSION)
    id: Annotated[
        str,
        Meta(
            min_length=1,
            description="the same for the same object and cause, however often it is written; "
            "never used again",
        ),
    ]
    camera: Camera
    kind: Annotated[
        str,
        Meta(
            description="what happened. Later versions may add kinds",
            examples=list(get_args(EventKind)),
        ),
    ]
    ts: Annotated[
        Moment,
        Meta(
            description="Unix seconds, to the microsecond: capture of the frame that shows it; "
            "without one, the moment"
        ),
    ]
    seq: Annotated[
        Count | None,
        Meta(description="number of that frame since `epoch`; absent without a frame"),
    ] = None
    epoch: Annotated[
        Count | None, Meta(description="Unix ms at which the camera's counting began")
    ] = None
    track_id: Annotated[
        Annotated[int, Meta(ge=1, le=2**63 - 1)] | None, Meta(description="of the object")
    ] = None
    label: Annotated[str, Meta(description="the object's class, by the votes so far")] = ""
    score: Annotated[Score | None, Meta(description="the object's")] = None
    bbox: Box | None = None
    zone: Annotated[str, Meta(description="name of the zone")] = ""
    line: Annotated[str, Meta(description="name of the line")] = ""
    direction: Annotated[
        str,
        Meta(description="across a line or out of a lane", examples=["in", "out", "left", "right"]),
    ] = ""
    count: Annotated[Count | None, Meta(description="number of objects in the zone")] = None
    dwell_s: Annotated[
        Amount | None,
        Meta(description="seconds for which the object has been seen, or has been in the zone"),
    ] = None
    speed_kmh: Annotated[
        Amount | None,
        Meta(description="the object's over the ground, where that is known in metres"),
    ] = None
    speed_error_kmh: Annotated[
        Amount | None, Meta(description="by how much `speed_kmh` may be off")
    ] = None
    distance_m: Annotated[
        Amount | None, Meta(description="metres that the object went in the zone")
    ] = None
    votes: Annotated[
        dict[str, Score],
        Meta(description="share of the frames in which the object had each class"),
    ] = {}
    path: Annotated[
        list[Point],
        Meta(
            description="positions x, y of the object's anchor in pixels of the source frame, "
            "oldest first, thinned"
        ),
    ] = []
    best: Annotated[
        Moment | None,
        Meta(description="Unix seconds of capture of the frame that shows the object best"),
    ] = None
    clip: Annotated[str, Meta(description="ID of the clip that it began, or is part of")] = ""
    image: Annotated[
        bool,
        Meta(
            description="true: the entry of the same ID in the camera's `images` stream is a JPEG "
            "of it; absent without one"
        ),
    ] = False
    active: Annotated[
        bool | None,
        Meta(
            description="of a camera's own event (`camera:…`): true as it begins, false as it "
            "ends; absent for a moment, and for all other kinds"
        ),
    ] = None
    reason: Annotated[str, Meta(description="why, in words for people")] = ""
