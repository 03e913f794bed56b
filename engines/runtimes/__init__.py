"""Runtimes: a model file and tensors in, tensors out. They know no boxes and no masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.names import resolve
from engines.runtimes.names import RUNTIMES

if TYPE_CHECKING:
    from engines.runtimes.remote.server import Server


Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output as the model file declares it.

    Attributes:
        shape: one entry per axis, None where the axis is dynamic.
        dtype: its NumPy type.
    """

    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Return whether an array of that shape fits here."""
        return len(shape) == len(self.shape) and all(
            axis is None or axis == length for axis, length in zip(self.shape, shape, strict=True)
        )


class RefusedError(RuntimeError):
    """A runtime refuses a model file: damaged, of another kind, or for another device."""


class FeedError(ValueError):
    """An input has another shape or type than the model's; names it and what was expected."""


class RunError(RuntimeError):
    """A network does not run on what it is fed, such as a size that it does not take."""


class RemoteError(RuntimeError):
    """A model server is out of reach, too slow, or refuses; says which, after how many attempts."""


class Session(Protocol):
    """A loaded model. ``run`` may be called by several threads at once."""

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name, for one array per input.

        Raises:
            FeedError: an input is missing, is not the model's, or has another shape or type.
        """


def open_session(runtime: str, path: Path, threads: int) -> Session:
    """The session of a file in a runtime, shared by all who ask with the same arguments.

    Raises:
        UnknownNameError: no such runtime.
        ImportError: its library is missing; names the extra that has it.
        RefusedError: the runtime refuses the file; the message is its own.
    """
    session: Session = resolve("runtime", runtime, RUNTIMES)(path, threads)
    return session


def open_remote_session(runtime: str, server: Server) -> Session:
    """The session of a model on a server, after asking it for the model's inputs and outputs.

    Args:
        runtime: one of ``REMOTE``.
        server: its address, and how long to wait for it.

    Raises:
        ImportError: the client's library is missing; names the extra that has it.
        RemoteError: it is out of reach, has no such model, or says nothing that can be read.
        ValueError: the address names an environment variable that is not set.
    """
    session: Session = resolve("runtime", runtime, RUNTIMES)(server)
    return session


def threads_per_session(cores: int, cameras: int) -> int:
    """Threads inside one session when each camera's thread runs its own session calls.

    Cores that no camera occupies go to the sessions, and never fewer than one thread each. More
    than 8 threads gain nothing on nets of this size.

    Raises:
        ValueError: ``cores`` or ``cameras`` is below 1.
    """
    if cores < 1 or cameras < 1:
        raise ValueError(f"expected cores and cameras >= 1, got {cores} and {cameras}")
    return max(1, min(8, cores // cameras))
