"""Which of an RTSP camera's streams are asked for."""

from __future__ import annotations

from typing import Any

from plugins.bindings import structure_of


class FirstVideo:
    """Asks for the first video of a camera's description alone.

    Of several the one whose packets came first would be shown. Sound and metadata are not asked for
    at all. Streams are offered in order, again after a redirect.
    """

    def __init__(self) -> None:
        self._number: int | None = None

    def __call__(self, _source: Any, number: int, caps: Any) -> bool:
        """Return whether a stream is asked for."""
        if self._number is None or number <= self._number:
            is_video = structure_of(caps).get_string("media") == "video"
            self._number = number if is_video else None
            return bool(is_video)
        return False
