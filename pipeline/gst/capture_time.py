"""The time at which each frame was taken: the camera's own where it is known, else of arrival."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from mirante.frame import TsSource

Gst.init(None)

CLOCK_TRUST_S = 10.0  # a camera's clock further off than this is not believed
WORTH_SAYING_S = 0.5  # a clock that goes back by less is not mentioned

_NTP = Gst.Caps.from_string("timestamp/x-ntp")
_NTP_TO_UNIX_NS = 2_208_988_800 * 1_000_000_000  # from 1900 to 1970
_CARRIED_NS = 5_000_000_000  # the camera's time is carried no further than this
_KEPT = 64  # images between the network and the decoder's exit, at most 17 in H.264's decoder
_SURE = 100  # images, after which it is known how they come, and what their PTS are worth
_BESIDE_NS = 1_000_000_000  # images that are closer have PTS that differ as the camera's times do
_COPY = Gst.BufferCopyFlags
_ALL = _COPY.FLAGS | _COPY.TIMESTAMPS | _COPY.META | _COPY.MEMORY
_WHOLE = 2**64 - 1  # the size of a buffer, whatever it is


class Captured(NamedTuple):
    """When a frame was taken.

    Attributes:
        at_ns: Unix time in ns.
        source: how that is known.
        arrived_ns: Unix time in ns at which it came to the decoder, where ``at_ns`` is that.
    """

    at_ns: int
    source: TsSource
    arrived_ns: int | None = None


class CaptureTime:
    """The capture times of one connection, which never go back.

    rtspsrc writes the camera's time on each RTP packet, and decoders hand it on with the frame, in
    whatever order they show them. But what joins several packets to one image (a key frame with its
    parameter sets, a frame of several slices, a JPEG) loses it, so it is read from the packets and
    given back to the image before the decoder. Where single images alone lose it, as key frames do,
    and PTS grow from image to image, these are as far from the image before as their PTS say, and
    the packets, which are many, are not looked at.

    Behind a decoder that does not hand it on it is looked up by PTS, and else carried on from the
    last one known: near enough where images are shown in the order in which they come, for with B
    frames PTS are out by some frames.

    A time that would lie before the last one, as when the camera's clock is set back or takes over
    from the time of arrival, is held: time goes on at half speed until the clock has caught up.

    Attributes:
        needs_packets: images come without the camera's time, or nobody knows yet how they come.
        remarks: things worth saying about the camera's clock, by kind.
        clock_off_s: how far the camera's clock was ahead of this machine's at the newest image,
            less the time that it took to come; None where the camera does not tell the time.
    """

    def __init__(self) -> None:
        self.needs_packets = True
        self.remarks: dict[str, str] = {}
        self.clock_off_s: float | None = None
        self._packet_pts = -1
        self._packets: dict[int, int] = {}  # PTS of packets to their NTP time in ns
        self._newest = (0, 0)  # PTS and NTP time in ns of the image that came last; 0: not told
        self._had_own = False  # … which had kept it
        self._lately: tuple[int, Any] | None = None  # PTS and buffer of one that came behind it
        self._steady = 0  # images in a row that could have been told without packets
        self._images: dict[int, tuple[int, int | None]] = {}  # PTS to arrival by Unix, and NTP
        self._is_timed = False  # the camera has told the time of an image
        self._untimed = 0  # images that came before it did, and are not shown yet
        self._is_handed_on = False  # the decoder gave one with a frame
        self._known = (0, 0)  # a PTS, and the NTP time in ns that the camera says it had
        self._meant_ns = self._said_ns = 0
        self._meant_source: TsSource = "arrival"

    def packet(self, buffer: Any) -> None:
        """Note the camera's time of an RTP packet; the packets of an image have one PTS."""
        pts = buffer.pts
        if pts == self._packet_pts:
            return
        self._packet_pts = pts
        if (ntp_ns := _ntp_ns(buffer)) is not None:
            _keep(self._packets, pts, ntp_ns)

    def timed(self, buffer: Any, is_key: bool = True) -> Any:
        """Return an encoded image, or a copy with the camera's time, where that was lost.

        Args:
            buffer: the image.
            is_key: it leans on no other; where packets are not looked at, only these lose it.
        """
        pts = buffer.pts
        if not (is_key or self.needs_packets):
            self._lately = pts, buffer
            return buffer
        self._look_back()
        own_ns, told_ns = _ntp_ns(buffer), self._packets.pop(pts, None)
        ntp_ns = own_ns or told_ns or self._beside(pts)
        self._follow(pts, ntp_ns or 0, own_ns is not None)
        if own_ns is not None or ntp_ns is None:
            return buffer
        whole = buffer.copy_region(_ALL, 0, _WHOLE)
        whole.add_reference_timestamp_meta(_NTP, ntp_ns, Gst.CLOCK_TIME_NONE)
        return whole

    def _look_back(self) -> None:
        """Take in the image that came last, if that was put off: it takes as long as all else."""
        if self._lately is not None:
            (pts, buffer), self._lately = self._lately, None
            ntp_ns = _ntp_ns(buffer)
            self._newest, self._had_own = (pts, ntp_ns or 0), ntp_ns is not None

    def _beside(self, pts: int) -> int | None:
        """Return the NTP time in ns of an image by the one before, where no packets are seen."""
        before_pts, before_ns = self._newest
        is_known = before_ns and not self.needs_packets and 0 < pts - before_pts < _BESIDE_NS
        return before_ns + pts - before_pts if is_known else None

    def _follow(self, pts: int, ntp_ns: int, is_own: bool) -> None:
        """Learn whether packets are needed; an image that passes again changes nothing."""
        before_pts, before_ns = self._newest
        if pts == before_pts:
            return
        is_steady = ntp_ns and before_ns and 0 < pts - before_pts < _BESIDE_NS
        self._steady = self._steady + 1 if is_steady and (is_own or self._had_own) else 0
        self.needs_packets = self._steady < _SURE
        self._newest, self._had_own = (pts, ntp_ns), is_own

    def arrived(self, buffer: Any, at_ns: int | None = None, is_key: bool = True) -> Any:
        """Note an encoded image before the decoder.

        Args:
            buffer, is_key: as of ``timed``.
            at_ns: Unix time at which it came, and was timed; None for now.

        Returns:
            A copy with the camera's time to decode instead, where that was lost; else None.
        """
        whole = self.timed(buffer, is_key) if at_ns is None else buffer
        ntp_ns = None if self._is_handed_on else _ntp_ns(whole)  # else nobody asks for it
        self._is_timed |= ntp_ns is not None
        self._untimed += not self._is_timed
        _keep(self._images, buffer.pts, (at_ns or time.time_ns(), ntp_ns))
        return None if whole is buffer else whole

    def unseen(self, pts: int) -> None:
        """Forget an image whose frame counts nowhere."""
        if self._images.pop(pts, None) is not None and self._untimed:
            self._untimed -= 1

    def of(self, buffer: Any, now_ns: int) -> tuple[int, bool]:
        """Return the Unix time in ns of an encoded image that came at ``now_ns``, and whether its
        camera told it.
        """
        ntp_ns = _ntp_ns(buffer)
        if ntp_ns is not None and abs(ntp_ns - _NTP_TO_UNIX_NS - now_ns) <= CLOCK_TRUST_S * 1e9:
            return ntp_ns - _NTP_TO_UNIX_NS, True
        return now_ns, False

    def captured(self, buffer: Any, pts: int, paced: bool) -> Captured:
        """Return when a decoded frame was taken.

        Args:
            buffer: the frame.
            pts: the time that its image came with.
            paced: it is held until it is due, which is now.
        """
        now_ns = time.time_ns()
        arrived_ns, ntp_ns = self._images.pop(pts, (now_ns, None))
        if paced:
            return self._in_order(now_ns, "arrival")
        camera_ns = self._camera_ns(buffer, pts, ntp_ns)
        if camera_ns is not None:
            self.clock_off_s = (camera_ns - arrived_ns) / 1e9
        if camera_ns is None or not self._is_believed(camera_ns, arrived_ns):
            return self._in_order(arrived_ns, "arrival")
        return self._in_order(camera_ns, "rtcp")

    def _camera_ns(self, buffer: Any, pts: int, looked_up_ns: int | None) -> int | None:
        """The camera's own time, by Unix, if it is known."""
        ntp_ns = _ntp_ns(buffer)
        if ntp_ns is not None:
            self._is_handed_on = True
        elif self._untimed:
            self._untimed -= 1
            return None
        elif not self._is_handed_on:
            ntp_ns = looked_up_ns
        if ntp_ns is not None:
            self._known = pts, ntp_ns
        known_pts, known_ns = self._known
        if not known_ns or abs(pts - known_pts) > _CARRIED_NS:
            return None
        return known_ns + pts - known_pts - _NTP_TO_UNIX_NS

    def _is_believed(self, camera_ns: int, arrived_ns: int) -> bool:
        if abs(camera_ns - arrived_ns) <= CLOCK_TRUST_S * 1e9:
            self.remarks.pop("odd", None)
            return True
        self.remarks["odd"] = (
            f"the camera's clock says {_date(camera_ns)}; the time of arrival is used instead"
        )
        return False

    def _in_order(self, meant_ns: int, source: TsSource) -> Captured:
        held_ns = self._said_ns + max(0, meant_ns - self._meant_ns) // 2
        arrived_ns = meant_ns if source == "arrival" else None
        back_s = (self._meant_ns - meant_ns) / 1e9
        if self._meant_source == source == "rtcp" and back_s > WORTH_SAYING_S:
            self.remarks["back"] = (
                f"the camera's clock went back by {back_s:.1f} s; "
                "time is counted at half speed until it has caught up"
            )
        self._meant_ns, self._meant_source = meant_ns, source
        if not self._said_ns or meant_ns >= held_ns:
            self._said_ns = meant_ns
            return Captured(meant_ns, source, arrived_ns)
        self._said_ns = held_ns
        return Captured(held_ns, "arrival", arrived_ns)


def _ntp_ns(buffer: Any) -> int | None:
    meta = buffer.get_reference_timestamp_meta(_NTP)
    return None if meta is None else int(meta.timestamp)


def _keep(times: dict[int, Any], pts: int, at_ns: object) -> None:
    """Two threads use ``times``, so it is copied at one stroke before its oldest is looked up."""
    times[pts] = at_ns
    if len(times) > _KEPT:
        oldest, *_ = list(times)
        times.pop(oldest, None)


def _date(unix_ns: int) -> str:
    date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=unix_ns // 1000)
    return f"{date:%Y-%m-%d %H:%M:%S} UTC"
