"""What one camera of a session says of its sleep: why it needs frames, and what moves in one."""

from __future__ import annotations

from typing import Any
from weakref import finalize

from engines.cuda.view import Viewer
from pipeline.cameras.sources.base import Source
from pipeline.cameras.view import View
from pipeline.config.camera import Camera
from plugins.device.gpu import gpu
from plugins.element import READ
from plugins.gate.calm import VIEWER
from plugins.gate.luma import luma_of
from plugins.gate.motion import Motion
from plugins.gate.scene import Scene, moving_in
from plugins.line import Line


class Watch:
    """Looks at key frames alone, which differ more from each other than neighbours do.

    Args:
        line: has the gate's word, and the account.
        spec: the camera.

    Attributes:
        calm: of the camera.
    """

    def __init__(self, line: Line, spec: Camera) -> None:
        self._line, self.calm = line, line.calm
        self._scene = Scene([*spec.mask])
        self._motion = Motion()
        self._view: View | None = None
        self._viewer: Viewer | None = None
        self._wakes_for_viewers = spec.sleep == "auto"
        self.calm.may_sleep, self.calm.left_alone = True, ""
        self.calm.alone.clear()  # times of another connection

    def stirs(self, now_s: float) -> str:
        """Return why the camera needs all frames; empty where it does not."""
        outbox, camera = self._line.carriage.outbox, self._line.ledger.camera
        if self._wakes_for_viewers and outbox is not None and outbox.watched(camera):
            return VIEWER
        return self.calm.stirs(now_s)

    def sees(self, view: View) -> None:
        """Take in how images are shown."""
        self._view = view
        self._scene.turn(view.turn.mirrored, view.turn.quarters, view.area)

    def moves(self, caps: Any, buffer: Any, pts: int) -> bool:
        """Return whether something moves in a key frame, or that cannot be told.

        Args:
            caps: its format.
            buffer: the frame.
            pts: its own time.
        """
        luma = luma_of(caps, self._own_viewer)
        if luma is None or luma.is_counts or self._view is None:
            return True
        left, top, right, bottom = (round(luma.scale * each) for each in self._view.cuts)
        with buffer.map(READ) as mapped:
            image = luma.of(buffer, mapped.data)
            height, width = image.shape[:2]
            shown = image[top : height - bottom, left : width - right]
            thumb = self._scene.thumb(shown, luma.bits, luma.shares)
        moved = self._motion.see(thumb, pts / 1e9, moving_in(self._line.looked))
        return bool(moved.pixels) or moved.is_learning

    def _own_viewer(self) -> Viewer:
        """Return a viewer of its own: it is asked on the thread of another camera's decoder."""
        if self._viewer is None:
            self._viewer = gpu().viewer()
            finalize(self, self._viewer.close).atexit = False
        return self._viewer


def watch_of(spec: Camera, source: Source, pipeline: Any, line: Line) -> Watch | None:
    """Return the watch of a camera; None where each of its frames is needed.

    Args:
        spec: the camera.
        source: where its images come from.
        pipeline: its graph.
        line: as of ``Watch``.
    """
    gate = pipeline.get_by_name("gate")
    passes = gate is not None and gate.get_property("skips-still")
    is_camera = source.live and source.pace is None and not source.is_fed
    sleeps = spec.sleep != "off" and not spec.keyframes_only
    line.calm.spares = gate is not None and gate.spares
    line.calm.may_sleep = False
    return Watch(line, spec) if passes and is_camera and sleeps else None
