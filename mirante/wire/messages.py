"""The JSON of wire format 1, field by field. The published schemas are made from these types."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from mirante.frame import Counts, TsSource
from mirante.terms import Box, Camera, Count, Pixels, Score, Size, Version
from mirante.wire.lanes import LanesOf
from mirante.zones import LineCount, ZoneCount

Rotated = Annotated[
    tuple[Pixels, Pixels, Pixels, Pixels],
    Meta(description="x, y of the centre, width, height in pixels of the source frame"),
]
MaskEncoding = Literal["bits", "rle", "png", "polygon"]


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that begin every message about a frame."""

    version: Version
    camera: Camera
    seq: Annotated[int, Meta(ge=0, description="number of the frame since `epoch`, from 0")]
    epoch: Annotated[int, Meta(ge=0, description="Unix ms at which this camera's counting began")]
    ts: Annotated[
        float,
        Meta(ge=0, le=1e11, description="Unix time of capture in seconds, to the microsecond"),
    ]
    ts_source: Annotated[
        TsSource,
        Meta(description="whose clock gave `ts`: the camera's (rtcp) or the receiver's (arrival)"),
    ]
    size: Annotated[Size, Meta(description="width, height of the source frame in pixels")]
    damaged: Annotated[
        bool | UnsetType,
        Meta(
            description="true: the decoder made up a part of the image, as before the first key "
            "frame or after a loss; absent for a whole image; since 1.2"
        ),
    ] = UNSET


KeyPoint = Annotated[
    tuple[Pixels, Pixels, Score],
    Meta(description="x, y in pixels of the source frame, score; all 0 for an absent point"),
]


class AttributeOf(msgspec.Struct, frozen=True):
    """A classifier's answer for one object."""

    label: str
    score: Score


class Object(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One detection."""

    label: str
    class_id: Annotated[int, Meta(ge=0, le=65535, description="number of the label in its model")]
    score: Score
    bbox: Box
    track_id: Annotated[
        Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None,
        Meta(description="absent when nothing tracks; -1 for an object that has no track"),
    ] = None
    attributes: Annotated[
        dict[str, AttributeOf],
        Meta(description="what classifiers say of it, by name; absent when none does; since 1.1"),
    ] = {}
    keypoints: Annotated[
        list[KeyPoint],
        Meta(description="its key points, in their model's order; absent without; since 1.2"),
    ] = []
    rotated: Annotated[
        Rotated | None,
        Meta(description="the rotated box that `bbox` encloses; absent without; since 1.2"),
    ] = None
    angle: Annotated[
        Annotated[float, Meta(ge=-1.6, le=1.6)] | None,
        Meta(
            description="of the rotated box's width, in radians, clockwise as seen from pointing "
            "right; with `rotated`; since 1.2"
        ),
    ] = None
    still: Annotated[
        bool,
        Meta(description="true: it has not moved for some time; absent otherwise; since 1.3"),
    ] = False


class SkeletonOf(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the key points of a class are."""

    class_id: Annotated[int, Meta(ge=0, le=65535, description="of the objects that have them")]
    names: Annotated[list[str], Meta(description="one per key point, in their order")]
    edges: Annotated[
        list[tuple[Count, Count]],
        Meta(description="pairs of points that a line joins, by their places in `names`"),
    ] = []
    threshold: Annotated[Score, Meta(description="a point of a lower score is absent")] = 0


class EmbeddingPart(msgspec.Struct, frozen=True, kw_only=True):
    """The vectors that one model gives of objects, and where they are."""

    field: Annotated[
        str,
        Meta(
            pattern=r"^e\d+$",
            description="the entry's field that holds them, little-endian float16, one object "
            "after another",
        ),
    ]
    model: str
    size: Annotated[int, Meta(ge=1, le=65535, description="numbers of a vector")]
    objects: Annotated[list[Count], Meta(description="indices of the objects, in that order")]


class DetectionsMessage(Head, frozen=True, kw_only=True):
    """Field `json` of an entry of `mirante:{camera}:detections`."""

    skipped: Annotated[
        str | UnsetType,
        Meta(
            description="why no model looked at the frame: `still`, nothing moves in it, and what "
            "stands here is that of the last frame that models looked at; `tracked`, tracked "
            "objects alone move, and their boxes are where they are expected; absent where they "
            "looked; since 1.3"
        ),
    ] = UNSET
    looked: Annotated[
        str | UnsetType,
        Meta(
            description="why models looked at the frame, where a gate decides: `learning`, "
            "`motion`, `track`, `check`, `damaged`, `format` or `asked`; absent without a gate; "
            "since 1.3"
        ),
    ] = UNSET
    regions: Annotated[
        dict[str, Box] | UnsetType,
        Meta(
            description="the part of the frame that a model looked at, by its name; its objects "
            "elsewhere are those of the frame before; absent where all looked at the whole frame; "
            "since 1.3"
        ),
    ] = UNSET
    objects: list[Object]
    skeletons: Annotated[
        list[SkeletonOf] | UnsetType,
        Meta(description="the key points of classes; absent without key points; since 1.2"),
    ] = UNSET
    masks: Annotated[
        Count, Meta(description="masks in the entry of the same ID in the camera's `masks` stream")
    ] = 0
    embeddings: Annotated[
        list[EmbeddingPart] | UnsetType,
        Meta(description="vectors in the entry's binary fields; absent without; since 1.2"),
    ] = UNSET
    lanes: Annotated[
        LanesOf | UnsetType,
        Meta(description="the lanes of the road; absent where no stage looks for them; since 1.3"),
    ] = UNSET
    zones: Annotated[
        dict[str, ZoneCount] | UnsetType,
        Meta(
            description="objects in each zone, by its name; absent where none is counted; since 1.3"
        ),
    ] = UNSET
    lines: Annotated[
        dict[str, LineCount] | UnsetType,
        Meta(description="crossings of each line, by its name; absent without; since 1.3"),
    ] = UNSET
    timings: Annotated[
        dict[str, float], Meta(description="milliseconds per stage of the frame's way, in order")
    ]
    counts: Annotated[
        Counts,
        Meta(description="account as of this frame: decoded = published + sum(dropped) + failed"),
    ]


class MaskPart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One mask: where its planes are and how they are packed."""

    field: Annotated[
        str, Meta(pattern=r"^m\d+$", description="the entry's field that holds the planes")
    ]
    labels: Annotated[list[str], Meta(description="one name per plane; planes may overlap")]
    size: Annotated[Size, Meta(description="width, height of a plane in pixels")]
    bbox: Annotated[Box, Meta(description="the region of the source frame that the planes cover")]
    encoding: MaskEncoding
    model: str
    object: Annotated[
        Count | None,
        Meta(description="index of the object whose crop this is; absent for a whole frame"),
    ] = None


class MasksMessage(Head, frozen=True, kw_only=True):
    """Field `json` of an entry of `mirante:{camera}:masks`."""

    masks: list[MaskPart]
