"""The job of a part of ``mirante bench gpu``: what its process is told."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The parameters of a part and its time limit.

    Attributes:
        seconds: after which the part is cut off; a part that may go on for ever ends by itself
            before.
        models: zoo names or manifests.
        precisions: of their engines.
        model: the one of these that the parts ``batcher`` and ``line`` run; empty for the first
            that detects something.
        runtime: what builds and runs these; empty for what is here.
        clips: folder of ``1080p30.h264`` and ``1080p30.h265``; empty for those that ship.
        decode: of the cameras of the part ``line``, as in a configuration.
        per_worker: at most so many of these in one process.
        most: streams, and cameras, that are tried at once.
    """

    seconds: float
    models: tuple[str, ...]
    precisions: tuple[str, ...]
    model: str = ""
    runtime: str = ""
    clips: str = ""
    decode: str = "nvidia"
    per_worker: int = 16
    most: int = 256

    @classmethod
    def read(cls, text: str) -> Job:
        """Return the job that ``text`` wrote in another process."""
        return _read.decode(text)

    def text(self) -> str:
        """Return it as JSON, for the command line of a process that runs it."""
        return msgspec.json.encode(self).decode()


_read = msgspec.json.Decoder(Job)
