"""A camera under test: its runner, every transition with its time, every frame that came out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from types import TracebackType
from typing import Any

from pipeline.cameras.sharing import SharedSessions
from pipeline.cameras.state import State, Transition
from pipeline.config.camera import Camera
from pipeline.control.reports import StreamReport
from pipeline.gst.camera import CameraRunner
from plugins.clips.recorder import Recorder
from plugins.ledger import Ledger
from plugins.line import Line
from plugins.outbox.outbox import Outbox
from tests.support.number_sink import SEEN, Seen

SETTLED = 5  # frames after which a camera has found its pace


class Watched:
    def __init__(
        self,
        name: str,
        url: str,
        stages: str = "numbersink",
        shared: SharedSessions | None = None,
        clips: Recorder | None = None,
        outbox: Outbox | None = None,
        **options: Any,
    ) -> None:
        self.seen = SEEN[name] = Seen()
        self.ledger = Ledger(name)
        self.changes: list[tuple[float, Transition]] = []
        self._changed = threading.Condition()
        spec = Camera(url=url, **options)
        rings = () if clips is None else (clips.ring,)
        self.line = Line(self.ledger, outbox, clips=clips, rings=rings)
        self.runner = CameraRunner(name, spec, stages, self.line, self._note, shared)

    def __enter__(self) -> Watched:
        self.runner.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.runner.stop()

    def _note(self, change: Transition) -> None:
        with self._changed:
            self.changes.append((time.monotonic(), change))
            self._changed.notify_all()

    def stream_of(self, clock_by: str, timeout_s: float = 60.0) -> StreamReport:
        """What is said of the stream, once the camera's clock is known in that way."""
        deadline_s = time.monotonic() + timeout_s
        while (stream := self.runner.stream) is None or stream.clock_by != clock_by:
            assert time.monotonic() < deadline_s, f"not known by {clock_by}: {stream}"
            time.sleep(0.05)
        return stream

    def wait(self, state: State, after: int = 0, timeout_s: float = 60.0) -> tuple[float, str]:
        """When and why ``state`` was first entered, the first ``after`` transitions left out."""
        at_s, change = self.wait_for(lambda change: change.state == state, after, timeout_s)
        return at_s, change.reason

    def wait_for(
        self, wanted: Callable[[Transition], bool], after: int = 0, timeout_s: float = 60.0
    ) -> tuple[float, Transition]:
        """The first transition that is configured, the first ``after`` ones left out."""

        def found() -> tuple[float, Transition] | None:
            return next((c for c in self.changes[after:] if wanted(c[1])), None)

        with self._changed:
            entry = self._changed.wait_for(found, timeout_s)
        assert entry, f"not within {timeout_s} s: {[str(c) for _, c in self.changes]}"
        return entry

    def last_frame_before(self, moment_s: float) -> float:
        """Monotonic time of the newest frame that came before another."""
        return max(at_s for at_s in self.seen.times_s if at_s <= moment_s)

    def check_account(self, period: int) -> None:
        """Check that nothing is missing but what the account says the queue dropped.

        A busy machine may drop a live camera's frames there, and there alone.

        Args:
            period: after so many pictures their numbers begin again.
        """
        came = self.seen.frames[SETTLED:]
        ahead = {(number - result.seq) % period for number, result, _ in came if number is not None}
        assert len(ahead) == 1, "pictures were lost before they were decoded"
        missing = sum(b.seq - a.seq - 1 for (_, a, _), (_, b, _) in pairwise(came))
        counts, pending = self.ledger.counts()
        assert missing <= counts.dropped["queue"]
        assert counts.balanced
        assert pending == 0

    @property
    def states(self) -> list[State]:
        return [change.state for _, change in self.changes]
