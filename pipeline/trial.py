"""A camera tried out in a process of its own: what it shows, or in words why it shows nothing."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
import redis

from mirante.wire.framed import framed, unframed
from mirante.wire.messages import Object
from pipeline.asking import ask
from pipeline.config.camera import Camera
from pipeline.config.environment import REFERENCE
from pipeline.config.references import check_blur
from pipeline.credentials import Credentials
from pipeline.faults import hide
from pipeline.registry import Registry
from pipeline.urls import NETWORK, CameraUrl

log = logging.getLogger(__name__)

ANSWER_S = 17.0  # from the start to an answer, whatever the camera does
KILL_S = 20.0


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial has shown.

    Attributes:
        connected: a frame came and passed the camera's stages.
        words: how it went; else why not.
        size: width and height of the source's frames.
        seconds: from the start of the process to the picture, or to giving up.
        fps: frames a second of the source, as it says itself, else as they came.
        codec: such as "H.264"; None where the source is not encoded.
        objects: what the stages found, as on the wire: boxes in pixels of the source.
        jpeg: the frame at the analysis size, at most 1280 wide, blurred as the camera asks; empty
            when there is none.
    """

    connected: bool
    words: str
    seconds: float
    size: tuple[int, int] | None = None
    fps: float | None = None
    codec: str | None = None
    objects: list[Object] = []
    jpeg: bytes = b""


class Request(msgspec.Struct, frozen=True):
    """What the process is told on its standard input. It holds secrets.

    Attributes:
        name: the camera's name.
        spec: keys of ``Camera``, the address with its credentials.
        until_s: when to give up, on the clock ``time.monotonic``, which processes share.
        path: where modules are found.
    """

    name: str
    spec: dict[str, Any]
    until_s: float
    path: list[str]


def pack(trial: Trial) -> bytes:
    """Its facts as the header of the JPEG."""
    return framed(msgspec.structs.replace(trial, jpeg=b""), trial.jpeg)


def unpack(data: bytes) -> Trial:
    """What ``pack`` made.

    Raises:
        ValueError: it is not that.
    """
    header, jpeg = unframed(data)
    return msgspec.structs.replace(msgspec.json.decode(header, type=Trial), jpeg=jpeg)


def run_trial(name: str, camera: Camera) -> Trial:
    """Tries a camera from this machine; takes at most 20 seconds.

    Args:
        name: what it is called.
        camera: with its credentials and all that it inherits.
    """
    began_s = time.monotonic()
    if lines := list(check_blur(camera.preview.blur, camera.stages, "preview.blur")):
        return Trial(connected=False, words="; ".join(lines), seconds=0.0)
    spec = camera.model_dump(mode="json") | {"url": _whole(camera.url)}
    request = msgspec.json.encode(Request(name, spec, began_s + ANSWER_S, sys.path))
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "pipeline.gst.trial"],
            input=request,
            capture_output=True,
            timeout=KILL_S,
            start_new_session=True,  # Ctrl-C is for whoever waits, which then kills it
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        _log_output(name, camera.url, error.stderr)
        words = f"the trial was ended after {KILL_S:g} s without an answer"
        return Trial(connected=False, words=words, seconds=KILL_S)
    _log_output(name, camera.url, ended.stderr)
    try:
        return unpack(ended.stdout)
    except ValueError:
        words = f"the trial ended {_how(ended.returncode)} before it had an answer"
        return Trial(connected=False, words=words, seconds=time.monotonic() - began_s)


def ask_trial(
    client: redis.Redis,
    credentials: Credentials,
    name: str,
    spec: Mapping[str, object],
    worker: str,
    timeout_s: float = 30.0,
) -> Trial:
    """Tries a camera from a worker's machine.

    Args:
        client: a Redis client that answers bytes.
        credentials: the file of secrets, where the worker finds it: what is secret in the address
            is there until the answer has come.
        name: what it is called.
        spec: keys of ``Camera``, the url as text; without ``url`` the camera of that name is tried
            as its worker knows it.
        worker: the worker's name.
        timeout_s: how long to wait for the answer.

    Raises:
        NoAnswerError: the worker does not answer in time.
        RefusedError: the worker cannot try it: a wrong key, or a secret that it does not have.
        redis.RedisError: Redis does not answer.
    """
    given = str(spec.get("url", ""))
    held = credentials.withdraw(name, given)
    request = {"name": name, "spec": dict(spec) | ({"url": held} if given else {})}
    try:
        return unpack(ask(client, "trial", worker, request, timeout_s))
    finally:
        # Those that stood there before are a camera's own.
        credentials.forget("".join(m[0] for m in REFERENCE.finditer(held) if m[0] not in given))


def answer_trial(registry: Registry, request: Mapping[str, Any]) -> bytes:
    """The worker's side of ``ask_trial``.

    Raises:
        RegistryError: the keys make no camera here.
    """
    name, spec = str(request["name"]), dict(request["spec"])
    camera = registry.completed(name, spec) if "url" in spec else registry.resolved(name)
    trial = run_trial(name, camera)
    log.info("camera %s, tried: %s", name, trial.words)
    return pack(trial)


def _whole(url: CameraUrl) -> str:
    """The address with its credentials: nothing but the process's standard input may hold it."""
    if url.scheme not in NETWORK or (url.username is None and url.password is None):
        return url.bare
    login = quote(url.username or "", safe="")
    if url.password is not None:
        login += f":{quote(url.password, safe='')}"
    return url.bare.replace("://", f"://{login}@", 1)


def _how(status: int) -> str:
    return f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"


def _log_output(name: str, url: CameraUrl, output: bytes | None) -> None:
    """What its libraries said; it says nothing itself."""
    for line in (output or b"").decode(errors="replace").splitlines():
        log.debug("camera %s, tried: %s", name, hide(line, url))
