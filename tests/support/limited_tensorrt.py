"""The library that is here with the names of another one: what that lacks, this has not.

So the builder's branch for TensorRT, whose libraries are not installed for tests, builds real
engines with TensorRT-RTX, and a name that TensorRT 10 or 11 does not have fails here.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from engines.runtimes.tensorrt.library import Library, library


class Names(dict[str, set[str]]):
    """Names by class.

    Attributes:
        assigned: the attributes that were set, by class and name.
    """

    def __init__(self, *names: Any) -> None:
        super().__init__(*names)
        self.assigned: dict[tuple[str, str], Any] = {}


class LimitedModule:
    """A module with only the names of another version."""

    def __init__(self, real: Any, version: str, names: dict[str, set[str]]) -> None:
        self._real, self._names = real, Names(names)
        self.assigned = self._names.assigned
        self.__version__ = version

    def __getattr__(self, name: str) -> Any:
        if name not in self._names[""]:
            raise AttributeError(f"{self.__version__} has no {name}")
        value = getattr(self._real, name)
        if name in ("ILogger", "IProgressMonitor"):  # these are for subclasses
            return value
        return _limited(value, name, self._names)


class _Limited:
    def __init__(self, real: Any, kind: str, names: Names) -> None:
        object.__setattr__(self, "_parts", (real, kind, names))

    def __getattr__(self, name: str) -> Any:
        real, kind, names = self._parts
        _check(kind, name, names)
        return _limited(getattr(real, name), type(getattr(real, name)).__name__, names)

    def __setattr__(self, name: str, value: Any) -> None:
        real, kind, names = self._parts
        _check(kind, name, names)
        setattr(real, name, _plain(value))
        names.assigned[kind, name] = value  # the library may ignore it

    def __call__(self, *arguments: Any) -> Any:
        real, _, names = self._parts
        result = real(*(_plain(argument) for argument in arguments))
        return _limited(result, type(result).__name__, names)


def _check(kind: str, name: str, names: Names) -> None:
    if name not in names.get(kind, ()):
        raise AttributeError(f"{kind} has no {name}")


def _plain(value: Any) -> Any:
    return value._parts[0] if isinstance(value, _Limited) else value


def _limited(value: Any, kind: str, names: Names) -> Any:
    is_member = hasattr(type(value), "__members__") or isinstance(value, Enum)
    if is_member or kind == "IHostMemory":  # whose bytes are taken at once
        return value
    if kind in names or callable(value):
        return _Limited(value, kind, names)
    return value


def limited_library(version: str, names: dict[str, set[str]]) -> Library:
    """TensorRT-RTX under the names of TensorRT ``version``."""
    rtx = library("tensorrt-rtx")
    limited = Library.__new__(Library)  # one logger for a process: that of the real one
    limited.__dict__.update(rtx.__dict__, runtime="tensorrt")
    limited.trt = LimitedModule(rtx.trt, version, names)
    return limited
