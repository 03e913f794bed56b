"""The view streams of a worker's cameras: read while somebody watches, each in one session.

One whose images a camera keeps for clips is read all the time; while nobody watches, its key frames
alone are decoded.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mirante.faults import FaultCode
from pipeline.cameras.state import State, Transition
from pipeline.config.camera import Camera
from pipeline.config.view_stream import differences, stream_of, view_stream_of
from pipeline.control.reports import ViewReport
from pipeline.worker.camera import MakeRunner, Runner, RunningCamera
from pipeline.worker.clips import of_view
from plugins.clips.ring import PacketRing
from plugins.ledger import Ledger
from plugins.line import Line
from plugins.preview.view_images import ViewImages

log = logging.getLogger(__name__)

LINGER_S = 5.0  # a page that is loaded again must not cost a new session
STOP_S = 5.0
IDLE = ViewReport(state="idle", reason="nobody watches")

Stream = tuple[object, ...]  # as ``pipeline.config.view_stream.stream_of``


@dataclass(slots=True)
class _View:
    """A view stream, and the cameras that show it."""

    spec: Camera
    line: Line
    runner: Runner | None = None
    trouble: str = ""  # why it could not be started
    watched_s: float = 0.0
    members: dict[str, ViewImages] = field(default_factory=dict)

    def report(self) -> ViewReport:
        if self.runner is None:
            return ViewReport(state=State.FAILED, reason=self.trouble, code=FaultCode.INVALID)
        state, code = self.runner.state, self.runner.code
        return ViewReport(state=state.value, reason=self.runner.reason, code=code)


class Views:
    """Starts and ends view streams as people come and go. Used by the worker's main thread alone.

    Args:
        make_runner: makes what runs a camera.
        watched: whether somebody listens to the images of a camera.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        make_runner: MakeRunner,
        watched: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make_runner = make_runner
        self._watched = watched
        self._clock = clock
        self._views: dict[Stream, _View] = {}
        self._ending: dict[Stream, threading.Thread] = {}
        self._reports: dict[str, ViewReport] = {}

    def follow(self, cameras: Mapping[str, RunningCamera]) -> None:
        """Start the views that are watched, end the others, and note how each is."""
        wanted: dict[Stream, dict[str, Camera]] = {}
        reports: dict[str, ViewReport] = {}
        for name, camera in sorted(cameras.items()):
            view = view_stream_of(camera.spec)
            if view is None or camera.images is None:
                continue
            sharing = wanted.setdefault(stream_of(view.url), {})
            if keys := differences(next(iter(sharing.values()), view), view):
                reports[name] = _refused(keys, next(iter(sharing)))
            else:
                sharing[name] = view
        for stream, views in wanted.items():
            images = {name: shown for name in views if (shown := cameras[name].images)}
            kept = (cameras[name].clips for name in views if of_view(cameras[name].spec))
            rings = tuple(clips.ring for clips in kept if clips is not None)
            reports |= self._follow_one(stream, views, images, rings)
        for stream in self._views.keys() - wanted.keys():
            self._end(stream)
        self._reports = reports

    def report(self, camera: str) -> ViewReport | None:
        """Return how the view of a camera is; None where it has none. Safe from any thread."""
        return self._reports.get(camera)

    def close(self) -> None:
        """End all and wait for them."""
        for stream in list(self._views):
            self._end(stream)
        for thread in list(self._ending.values()):
            thread.join(STOP_S)

    def _follow_one(
        self,
        stream: Stream,
        views: Mapping[str, Camera],
        images: dict[str, ViewImages],
        rings: tuple[PacketRing, ...],
    ) -> dict[str, ViewReport]:
        watched = {name for name in views if self._watched(name)}  # all: a call keeps it asked
        view, now_s = self._views.get(stream), self._clock()
        fastest = max(views.values(), key=lambda each: each.most_fps or 0.0)
        if view is not None and view.spec != fastest:
            self._end(stream)
            view = None
        if view is None and (watched or rings) and not self._is_ending(stream):
            view = self._views[stream] = self._start(fastest, images)
        if view is None:
            return dict.fromkeys(views, IDLE)
        self._share(view, images)
        view.line.rings, view.line.is_resting = rings, not watched
        view.watched_s = now_s if watched or rings else view.watched_s
        if now_s - view.watched_s > LINGER_S:
            self._end(stream)
            return dict.fromkeys(views, IDLE)
        return {name: _with_facts(view.report(), images[name]) for name in views}

    def _start(self, spec: Camera, images: dict[str, ViewImages]) -> _View:
        name = f"{next(iter(images))} view"
        view = _View(spec, Line(Ledger(name)))
        self._share(view, images)

        def on_change(change: Transition) -> None:
            if change.state != State.RUNNING:
                for shown in view.line.views:
                    shown.end()

        try:
            runner = self._make_runner(name, spec, "mirview", view.line, on_change)
            runner.start()
            view.runner = runner
        except ValueError as error:
            view.trouble = str(error)
            log.error("camera %s: %s", name, error)
        return view

    @staticmethod
    def _share(view: _View, images: dict[str, ViewImages]) -> None:
        gone = [one for one in view.members.values() if one not in images.values()]
        view.members = images
        view.line.views = tuple(images.values())
        for one in gone:
            one.end()

    def _is_ending(self, stream: Stream) -> bool:
        """Return whether the session before still ends: there is never a second one."""
        thread = self._ending.get(stream)
        if thread is not None and not thread.is_alive():
            del self._ending[stream]
            return False
        return thread is not None

    def _end(self, stream: Stream) -> None:
        view = self._views.pop(stream)
        thread = threading.Thread(target=_stop, args=(view,), name="stop-view", daemon=True)
        self._ending[stream] = thread
        thread.start()


def _stop(view: _View) -> None:
    if view.runner is not None:
        view.runner.stop(STOP_S, IDLE.reason)
    for shown in view.line.views:
        shown.end()


def _with_facts(report: ViewReport, images: ViewImages) -> ViewReport:
    off_ms = None if images.off_ms is None else round(images.off_ms, 1)
    return ViewReport(
        state=report.state,
        reason=images.refusal or report.reason,
        code=FaultCode.INVALID if images.refusal else report.code,
        size=images.source,
        off_ms=off_ms,
    )


def _refused(keys: list[str], other: str) -> ViewReport:
    words = f'view: expected the same {", ".join(keys)} as camera "{other}", which shows it too'
    return ViewReport(state=State.FAILED, reason=words, code=FaultCode.INVALID)
