"""Trials of cameras: the messages, and how to request one from a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import redis

from mirante.faults import FaultCode
from mirante.wire.framed import framed, unframed
from mirante.wire.messages import Object
from pipeline.config.camera_url import ADDRESSES
from pipeline.config.environment import REFERENCE
from pipeline.config.standard import Choice
from pipeline.control.credentials import Credentials
from pipeline.control.rpc import ask
from pipeline.control.spec import check_address


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a trial.

    Attributes:
        connected: a frame came and passed the camera's stages.
        words: how it went; else why not.
        code: why not, as a ``FaultCode``; None when it connected.
        size: width and height of the source's frames.
        seconds: from the start of the process to the image, or to giving up.
        fps: frames a second of the source, as it says itself, else as they came.
        codec: such as "H.264"; None where the source is not encoded.
        objects: what the stages found, as on the wire: boxes in pixels of the source.
        jpeg: the frame at the analysis size, at most 1280 wide, blurred as the camera asks; empty
            when there is none.
        models: names of the models that it ran.
        hint: that the stream is far larger than its analysis needs; None for others.
        less: why the shipped model ran, where the camera names no stages and a file is missing.
        cpu_percent: of one core, that it takes while models look at every frame that its rate lets
            pass; None where it was not measured.
        free_percent: of one core, that cameras may use yet on that machine.
        fits: whether that is enough for it; None where it was not measured.
    """

    connected: bool
    words: str
    seconds: float
    size: tuple[int, int] | None = None
    fps: float | None = None
    codec: str | None = None
    code: str | None = None
    objects: list[Object] = []
    jpeg: bytes = b""
    models: list[str] = []
    less: Choice | None = None
    hint: str | None = None
    cpu_percent: float | None = None
    free_percent: float | None = None
    fits: bool | None = None

    @property
    def warning(self) -> str | None:
        """Say that the camera does not fit; None where it does, or that is not known."""
        if self.fits is not False or self.cpu_percent is None or self.free_percent is None:
            return None
        return (
            f"it may not fit: it takes about {self.cpu_percent:.0f} % of a core when busy, and "
            f"{self.free_percent:.0f} % is left for cameras here; all cameras may come late"
        )


_read_trial = msgspec.json.Decoder(Trial)


def failed(code: FaultCode | None, words: str, seconds: float) -> Trial:
    """A trial that showed nothing."""
    return Trial(connected=False, words=words, seconds=seconds, code=code)


class Request(msgspec.Struct, frozen=True):
    """The request that the process reads from standard input. It holds secrets.

    Attributes:
        name: the camera's name.
        spec: keys of ``Camera``, the address with its credentials.
        until_s: when to give up, on the clock ``time.monotonic``, which processes share.
        path: where modules are found.
        local: the camera may be on the worker's own machine or link.
    """

    name: str
    spec: dict[str, Any]
    until_s: float
    path: list[str]
    local: bool = True


def pack(trial: Trial) -> bytes:
    """Its facts as the header of the JPEG."""
    return framed(msgspec.structs.replace(trial, jpeg=b""), trial.jpeg)


def unpack(data: bytes) -> Trial:
    """Unpack what ``pack`` made.

    Raises:
        ValueError: it is not that.
    """
    header, jpeg = unframed(data)
    return msgspec.structs.replace(_read_trial.decode(header), jpeg=jpeg)


def ask_trial(
    client: redis.Redis,
    credentials: Credentials,
    name: str,
    spec: Mapping[str, object],
    worker: str,
    timeout_s: float = 30.0,
    local: bool = True,
) -> Trial:
    """Tries a camera from a worker's machine.

    Args:
        client: a Redis client that answers bytes.
        credentials: the file of secrets, where the worker finds it: what is secret in an address
            is there until the answer has come.
        name: what it is called.
        spec: keys of ``Camera``, the url as text; without ``url`` the camera of that name is tried
            as its worker knows it.
        worker: the worker's name.
        timeout_s: how long to wait for the answer.
        local: an address in ``spec`` may be on the worker's own machine or link.

    Raises:
        ConfigError: an address is none.
        NoAnswerError: the worker does not answer in time.
        RefusedError: the worker cannot try it: a wrong key, or a secret that it does not have.
        redis.RedisError: Redis does not answer.
    """
    given = {key: str(spec[key]) for key in ADDRESSES if spec.get(key) is not None}
    for key, url in given.items():
        check_address(f"{name}.{key}", url)  # of a wrong one a secret cannot be told apart
    held = {key: credentials.withdraw(name, url) for key, url in given.items()}
    request = {"name": name, "spec": {**spec, **held}, "local": local}
    try:
        return unpack(ask(client, "trial", worker, request, timeout_s))
    finally:
        # Those that stood there before are a camera's own.
        made = [m[0] for url in held.values() for m in REFERENCE.finditer(url)]
        credentials.forget("".join(one for one in made if one not in "".join(given.values())))
