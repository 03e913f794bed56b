"""Pushes video that Python fetches into a graph."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from mirante.faults import FaultCode
from pipeline.cameras.sources.base import Fetch
from pipeline.cameras.state import Fault
from pipeline.cameras.web import FetchError

MOST_BYTES = 4 << 20  # fetched and not yet decoded
_FULL_S = 0.02

_log = logging.getLogger(__name__)


class FetchFeed:
    """A thread that hands the chunks of a fetch to an appsrc, and waits while that holds enough.

    Args:
        source: the appsrc.
        fetch: where they come from.
        on_damaged: told of a chunk that is empty: an image that is damaged.

    Attributes:
        fetch: where they come from.
        fault: why no more come; None while they do, and at a proper end.
    """

    def __init__(self, source: Any, fetch: Fetch, on_damaged: Callable[[], None]) -> None:
        self.fetch = fetch
        self.fault: Fault | None = None
        self._source, self._on_damaged = source, on_damaged
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fetch", daemon=True)

    @property
    def next_number(self) -> int:
        """Where the next graph goes on."""
        return self.fetch.next_number

    def start(self) -> None:
        """Begins to fetch."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread, also in the middle of an answer."""
        self._ended.set()
        self.fetch.abort()
        self._thread.join(timeout=1)

    def _run(self) -> None:
        try:
            for chunk in self.fetch.chunks(self._ended):
                if not chunk:
                    self._on_damaged()
                    continue
                while self._source.get_property("current-level-bytes") > MOST_BYTES:
                    if self._ended.wait(_FULL_S):
                        return
                buffer = Gst.Buffer.new_wrapped(chunk)
                if self._source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                    return
            if not self._ended.is_set():
                self._source.emit("end-of-stream")
        except FetchError as error:
            self.fault = error.fault
        except Exception as error:  # noqa: BLE001  # the camera must not hang without a word
            _log.exception("fetching failed")
            self.fault = Fault(FaultCode.OTHER, f"{type(error).__name__}: {error}")
        finally:
            self.fetch.close()
