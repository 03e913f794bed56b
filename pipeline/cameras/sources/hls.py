"""HTTP Live Streaming: live playlists and recordings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from mirante.faults import FaultCode
from pipeline.cameras.playlist import Part as Bytes
from pipeline.cameras.playlist import Playlist, Segment, choose, read_playlist
from pipeline.cameras.sources.base import BAD, BASE, DECODE, Contents, Part, Source, SourceKind
from pipeline.cameras.sources.network import expected_blocks, explain, http_schemes
from pipeline.cameras.state import Fault
from pipeline.cameras.web import FetchError, Web
from pipeline.config.source_kinds import Row

if TYPE_CHECKING:
    from pipeline.config.camera import Camera

LIVE_SEGMENTS = 2  # from the end: the newest, and one to play while the next is made
CALM_TARGETS = 3  # segments that may be late before silence is a fault
_RELOADS = 3  # failures in a row before the playlist is given up
_MISSES = 2  # segments in a row that may be gone
_MOST_BYTES = 8 << 20  # of a playlist
_BACK = 3  # segments by which an old copy of a live playlist may lie behind
_SOON_S = 0.25
_PLAYLIST = Contents("HLS", frozenset({"playlist"}))


@dataclass
class History:
    """What is known of a playlist from one graph to the next.

    Attributes:
        was_live: it was; once ended it is no recording, but a camera that may come back.
    """

    was_live: bool = False


class Segments:
    """The segments of one playlist, or of the variant that fits.

    Args:
        spec: the camera.
        first: the number of the first segment; 0 for the start of a recording, or the newest.
        history: of the playlist.
    """

    def __init__(self, spec: Camera, first: int, history: History) -> None:
        self.next_number = 0
        self.is_cut = self.is_finite = False
        self.calm_until_s = time.monotonic() + spec.answer_s
        self._spec, self._first, self._history = spec, first, history
        self._web = Web(spec.url, spec.answer_s)
        self._header: Bytes | None = None
        self._misses = 0

    def chunks(self, stop: Event) -> Iterator[bytes]:
        """Yield the segments' bytes.

        Raises:
            FetchError: the playlist is not to be had, is none, or has ended at the wrong end.
        """
        playlist, address = self._open()
        self._history.was_live |= not playlist.is_ended
        self.is_finite = playlist.is_ended and playlist.is_whole and not self._history.was_live
        if playlist.is_ended and not self.is_finite:
            raise FetchError(Fault(FaultCode.ENDED, FaultCode.ENDED.words))
        number, has_begun = 0, False
        while not stop.is_set():
            asked_s = time.monotonic()
            if not has_begun:
                number = self._begin(playlist)
            elif self._is_elsewhere(playlist, number):
                self.is_cut = True
                return
            new = [segment for segment in playlist.segments if segment.number >= number]
            for segment in new:
                if segment.is_cut and has_begun:
                    self.is_cut, self.next_number = True, segment.number
                    return
                yield from self._segment(segment)
                number, has_begun = segment.number + 1, True
                self._be_calm(playlist)
                if not playlist.is_ended and time.monotonic() - asked_s > 2 * playlist.target_s:
                    break  # the stages are slow, and the playlist is old
            if playlist.is_ended:
                return
            wait_s = playlist.target_s if new else playlist.target_s / 2
            stop.wait(max(_SOON_S, asked_s + wait_s - time.monotonic()))
            playlist = self._reload(address, stop)

    @property
    def date_off_s(self) -> float | None:
        """How far the camera's clock is ahead, by the date of its newest answer."""
        return self._web.date_off_s

    def abort(self) -> None:
        """End the request that is under way."""
        self._web.abort()

    def close(self) -> None:
        """Close the connections."""
        self._web.close()

    def _open(self) -> tuple[Playlist, str]:
        """Return the playlist of segments and its address."""
        playlist, address = self._load(self._spec.url.location)
        if playlist.variants:
            chosen = choose(playlist.variants, self._spec.width, self._spec.height)
            playlist, address = self._load(chosen.address)
        return playlist, address

    def _load(self, address: str) -> tuple[Playlist, str]:
        answer = self._web.get(address)
        text = bytearray()
        for block in expected_blocks(answer, _PLAYLIST):
            text += block
            if len(text) > _MOST_BYTES:
                break  # which cannot be read as one
        try:
            return read_playlist(text.decode("utf-8", "replace"), answer.address), answer.address
        except ValueError as error:
            words = f"not a readable video: {error}"
            raise FetchError(Fault(FaultCode.UNREADABLE, words)) from None

    def _reload(self, address: str, stop: Event) -> Playlist:
        """Load a live playlist again; while it is written a server may not have it."""
        for _ in range(_RELOADS - 1):
            try:
                return self._load(address)[0]
            except FetchError as error:
                if error.status is None or error.status in {401, 403}:
                    raise
            stop.wait(_SOON_S)
        return self._load(address)[0]

    def _begin(self, playlist: Playlist) -> int:
        numbers = [segment.number for segment in playlist.segments]
        if not numbers or (self._first and self._first in numbers):
            return self._first
        return numbers[0] if self.is_finite else numbers[-LIVE_SEGMENTS:][0]

    def _is_elsewhere(self, playlist: Playlist, number: int) -> bool:
        """Return whether what comes next is gone, or the numbers have begun anew."""
        numbers = [segment.number for segment in playlist.segments]
        return bool(numbers) and not numbers[0] <= number <= numbers[-1] + 1 + _BACK

    def _segment(self, segment: Segment) -> Iterator[bytes]:
        if segment.cipher:
            words = f"no decoder for this video: it is encrypted ({segment.cipher})"
            raise FetchError(Fault(FaultCode.NO_DECODER, words))
        try:
            if segment.header is not None and segment.header != self._header:
                yield from self._bytes(segment.header)
                self._header = segment.header
            yield from self._bytes(segment.part)
            self._misses = 0
        except FetchError as error:
            self._misses += 1
            if error.status not in {404, 410} or self._misses > _MISSES:
                raise

    def _bytes(self, part: Bytes) -> Iterator[bytes]:
        """Yield a part; a server that knows no ranges gives all of it."""
        end = "" if part.length is None else part.start + part.length - 1
        wants_range = part.length is not None or part.start > 0
        headers = {"Range": f"bytes={part.start}-{end}"} if wants_range else {}
        answer = self._web.get(part.address, headers)
        skip, left = (0 if answer.status == 206 else part.start), part.length
        for block in answer.blocks():
            kept = block[skip:] if left is None else block[skip : skip + left]
            skip = max(0, skip - len(block))
            left = None if left is None else left - len(kept)
            if kept:
                yield kept
            if left == 0:
                return

    def _be_calm(self, playlist: Playlist) -> None:
        """A recording takes the time that its stages take."""
        limit_s = float("inf") if self.is_finite else CALM_TARGETS * playlist.target_s
        self.calm_until_s = time.monotonic() + limit_s


def _source(spec: Camera) -> Source:
    """Segments come in bursts, so they are played at their own pace."""
    history = History()
    return Source(
        f"appsrc name=source format=bytes ! {DECODE}",
        spec.pace,
        rewinds=False,
        fetch=lambda first: Segments(spec, first, history),
    )


HLS = SourceKind(
    schemes=http_schemes("hls+"),
    endings=(".m3u8", ".m3u"),
    form="http[s]://….m3u8 (HLS)",
    title="HLS",
    start="hls+http://",
    example="hls+http://192.0.2.10/live/stream.m3u8",
    hint="HTTP Live Streaming: a playlist of segments, live or recorded.",
    rows=(
        Row(
            "`http[s]://host/live.m3u8`, `hls+http[s]://…`",
            "HLS: MPEG-TS and fragmented MP4, live or recorded",
            "see [below](#hls); `hls+` where the path does not end with `.m3u8`",
        ),
    ),
    source=_source,
    parts=(
        Part("appsrc", "HLS", BASE),
        Part("tsdemux", "HLS of MPEG-TS", BAD),
    ),
    explain=explain,
)
