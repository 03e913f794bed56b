"""Read what a TensorRT engine says about itself in the first bytes of its file.

The libraries answer a damaged or foreign engine with a number, or not at all; the header tells what
it is before they are asked.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from engines.runtimes import RefusedError

_MAGIC = {b"ftrt": "tensorrt", b"vtrt": "tensorrt-rtx"}
_LIBRARY = {"tensorrt": "TensorRT", "tensorrt-rtx": "TensorRT-RTX"}
_HEADER_BYTES = 36
_SIZE_AT, _VERSION_AT, _ARCHITECTURES_AT = 16, 24, 32
# One bit for each, in the order of tensorrt_rtx.ComputeCapability. Bit 6 stands, with those from
# sm80 on, in engines for "Ampere and newer"; the library gives it no name.
_ARCHITECTURES = ("sm75", "sm80", "sm86", "sm89", "sm120", "sm121")


@dataclass(frozen=True, slots=True)
class Plan:
    """The header of an engine.

    Attributes:
        runtime: ``tensorrt`` or ``tensorrt-rtx``: the library that made it and can run it.
        version: of that library, such as ``1.7.1.116``.
        size: bytes of the whole file as the header has them; None for ``tensorrt``, whose headers
            are not known to say it.
        architectures: of the GPUs it is for, such as ``("sm89",)``; empty for ``tensorrt``, whose
            engines are for the GPU that they were built on.
    """

    runtime: str
    version: str
    size: int | None
    architectures: tuple[str, ...]

    def __str__(self) -> str:
        made = f"{_LIBRARY[self.runtime]} {self.version}"
        return f"built by {made} for {', '.join(self.architectures) or 'the GPU it was built on'}"


def read_plan(path: Path) -> Plan:
    """The header of an engine's file, which must be whole.

    Raises:
        RefusedError: it is no TensorRT engine, or not the whole of one.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    return parse_plan(path, head, path.stat().st_size)


def parse_plan(path: Path, head: bytes, found_bytes: int) -> Plan:
    """The header in the first bytes ``head`` of a file of ``found_bytes``.

    Raises:
        RefusedError: as ``read_plan``; ``path`` is what it names.
    """
    runtime = _MAGIC.get(head[:4])
    if runtime is None:
        raise RefusedError(
            f"{path}: no TensorRT engine: expected it to begin with "
            f"{' or '.join(magic.decode() for magic in _MAGIC)}, got {head[:4]!r}"
        )
    if len(head) < _HEADER_BYTES:
        raise RefusedError(
            f"{path}: a truncated engine: expected a header of {_HEADER_BYTES} bytes, "
            f"got {len(head)}; build it again"
        )
    version = ".".join(str(part) for part in head[_VERSION_AT : _VERSION_AT + 4])
    if runtime == "tensorrt":
        return Plan(runtime, version, None, ())
    (size,) = struct.unpack_from("<Q", head, _SIZE_AT)
    if size != found_bytes:
        raise RefusedError(
            f"{path}: a damaged engine: expected {size} bytes, as its header says, "
            f"got {found_bytes}; build it again"
        )
    (mask,) = struct.unpack_from("<I", head, _ARCHITECTURES_AT)
    return Plan(runtime, version, size, _architectures(mask))


def check_plan(plan: Plan, path: Path, runtime: str, version: str) -> None:
    """Compares an engine with the library that shall run it.

    A TensorRT engine of another version is left for the library to judge: an engine may have been
    made version-compatible, of which the header is not known to tell.

    Raises:
        RefusedError: it is for the other library, or made by another version of TensorRT-RTX.
    """
    if plan.runtime != ("tensorrt" if runtime == "tensorrt-lean" else runtime):
        raise RefusedError(
            f"{path}: expected an engine for {runtime}, got one {plan}; "
            f"run it with runtime: {plan.runtime}"
        )
    if runtime == "tensorrt-rtx" and plan.version != version:
        raise RefusedError(
            f"{path}: this engine was {plan}, here is {version}; build it again, "
            f"or install tensorrt-rtx-cu13=={plan.version}"
        )


def _architectures(mask: int) -> tuple[str, ...]:
    known = tuple(name for bit, name in enumerate(_ARCHITECTURES) if mask >> bit & 1)
    return (*known, "newer") if mask >> len(_ARCHITECTURES) else known
