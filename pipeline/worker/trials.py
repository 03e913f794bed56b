"""A camera tried out in a process of its own: what it shows, or in words why it shows nothing."""

from __future__ import annotations

import logging
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from mirante.faults import FaultCode
from pipeline.cameras.faults import hide
from pipeline.config.camera import Camera
from pipeline.config.camera_url import CameraUrl
from pipeline.config.choosing import chosen, settle
from pipeline.config.decode_cost import decode_hint
from pipeline.config.references import check_blur
from pipeline.config.view_stream import check_hidden
from pipeline.control.registry import Registry
from pipeline.control.trials import Request, Trial, failed, pack, unpack
from pipeline.worker.load import Mark, space_of

log = logging.getLogger(__name__)

ANSWER_S = 24.0  # from the start to an answer: twice 10 s of a slow camera, which asks for a login
KILL_S = 27.0
FETCH_S = 2.0  # for a model that travels, of the 30 that whoever asks waits; then ask again


def run_trial(name: str, camera: Camera, folder: Path | None = None, local: bool = True) -> Trial:
    """Tries a camera from this machine; takes at most 27 seconds.

    Args:
        name: what it is called.
        camera: with its credentials and all that it inherits.
        folder: manifests beside the zoo's, as ``Settings.models``.
        local: the camera may be on this machine or its link.
    """
    began_s = time.monotonic()
    whole = settle(camera, folder)
    assert whole is not None  # it was waited for
    before, children_s = Mark.now(), _children_s()
    trial = _tried(name, whole, began_s, local)
    if camera.pace != "realtime":  # it takes what there is
        trial = msgspec.structs.replace(trial, cpu_percent=None)
    if trial.cpu_percent is not None:
        trial = _fitted(trial, before, _children_s() - children_s)
    models = [use.name for use in whole.models()]
    less = chosen(folder).less(camera.preview.blur) if camera.stages is None else None
    return msgspec.structs.replace(trial, models=models, less=less, hint=_hint(trial, camera))


def _fitted(trial: Trial, before: Mark, trial_s: float) -> Trial:
    """Return the trial with whether the camera fits.

    Args:
        trial: with what the camera takes.
        before: the trial began.
        trial_s: processor time of its process, which is no part of what is in use.
    """
    assert trial.cpu_percent is not None
    now = Mark.now()
    used = (now.all_s - before.all_s - trial_s) / (now.at_s - before.at_s)
    free = round(100 * space_of(max(0.0, used)).free, 1)
    fits = trial.cpu_percent <= free
    return msgspec.structs.replace(trial, free_percent=free, fits=fits)


def _children_s() -> float:
    """Return the processor time of processes of this one that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _hint(trial: Trial, camera: Camera) -> str | None:
    if trial.size is None or trial.codec is None or camera.keyframes_only:
        return None
    has_view = camera.view is not None
    return decode_hint(trial.size, trial.fps, camera.width, camera.height, has_view=has_view)


def _tried(name: str, camera: Camera, began_s: float, local: bool) -> Trial:
    """Try a camera whose stages are known, in a process of its own."""
    blur = check_blur(camera.preview.blur, camera.stages or (), "preview.blur")
    if lines := [*blur, *check_hidden(camera, name)]:
        return failed(FaultCode.INVALID, "; ".join(lines), 0.0)
    spec = camera.model_dump(mode="json") | {"url": _whole(camera.url)}
    spec |= {"view": None, "onvif": None, "onvif_url": None}
    spec["gate"] = "off"  # what it takes is measured with all frames looked at
    request = msgspec.json.encode(Request(name, spec, began_s + ANSWER_S, sys.path, local))
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "pipeline.gst.trial"],
            input=request,
            capture_output=True,
            timeout=began_s + KILL_S - time.monotonic(),
            start_new_session=True,  # Ctrl-C is for whoever waits, which then kills it
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        _log_output(name, camera.url, error.stderr)
        words = f"the trial was ended after {KILL_S:g} s without an answer"
        return failed(FaultCode.TRIAL_ENDED, words, KILL_S)
    _log_output(name, camera.url, ended.stderr)
    try:
        return unpack(ended.stdout)
    except ValueError:
        words = f"the trial ended {_how(ended.returncode)} before it had an answer"
        return failed(FaultCode.TRIAL_ENDED, words, time.monotonic() - began_s)


def answer_trial(
    registry: Registry,
    folder: Path | None,
    is_building: Callable[[], bool],
    request: Mapping[str, Any],
    placed: Callable[[Camera, float], Camera | None] | None = None,
) -> bytes:
    """The worker's side of ``ask_trial``.

    Args:
        registry: the configured cameras.
        folder: the worker's folder of manifests.
        is_building: whether an engine is built now, which takes all that cameras leave.
        request: what was asked.
        placed: fetches models that travel, and gives None where that takes longer than so many
            seconds; None where there are none such.

    Raises:
        RegistryError: the keys make no camera here.
        ValueError: a model that travels is not here, or not yet.
    """
    name, spec = str(request["name"]), dict(request["spec"])
    camera = registry.completed(name, spec) if "url" in spec else registry.resolved(name)
    local = "url" not in spec or request.get("local", True) is True
    if placed is not None:
        found = placed(camera, FETCH_S)
        if found is None:
            raise ValueError("its model is being fetched by the worker; try again in a moment")
        camera = found
    built = is_building()
    trial = run_trial(name, camera, folder, local)
    # It may run, and is then in use itself.
    if built or is_building() or name in registry.cameras():
        trial = msgspec.structs.replace(trial, free_percent=None, fits=None)
    log.info("camera %s, tried: %s", name, trial.words)
    if trial.warning is not None:
        log.warning("camera %s, tried: %s", name, trial.warning)
    return pack(trial)


def _whole(url: CameraUrl) -> str:
    """The address with its credentials: nothing but the process's standard input may hold it."""
    if not url.is_network or (url.username is None and url.password is None):
        return url.bare
    login = quote(url.username or "", safe="")
    if url.password is not None:
        login += f":{quote(url.password, safe='')}"
    return url.bare.replace("://", f"://{login}@", 1)


def _how(status: int) -> str:
    return f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"


def _log_output(name: str, url: CameraUrl, output: bytes | None) -> None:
    """Log the output of its libraries; it prints nothing itself."""
    for line in (output or b"").decode(errors="replace").splitlines():
        log.debug("camera %s, tried: %s", name, hide(line, url))
