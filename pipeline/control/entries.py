"""A camera that is configured, as its entry in Redis says it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import msgspec

from mirante.keys import CAMERAS, check_camera
from mirante.nesting import check_nesting
from mirante.wire.errors import UNREADABLE
from pipeline.config.camera_url import redact

log = logging.getLogger(__name__)

Origin = Literal["config", "api"]


@dataclass(frozen=True, slots=True)
class Needs:
    """What a worker must offer that a camera of the fleet is given to.

    Attributes:
        labels: all of them.
        gpu: it has a GPU.
        zone: it is in that zone of the network; empty for any.
    """

    labels: tuple[str, ...] = ()
    gpu: bool = False
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Desired:
    """A camera that is configured.

    Attributes:
        name: the camera's name.
        spec: the camera's keys, JSON values, secrets only as ``${…}`` or ``***``.
        origin: ``config``: the worker's file says so; ``api``: it was added at run time.
        worker: name of the worker that runs it; empty while the fleet has none for it.
        paused: it is kept, and does not run.
        added: Unix seconds at which it was added at run time; 0 where that is not known.
        fleet: the fleet decides which worker runs it.
        needs: what that worker must offer.
        before: the worker that it is taken over from, which publishes until the one that runs it
            now has its first frame; empty for none.
    """

    name: str
    spec: dict[str, Any]
    origin: Origin
    worker: str
    paused: bool = False
    added: float = 0.0
    fleet: bool = False
    needs: Needs = Needs()
    before: str = ""

    @property
    def without_worker(self) -> str:
        """Why nobody runs it while its worker does not, in words."""
        if not self.worker:
            return "no worker has it yet"
        return f'worker "{self.worker}" is not running'


class _Head(msgspec.Struct):
    worker: str
    fleet: bool = False
    before: str = ""


_read_desired = msgspec.json.Decoder(Desired)
_read_head = msgspec.json.Decoder(_Head)  # which takes a tenth of the time


def read_entries(values: Iterable[bytes], worker: str | None = None) -> dict[str, Desired]:
    """Entries by name, in its order; without those that ``read_entry`` cannot read.

    Args:
        values: of the entries.
        worker: whom they are to concern: cameras of the fleet that others have, and do not take
            over from it, are left out, of which there may be thousands. None for all.
    """
    wanted = values if worker is None else (v for v in values if _concerns(v, worker))
    found = [entry for value in wanted if (entry := read_entry(value)) is not None]
    return {entry.name: entry for entry in sorted(found, key=lambda e: e.name)}


def _concerns(value: bytes, worker: str) -> bool:
    try:
        head = _read_head.decode(value)
    except UNREADABLE:
        return True  # to be said of in words
    return not head.fleet or worker in (head.worker, head.before)


def read_entry(value: bytes) -> Desired | None:
    """Decode an entry. Unknown keys from newer versions are ignored; invalid entries return None.

    One entry that somebody wrote by hand must not end a worker, with all other cameras.
    """
    try:
        entry = _read_desired.decode(value)
        check_camera(entry.name)
        if entry.worker or not entry.fleet:
            check_camera(entry.worker)
        if not isinstance(entry.spec.get("url"), str):
            raise msgspec.ValidationError("expected a url - at `$.spec`")
        check_nesting(entry.spec)
        return entry
    except (*UNREADABLE, ValueError) as error:
        _tell_once(value, str(error))
        return None


@lru_cache(maxsize=256)
def _tell_once(value: bytes, words: str) -> None:
    """It is read every second, and says nothing new until somebody changes it."""
    log.error("%s: no camera in %s: %s", CAMERAS, redact(repr(value[:80])), redact(words))
