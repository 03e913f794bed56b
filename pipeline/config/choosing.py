"""Choose the models of cameras that name no stages: once a process, within 10 seconds."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.config.camera_url import redact
from pipeline.config.settings import CameraT, in_folder, with_standard
from pipeline.config.standard import FACE, SHIPPED, WANTED, Choice, Finds, Standard

LIMIT_S = 10.0  # for all the places in which a file is looked for

_begun: dict[tuple[Finds, Path | None], Future[Choice]] = {}
_lock = threading.Lock()


def settle(
    camera: CameraT, folder: Path | None = None, wait_s: float | None = None
) -> CameraT | None:
    """Return the camera with the stages that it gets where it names none.

    Args:
        camera: with what it inherits.
        folder: manifests beside the zoo's, as ``Settings.models``.
        wait_s: how long to wait for the choice, which continues; None until it is made.

    Returns:
        None if the choice is not made in that time.
    """
    if camera.stages is not None:
        return camera
    until_s = None if wait_s is None else time.monotonic() + wait_s
    choices = [begin("objects", folder)]
    if FACE in camera.preview.blur:
        choices.append(begin("faces", folder))
    for choice in choices:
        left_s = None if until_s is None else max(0.0, until_s - time.monotonic())
        try:
            if choice.result(left_s).is_less:
                break  # the shipped model finds both
        except TimeoutError:
            return None
    return with_standard(camera, chosen(folder), folder)


def chosen(folder: Path | None = None) -> Standard:
    """Return what is chosen so far, without waiting."""
    made = {
        finds: choice.result()
        for (finds, of), choice in dict(_begun).items()
        if of == folder and choice.done() and choice.exception() is None
    }
    return Standard(**made)


def begin(finds: Finds, folder: Path | None = None) -> Future[Choice]:
    """Return the choice that is being made, or was: a process tries the network only once."""
    with _lock:
        if (finds, folder) not in _begun:
            _begun[finds, folder] = choice = Future[Choice]()
            # Not a daemon: a process that ended while a network is loaded would abort.
            threading.Thread(
                target=_make, args=(choice, finds, folder), name=f"choose-{finds}"
            ).start()
        return _begun[finds, folder]


def _make(choice: Future[Choice], finds: Finds, folder: Path | None) -> None:
    try:
        choice.set_result(_look(finds, folder))
    except Exception as error:  # noqa: BLE001 raised again for whoever waits
        choice.set_exception(error)


def _look(finds: Finds, folder: Path | None) -> Choice:
    """Look for the file of the model that is wanted, and make the network that it asks for.

    Raises:
        ManifestError: its manifest, one of the user's, is wrong.
    """
    from engines.made.within import network_within
    from engines.manifest import find
    from engines.store.models import ModelUnavailableError, store

    wanted = WANTED[finds]
    manifest = find(in_folder(wanted, folder))
    tried: tuple[str, ...] = ()
    try:
        if manifest.server is None:
            network_within(manifest, LIMIT_S)
    except ModelUnavailableError as error:
        tried = tuple(redact(line) for line in error.tried or (str(error),))
    return Choice(
        finds=finds,
        wanted=wanted,
        runs=SHIPPED if tried else wanted,
        file=Path(manifest.file).name,
        folder=str(store()),
        host=urlsplit(manifest.url or "").hostname or "",
        tried=tried,
    )
