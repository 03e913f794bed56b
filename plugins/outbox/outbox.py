"""The outbox: frame threads leave their results here, without a socket or a wait."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import msgspec

from mirante.counts import Digits
from mirante.events import Event
from mirante.frame import FrameResult
from mirante.keys import Kind, check_camera
from mirante.outage import Outage
from mirante.redis_url import RedisUrl
from mirante.status import Status
from mirante.trails import Trail, write_trail
from mirante.wire import Encoded, WireError, encode
from mirante.wire.events import encode_event
from mirante.wire.messages import MaskEncoding
from plugins.outbox.fence import MOST_FIELDS, OWNER_MS, Tenure
from plugins.outbox.lane import LOST
from plugins.outbox.limits import Cut, Limits
from plugins.outbox.previews import Previews
from plugins.outbox.retention import Retention
from plugins.outbox.ring import Ring
from plugins.outbox.sender import Sender
from plugins.outbox.step import Saved, Step, read_saved
from plugins.trace import Trace


@dataclass(frozen=True, slots=True)
class OutboxState:
    """The state of the outbox.

    Attributes:
        connected: Redis took the last batch.
        words: why not, or which cameras are refused; empty when all is well.
        depth: entries that wait.
        sent: frames that Redis took, by camera.
        lost: frames that Redis never got, by camera; ``refused`` is part of it.
        refused: frames refused because another publisher writes the camera's streams.
        lost_events: events that Redis never got, by camera.
        cut: what left Redis before its time for want of ``max_mib``, by camera and kind.
    """

    connected: bool
    words: str
    depth: int
    sent: Mapping[str, int]
    lost: Mapping[str, int]
    refused: Mapping[str, int]
    lost_events: Mapping[str, int]
    cut: Mapping[str, Mapping[str, Cut]]


class Outbox:
    """A bounded ring of results and the thread that sends them. Safe between threads.

    Args:
        redis_url: the server; ``redis://``, ``rediss://`` or ``unix://``.
        retention: how long results stay in Redis.
        ring_s: an outage up to this long loses nothing.
        ring_bytes: … unless the results of that time are larger.
        on_lost: called with a camera and a number of its frames that will never reach Redis, so
            that its account can say so (``Ledger.lost``). Quick, and safe between threads.
        tenure: the name of the worker that publishes; None for a line without one.
        outage: tells of outages, where others use the same Redis; one of its own by default.
        on_refused: called instead for frames in whose place another publisher's stand; they do not
            count as lost (``Ledger.lost`` with the reason ``REFUSED``).
    """

    def __init__(
        self,
        redis_url: str | RedisUrl,
        retention: Retention | None = None,
        ring_s: float = 30.0,
        ring_bytes: int = 256 << 20,
        on_lost: Callable[[str, int], None] = lambda camera, frames: None,
        tenure: Tenure | None = None,
        outage: Outage | None = None,
        on_refused: Callable[[str, int], None] | None = None,
    ) -> None:
        retention = retention or Retention()
        self._ring = Ring(
            *(ring_s, ring_bytes, retention.span_s, on_lost, on_refused),
            *(retention.events_span_s, retention.tracks_s),
        )
        self._previews = Previews()
        self._log = log = logging.getLogger("mirante.outbox")
        url = RedisUrl(redis_url)
        outage = outage or Outage(url, log, "results wait in memory", logging.ERROR)
        self._limits = Limits(retention, log)
        self._sender = Sender(
            url, self._ring, self._previews, retention, self._limits, log, outage, tenure
        )
        self._closed = False

    def start(self) -> None:
        """Starts sending."""
        # A full collection stops every frame thread, for 26 ms with all that importing leaves
        # behind. What exists by now stays, so it is not looked through again.
        gc.collect()
        gc.freeze()
        self._sender.start()

    def turn(self) -> bool:
        """Sends what is due, once, where ``start`` was not called; returns whether it could be."""
        return self._sender.turn()

    def close(self, timeout_s: float = 5.0) -> int:
        """Sends the rest within ``timeout_s``; returns the frames that could not be."""
        self._closed = True
        self._sender.close(timeout_s)
        return self._ring.abandon()

    def limit(self, camera: str, max_mib: Mapping[str, int | None]) -> None:
        """Limits the memory of a camera's streams in Redis, MiB by kind; None as for all."""
        self._limits.limit(camera, max_mib)

    def publish(
        self,
        result: FrameResult,
        mask_encoding: MaskEncoding = "bits",
        trace: Trace | None = None,
        holds: bool = False,
    ) -> Encoded | None:
        """Puts one frame's results on their way; its trace, if it has one, ends when Redis has them
        or never will.

        Args:
            result: of the frame.
            mask_encoding: how its masks travel.
            trace: of a sampled frame.
            holds: it may wait for others, at most a second.

        Returns:
            What goes there; None after the end.

        Raises:
            WireError: they cannot be written. The frame is the caller's to account for.
            ValueError: no camera can have that name.
        """
        check_camera(result.camera)
        if self._closed:
            self._ring.refuse(result.camera)
            if trace is not None:
                trace.end(LOST)
            return None
        if trace is not None:
            trace.begin("encode")
        coded = encode(result, mask_encoding)
        fields: dict[Kind, dict[str, bytes]] = {"masks": coded.masks} if coded.masks else {}
        fields["detections"] = coded.detections
        if (most := max(map(len, fields.values()))) > MOST_FIELDS:
            raise WireError(f"expected up to {MOST_FIELDS} fields of an entry, got {most}")
        captured_ms = result.captured_ns // 1_000_000
        self._ring.put(result.camera, captured_ms, result.seq, fields, trace, result.epoch, holds)
        return coded

    def events(
        self,
        camera: str,
        captured_ms: int,
        events: Sequence[Event] = (),
        images: Mapping[str, bytes] = MappingProxyType({}),
        saved: Mapping[str, bytes] | None = None,
        counts: Iterable[Digits] = (),
    ) -> None:
        """Puts events on their way, and with the last of them what the camera's stages know by
        then; or that alone. Redis takes all of it or nothing.

        Args:
            camera: its name.
            captured_ms: Unix ms of capture of the frame that tells of them.
            events: in order. They wait for Redis longer than frames do.
            images: JPEG images by the ID of the event.
            saved: the parts of the memory (``Memory.saved``); None to leave what Redis has.
            counts: what to write into hashes of counts.

        Raises:
            ValueError: no camera can have that name.
        """
        coded = []
        for event in events:
            try:
                coded.append((_event_fields(event, images.get(event.id)), event.epoch))
            except (TypeError, ValueError) as error:
                self._log.error("%s: event %r cannot be written: %s", camera, event.id, error)
                self._ring.refuse_event(camera)
        memory = b"" if saved is None else msgspec.msgpack.encode(Saved(captured_ms, dict(saved)))
        step = Step.of(memory, counts)
        lost = self._ring.put_events(check_camera(camera), captured_ms, coded, step)
        if lost:
            self._log.error("%s: %d events lost: the ring is full (redis.ring_mib)", camera, lost)

    def recall(self, camera: str, timeout_s: float) -> dict[str, bytes] | None:
        """Return the parts of the memory that a camera's last worker left, once the camera is this
        publisher's; None where that takes too long. A worker that died is waited out.

        Args:
            camera: its name.
            timeout_s: seconds to wait.
        """
        recall = self._ring.recall(check_camera(camera))
        data = recall.wait(timeout_s)
        if data is None and self._ring.is_denied(camera):
            data = recall.wait(OWNER_MS / 1000 + timeout_s)
        return None if data is None else self._read(camera, data).parts

    def _read(self, camera: str, data: bytes) -> Saved:
        saved = read_saved(data)
        if saved is None and data:
            self._log.error("%s: its memory in Redis cannot be read; it begins without", camera)
        return saved or Saved(0, {})

    def share(self, camera: str, is_shared: bool, is_held: bool = False) -> None:
        """Begins a camera.

        Args:
            camera: its name.
            is_shared: the registry says which worker publishes it.
            is_held: another worker may publish it: all that is put for it is given up, but for
                the newest status, until ``take_over``.
        """
        self._ring.share(check_camera(camera), is_shared, is_held)

    def take_over(self, camera: str, timeout_s: float) -> Saved | None:
        """Make a camera that was held this publisher's, from where its last worker left it, which
        publishes nothing from then on; None where that takes too long, to be called again.
        """
        self._ring.free(check_camera(camera))
        data = self._ring.recall(camera, is_kept=True).wait(timeout_s)
        if data is None:
            return None
        self._ring.recalled(camera)
        return self._read(camera, data)

    def moved(self) -> dict[str, str]:
        """Return the shared cameras that were found to be another worker's since ``share``, and
        that worker. They are held.
        """
        with self._ring.changed:
            return dict(self._ring.moved)

    def is_shared(self, camera: str) -> bool:
        """True where the registry says which worker publishes a camera."""
        return camera in self._ring.shared

    def is_held(self, camera: str) -> bool:
        """True while a shared camera is not published by this worker."""
        return camera in self._ring.held

    def trail(self, camera: str, trail: Trail) -> None:
        """Puts a trail on its way, where tracked objects were.

        Raises:
            ValueError: no camera can have that name.
        """
        self._ring.put_trail(check_camera(camera), trail.ended_ms, write_trail(trail))

    def status(self, status: Status) -> None:
        """Puts a change of a camera's state on its way."""
        check_camera(status.camera)
        self._ring.put_status(status.camera, int(status.ts * 1000), msgspec.json.encode(status))

    def leave(self, camera: str) -> None:
        """Frees a camera for other publishers, once what waits is sent; the next result claims it
        again.
        """
        self._ring.leave(check_camera(camera))

    def resign(self, camera: str | None = None) -> int:
        """Gives up all that waits, as another publisher took this one's place.

        What is published from now on waits until the place is this one's again.

        Args:
            camera: of which; None for all.

        Returns:
            The frames given up; they count as refused.
        """
        return self._ring.resign(camera)

    def watched(self, camera: str) -> bool:
        """True while somebody listens to the camera's preview; polled about twice a second."""
        return self._previews.watched(check_camera(camera))

    def preview(self, camera: str, jpeg: bytes, header: dict[str, Any]) -> None:
        """Sends an image to those who listen; a later one replaces it while it waits."""
        if "epoch" in header:
            header = {**header, "epoch": self._ring.epoch(camera, header["epoch"])}
        self._previews.put(check_camera(camera), jpeg, header)
        with self._ring.changed:
            self._ring.changed.notify()

    @property
    def state(self) -> OutboxState:
        """Return its current state."""
        with self._ring.changed:
            lanes = self._ring.frame_lanes()
            return OutboxState(
                self._sender.connected,
                self._sender.words,
                self._ring.depth,
                {lane.camera: lane.sent for lane in lanes},
                {lane.camera: lane.lost for lane in lanes},
                {lane.camera: lane.refused for lane in lanes},
                {lane.camera: lane.lost for lane in self._ring.event_lanes()},
                self._limits.cuts(),
            )


def _event_fields(event: Event, jpeg: bytes | None) -> dict[Kind, dict[str, bytes]]:
    """Return the fields of an event's entries; those of its image first, which it announces."""
    fields: dict[Kind, dict[str, bytes]] = {"images": {"jpeg": jpeg}} if jpeg else {}
    fields["events"] = {"json": encode_event(event)}
    return fields
