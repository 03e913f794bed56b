"""The memory of each camera, from one start of it to the next, and from worker to worker."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial

from plugins.memory import Memory
from plugins.outbox.outbox import Outbox

RECALL_S = 2.0

log = logging.getLogger(__name__)


class Memories:
    """The memories of a worker's cameras. Used by its main thread alone.

    What the last worker left is read when a stage first asks for it, on the camera's own thread.

    Args:
        outbox: by which it is read.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._memories: dict[str, Memory] = {}

    def of(self, camera: str) -> Memory:
        """Return the memory of a camera."""
        if camera not in self._memories:
            self._memories[camera] = Memory(recall=partial(self._recall, camera))
        return self._memories[camera]

    def adopt(self, camera: str) -> Memory:
        """Return the memory of a camera that is about to be taken over, empty until then."""
        self._memories[camera] = Memory()
        return self._memories[camera]

    def forget(self, camera: str) -> None:
        """Forget a camera, which is removed: what is in Redis holds when it comes again."""
        self._memories.pop(camera, None)

    def forget_all(self) -> None:
        """Forget all cameras, as another worker runs them now and knows better."""
        self._memories.clear()

    def _recall(self, camera: str) -> Mapping[str, bytes]:
        parts = self._outbox.recall(camera, RECALL_S)
        if parts is None:
            words = self._outbox.state.words or f"no answer within {RECALL_S:g} s"
            log.warning(
                "camera %s: begins without what its last worker knew of it: %s", camera, words
            )
        return parts or {}
