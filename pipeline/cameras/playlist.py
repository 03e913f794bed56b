"""Playlists of HTTP Live Streaming (RFC 8216): reading them, and choosing a variant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urljoin

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')
_SOUND = re.compile(r"(mp4a|ac-3|ec-3|opus|flac|mp3)", re.IGNORECASE)
_OF_SEGMENT = {
    f"#{tag}"
    for tag in ("EXTINF", "EXT-X-BYTERANGE", "EXT-X-DISCONTINUITY", "EXT-X-MAP", "EXT-X-KEY")
} | {"#EXT-X-GAP"}
_SIZE = re.compile(r"(\d+)x(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes at an address: all of them, or ``length`` from ``start`` on."""

    address: str
    start: int = 0
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A few seconds of video.

    Attributes:
        number: its place in the stream.
        part: where it is.
        seconds: how long it lasts.
        header: what a decoder needs before it, in fragmented MP4.
        is_cut: timestamps, size or codec differ from the segment before.
        cipher: what it is encrypted by; "" for none.
    """

    number: int
    part: Part
    seconds: float
    header: Part | None = None
    is_cut: bool = False
    cipher: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    """One of several playlists of the same picture.

    Attributes:
        address: its playlist's.
        bandwidth: bits per second.
        size: width and height in pixels; None where it is not told.
        is_sound: it has no video.
    """

    address: str
    bandwidth: int
    size: tuple[int, int] | None
    is_sound: bool = False


@dataclass(frozen=True, slots=True)
class Playlist:
    """A playlist: of variants, or of segments.

    Attributes:
        variants: in its order; empty where it has segments.
        segments: in order.
        target_s: seconds that no segment exceeds.
        is_ended: no segment will be added.
        is_whole: it begins where the stream began: a recording, once ended.
    """

    variants: tuple[Variant, ...] = ()
    segments: tuple[Segment, ...] = ()
    target_s: float = 0.0
    is_ended: bool = False
    is_whole: bool = False


def read_playlist(text: str, address: str) -> Playlist:
    """Read a playlist.

    Args:
        text: its content.
        address: where it came from, which its own addresses are relative to.

    Raises:
        ValueError: it is none.
    """
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines()]
    if not lines or not lines[0].startswith("#EXTM3U"):
        raise ValueError("no playlist: expected #EXTM3U in the first line")
    try:
        return _Reader(address).read(lines)
    except (ValueError, KeyError) as error:
        raise ValueError(f"a playlist that cannot be read: {error}") from None


def choose(variants: Sequence[Variant], width: int, height: int) -> Variant:
    """Return the smallest variant that need not be enlarged to the analysis size, else the largest.

    Of one size that with the lowest bandwidth is taken; where no size is told, the highest.

    Args:
        variants: at least one.
        width, height: of the analysed frame, at most.
    """
    seen = [variant for variant in variants if not variant.is_sound] or list(variants)
    sized = [(variant, variant.size) for variant in seen if variant.size is not None]
    if not sized:
        return max(seen, key=lambda variant: variant.bandwidth)
    large = [(v, size) for v, size in sized if size[0] >= width or size[1] >= height]
    if large:
        return min(large, key=lambda pair: (pair[1][0] * pair[1][1], pair[0].bandwidth))[0]
    return max(sized, key=lambda pair: (pair[1][0] * pair[1][1], -pair[0].bandwidth))[0]


class _Reader:
    """What has been read of a playlist so far, and what holds for the next segment."""

    def __init__(self, address: str) -> None:
        self._base = address
        self._variants: list[Variant] = []
        self._segments: list[Segment] = []
        self._number = self._first = 0
        self._target_s = 0.0
        self._is_ended = self._is_recording = self._is_gap = False
        self._next = Segment(0, Part(""), 0.0)
        self._range: tuple[int | None, int | None] = (None, None)  # length, start
        self._variant: dict[str, str] | None = None

    def read(self, lines: list[str]) -> Playlist:
        for line in filter(None, lines):
            if line.startswith("#EXT"):
                tag, _, value = line.partition(":")
                self._take(tag, value)
            elif not line.startswith("#"):
                self._add(urljoin(self._base, line))
        return Playlist(
            tuple(self._variants),
            tuple(self._segments),
            self._target_s or max((s.seconds for s in self._segments), default=0.0),
            self._is_ended,
            self._is_recording or self._first <= 1,
        )

    def _take(self, tag: str, value: str) -> None:
        if tag in _OF_SEGMENT:
            self._take_for_next(tag, value)
        elif tag == "#EXT-X-TARGETDURATION":
            self._target_s = float(value)
        elif tag == "#EXT-X-MEDIA-SEQUENCE":
            self._number = self._first = int(value)
        elif tag == "#EXT-X-ENDLIST":
            self._is_ended = True
        elif tag == "#EXT-X-PLAYLIST-TYPE":
            self._is_recording = value.upper() == "VOD"
        elif tag == "#EXT-X-STREAM-INF":
            self._variant = _attributes(value)

    def _take_for_next(self, tag: str, value: str) -> None:
        if tag == "#EXTINF":
            self._next = replace(self._next, seconds=float(value.partition(",")[0]))
        elif tag == "#EXT-X-BYTERANGE":
            self._range = _range(value)
        elif tag == "#EXT-X-DISCONTINUITY":
            self._next = replace(self._next, is_cut=True)
        elif tag == "#EXT-X-MAP":
            self._next = replace(self._next, header=self._header(_attributes(value)))
        elif tag == "#EXT-X-KEY":
            method = _attributes(value).get("METHOD", "NONE")
            self._next = replace(self._next, cipher="" if method == "NONE" else method)
        else:
            self._is_gap = True

    def _header(self, fields: dict[str, str]) -> Part:
        length, start = _range(fields["BYTERANGE"]) if "BYTERANGE" in fields else (None, None)
        return Part(urljoin(self._base, fields["URI"]), start or 0, length)

    def _add(self, address: str) -> None:
        if self._variant is not None:
            self._variants.append(_variant(address, self._variant))
            self._variant = None
            return
        segment = replace(self._next, number=self._number, part=self._part(address))
        if not self._is_gap:
            self._segments.append(segment)
        self._number += 1
        self._next = replace(self._next, is_cut=self._is_gap and segment.is_cut)
        self._range, self._is_gap = (None, None), False

    def _part(self, address: str) -> Part:
        """A range without a start goes on where that of the segment before ended."""
        length, start = self._range
        if length is None:
            return Part(address)
        before = self._segments[-1].part if self._segments else None
        if start is None and before is not None and before.address == address:
            start = before.start + (before.length or 0)
        return Part(address, start or 0, length)


def _attributes(text: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(text)}


def _range(text: str) -> tuple[int, int | None]:
    length, _, start = text.strip().partition("@")
    return int(length), int(start) if start else None


def _variant(address: str, fields: dict[str, str]) -> Variant:
    size = _SIZE.fullmatch(fields.get("RESOLUTION", ""))
    codecs = [codec for codec in fields.get("CODECS", "").replace(" ", "").split(",") if codec]
    return Variant(
        address,
        int(fields.get("BANDWIDTH") or 0),
        (int(size[1]), int(size[2])) if size else None,
        is_sound=size is None and bool(codecs) and all(map(_SOUND.match, codecs)),
    )
