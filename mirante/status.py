"""The current state of a camera, in words for people."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mirante.faults import FaultCode
from mirante.frame import Counts
from mirante.terms import VERSION, Camera, UnixSeconds, Version

State = Literal["connecting", "running", "stalled", "reconnecting", "failed", "stopped"]


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Field `json` of an entry of `mirante:{camera}:status`: a camera changed its state.

    Attributes:
        camera: the camera's name.
        state: what it does now.
        reason: why, in words.
        code: why, as a program can rely on it: a ``FaultCode``, or one of a later version; None
            when nothing is wrong.
        ts: Unix seconds at which this was said.
        since: Unix seconds at which the state began.
        attempt: connection attempts since the camera last ran.
        counts: the camera's account, where known.
        version: of the wire format.
    """

    version: Version = msgspec.field(default_factory=lambda: VERSION)
    camera: Camera
    state: State
    reason: Annotated[str, Meta(description="why, in words")]
    ts: UnixSeconds
    since: Annotated[float, Meta(description="Unix seconds at which the state began")]
    attempt: Annotated[
        int, Meta(ge=0, description="connection attempts since the camera last ran; absent: 0")
    ] = 0
    counts: Counts | None = None
    code: Annotated[
        str | None,
        Meta(
            description="why a camera gives no frames, as a code; absent when nothing is wrong. "
            "Later versions may add codes",
            examples=[code.value for code in FaultCode],
        ),
    ] = None
