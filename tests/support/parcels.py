"""Parcels as a bridge gets them, without a Redis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import msgspec

from bridges.parcel import Parcel
from mirante.client.batches import Held
from mirante.client.items import Frame, ReceivedEvent
from mirante.frame import FrameResult
from mirante.keys import EntryId, key
from mirante.status import Status
from tests.support.wire_frames import some_event, some_frame

MS = 1_763_899_667_000


def event_parcels(count: int, camera: str = "gate", first: int = 0) -> list[Parcel]:
    """Return events of a camera that differ in their ID and number."""
    return [
        _parcel(
            "events",
            EntryId(MS + i, i),
            ReceivedEvent(
                **msgspec.structs.asdict(some_event(id=f"{camera}-{i}", camera=camera, seq=i))
            ),
        )
        for i in range(first, first + count)
    ]


def frame_parcel(seq: int = 41, **changes: Any) -> Parcel:
    """Return a frame with objects, masks and an account."""
    result = some_frame(seq=seq, **changes)
    facts = {each.name: getattr(result, each.name) for each in fields(FrameResult)}
    entry_id = EntryId(MS + seq, seq)
    return _parcel("detections", entry_id, Frame(**facts, entry_id=str(entry_id)))


def status_parcel(camera: str = "gate") -> Parcel:
    """Return a change of state."""
    status = Status(camera=camera, state="running", reason="frames come", ts=1.5, since=1.0)
    return _parcel("status", EntryId(MS, 0), status)


def states(parcels: Sequence[Parcel]) -> set[str]:
    """Return what became of parcels."""
    return {parcel.state for parcel in parcels}


def _parcel(kind: Any, entry_id: EntryId, item: Any) -> Parcel:
    return Parcel(Held(key(item.camera, kind), entry_id, item))
