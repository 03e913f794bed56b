"""The cameras of a configuration, shared out among workers of one machine."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.cameras.sharing import session_key
from pipeline.config.camera import Camera


def shared_out(cameras: Mapping[str, Camera], workers: int) -> list[list[str]]:
    """Return the names of the cameras of each worker: about as many each, and those that can
    share a session and its decoder together.

    The same cameras are shared out in the same way whenever this is asked.
    """
    sessions: dict[object, list[str]] = {}
    for name, camera in cameras.items():
        sessions.setdefault(session_key(camera) or name, []).append(name)
    shares: list[list[str]] = [[] for _ in range(workers)]
    for names in sorted(sessions.values(), key=len, reverse=True):
        min(shares, key=len).extend(names)
    return shares
