"""TensorRT, its lean runtime, and TensorRT-RTX: which library, and what it says."""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

log = logging.getLogger(__name__)

MODULES = {
    "tensorrt": "tensorrt",
    "tensorrt-lean": "tensorrt_lean",  # runs what TensorRT built for it, and builds nothing
    "tensorrt-rtx": "tensorrt_rtx",
}


class Library:
    """One of the three, loaded.

    Attributes:
        runtime: ``tensorrt``, ``tensorrt-lean`` or ``tensorrt-rtx``.
        trt: the module.
        logger: the process's one ``ILogger``: the library takes no second while anything lives that
            was made with the first.
    """

    def __init__(self, runtime: str, trt: Any) -> None:
        self.runtime = runtime
        self.trt = trt
        self._listeners: list[list[str]] = []
        self._lock = threading.Lock()
        self.logger = _logger(trt, self._hear)

    @property
    def version(self) -> str:
        """Such as ``1.7.1.116``."""
        return str(self.trt.__version__)

    @property
    def is_rtx(self) -> bool:
        """True if it is TensorRT-RTX."""
        return self.runtime == "tensorrt-rtx"

    @contextmanager
    def heard(self) -> Iterator[list[str]]:
        """The warnings and errors that the library logs, in any thread, until the end of this."""
        messages: list[str] = []
        with self._lock:
            self._listeners.append(messages)
        try:
            yield messages
        finally:
            with self._lock:
                # By identity: two listeners that heard the same are equal.
                self._listeners = [one for one in self._listeners if one is not messages]

    def _hear(self, severity: str, message: str) -> None:
        log.debug("%s: %s: %s", self.runtime, severity.lower(), message)
        if severity in ("WARNING", "ERROR", "INTERNAL_ERROR"):
            with self._lock:
                for listener in self._listeners:
                    listener.append(message)


def _logger(trt: Any, hear: Any) -> Any:
    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            hear(severity.name, message)

    return Logger()


@lru_cache(maxsize=3)
def library(runtime: str) -> Library:
    """The library of a runtime, a name of ``MODULES``.

    Raises:
        ValueError: no such runtime.
        ImportError: it is not installed, or cannot be loaded; names the extra.
    """
    if runtime not in MODULES:
        raise ValueError(f"runtime: expected {', '.join(MODULES)}, got {runtime}")
    try:
        trt = importlib.import_module(MODULES[runtime])
    except (ImportError, OSError) as error:  # OSError: its own libraries are missing
        raise ImportError(
            f'{MODULES[runtime]} is missing ({error}); pip install "mirante[{runtime}]"'
        ) from error
    return Library(runtime, trt)
